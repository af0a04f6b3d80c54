//! Reading sessions: pages, look-ups, and when a deduction is expected.
//!
//! Called by the shells and by the loaders of entries' sessions. PROCESSING is not stored. A session is BOOKED in its row, and is
//! shown as PROCESSING after its end. So every query takes the current time.

mod store;

use std::collections::HashMap;

use serde::Serialize;

use crate::domain::database::Database;
use crate::domain::database::select::Select;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::filter::{AnyOf, InstantRange};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, SessionId};
use crate::primitives::page::{Page, PageRequest, SortOrder};

use super::credit_log::own_only;
use super::credit_log::search::Search;
use super::model::Session;
pub use super::model::ShownStatus;

pub(in crate::domain) use store::{PROCESSING_TIMES, usual_processing_millis};

crate::text_enum! {
    /// The time by which sessions are ordered.
    SessionOrder {
        /// The time of booking.
        BookedAt = "BOOKED_AT",
        /// The beginning of the session.
        StartsAt = "STARTS_AT",
    }
}

/// A session as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The session. Its held credits are in `held`; the parts of its hold are not read.
    pub session: Session,
    /// The status at the time of reading.
    pub status: ShownStatus,
    /// Credits that the session holds.
    pub held: Credits,
    /// While PROCESSING: the time by which its deduction is expected.
    pub deduction_expected_by: Option<Timestamp>,
}

/// Selects the sessions that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionFilter {
    /// The shown status is one of these.
    pub statuses: AnyOf<ShownStatus>,
    /// The session belongs to one of these members.
    pub member_ids: AnyOf<MemberId>,
    /// The session begins between these instants.
    pub starts_at: InstantRange,
    /// The platform's own id of the session.
    pub external_id: Option<String>,
    /// Each of these words begins a word of the title or the external id.
    pub search: Search,
}

/// A session's position in a list: the time by which it is ordered, and its id.
pub type SessionPosition = (Timestamp, SessionId);

/// Reads the sessions of accounts.
#[derive(Clone, Debug)]
pub struct Sessions {
    database: Database,
}

impl Sessions {
    /// Reads the sessions from `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns one page of the sessions that the caller may see.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &SessionFilter,
        (order_by, order): (SessionOrder, SortOrder),
        request: &PageRequest<SessionPosition>,
        now: Timestamp,
    ) -> Result<Page<SessionView, SessionPosition>, QueryError> {
        let own = own_only(actor, account_id)?;
        let mut keyset = store::keyset(filter, order_by, own, now);
        keyset.turn_to(order == SortOrder::NewestFirst, request, |(at, id)| {
            (at.millis(), id.uuid())
        });
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), SessionId::from_uuid(id));
        let mut page = scan.into_page(request, position, |row| store::view(row, now))?;
        let views = page.items.iter_mut().map(|(_, view)| view).collect();
        self.expect(account_id, views).await?;
        Ok(page)
    }

    /// Returns sessions by id.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[SessionId],
        now: Timestamp,
    ) -> Result<HashMap<SessionId, SessionView>, QueryError> {
        let own = own_only(actor, account_id)?;
        let select = store::by_ids(&self.database, account_id, ids, own);
        let found = self.views(account_id, select, now).await?;
        Ok(found.into_iter().map(|view| (view.session.id, view)).collect())
    }

    /// Returns sessions by the platform's own id: for each id the open session, else the newest.
    pub async fn newest_by_external_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        external_ids: &[String],
        now: Timestamp,
    ) -> Result<HashMap<String, SessionView>, QueryError> {
        let own = own_only(actor, account_id)?;
        let select = store::newest_by_external_ids(&self.database, account_id, external_ids, own);
        let found = self.views(account_id, select, now).await?;
        let named = found
            .into_iter()
            .filter_map(|view| Some((view.session.external_id.clone()?, view)));
        Ok(named.collect())
    }

    async fn views(&self, account_id: AccountId, select: Select, now: Timestamp) -> Result<Vec<SessionView>, Fault> {
        let rows = select.all(&self.database).await?;
        let mut views: Vec<SessionView> = rows.iter().map(|row| store::view(row, now)).collect::<Result<_, _>>()?;
        self.expect(account_id, views.iter_mut().collect()).await?;
        Ok(views)
    }

    /// Sets the expected deduction of sessions that are PROCESSING: the end plus the median duration of the account's last
    /// hundred deductions.
    async fn expect(&self, account_id: AccountId, mut views: Vec<&mut SessionView>) -> Result<(), Fault> {
        views.retain(|view| view.status == ShownStatus::Processing);
        if views.is_empty() {
            return Ok(());
        }
        let middle = store::usual_processing_of(&self.database, account_id).await?;
        for view in views {
            view.deduction_expected_by = Some(view.session.ends_at.plus_millis(middle));
        }
        Ok(())
    }
}
