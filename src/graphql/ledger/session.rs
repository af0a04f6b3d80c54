//! Sessions: booked uses of credits.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::entry::CreditEntry;
use super::filter::{DateTimeRange, instants, known};
use crate::domain::fault::InvalidInput;
use crate::domain::filter::AnyOf;
use crate::domain::ledger::credit_log::search::Search;
use crate::domain::ledger::model::ACCOUNT_CLOSED;
use crate::domain::ledger::sessions;
use crate::graphql::by_id::existing;
use crate::graphql::connection::connection;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
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
    /// Its credits are held, and it has not ended yet.
    Booked,
    /// It has ended, and its deduction is pending; its credits are held.
    Processing,
    /// It took place and was charged.
    Completed,
    /// It was canceled, possibly for a fee.
    Canceled,
    /// The member did not attend.
    NoShow,
    /// It was not resolved in time, and its hold was released. It can still be completed.
    Expired,
}

/// The instant by which a list of sessions is ordered.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "sessions::SessionOrder")]
pub enum SessionOrder {
    /// When it was booked.
    BookedAt,
    /// When it begins.
    StartsAt,
}

/// A filter for sessions. All conditions must match; a condition that is left out or null does not restrict.
#[derive(InputObject, Debug, Default)]
pub(crate) struct SessionFilter {
    /// Any of these statuses.
    statuses: Option<Vec<SessionStatus>>,
    /// Of any of these members.
    member_ids: Option<Vec<ID>>,
    /// Beginning in this range: from is inclusive, before is exclusive.
    starts_at: Option<DateTimeRange>,
    /// The platform's own id.
    external_id: Option<String>,
    /// All of these words (the first 10) must occur in the title or the external id. Each must be the beginning of a word; in
    /// scripts without spaces, any part of the text. Case-insensitive.
    search: Option<String>,
}

impl SessionFilter {
    pub(in crate::graphql) fn for_account(
        self,
        account_id: AccountId,
    ) -> Result<sessions::SessionFilter, InvalidInput> {
        let member = known(account_id, IdKind::Member, MemberId::from_uuid);
        Ok(sessions::SessionFilter {
            statuses: AnyOf::new("filter.statuses", self.statuses)?,
            member_ids: AnyOf::parse("filter.memberIds", self.member_ids, member)?,
            starts_at: instants("filter.startsAt", self.starts_at)?,
            external_id: self.external_id,
            search: Search::parse("filter.search", self.search.as_deref())?,
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(super) account_id: AccountId,
    pub(super) view: sessions::SessionView,
}

impl Session {
    pub(in crate::graphql) fn new(account_id: AccountId, view: sessions::SessionView) -> Self {
        Self { account_id, view }
    }
}

/// A session booked with credits. Booking holds the credits; completing deducts them.
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

    /// The title of the session.
    async fn title(&self) -> &str {
        &self.view.session.title
    }

    /// The member who uses it.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, ApiError> {
        existing(ctx, self.account_id, self.view.session.member_id).await
    }

    /// The current status.
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

    /// The total of booked credits.
    async fn booked(&self) -> Credits {
        self.view.session.booked
    }

    /// Credits held while BOOKED or PROCESSING, otherwise 0.
    async fn held(&self) -> Credits {
        self.view.held
    }

    /// Credits that were deducted. Null until COMPLETED, CANCELED late or `NO_SHOW`.
    async fn charged(&self) -> Option<Credits> {
        self.view.session.charged
    }

    /// While PROCESSING: when the deduction is expected in the log.
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

    /// Its entries in the credit log, oldest first: the charge, then refunds. Contains the first 100; entryCount is the total
    /// number.
    async fn entries(&self, ctx: &Context<'_>) -> Result<Vec<CreditEntry>, ApiError> {
        let loaders = &scope(ctx)?.loaders;
        let entries = loaders
            .entries_of_session(self.account_id, self.view.session.id)
            .await?;
        let entries = entries.unwrap_or_default().entries;
        Ok(entries.into_iter().map(CreditEntry::new).collect())
    }

    /// The number of its entries in the credit log.
    async fn entry_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let loaders = &scope(ctx)?.loaders;
        let entries = loaders
            .entries_of_session(self.account_id, self.view.session.id)
            .await?;
        Ok(entries.map_or(0, |entries| i32::try_from(entries.total).unwrap_or(i32::MAX)))
    }

    /// The credits of its charge that were refunded.
    async fn refunded(&self) -> Credits {
        self.view.session.refunded
    }

    /// Why it was canceled. The text of a member or an integration is not translated; a closed account is in the viewer's
    /// language.
    #[graphql(directive = in_language::apply())]
    async fn cancel_reason(&self, ctx: &Context<'_>) -> Nullable<String> {
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

    /// The platform's own JSON, as given at the booking.
    async fn metadata(&self) -> Option<Json> {
        let text = self.view.session.metadata.as_deref()?;
        serde_json::from_str(text).ok().map(Json)
    }
}

connection! {
    /// A page of sessions.
    SessionConnection, SessionEdge of Session with live_cursor
}
