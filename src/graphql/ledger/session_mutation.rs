//! Mutations of sessions.

use async_graphql::{Context, Object};

use super::filter::at_most_100;
use super::payload::{
    BookSessionPayload, BookSessionsPayload, CancelSessionPayload, CompleteSessionPayload, CompleteSessionsPayload,
    RefundSessionPayload, RescheduleSessionPayload,
};
use super::session_input::{
    BookSessionInput, BookSessionsInput, CancelSessionInput, CompleteSessionInput, CompleteSessionsInput, Order,
    RefundSessionInput, RescheduleSessionInput,
};
use crate::domain::fault::Fault;
use crate::domain::ledger::Posted;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, LedgerFields};
use crate::primitives::actor::Permission;
use crate::primitives::ids::{AccountId, IdKind};

async fn post(scope: &Scope, order: Result<Order, Failure>) -> Result<Outcome<Posted>, ApiError> {
    let result = match order {
        Ok(order) => {
            let Order {
                acting,
                key,
                command,
                fields,
            } = order;
            let ledger = &scope.services.ledger;
            ledger
                .post(scope.actor(), fields.account_id, acting, key, command)
                .await
                .map_err(|error| fields.failure(error))
        }
        Err(failure) => Err(failure),
    };
    Outcome::settle(result)
}

/// Posts a list of commands of one account. All of them reach the engine at once, and each item has its own result.
async fn post_all(
    scope: &Scope,
    account_id: AccountId,
    orders: Vec<Result<Order, Failure>>,
) -> Result<Outcome<Vec<Result<Outcome<Posted>, ApiError>>>, ApiError> {
    let acting = orders.iter().flatten().next().and_then(|order| order.acting);
    let mut items = Vec::with_capacity(orders.len());
    let mut answers: Vec<Result<LedgerFields, Failure>> = Vec::with_capacity(orders.len());
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
        answers.push(order.map(|order| {
            items.push((order.key, order.command));
            order.fields
        }));
    }
    let ledger = &scope.services.ledger;
    let posted = match ledger.post_all(scope.actor(), account_id, acting, items).await {
        Ok(posted) => posted,
        Err(error) => {
            let fields = LedgerFields {
                account_id,
                member: "actingMemberId",
                session: "sessionId",
                amount: "credits",
            };
            return Outcome::settle(Err(fields.failure(error)));
        }
    };
    let mut posted = posted.into_iter();
    let mut outcomes = Vec::with_capacity(answers.len());
    for (at, answer) in answers.into_iter().enumerate() {
        let result = match answer {
            Ok(fields) => match posted.next() {
                Some(result) => result.map_err(|error| fields.failure(error)),
                None => Err(Fault::Internal("an item was not answered".to_owned()).into()),
            },
            Err(failure) => Err(failure),
        };
        let item = at.to_string();
        outcomes.push(Outcome::settle(result).map(|mut outcome| {
            let errors = outcome.errors.into_iter();
            outcome.errors = errors.map(|error| error.within(&["items", &item])).collect();
            outcome
        }));
    }
    Outcome::settle(Ok(outcomes))
}

#[derive(Default)]
pub(crate) struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Books a session: holds its credits until it is completed, canceled or released. [auth: `BOOK_SESSIONS`]
    async fn book_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to book.")] input: BookSessionInput,
    ) -> Nullable<BookSessionPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(BookSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Moves an open session, and can change the credits that it holds. [auth: `BOOK_SESSIONS`]
    async fn reschedule_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session, and its new times.")] input: RescheduleSessionInput,
    ) -> Nullable<RescheduleSessionPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(RescheduleSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Completes a session: deducts its credits. [auth: `SETTLE_SESSIONS`]
    async fn complete_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to complete, and the credits that were used.")] input: CompleteSessionInput,
    ) -> Nullable<CompleteSessionPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(CompleteSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Cancels a session, or records that the member did not attend, optionally for a fee.
    /// [auth: `BOOK_SESSIONS`; for a fee or a no-show `SETTLE_SESSIONS`]
    async fn cancel_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to cancel, and the fee.")] input: CancelSessionInput,
    ) -> Nullable<CancelSessionPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(CancelSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Refunds part or all of a session's charge, to the lots it came from. [auth: `SETTLE_SESSIONS`]
    async fn refund_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session, and the credits to refund.")] input: RefundSessionInput,
    ) -> Nullable<RefundSessionPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(RefundSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Books up to 100 sessions of one account, each with its own key; one result per item, in order. [auth: `BOOK_SESSIONS`]
    async fn book_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sessions to book.")] input: BookSessionsInput,
    ) -> Nullable<BookSessionsPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            at_most_100("input.items", Some(&input.items))?;
            let named = input
                .account_id
                .or_else(|| input.items.iter().find_map(|item| item.account_id.clone()));
            let account_id = match scope.account_for(named.as_ref()) {
                Ok(account_id) => account_id,
                Err(failure) => return Ok(Some(BookSessionsPayload::new(Outcome::settle(Err(failure))?))),
            };
            if let Err(refused) = scope.actor().require(account_id, Permission::BookSessions) {
                return Ok(Some(BookSessionsPayload::new(Outcome::settle(Err(refused.into()))?)));
            }
            let order = |mut item: BookSessionInput| {
                item.account_id = item.account_id.or_else(|| named.clone());
                item.order(scope)
            };
            let orders = input.items.into_iter().map(order).collect();
            Ok(Some(BookSessionsPayload::new(
                post_all(scope, account_id, orders).await?,
            )))
        })
        .await
    }

    /// Completes up to 100 sessions of one account, each with its own key; one result per item, in order.
    /// [auth: `SETTLE_SESSIONS`]
    async fn complete_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sessions to complete, and the credits that were used.")] input: CompleteSessionsInput,
    ) -> Nullable<CompleteSessionsPayload> {
        nullable(async {
            let scope = scope(ctx)?;
            at_most_100("input.items", Some(&input.items))?;
            let named = input
                .account_id
                .or_else(|| input.items.iter().find_map(|item| item.account_id.clone()));
            let by_session = || {
                let id = input.items.iter().find_map(|item| item.session_id.as_ref())?;
                let (account_id, _) = scope
                    .account_of(None, id, IdKind::Session, ("sessionId", "session"))
                    .ok()?;
                Some(account_id)
            };
            let account_id = match (&named, by_session()) {
                (None, Some(account_id)) => account_id,
                _ => match scope.account_for(named.as_ref()) {
                    Ok(account_id) => account_id,
                    Err(failure) => return Ok(Some(CompleteSessionsPayload::new(Outcome::settle(Err(failure))?))),
                },
            };
            if let Err(refused) = scope.actor().require(account_id, Permission::SettleSessions) {
                return Ok(Some(CompleteSessionsPayload::new(Outcome::settle(
                    Err(refused.into()),
                )?)));
            }
            let order = |mut item: CompleteSessionInput| {
                item.account_id = item.account_id.or_else(|| named.clone());
                item.order(scope)
            };
            let orders = input.items.into_iter().map(order).collect();
            let outcome = post_all(scope, account_id, orders).await?;
            Ok(Some(CompleteSessionsPayload::new(outcome)))
        })
        .await
    }
}
