//! Inputs of the mutations of sessions, and their conversion to commands.

use async_graphql::{InputObject, MaybeUndefined};

use crate::domain::ledger::model::{Command, MemberRef, SessionRef};
use crate::graphql::context::Scope;
use crate::graphql::id::{Id, Named};
use crate::graphql::refusals::{Failure, LedgerFields};
use crate::graphql::scalars::Json;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, SessionId};

/// The largest metadata of a session, as text in bytes.
const LARGEST_METADATA: usize = 4_096;

/// A session to book.
#[derive(InputObject, Debug)]
pub(crate) struct BookSessionInput {
    /// The account that pays. May be left out by a member, or by a key that belongs to one account.
    pub(super) account_id: Option<Id<AccountId>>,
    /// The member who will use it. Give this or memberExternalId.
    member_id: MaybeUndefined<Id<MemberId>>,
    /// The member who will use it, by the platform's own id.
    member_external_id: Option<String>,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<Id<MemberId>>,
    /// The platform's own id of the session, unique among the account's open sessions. It must not have the form of an id of
    /// this service.
    external_id: Option<String>,
    /// The title of the session: 1 to 200 characters.
    title: String,
    /// When it begins.
    starts_at: Timestamp,
    /// When it ends.
    ends_at: Timestamp,
    /// Credits to hold; above 0.
    credits: Credits,
    /// Any JSON that the platform wants to store with the session, at most 4 KiB as text.
    metadata: Option<Json>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A session, by one of its ids.
#[derive(InputObject, Debug)]
#[expect(clippy::struct_field_names, reason = "the names of the contract")]
pub(super) struct NamedSession {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or with a sessionId.
    pub(super) account_id: Option<Id<AccountId>>,
    /// The session. Give this or externalId.
    pub(super) session_id: Option<Id<SessionId>>,
    /// The session by the platform's own id: the open one, otherwise the newest.
    external_id: Option<String>,
}

/// A session to move.
#[derive(InputObject, Debug)]
pub(crate) struct RescheduleSessionInput {
    #[graphql(flatten)]
    session: NamedSession,
    /// The new begin.
    starts_at: Timestamp,
    /// The new end.
    ends_at: Timestamp,
    /// The new number of credits to hold; unchanged when left out.
    credits: Option<Credits>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<Id<MemberId>>,
}

/// A session that took place. credits: the credits that were used; the whole hold when left out. The rest of the hold is
/// released. More than the hold needs allowOverage, and may make the balance negative.
#[derive(InputObject, Debug)]
pub(crate) struct CompleteSessionInput {
    #[graphql(flatten)]
    pub(super) session: NamedSession,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<Id<MemberId>>,
    /// The credits that were used; the whole hold when left out.
    credits: Option<Credits>,
    /// Whether it may cost more than it holds, or be charged after its hold was released.
    #[graphql(default_with = "Some(false)")]
    allow_overage: Option<bool>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A session to cancel. fee: the credits to charge for a late cancellation or a no-show; nothing when left out.
#[derive(InputObject, Debug)]
pub(crate) struct CancelSessionInput {
    #[graphql(flatten)]
    session: NamedSession,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<Id<MemberId>>,
    /// A human-readable reason: at most 500 characters.
    reason: Option<String>,
    /// Credits to charge, at most the booked credits; nothing when left out.
    fee: Option<Credits>,
    /// Whether to record that the member did not attend, instead of a cancellation.
    #[graphql(default_with = "Some(false)")]
    no_show: Option<bool>,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// A session whose charge is refunded, in full or in part.
#[derive(InputObject, Debug)]
pub(crate) struct RefundSessionInput {
    /// The account that paid. May be left out by a member, by a key that belongs to one account, or with a sessionId.
    account_id: Option<Id<AccountId>>,
    /// The session. Give this or externalId.
    session_id: Option<Id<SessionId>>,
    /// The session by the platform's own id: the open one, otherwise the newest.
    external_id: Option<String>,
    /// The member on whose behalf an API key acts; shown as actor.member.
    acting_member_id: Option<Id<MemberId>>,
    /// Credits to refund; above 0, at most what is left of the charge.
    credits: Credits,
    /// A human-readable reason: 1 to 500 characters.
    reason: String,
    /// 1 to 255 characters, unique per account. The same key with the same input returns the first result.
    idempotency_key: String,
}

/// Sessions to book, all of one account.
#[derive(InputObject, Debug)]
pub(crate) struct BookSessionsInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or when the items name it.
    pub(super) account_id: Option<Id<AccountId>>,
    /// Up to 100 sessions, each with its own key.
    pub(super) items: Vec<BookSessionInput>,
}

/// Sessions that took place, all of one account.
#[derive(InputObject, Debug)]
pub(crate) struct CompleteSessionsInput {
    /// The account that pays. May be left out by a member, by a key that belongs to one account, or when the items name it.
    pub(super) account_id: Option<Id<AccountId>>,
    /// Up to 100 sessions, each with its own key.
    pub(super) items: Vec<CompleteSessionInput>,
}

/// One command, ready to be posted.
pub(super) struct Order {
    pub(super) acting: Option<MemberId>,
    pub(super) key: String,
    pub(super) command: Command,
    pub(super) fields: LedgerFields,
}

/// The input of one command.
pub(super) trait OrderInput {
    /// Reads the input as a command.
    fn order(self, scope: &Scope) -> Result<Order, Failure>;
}

impl NamedSession {
    fn field(&self) -> &'static str {
        if self.session_id.is_some() {
            "sessionId"
        } else {
            "externalId"
        }
    }

    fn find(self, scope: &Scope) -> Result<(AccountId, SessionRef), Failure> {
        match (self.session_id, self.external_id) {
            (Some(_), Some(_)) => Err(Failure::invalid("sessionId", "give sessionId or externalId, not both")),
            (None, None) => Err(Failure::invalid("sessionId", "give sessionId or externalId")),
            (Some(id), None) => {
                let (account_id, id) = scope.object_at(SessionId::FIELD, id, self.account_id)?;
                Ok((account_id, SessionRef::Id(id)))
            }
            (None, Some(external_id)) => Ok((scope.account_for(self.account_id)?, SessionRef::ExternalId(external_id))),
        }
    }

    /// Returns the order that applies `command` to the session.
    fn order(
        self,
        scope: &Scope,
        acting: Option<Id<MemberId>>,
        key: String,
        command: impl FnOnce(SessionRef) -> Command,
    ) -> Result<Order, Failure> {
        let session_field = self.field();
        let (account_id, session) = self.find(scope)?;
        Ok(Order {
            acting: scope.acting(account_id, acting)?,
            key,
            command: command(session),
            fields: LedgerFields {
                account_id,
                member: "actingMemberId",
                session: session_field,
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
                "must not be null; name the member who will use it",
            )),
            (MaybeUndefined::Value(_), Some(_)) => Err(Failure::invalid(
                "memberId",
                "give memberId or memberExternalId, not both",
            )),
            (MaybeUndefined::Value(id), None) => Ok((
                MemberRef::Id(id.in_field(MemberId::FIELD, account_id)?),
                MemberId::FIELD,
            )),
            (MaybeUndefined::Undefined, Some(external_id)) => {
                Ok((MemberRef::ExternalId(external_id.clone()), "memberExternalId"))
            }
            (MaybeUndefined::Undefined, None) => match scope.actor().member_id() {
                Some(member_id) => Ok((MemberRef::Id(member_id), "memberId")),
                None => Err(Failure::invalid(
                    "memberId",
                    "give memberId or memberExternalId: an API key books for a member",
                )),
            },
        }
    }
}

impl OrderInput for BookSessionInput {
    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        let account_id = scope.account_for(self.account_id)?;
        let (member, member_field) = self.member(scope, account_id)?;
        let metadata = self.metadata.filter(|json| !json.0.is_null());
        let metadata = metadata.map(|json| json.0.to_string());
        if metadata.as_ref().is_some_and(|text| text.len() > LARGEST_METADATA) {
            return Err(Failure::invalid("metadata", "must be at most 4096 bytes as text"));
        }
        // A value that cannot be read back must not be stored.
        if metadata
            .as_ref()
            .is_some_and(|text| serde_json::from_str::<serde_json::Value>(text).is_err())
        {
            return Err(Failure::invalid("metadata", "is nested too deeply"));
        }
        Ok(Order {
            acting: scope.acting(account_id, self.acting_member_id)?,
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

impl OrderInput for CompleteSessionInput {
    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        self.session
            .order(scope, self.acting_member_id, self.idempotency_key, |session| {
                Command::Complete {
                    session,
                    credits: self.credits,
                    allow_overage: self.allow_overage.unwrap_or(false),
                }
            })
    }
}

impl OrderInput for RescheduleSessionInput {
    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        self.session
            .order(scope, self.acting_member_id, self.idempotency_key, |session| {
                Command::Reschedule {
                    session,
                    starts_at: self.starts_at,
                    ends_at: self.ends_at,
                    credits: self.credits,
                }
            })
    }
}

impl OrderInput for CancelSessionInput {
    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        let order = self
            .session
            .order(scope, self.acting_member_id, self.idempotency_key, |session| {
                Command::Cancel {
                    session,
                    reason: self.reason,
                    fee: self.fee,
                    no_show: self.no_show.unwrap_or(false),
                }
            });
        order.map(|mut order| {
            order.fields.amount = "fee";
            order
        })
    }
}

impl OrderInput for RefundSessionInput {
    fn order(self, scope: &Scope) -> Result<Order, Failure> {
        let named = NamedSession {
            account_id: self.account_id,
            session_id: self.session_id,
            external_id: self.external_id,
        };
        named.order(scope, self.acting_member_id, self.idempotency_key, |session| {
            Command::Refund {
                session,
                credits: self.credits,
                reason: self.reason,
            }
        })
    }
}
