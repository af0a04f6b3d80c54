//! Sessions: booked uses of credits.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::entry::CreditEntry;
use super::filter::{DateTimeRange, at_most_100, ids_of};
use crate::domain::ledger::model::ACCOUNT_CLOSED;
use crate::domain::ledger::sessions;
use crate::graphql::connection::connection;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::loaders::must_exist;
use crate::graphql::member::{Account, Member};
use crate::graphql::scalars::Json;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdKind, MemberId};

/// BOOKED until endsAt; then PROCESSING until the platform completes it; a hold never resolved is released as EXPIRED.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sessions::ShownStatus")]
pub enum SessionStatus {
    /// Its credits are held and it has not ended yet.
    Booked,
    /// It has ended and its deduction is awaited; its credits are held.
    Processing,
    /// It took place and was charged.
    Completed,
    /// It was called off, perhaps for a fee.
    Canceled,
    /// The member did not come.
    NoShow,
    /// Nobody resolved it in time: its hold was released. It can still be completed.
    Expired,
}

/// Which instant a list of sessions goes by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sessions::SessionOrder")]
pub enum SessionOrder {
    /// When it was booked.
    BookedAt,
    /// When it begins.
    StartsAt,
}

/// Which sessions to list. All conditions must hold; one left out or null does not restrict.
#[derive(InputObject, Debug, Default)]
pub(crate) struct SessionFilter {
    /// Any of these.
    statuses: Option<Vec<SessionStatus>>,
    /// Of any of these members.
    member_ids: Option<Vec<ID>>,
    /// Those that begin in this range: from is inclusive, before is exclusive.
    starts_at: Option<DateTimeRange>,
    /// The platform's own id.
    external_id: Option<String>,
    /// All of these words (the first 10), each the beginning of a word, or in scripts without spaces any part, of the title or the
    /// external id, without regard to case.
    /// Case-insensitive.
    search: Option<String>,
}

impl SessionFilter {
    pub(in crate::graphql) fn for_account(self, account_id: AccountId) -> Result<sessions::SessionFilter, ApiError> {
        at_most_100("filter.statuses", self.statuses.as_deref())?;
        Ok(sessions::SessionFilter {
            statuses: self
                .statuses
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
            member_ids: ids_of(
                "filter.memberIds",
                self.member_ids,
                account_id,
                IdKind::Member,
                MemberId::from_uuid,
            )?,
            starts_at: self.starts_at.map(Into::into),
            external_id: self.external_id,
            search: self.search,
        })
    }
}

/// A session booked with credits.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    account_id: AccountId,
    view: sessions::SessionView,
}

impl Session {
    pub(in crate::graphql) fn new(account_id: AccountId, view: sessions::SessionView) -> Self {
        Self { account_id, view }
    }
}

/// A session booked with credits. Booking holds them; completing deducts them.
#[Object]
impl Session {
    /// Opaque id, for `node`, filters and mutations.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.view.session.id.global(self.account_id))
    }

    /// The platform's own id, unique among the account's open sessions.
    async fn external_id(&self) -> Option<&str> {
        self.view.session.external_id.as_deref()
    }

    /// What it is called.
    async fn title(&self) -> &str {
        &self.view.session.title
    }

    /// Who uses it.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, ApiError> {
        let member_id = self.view.session.member_id;
        let member = scope(ctx)?.loaders.member(self.account_id, member_id).await?;
        must_exist(member, "member").map(Member::new)
    }

    /// How far it is.
    async fn status(&self) -> SessionStatus {
        self.view.status.into()
    }

    /// When it begins.
    async fn starts_at(&self) -> Timestamp {
        self.view.session.starts_at
    }

    /// When it ends.
    async fn ends_at(&self) -> Timestamp {
        self.view.session.ends_at
    }

    /// Credits booked in all.
    async fn booked(&self) -> Credits {
        self.view.session.booked
    }

    /// Credits held while BOOKED or PROCESSING, else 0.
    async fn held(&self) -> Credits {
        self.view.held
    }

    /// Credits deducted in the end. Null until COMPLETED, CANCELED late or `NO_SHOW`.
    async fn charged(&self) -> Option<Credits> {
        self.view.session.charged
    }

    /// While PROCESSING: when the deduction is expected to show in the log.
    async fn deduction_expected_by(&self) -> Option<Timestamp> {
        self.view.deduction_expected_by
    }

    /// When it was booked.
    async fn booked_at(&self) -> Timestamp {
        self.view.session.booked_at
    }

    /// When it was completed, canceled, missed or released. Null while open.
    async fn resolved_at(&self) -> Option<Timestamp> {
        self.view.session.resolved_at
    }

    /// Its lines in the credit log, oldest first: the charge, then what was given back. The first 100; entryCount says how many
    /// there are.
    async fn entries(&self, ctx: &Context<'_>) -> Result<Vec<CreditEntry>, ApiError> {
        let loaders = &scope(ctx)?.loaders;
        let entries = loaders
            .entries_of_session(self.account_id, self.view.session.id)
            .await?;
        let entries = entries.unwrap_or_default().entries;
        Ok(entries.into_iter().map(CreditEntry::new).collect())
    }

    /// How many lines it has in the credit log.
    async fn entry_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let loaders = &scope(ctx)?.loaders;
        let entries = loaders
            .entries_of_session(self.account_id, self.view.session.id)
            .await?;
        Ok(entries.map_or(0, |entries| i32::try_from(entries.total).unwrap_or(i32::MAX)))
    }

    /// Credits of its charge that were given back.
    async fn refunded(&self) -> Credits {
        self.view.session.refunded
    }

    /// Why it was called off. What people wrote is as they wrote it; that the account was closed is in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn cancel_reason(&self, ctx: &Context<'_>) -> Option<Result<String, ApiError>> {
        nullable(async {
            match self.view.session.cancel_reason.as_deref() {
                Some(ACCOUNT_CLOSED) => scope(ctx)?.in_words(ACCOUNT_CLOSED).await.map(Some),
                reason => Ok(reason.map(str::to_owned)),
            }
        })
        .await
    }

    /// The account that pays.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account, ApiError> {
        Account::load(ctx, self.account_id).await
    }

    /// The platform's own JSON, as it was given when booking.
    async fn metadata(&self) -> Option<Json> {
        let text = self.view.session.metadata.as_deref()?;
        serde_json::from_str(text).ok().map(Json)
    }
}

connection! {
    /// A page of sessions.
    SessionConnection, SessionEdge of Session with live_cursor
}
