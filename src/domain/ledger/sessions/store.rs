//! SQL of sessions for readers.

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::keyset::{Branch, Keyset, Position};
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::{list, search, unique};
use crate::domain::ledger::model::Session;
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, SessionId, may_be_external_id};

use super::{SessionFilter, SessionOrder, SessionView, ShownStatus};

/// A session as readers see it. The parts of its hold are not read.
#[derive(Record, FromRow)]
struct SessionRow {
    #[record(flatten)]
    session: Session,
    held: Credits,
}

/// An external id as a parameter of a statement.
#[derive(Record)]
struct ExternalId<'a> {
    #[record(text)]
    external_id: &'a str,
}

/// The default duration of a deduction, without earlier ones to judge by: 15 minutes.
const DEFAULT_PROCESSING_MILLIS: i64 = 15 * MINUTE;

/// Begins a statement that finds sessions, of one member alone if `own` is set.
fn select_sessions(database: &Database, account_id: AccountId, own: Option<MemberId>) -> Select {
    let mut select = Select::from::<SessionRow>(database, account_id, "session");
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
    let external_ids = external_ids.iter().filter(|id| may_be_external_id(id));
    let named = Rows::of(external_ids.map(|external_id| ExternalId { external_id }));
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
pub(in crate::domain) fn usual_processing_millis(mut taken: Vec<i64>) -> i64 {
    taken.sort_unstable();
    let median = taken.get(taken.len() / 2).copied();
    median.map_or(DEFAULT_PROCESSING_MILLIS, |millis| millis.max(0))
}

/// Returns the usual duration of the account's deductions.
pub(super) async fn usual_processing_of(database: &Database, account_id: AccountId) -> Result<i64, Fault> {
    let taken = Select::of(database, account_id, PROCESSING_TIMES);
    Ok(usual_processing_millis(taken.values(database).await?))
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
        // Conditions scan the text.
        columns: format!("{}, search_text", column_list::<SessionRow>()),
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
    let SessionRow { session, held } = records::record(row)?;
    Ok(SessionView {
        status: ShownStatus::of(&session, now),
        held,
        deduction_expected_by: None,
        session,
    })
}
