//! SQL of sessions for readers.

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::fault::Fault;
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

/// Returns the list of a filter.
///
/// The platform's own id drives where it is given, whatever the order: few sessions share one. Members and statuses have indexes
/// only in the order of booking.
pub(super) fn keyset(
    filter: &SessionFilter,
    order_by: SessionOrder,
    own: Option<MemberId>,
    now: Timestamp,
) -> Keyset<(i64, Uuid)> {
    let key: &[&str] = match order_by {
        SessionOrder::BookedAt => &["booked_at", "id"],
        SessionOrder::StartsAt => &["starts_at", "id"],
    };
    // Conditions scan the text.
    let columns = format!("{}, search_text", column_list::<SessionRow>());
    let mut keyset = Keyset::new("session", key, columns);
    if let Some(external_id) = &filter.external_id {
        let known = Some(external_id.clone()).filter(|id| may_be_external_id(id));
        keyset.drive(Condition::Texts("external_id", known.into_iter().collect()));
    }
    let mut member_ids = filter.member_ids.clone();
    if let Some(own) = own {
        member_ids.restrict_to(own);
    }
    let members = member_ids.uuids("member_id");
    let statuses = filter.statuses.texts("status", |status| status.stored().as_str());
    let by_booking = members.into_iter().chain(statuses);
    match order_by {
        SessionOrder::BookedAt => {
            for condition in by_booking {
                keyset.drive(condition);
            }
            keyset.residuals.extend(filter.starts_at.conditions("starts_at"));
        }
        SessionOrder::StartsAt => {
            keyset.residuals.extend(by_booking);
            keyset.narrow(filter.starts_at.start(), filter.starts_at.end());
        }
    }
    keyset.residuals.extend(booked_or_processing(filter, now));
    keyset.residuals.extend(filter.search.conditions("search_text"));
    keyset
}

/// Where only one of BOOKED and PROCESSING is wanted, the end of the session decides which it is.
fn booked_or_processing(filter: &SessionFilter, now: Timestamp) -> Option<Condition> {
    let allows = |status| filter.statuses.allows(&status);
    let end = match (allows(ShownStatus::Booked), allows(ShownStatus::Processing)) {
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
