//! Mutations of sessions.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::payload::{
    BookSessionPayload, BookSessionsPayload, CancelSessionPayload, CompleteSessionPayload, CompleteSessionsPayload,
    RefundSessionPayload, RescheduleSessionPayload,
};
use crate::domain::ledger::Posted;
use crate::domain::ledger::model::{Command, MemberRef, SessionRef};
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::inputs::member_in;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, LedgerFields};
use crate::graphql::scalars::Json;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdKind, MemberId, SessionId};

use super::filter::at_most_100;

/// The largest metadata of a session, as text.
const LARGEST_METADATA: usize = 4_096;

/// A session to book.
#[derive(InputObject, Debug)]
pub(crate) struct BookSessionInput {
    /// The account that pays. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<ID>,
    /// Who will use it. A member who leaves out both this and memberExternalId books for themselves.
    member_id: MaybeUndefined<ID>,
    /// Who will use it, by the platform's own id.
    member_external_id: Option<String>,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<ID>,
    /// The platform's own id of the session, unique among the account's open sessions.
    external_id: Option<String>,
    /// What it is called: 1 to 200 characters.
    title: String,
    /// When it begins.
    starts_at: Timestamp,
    /// When it ends.
    ends_at: Timestamp,
    /// Credits to hold; above 0.
    credits: Credits,
    /// Anything that the platform wants to find again with the session, at most 4 KiB as text.
    metadata: Option<Json>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A session to move.
#[derive(InputObject, Debug)]
pub(crate) struct RescheduleSessionInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or with a sessionId.
    account_id: Option<ID>,
    /// Which session. Give this or externalId.
    session_id: Option<ID>,
    /// Which session, by the platform's own id: the open one, else the newest.
    external_id: Option<String>,
    /// When it begins now.
    starts_at: Timestamp,
    /// When it ends now.
    ends_at: Timestamp,
    /// Credits to hold now; as before when left out.
    credits: Option<Credits>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<ID>,
}

/// A session that took place. credits: what was used; the whole hold when left out. Less gives the rest back; more needs
/// allowOverage, and may make the balance negative.
#[derive(InputObject, Debug)]
pub(crate) struct CompleteSessionInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or with a sessionId.
    account_id: Option<ID>,
    /// Which session. Give this or externalId.
    session_id: Option<ID>,
    /// Which session, by the platform's own id: the open one, else the newest.
    external_id: Option<String>,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<ID>,
    /// What was used; the whole hold when left out.
    credits: Option<Credits>,
    /// Whether it may cost more than it holds, or be charged after its hold was released.
    #[graphql(default_with = "Some(false)")]
    allow_overage: Option<bool>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A session to call off. fee: credits kept for a late cancellation or a no-show; nothing when left out.
#[derive(InputObject, Debug)]
pub(crate) struct CancelSessionInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or with a sessionId.
    account_id: Option<ID>,
    /// Which session. Give this or externalId.
    session_id: Option<ID>,
    /// Which session, by the platform's own id: the open one, else the newest.
    external_id: Option<String>,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<ID>,
    /// Why, in words for people: at most 500 characters.
    reason: Option<String>,
    /// Credits kept, at most what was booked; nothing when left out.
    fee: Option<Credits>,
    /// Whether the member did not come, instead of calling it off.
    #[graphql(default_with = "Some(false)")]
    no_show: Option<bool>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A session whose charge is given back, in full or in part.
#[derive(InputObject, Debug)]
pub(crate) struct RefundSessionInput {
    /// The account that paid. May be left out by a member, by a key that belongs to one account, or with a sessionId.
    account_id: Option<ID>,
    /// Which session. Give this or externalId.
    session_id: Option<ID>,
    /// Which session, by the platform's own id: the open one, else the newest.
    external_id: Option<String>,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<ID>,
    /// Credits to give back; above 0, at most what is left of the charge.
    credits: Credits,
    /// Why, in words for people: 1 to 500 characters.
    reason: String,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// Sessions to book, all of one account.
#[derive(InputObject, Debug)]
pub(crate) struct BookSessionsInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or when the items name it.
    account_id: Option<ID>,
    /// Up to 100, each with its own key.
    items: Vec<BookSessionInput>,
}

/// Sessions that took place, all of one account.
#[derive(InputObject, Debug)]
pub(crate) struct CompleteSessionsInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or when the items name it.
    account_id: Option<ID>,
    /// Up to 100, each with its own key.
    items: Vec<CompleteSessionInput>,
}

/// One command, ready to be posted.
struct Order {
    acting: Option<MemberId>,
    key: String,
    command: Command,
    fields: LedgerFields,
}

/// What an input says about which session it means.
struct Named<'a> {
    account: Option<&'a ID>,
    session: Option<&'a ID>,
    external: Option<&'a String>,
}

impl Named<'_> {
    fn session_field(&self) -> &'static str {
        if self.session.is_some() {
            "sessionId"
        } else {
            "externalId"
        }
    }

    fn find(&self, scope: &Scope) -> Result<(AccountId, SessionRef), Failure> {
        match (self.session, self.external) {
            (Some(_), Some(_)) => Err(Failure::invalid("sessionId", "give sessionId or externalId, not both")),
            (None, None) => Err(Failure::invalid("sessionId", "give sessionId or externalId")),
            (Some(id), None) => {
                let (account_id, uuid) =
                    scope.account_of(self.account, id, IdKind::Session, ("sessionId", "session"))?;
                Ok((account_id, SessionRef::Id(SessionId::from_uuid(uuid))))
            }
            (None, Some(external_id)) => Ok((
                scope.account_for(self.account)?,
                SessionRef::ExternalId(external_id.clone()),
            )),
        }
    }

    /// The order that `command` makes of the session.
    fn order(
        &self,
        scope: &Scope,
        acting: Option<&ID>,
        key: String,
        command: impl FnOnce(SessionRef) -> Command,
    ) -> Result<Order, Failure> {
        let (account_id, session) = self.find(scope)?;
        Ok(Order {
            acting: scope.acting(account_id, acting)?,
            key,
            command: command(session),
            fields: LedgerFields {
                account_id,
                member: "actingMemberId",
                session: self.session_field(),
                amount: "credits",
            },
        })
    }
}

impl BookSessionInput {
    fn member(&self, scope: &Scope, account_id: AccountId) -> Result<(MemberRef, &'static str), Failure> {
        match (&self.member_id, &self.member_external_id) {
            (MaybeUndefined::Null, _) => Err(Failure::invalid(
                "memberId",
                "must not be null; leave it out to book for yourself",
            )),
            (MaybeUndefined::Value(_), Some(_)) => Err(Failure::invalid(
                "memberId",
                "give memberId or memberExternalId, not both",
            )),
            (MaybeUndefined::Value(id), None) => {
                Ok((MemberRef::Id(member_in(account_id, id, "memberId")?), "memberId"))
            }
            (MaybeUndefined::Undefined, Some(external_id)) => {
                Ok((MemberRef::ExternalId(external_id.clone()), "memberExternalId"))
            }
            (MaybeUndefined::Undefined, None) => match scope.actor().member_id() {
                Some(member_id) => Ok((MemberRef::Id(member_id), "memberId")),
                None => Err(Failure::invalid(
                    "memberId",
                    "give memberId or memberExternalId: an API key books for somebody",
                )),
            },
        }
    }

    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        let account_id = scope.account_for(self.account_id.as_ref())?;
        let (member, member_field) = self.member(scope, account_id)?;
        let metadata = self
            .metadata
            .filter(|json| !json.0.is_null())
            .map(|json| json.0.to_string());
        if metadata.as_ref().is_some_and(|text| text.len() > LARGEST_METADATA) {
            return Err(Failure::invalid("metadata", "must be at most 4096 bytes as text"));
        }
        Ok(Order {
            acting: scope.acting(account_id, self.acting_member_id.as_ref())?,
            key: self.idempotency_key,
            command: Command::Book {
                member,
                external_id: self.external_id,
                title: self.title,
                starts_at: self.starts_at,
                ends_at: self.ends_at,
                credits: self.credits,
                metadata,
            },
            fields: LedgerFields {
                account_id,
                member: member_field,
                session: "externalId",
                amount: "credits",
            },
        })
    }
}

impl CompleteSessionInput {
    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        let named = Named {
            account: self.account_id.as_ref(),
            session: self.session_id.as_ref(),
            external: self.external_id.as_ref(),
        };
        named.order(scope, self.acting_member_id.as_ref(), self.idempotency_key, |session| {
            Command::Complete {
                session,
                credits: self.credits,
                allow_overage: self.allow_overage.unwrap_or(false),
            }
        })
    }
}

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

/// Posts a list for one account: all of it reaches the engine at once, and each item has its own answer.
async fn post_all(
    scope: &Scope,
    account_id: AccountId,
    orders: Vec<Result<Order, Failure>>,
) -> Result<Outcome<Vec<Outcome<Posted>>>, ApiError> {
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
                None => Err(crate::domain::fault::Fault::Internal("an item was not answered".to_owned()).into()),
            },
            Err(failure) => Err(failure),
        };
        let mut outcome = Outcome::settle(result)?;
        let item = at.to_string();
        outcome.errors = outcome
            .errors
            .into_iter()
            .map(|error| error.within(&["items", &item]))
            .collect();
        outcomes.push(outcome);
    }
    Outcome::settle(Ok(outcomes))
}

/// Mutations of sessions.
#[derive(Default)]
pub(crate) struct SessionMutation;

/// Mutations of sessions.
#[Object]
impl SessionMutation {
    /// Books a session: holds its credits until it is completed, canceled or released. [auth: `MANAGE_SESSIONS`]
    async fn book_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to book.")] input: BookSessionInput,
    ) -> Option<Result<BookSessionPayload, ApiError>> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(BookSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Moves an open session, and perhaps changes what it holds. [auth: `MANAGE_SESSIONS`]
    async fn reschedule_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, and when it is now.")] input: RescheduleSessionInput,
    ) -> Option<Result<RescheduleSessionPayload, ApiError>> {
        nullable(async {
            let scope = scope(ctx)?;
            let named = Named {
                account: input.account_id.as_ref(),
                session: input.session_id.as_ref(),
                external: input.external_id.as_ref(),
            };
            let order = named.order(
                scope,
                input.acting_member_id.as_ref(),
                input.idempotency_key,
                |session| Command::Reschedule {
                    session,
                    starts_at: input.starts_at,
                    ends_at: input.ends_at,
                    credits: input.credits,
                },
            );
            Ok(Some(RescheduleSessionPayload(post(scope, order).await?)))
        })
        .await
    }

    /// Completes a session: deducts its credits. [auth: `MANAGE_SESSIONS`]
    async fn complete_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, and what was used.")] input: CompleteSessionInput,
    ) -> Option<Result<CompleteSessionPayload, ApiError>> {
        nullable(async {
            let scope = scope(ctx)?;
            Ok(Some(CompleteSessionPayload(post(scope, input.order(scope)).await?)))
        })
        .await
    }

    /// Calls a session off, or records that the member did not come, perhaps for a fee. [auth: `MANAGE_SESSIONS`]
    async fn cancel_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, and what is kept.")] input: CancelSessionInput,
    ) -> Option<Result<CancelSessionPayload, ApiError>> {
        nullable(async {
            let scope = scope(ctx)?;
            let named = Named {
                account: input.account_id.as_ref(),
                session: input.session_id.as_ref(),
                external: input.external_id.as_ref(),
            };
            let mut order = named.order(
                scope,
                input.acting_member_id.as_ref(),
                input.idempotency_key,
                |session| Command::Cancel {
                    session,
                    reason: input.reason.clone(),
                    fee: input.fee,
                    no_show: input.no_show.unwrap_or(false),
                },
            );
            if let Ok(order) = &mut order {
                order.fields.amount = "fee";
            }
            Ok(Some(CancelSessionPayload(post(scope, order).await?)))
        })
        .await
    }

    /// Gives back part or all of a session's charge, to the lots it came from. [auth: `MANAGE_SESSIONS`]
    async fn refund_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, and how much.")] input: RefundSessionInput,
    ) -> Option<Result<RefundSessionPayload, ApiError>> {
        nullable(async {
            let scope = scope(ctx)?;
            let named = Named {
                account: input.account_id.as_ref(),
                session: input.session_id.as_ref(),
                external: input.external_id.as_ref(),
            };
            let order = named.order(
                scope,
                input.acting_member_id.as_ref(),
                input.idempotency_key,
                |session| Command::Refund {
                    session,
                    credits: input.credits,
                    reason: input.reason.clone(),
                },
            );
            Ok(Some(RefundSessionPayload(post(scope, order).await?)))
        })
        .await
    }

    /// Books up to 100 sessions of one account, each with its own key; one result per item, in order. [auth: `MANAGE_SESSIONS`]
    async fn book_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to book.")] input: BookSessionsInput,
    ) -> Option<Result<BookSessionsPayload, ApiError>> {
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
    /// [auth: `MANAGE_SESSIONS`]
    async fn complete_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions, and what was used.")] input: CompleteSessionsInput,
    ) -> Option<Result<CompleteSessionsPayload, ApiError>> {
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
