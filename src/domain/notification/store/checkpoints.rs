//! Checkpoints: the last processed event of each account.

use std::sync::Arc;

use entity::alert_place;
use sea_orm::ConnectionTrait;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::{Database, Transaction};
use crate::domain::event::EventKind;
use crate::domain::fault::Fault;
use crate::domain::ledger::{EventReader, mark_read};
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::super::model::{AlertKind, is_calm};
use super::alerts::unresolved_session;
use super::due::{credits_expiring, names};

/// The state of an account at one moment.
#[derive(Clone, Copy, Debug, FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(in super::super) struct AlertSnapshot {
    pub(in super::super) account_id: AccountId,
    /// The last event that was processed.
    pub(in super::super) checkpoint: i64,
    /// The last event of the account.
    pub(in super::super) head: i64,
    pub(in super::super) entry_sequence: i64,
    pub(in super::super) available: Credits,
    /// Whether an alert about the balance is open.
    pub(in super::super) is_open: bool,
    /// Whether a reminder of expiring credits is open. It ends when they are used.
    pub(in super::super) are_credits_expiring: bool,
    /// Whether it counts as late.
    pub(in super::super) is_unread: bool,
    /// Whether an alert is open that a session was not resolved in time. It ends when the session is resolved.
    pub(in super::super) is_session_open: bool,
    #[record(flatten)]
    thresholds: Thresholds,
}

/// The thresholds of those who watch a balance.
#[derive(Clone, Copy, Debug, FromRow)]
struct Thresholds {
    /// The trigger of the rule, which the account stores while the rule is on. Recipients without a threshold use it.
    trigger: Option<Credits>,
    of_members: Option<Credits>,
    of_addresses: Option<Credits>,
}

impl Thresholds {
    fn highest(self) -> Option<Credits> {
        self.trigger.max(self.of_members).max(self.of_addresses)
    }
}

impl AlertSnapshot {
    /// Whether its balance changes no alert.
    pub(in super::super) fn is_calm(&self) -> bool {
        !self.is_open && !self.are_credits_expiring && is_calm(self.available, self.thresholds.highest())
    }
}

#[derive(Record)]
struct Named {
    account_id: AccountId,
}

#[derive(Record)]
struct Checkpoint {
    account_id: AccountId,
    sequence: i64,
}

fn rows_of(checkpoints: &[(AccountId, i64)]) -> Rows {
    Rows::of(checkpoints.iter().map(|(account_id, sequence)| Checkpoint {
        account_id: *account_id,
        sequence: *sequence,
    }))
}

/// A checkpoint never moves back.
const MOVES_ON: &str = " WHERE alert_place.sequence < excluded.sequence";

/// Returns the last event of the account that was processed; 0 before the first.
pub(in super::super) async fn checkpoint(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<i64, Fault> {
    let sql = "SELECT sequence FROM alert_place WHERE account_id = $1";
    Ok(records::value(connection, sql, [account_id.into()]).await?.unwrap_or(0))
}

/// Advances the checkpoints of these accounts, by one statement for any number. A checkpoint that another process has moved further
/// does not change.
pub(in super::super) async fn save_checkpoints(
    tx: &Transaction,
    checkpoints: &[(AccountId, i64)],
) -> Result<(), Fault> {
    let rows = rows_of(checkpoints);
    if !rows.is_empty() {
        tx.execute_raw(rows.save::<alert_place::Entity>(tx.get_database_backend(), MOVES_ON))
            .await?;
    }
    Ok(())
}

/// Does what [`save_checkpoints`] does, in a transaction of its own that waits for no account's lock. Accounts without later events are no
/// longer late.
pub(in super::super) async fn move_checkpoints(
    database: &Database,
    checkpoints: Vec<(AccountId, i64)>,
) -> Result<(), Fault> {
    if checkpoints.is_empty() {
        return Ok(());
    }
    let checkpoints = Arc::new(checkpoints);
    database
        .transaction(move |tx| {
            let checkpoints = Arc::clone(&checkpoints);
            Box::pin(async move {
                save_checkpoints(tx, &checkpoints).await?;
                mark_read(tx, EventReader::Alerts, &checkpoints).await
            })
        })
        .await
}

/// Reads the state of these accounts.
pub(in super::super) async fn snapshots(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<AlertSnapshot>, Fault> {
    let rows = Rows::of(accounts.iter().map(|account_id| Named {
        account_id: *account_id,
    }));
    let backend = connection.get_database_backend();
    let balance = names([AlertKind::LowBalance, AlertKind::BalanceDepleted]);
    let credits_expiring = credits_expiring();
    let unresolved_session = unresolved_session();
    let scope = AccountScope::of(backend, &rows);
    let of = |table: &str| scope.condition(table);
    let sql = format!(
        "SELECT t.account_id, \
         COALESCE((SELECT p.sequence FROM alert_place p WHERE p.account_id = t.account_id{}), 0), \
         t.event_sequence, t.entry_sequence, t.posted - t.held, \
         EXISTS (SELECT 1 FROM alert_edge e WHERE e.account_id = t.account_id{} \
           AND e.kind IN ({balance})), \
         EXISTS (SELECT 1 FROM alert WHERE alert.account_id = t.account_id{} AND {credits_expiring}), \
         t.unread_since IS NOT NULL, \
         EXISTS (SELECT 1 FROM alert WHERE alert.account_id = t.account_id{} AND {unresolved_session} \
           AND session_id IS NOT NULL), \
         t.low_mark, \
         (SELECT MAX(n.low_balance_threshold) FROM notification_settings n \
           JOIN member m ON m.account_id = n.account_id{} AND m.id = n.member_id \
           WHERE n.account_id = t.account_id{} AND m.removed_at IS NULL AND m.role IN ('OWNER', 'ADMIN')), \
         (SELECT MAX(n.low_balance_threshold) FROM notification_address n \
           WHERE n.account_id = t.account_id{} AND n.removed_at IS NULL) \
         FROM {} {}",
        of("p"),
        of("e"),
        of("alert"),
        of("alert"),
        of("m"),
        of("n"),
        of("n"),
        rows.relation(backend, 1),
        scope.probe("account_state", "true")
    );
    records::all(connection, sql, scope.values(&rows)).await
}

/// What an account's row and events show under its lock about alerts that were prepared before.
#[derive(Clone, Copy, Debug, FromRow)]
pub(in super::super) struct Checked {
    pub(in super::super) account_id: AccountId,
    /// The last event that was processed.
    pub(in super::super) checkpoint: i64,
    /// Whether the recipients may have changed since the preparation.
    pub(in super::super) have_recipients_changed: bool,
}

/// Checks accounts whose alerts were prepared at these last events, by one statement for any number. Each change of a member, a
/// contact, a setting or the account's defaults appends an event. So only the events since then are read.
pub(in super::super) async fn check_prepared(
    tx: &Transaction,
    prepared: &[(AccountId, i64)],
) -> Result<Vec<Checked>, Fault> {
    let rows = rows_of(prepared);
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT r.account_id, \
             COALESCE((SELECT p.sequence FROM alert_place p WHERE p.account_id = r.account_id{}), 0), \
             EXISTS (SELECT 1 FROM event e WHERE e.account_id = r.account_id{} AND e.sequence > r.sequence \
               AND e.kind IN ('{}', '{}')) FROM {relation}",
            scope.condition("p"),
            scope.condition("e"),
            EventKind::MemberUpdated.as_str(),
            EventKind::AccountUpdated.as_str(),
        )
    };
    records::read(&AccountScope::select(tx, &rows, sql).await?)
}
