//! Checkpoints: the last processed event of each account.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement};

use crate::domain::database::bulk::{self, Columns, Kind, Rows};
use crate::domain::database::{Database, Transaction};
use crate::domain::event::EventKind;
use crate::domain::fault::Fault;
use crate::domain::ledger::{EventReader, mark_read};
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::super::model::is_calm;
use super::alerts::UNRESOLVED_SESSION;
use super::due::CREDITS_EXPIRING;

/// The state of an account at one moment.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(in super::super) struct Glance {
    pub(in super::super) account_id: AccountId,
    /// The last event that was processed.
    pub(in super::super) place: i64,
    /// The last event of the account.
    pub(in super::super) head: i64,
    pub(in super::super) entry_sequence: i64,
    pub(in super::super) available: Credits,
    /// The highest threshold of those who watch the balance.
    pub(in super::super) highest_threshold: Option<Credits>,
    /// Whether an alert about the balance is open.
    pub(in super::super) is_open: bool,
    /// Whether a reminder of expiring credits is open. It ends when they are used.
    pub(in super::super) are_credits_expiring: bool,
    /// Whether it counts as late.
    pub(in super::super) is_unread: bool,
    /// Whether an alert is open that a session was not resolved in time. It ends when the session is resolved.
    pub(in super::super) is_session_open: bool,
}

impl Glance {
    /// Whether its balance changes no alert.
    pub(in super::super) fn is_calm(&self) -> bool {
        !self.is_open && !self.are_credits_expiring && is_calm(self.available, self.highest_threshold)
    }
}

const ACCOUNTS: Columns = &[("account_id", Kind::BigInt)];
const PLACES: Columns = &[("account_id", Kind::BigInt), ("sequence", Kind::BigInt)];

/// A checkpoint never moves back.
const MOVE_ON: &str = "ON CONFLICT (account_id) DO UPDATE SET sequence = excluded.sequence \
                       WHERE alert_place.sequence < excluded.sequence";

/// Returns the last event of the account that was processed; 0 before the first.
pub(in super::super) async fn place(connection: &impl ConnectionTrait, account_id: AccountId) -> Result<i64, Fault> {
    let sql = "SELECT sequence FROM alert_place WHERE account_id = $1";
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [account_id.number().into()]);
    let row = connection.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get("", "sequence")).transpose()?.unwrap_or(0))
}

/// Advances the checkpoints of these accounts, by one statement for any number. A checkpoint that another process has moved further
/// does not change.
pub(in super::super) async fn save_places(tx: &Transaction, places: &[(AccountId, i64)]) -> Result<(), Fault> {
    let mut rows = Rows::new(PLACES);
    for (account_id, sequence) in places {
        rows.push([account_id.number().into(), (*sequence).into()]);
    }
    if !rows.is_empty() {
        tx.execute_raw(rows.insert(tx.get_database_backend(), "alert_place", MOVE_ON))
            .await?;
    }
    Ok(())
}

/// Does what [`save_places`] does, in a transaction of its own that waits for no account's lock. Accounts without later events are no
/// longer late.
pub(in super::super) async fn move_places(database: &Database, places: Vec<(AccountId, i64)>) -> Result<(), Fault> {
    if places.is_empty() {
        return Ok(());
    }
    let places = Arc::new(places);
    database
        .transaction(move |tx| {
            let places = Arc::clone(&places);
            Box::pin(async move {
                save_places(tx, &places).await?;
                mark_read(tx, EventReader::Alerts, &places).await
            })
        })
        .await
}

/// Reads the state of these accounts.
pub(in super::super) async fn glances(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<Glance>, Fault> {
    let mut rows = Rows::new(ACCOUNTS);
    for account_id in accounts {
        rows.push([account_id.number().into()]);
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT t.account_id, t.event_sequence, t.entry_sequence, t.posted, t.held, \
         COALESCE((SELECT p.sequence FROM alert_place p WHERE p.account_id = t.account_id), 0) AS place, \
         EXISTS (SELECT 1 FROM alert_edge e WHERE e.account_id = t.account_id \
           AND e.kind IN ('LOW_BALANCE', 'BALANCE_DEPLETED')) AS is_open, t.low_mark, \
         t.unread_since IS NOT NULL AS is_unread, \
         EXISTS (SELECT 1 FROM alert WHERE alert.account_id = t.account_id AND {CREDITS_EXPIRING}) AS are_credits_expiring, \
         EXISTS (SELECT 1 FROM alert WHERE alert.account_id = t.account_id AND {UNRESOLVED_SESSION} \
           AND session_id IS NOT NULL) AS is_session_open, \
         (SELECT MAX(n.low_balance_threshold) FROM notification_settings n \
           JOIN member m ON m.account_id = n.account_id AND m.id = n.member_id \
           WHERE n.account_id = t.account_id AND m.removed_at IS NULL AND m.role IN ('OWNER', 'ADMIN')) AS highest_threshold, \
         (SELECT MAX(n.low_balance_threshold) FROM notification_address n \
           WHERE n.account_id = t.account_id AND n.removed_at IS NULL) AS highest_of_addresses \
         FROM {} {}",
        rows.relation(backend, 1),
        bulk::probe(backend, "account_state", "")
    );
    let rows = connection.query_all_raw(rows.statement(backend, sql)).await?;
    let mut glances = Vec::with_capacity(rows.len());
    for row in &rows {
        let (posted, held): (i64, i64) = (row.try_get("", "posted")?, row.try_get("", "held")?);
        // Recipients without a threshold of their own use the rule's trigger, which the account stores while the rule is on.
        let (own, trigger): (Option<i64>, Option<i64>) =
            (row.try_get("", "highest_threshold")?, row.try_get("", "low_mark")?);
        let of_addresses: Option<i64> = row.try_get("", "highest_of_addresses")?;
        let highest = own.max(trigger).max(of_addresses);
        glances.push(Glance {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            place: row.try_get("", "place")?,
            head: row.try_get("", "event_sequence")?,
            entry_sequence: row.try_get("", "entry_sequence")?,
            available: Credits::from_units(posted.saturating_sub(held)),
            highest_threshold: highest.map(Credits::from_units),
            is_open: row.try_get("", "is_open")?,
            is_unread: row.try_get("", "is_unread")?,
            are_credits_expiring: row.try_get("", "are_credits_expiring")?,
            is_session_open: row.try_get("", "is_session_open")?,
        });
    }
    Ok(glances)
}

/// What an account's row and events show under its lock about alerts that were prepared before.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Checked {
    pub(in super::super) account_id: AccountId,
    /// The last event that was processed.
    pub(in super::super) place: i64,
    /// Whether the recipients may have changed since the preparation.
    pub(in super::super) have_recipients_changed: bool,
}

/// Checks accounts whose alerts were prepared at these last events, by one statement for any number. Each change of a member, a
/// contact, a setting or the account's defaults appends an event. So only the events since then are read.
pub(in super::super) async fn check_places(
    tx: &Transaction,
    prepared: &[(AccountId, i64)],
) -> Result<Vec<Checked>, Fault> {
    let mut rows = Rows::new(PLACES);
    for (account_id, sequence) in prepared {
        rows.push([account_id.number().into(), (*sequence).into()]);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT r.account_id, COALESCE((SELECT p.sequence FROM alert_place p WHERE p.account_id = r.account_id), 0) AS place, \
         EXISTS (SELECT 1 FROM event e WHERE e.account_id = r.account_id AND e.sequence > r.sequence \
           AND e.kind IN ('{}', '{}')) AS has_changed FROM {}",
        EventKind::MemberUpdated.as_str(),
        EventKind::AccountUpdated.as_str(),
        rows.relation(tx.get_database_backend(), 1),
    );
    let found = tx.query_all_raw(rows.statement(tx.get_database_backend(), sql)).await?;
    let checked = found.iter().map(|row| {
        Ok(Checked {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            place: row.try_get("", "place")?,
            have_recipients_changed: row.try_get("", "has_changed")?,
        })
    });
    checked.collect()
}
