//! SQL of sessions for readers.

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::database::keyset::{Branch, Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::store::broken;
use crate::domain::ledger::credit_log::{list, search, unique};
use crate::domain::ledger::model::{Session, SessionStatus};
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, MemberId, SessionId, may_be_external_id};

use super::{SessionFilter, SessionOrder, SessionView, ShownStatus};

const COLUMNS: &str = "id, external_id, member_id, title, status, starts_at, ends_at, booked, held, charged, charge_entry_id, \
     refunded, booked_at, resolved_at, hold_expires_at, cancel_reason, metadata, search_text, processing_announced";

/// External ids as parameters of a statement.
const EXTERNAL_IDS: Columns = &[("external_id", Kind::Text)];
/// The default duration of a deduction, without earlier ones to judge by: 15 minutes.
const DEFAULT_PROCESSING_MILLIS: i64 = 15 * MINUTE;

/// Begins a statement that finds sessions, of one member alone if `own` is set.
fn select_sessions(database: &Database, account_id: AccountId, own: Option<MemberId>) -> Select {
    let mut select = Select::of(database, account_id, "");
    select.push(&format!("SELECT {COLUMNS} FROM session WHERE account_id = $1"));
    select.and_all(&own.map(|member_id| Condition::Uuids("member_id", vec![member_id.uuid()])));
    select
}

/// Finds sessions by id.
pub(super) fn by_ids(database: &Database, account_id: AccountId, ids: &[SessionId], own: Option<MemberId>) -> Select {
    let mut select = select_sessions(database, account_id, own);
    select.and_all(&[Condition::Uuids("id", ids.iter().map(|id| id.uuid()).collect())]);
    select
}

/// Finds for each external id the open session, else the newest.
pub(super) fn newest_by_external_ids(
    database: &Database,
    account_id: AccountId,
    external_ids: &[String],
    own: Option<MemberId>,
) -> Select {
    let mut named = Rows::new(EXTERNAL_IDS);
    for external_id in external_ids.iter().filter(|id| may_be_external_id(id)) {
        named.push([external_id.into()]);
    }
    let mut select = select_sessions(database, account_id, own);
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
    select
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

/// Returns the usual duration of the account's deductions.
pub(super) async fn usual_processing_of(database: &Database, account_id: AccountId) -> Result<i64, Fault> {
    let rows = Select::of(database, account_id, PROCESSING_TIMES);
    usual_processing_millis(&rows.all(database).await?)
}

/// Returns the list of a filter; `None` where nothing can match.
///
/// The platform's own id drives where it is given, whatever the order: few sessions share one. Members and statuses have indexes
/// only in the order of booking.
pub(super) fn keyset(
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

/// Reads a session from its row, as the API shows it at `now`.
pub(super) fn view(row: &Row, now: Timestamp) -> Result<SessionView, Fault> {
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
