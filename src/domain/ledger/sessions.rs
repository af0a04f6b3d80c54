//! Reading sessions: pages, look-ups, and when a deduction is expected.
//!
//! Called by the shells and by the loaders of entries' sessions. PROCESSING is not stored. A session is BOOKED in its row, and is
//! shown as PROCESSING after its end. So every query takes the current time.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::database::keyset::{Branch, Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::{Fault, QueryError};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, MemberId, SessionId, may_be_external_id};
use crate::primitives::page::{Page, PageRequest, SortOrder};

use super::credit_log::search;
use super::credit_log::store::broken;
use super::credit_log::{InstantRange, list, own_only, unique};
use super::model::{Session, SessionStatus};

const COLUMNS: &str = "id, external_id, member_id, title, status, starts_at, ends_at, booked, held, charged, charge_entry_id, \
     refunded, booked_at, resolved_at, hold_expires_at, cancel_reason, metadata, search_text, processing_announced";

/// External ids as parameters of a statement.
const EXTERNAL_IDS: Columns = &[("external_id", Kind::Text)];
/// The default duration of a deduction, without earlier ones to judge by: 15 minutes.
const DEFAULT_PROCESSING_MILLIS: i64 = 15 * 60 * 1_000;

crate::text_enum! {
    /// The status of a session, as the API shows it.
    ShownStatus {
        /// Booked, and not ended yet.
        Booked = "BOOKED",
        /// Ended, and not resolved yet.
        Processing = "PROCESSING",
        /// Took place and was charged.
        Completed = "COMPLETED",
        /// Canceled, possibly for a fee.
        Canceled = "CANCELED",
        /// The member did not come.
        NoShow = "NO_SHOW",
        /// Never resolved; its hold was released.
        Expired = "EXPIRED",
    }
}

impl ShownStatus {
    /// Returns the shown status of `session` at `now`.
    pub fn of(session: &Session, now: Timestamp) -> Self {
        match session.status {
            SessionStatus::Booked if session.ends_at <= now => Self::Processing,
            SessionStatus::Booked => Self::Booked,
            SessionStatus::Completed => Self::Completed,
            SessionStatus::Canceled => Self::Canceled,
            SessionStatus::NoShow => Self::NoShow,
            SessionStatus::Expired => Self::Expired,
        }
    }

    const fn stored(self) -> SessionStatus {
        match self {
            Self::Booked | Self::Processing => SessionStatus::Booked,
            Self::Completed => SessionStatus::Completed,
            Self::Canceled => SessionStatus::Canceled,
            Self::NoShow => SessionStatus::NoShow,
            Self::Expired => SessionStatus::Expired,
        }
    }
}

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

/// Selects the sessions that meet every given condition. An empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// The shown status is one of these.
    pub statuses: Option<Vec<ShownStatus>>,
    /// The session belongs to one of these members.
    pub member_ids: Option<Vec<MemberId>>,
    /// The session begins between these instants.
    pub starts_at: Option<InstantRange>,
    /// The platform's own id of the session.
    pub external_id: Option<String>,
    /// Each of these words begins a word of the title or the external id.
    pub search: Option<String>,
}

impl SessionFilter {
    /// Returns one form of the filter: equal texts for filters with the same meaning. Page cursors are bound
    /// to it.
    pub fn canonical(&self) -> String {
        let sorted = Self {
            statuses: self.statuses.clone().map(unique),
            member_ids: self.member_ids.clone().map(unique),
            ..self.clone()
        };
        format!("{sorted:?}")
    }
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
        let Some(mut keyset) = keyset(filter, order_by, own, now)? else {
            return Ok(Page::from_scan(Vec::new(), request));
        };
        keyset.turn_to(order == SortOrder::NewestFirst, request, |(at, id)| {
            (at.millis(), id.uuid())
        });
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), SessionId::from_uuid(id));
        let mut page = scan.into_page(request, position, |row| view(row, now))?;
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
        let mut select = self.select_sessions(actor, account_id)?;
        select.and_all(&[Condition::Uuids("id", ids.iter().map(|id| id.uuid()).collect())]);
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
        let mut named = Rows::new(EXTERNAL_IDS);
        for external_id in external_ids.iter().filter(|id| may_be_external_id(id)) {
            named.push([external_id.into()]);
        }
        let mut select = self.select_sessions(actor, account_id)?;
        // One look-up for each id, so that an id with a thousand sessions costs no more than an id with one.
        select
            .push(
                " AND id IN (SELECT COALESCE((SELECT s.id FROM session AS s WHERE s.account_id = $1 \
                 AND s.external_id = r.external_id AND s.status = 'BOOKED' LIMIT 1), \
                 (SELECT s.id FROM session AS s WHERE s.account_id = $1 AND s.external_id = r.external_id \
                 ORDER BY s.booked_at DESC, s.id DESC LIMIT 1)) FROM ",
            )
            .relation(&named)
            .push(")");
        let found = self.views(account_id, select, now).await?;
        let named = found
            .into_iter()
            .filter_map(|view| Some((view.session.external_id.clone()?, view)));
        Ok(named.collect())
    }

    /// Begins a statement that finds sessions which the caller may see.
    fn select_sessions(&self, actor: &Actor, account_id: AccountId) -> Result<Select, QueryError> {
        let own = own_only(actor, account_id)?;
        let mut select = Select::of(&self.database, account_id, "");
        select.push(&format!("SELECT {COLUMNS} FROM session WHERE account_id = $1"));
        select.and_all(&own.map(|member_id| Condition::Uuids("member_id", vec![member_id.uuid()])));
        Ok(select)
    }

    async fn views(&self, account_id: AccountId, select: Select, now: Timestamp) -> Result<Vec<SessionView>, Fault> {
        let rows = select.all(&self.database).await?;
        let mut views: Vec<SessionView> = rows.iter().map(|row| view(row, now)).collect::<Result<_, _>>()?;
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
        let rows = Select::of(&self.database, account_id, PROCESSING_TIMES);
        let middle = usual_processing_millis(&rows.all(&self.database).await?)?;
        for view in views {
            view.deduction_expected_by = Some(view.session.ends_at.plus_millis(middle));
        }
        Ok(())
    }
}

/// How long the account's last deductions took after the end of the session.
pub(in crate::domain) const PROCESSING_TIMES: &str = "SELECT resolved_at - ends_at AS taken FROM session \
     WHERE account_id = $1 AND charge_entry_id IS NOT NULL AND resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT 100";

/// Returns the usual duration of a deduction by [`PROCESSING_TIMES`]: the median.
pub(in crate::domain) fn usual_processing_millis(rows: &[Row]) -> Result<i64, Fault> {
    let mut taken = Vec::with_capacity(rows.len());
    for row in rows {
        taken.push(row.try_get::<i64>("", "taken")?.max(0));
    }
    taken.sort_unstable();
    Ok(taken.get(taken.len() / 2).copied().unwrap_or(DEFAULT_PROCESSING_MILLIS))
}

/// Returns the list of a filter; `None` where nothing can match.
///
/// The platform's own id drives where it is given, whatever the order: few sessions share one. Members and statuses have indexes
/// only in the order of booking.
fn keyset(
    filter: &SessionFilter,
    order_by: SessionOrder,
    own: Option<MemberId>,
    now: Timestamp,
) -> Result<Option<Keyset<(i64, Uuid)>>, QueryError> {
    let statuses = list("filter.statuses", filter.statuses.as_deref())?;
    let mut member_ids = list("filter.memberIds", filter.member_ids.as_deref())?;
    if let Some(own) = own {
        member_ids = Some(match member_ids {
            Some(ids) => ids.into_iter().filter(|id| *id == own).collect(),
            None => vec![own],
        });
    }
    if statuses.as_ref().is_some_and(Vec::is_empty) || member_ids.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    let mut branches: Vec<Branch> = Vec::new();
    let mut residuals = Vec::new();
    if let Some(external_id) = &filter.external_id {
        if !may_be_external_id(external_id) {
            return Ok(None);
        }
        branches.push(Branch {
            column: "external_id",
            value: external_id.clone().into(),
        });
    }
    let may_drive = order_by == SessionOrder::BookedAt;
    if let Some(ids) = member_ids {
        if branches.is_empty() && may_drive {
            branches.extend(ids.iter().map(|id| Branch {
                column: "member_id",
                value: id.uuid().into(),
            }));
        } else {
            residuals.push(Condition::Uuids("member_id", ids.iter().map(|id| id.uuid()).collect()));
        }
    }
    if let Some(statuses) = statuses {
        residuals.extend(booked_or_processing(&statuses, now));
        let stored = unique(statuses.iter().map(|status| status.stored()).collect());
        if branches.is_empty() && may_drive {
            branches.extend(stored.iter().map(|status| Branch {
                column: "status",
                value: status.as_str().into(),
            }));
        } else {
            let names = stored.iter().map(|status| status.as_str().to_owned()).collect();
            residuals.push(Condition::Texts("status", names));
        }
    }
    if let Some(search) = &filter.search {
        let patterns = search::patterns("filter.search", search)?.into_iter();
        residuals.extend(patterns.map(|pattern| Condition::Like("search_text", pattern)));
    }
    let mut keyset = Keyset {
        table: "session",
        key: match order_by {
            SessionOrder::BookedAt => &["booked_at", "id"],
            SessionOrder::StartsAt => &["starts_at", "id"],
        },
        columns: COLUMNS,
        branches,
        has_repeats: false,
        residuals,
        from: <(i64, Uuid)>::FIRST,
        to: <(i64, Uuid)>::LAST,
        descending: false,
    };
    if let Some(range) = filter.starts_at {
        range.check("filter.startsAt")?;
        match order_by {
            SessionOrder::StartsAt => keyset.narrow(range.from, range.before),
            SessionOrder::BookedAt => keyset.residuals.extend(range.conditions("starts_at")),
        }
    }
    Ok(Some(keyset))
}

/// Where only one of BOOKED and PROCESSING is wanted, the end of the session decides which it is.
fn booked_or_processing(statuses: &[ShownStatus], now: Timestamp) -> Option<Condition> {
    let end = match (
        statuses.contains(&ShownStatus::Booked),
        statuses.contains(&ShownStatus::Processing),
    ) {
        (true, false) => Condition::AtLeast("ends_at", now.millis() + 1),
        (false, true) => Condition::AtMost("ends_at", now.millis()),
        (true, true) | (false, false) => return None,
    };
    Some(Condition::Any(vec![Condition::Plain("status <> 'BOOKED'"), end]))
}

fn view(row: &Row, now: Timestamp) -> Result<SessionView, Fault> {
    let session = session(row)?;
    Ok(SessionView {
        status: ShownStatus::of(&session, now),
        held: Credits::from_units(row.try_get("", "held")?),
        deduction_expected_by: None,
        session,
    })
}

fn session(row: &Row) -> Result<Session, Fault> {
    let status: String = row.try_get("", "status")?;
    let instant = |name: &str| row.try_get("", name).map(Timestamp::from_millis);
    let credits = |name: &str| row.try_get("", name).map(Credits::from_units);
    Ok(Session {
        id: SessionId::from_uuid(row.try_get("", "id")?),
        external_id: row.try_get("", "external_id")?,
        member_id: MemberId::from_uuid(row.try_get("", "member_id")?),
        title: row.try_get("", "title")?,
        status: SessionStatus::from_text(&status).ok_or_else(|| broken("status"))?,
        starts_at: instant("starts_at")?,
        ends_at: instant("ends_at")?,
        booked: credits("booked")?,
        holds: Vec::new(),
        charged: row.try_get::<Option<i64>>("", "charged")?.map(Credits::from_units),
        charge_entry_id: row
            .try_get::<Option<Uuid>>("", "charge_entry_id")?
            .map(EntryId::from_uuid),
        refunded: credits("refunded")?,
        booked_at: instant("booked_at")?,
        resolved_at: row
            .try_get::<Option<i64>>("", "resolved_at")?
            .map(Timestamp::from_millis),
        hold_expires_at: instant("hold_expires_at")?,
        cancel_reason: row.try_get("", "cancel_reason")?,
        metadata: row.try_get("", "metadata")?,
        processing_announced: row.try_get("", "processing_announced")?,
    })
}
