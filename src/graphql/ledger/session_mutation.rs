//! Mutations of sessions.

use super::filter::at_most_100;
use super::payload::{
    BookSessionPayload, BookSessionsPayload, CancelSessionPayload, CompleteSessionPayload, CompleteSessionsPayload,
    RefundSessionPayload, RescheduleSessionPayload, SessionResult,
};
use super::session_input::{
    BookSessionInput, BookSessionsInput, CancelSessionInput, CompleteSessionInput, CompleteSessionsInput, Order,
    OrderInput, RefundSessionInput, RescheduleSessionInput,
};
use crate::domain::fault::Fault;
use crate::domain::ledger::Posted;
use crate::graphql::context::Scope;
use crate::graphql::payload::mutations;
use crate::graphql::refusals::{Failure, LedgerFields};
use crate::primitives::actor::Permission;
use crate::primitives::ids::AccountId;

async fn post(scope: &Scope, input: impl OrderInput) -> Result<Posted, Failure> {
    let Order {
        acting,
        key,
        command,
        fields,
    } = input.order(scope)?;
    let ledger = &scope.services.ledger;
    let posted = ledger
        .post(scope.actor(), fields.account_id, acting, key, command)
        .await;
    posted.map_err(|error| fields.failure(error))
}

/// Posts a list of commands of one account. All of them reach the engine at once, and each item has its own result.
async fn post_all(
    scope: &Scope,
    account_id: AccountId,
    orders: Vec<Result<Order, Failure>>,
) -> Result<Vec<SessionResult>, Failure> {
    let acting = orders.iter().flatten().next().and_then(|order| order.acting);
    let mut items = Vec::with_capacity(orders.len());
    let mut checked: Vec<Result<LedgerFields, Failure>> = Vec::with_capacity(orders.len());
    for order in orders {
        let order = order.and_then(|order| {
            if order.fields.account_id != account_id {
                return Err(Failure::invalid("accountId", "all items must be of one account"));
            }
            if order.acting != acting {
                return Err(Failure::invalid(
                    "actingMemberId",
                    "all items must be on behalf of the same member",
                ));
            }
            Ok(order)
        });
        checked.push(order.map(|order| {
            items.push((order.key, order.command));
            order.fields
        }));
    }
    let fields = LedgerFields {
        account_id,
        member: "actingMemberId",
        session: "sessionId",
        amount: "credits",
    };
    let ledger = &scope.services.ledger;
    let posted = ledger.post_all(scope.actor(), account_id, acting, items).await;
    let mut posted = posted.map_err(|error| fields.failure(error))?.into_iter();
    let mut result_of = |checked: Result<LedgerFields, Failure>| {
        let fields = checked?;
        match posted.next() {
            Some(result) => result.map_err(|error| fields.failure(error)),
            None => Err(Fault::Internal("an item was not answered".to_owned()).into()),
        }
    };
    let checked = checked.into_iter().enumerate();
    Ok(checked
        .map(|(at, fields)| SessionResult::new(at, result_of(fields)))
        .collect())
}

async fn book_all(scope: &Scope, input: BookSessionsInput) -> Result<Vec<SessionResult>, Failure> {
    at_most_100("input.items", Some(&input.items))?;
    let named = input.items.iter().find_map(|item| item.account_id);
    let named = input.account_id.or(named);
    let account_id = scope.account_for(named)?;
    scope.actor().require(account_id, Permission::BookSessions)?;
    let order = |mut item: BookSessionInput| {
        item.account_id = item.account_id.or(named);
        item.order(scope)
    };
    post_all(scope, account_id, input.items.into_iter().map(order).collect()).await
}

async fn complete_all(scope: &Scope, input: CompleteSessionsInput) -> Result<Vec<SessionResult>, Failure> {
    at_most_100("input.items", Some(&input.items))?;
    let sessions = || input.items.iter().map(|item| &item.session);
    let named = sessions().find_map(|session| session.account_id);
    let named = input.account_id.or(named);
    let by_session = sessions().find_map(|session| session.session_id);
    let by_session = by_session.and_then(|id| scope.object(id).ok());
    let account_id = match (named, by_session) {
        (None, Some((account_id, _))) => account_id,
        _ => scope.account_for(named)?,
    };
    scope.actor().require(account_id, Permission::SettleSessions)?;
    let order = |mut item: CompleteSessionInput| {
        item.session.account_id = item.session.account_id.or(named);
        item.order(scope)
    };
    post_all(scope, account_id, input.items.into_iter().map(order).collect()).await
}

mutations! {
    SessionMutation {
        /// Books a session: holds its credits until it is completed, canceled or released. [auth: `BOOK_SESSIONS`]
        book_session(BookSessionInput: "The session to book.") -> BookSessionPayload = post;

        /// Moves an open session, and can change the credits that it holds. [auth: `BOOK_SESSIONS`]
        reschedule_session(RescheduleSessionInput: "The session, and its new times.")
            -> RescheduleSessionPayload = post;

        /// Completes a session: deducts its credits. [auth: `SETTLE_SESSIONS`]
        complete_session(CompleteSessionInput: "The session to complete, and the credits that were used.")
            -> CompleteSessionPayload = post;

        /// Cancels a session, or records that the member did not attend, optionally for a fee.
        /// [auth: `BOOK_SESSIONS`; for a fee or a no-show `SETTLE_SESSIONS`]
        cancel_session(CancelSessionInput: "The session to cancel, and the fee.") -> CancelSessionPayload = post;

        /// Refunds part or all of a session's charge, to the lots it came from. [auth: `SETTLE_SESSIONS`]
        refund_session(RefundSessionInput: "The session, and the credits to refund.") -> RefundSessionPayload = post;

        /// Books up to 100 sessions of one account, each with its own key; one result per item, in order. [auth: `BOOK_SESSIONS`]
        book_sessions(BookSessionsInput: "The sessions to book.") -> BookSessionsPayload = book_all;

        /// Completes up to 100 sessions of one account, each with its own key; one result per item, in order.
        /// [auth: `SETTLE_SESSIONS`]
        complete_sessions(CompleteSessionsInput: "The sessions to complete, and the credits that were used.")
            -> CompleteSessionsPayload = complete_all;
    }
}
