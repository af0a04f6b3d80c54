//! SQL of pending work. The statements cover all accounts, so they name none.

use std::collections::{BTreeSet, HashMap};

use crate::domain::database::Database;
use crate::domain::database::select::{Condition, Select};
use crate::domain::fault::Fault;
use crate::domain::top_up::FAILED_REFUNDS_FOR;
use crate::primitives::clock::{MINUTE, Timestamp};
use crate::primitives::ids::{AccountId, TopUpId};

use super::{MOST_COUNTED, Queue, Stuck};

/// How long after the end of a claim its holder counts as lost, in milliseconds.
const LOST: i64 = MINUTE;

/// The table and the column of one kind of work.
pub(super) struct Due {
    name: &'static str,
    what: &'static str,
    table: &'static str,
    column: &'static str,
    /// The condition of the partial index.
    condition: &'static str,
}

/// Each kind of work that has a due time.
pub(super) const DUE: &[Due] = &[
    Due {
        name: "sweeper",
        what: "accounts with expiries or ended sessions to process",
        table: "account_state",
        column: "due_at",
        condition: "due_at IS NOT NULL",
    },
    Due {
        name: "low accounts",
        what: "accounts that reached their trigger and were not evaluated yet",
        table: "account_state",
        column: "low_since",
        condition: "low_since IS NOT NULL",
    },
    Due {
        name: "rules",
        what: "automatic top-up rules to be evaluated",
        table: "auto_top_up",
        column: "due_at",
        condition: "due_at IS NOT NULL",
    },
    Due {
        name: "retries",
        what: "automatic top-ups to be retried",
        table: "top_up",
        column: "next_attempt_at",
        condition: "next_attempt_at IS NOT NULL",
    },
    Due {
        name: "charging",
        what: "charges to be sent or checked",
        table: "top_up_attempt",
        column: "due_at",
        condition: "due_at IS NOT NULL",
    },
    Due {
        name: "refunds",
        what: "refunds to be sent",
        table: "top_up_refund",
        column: "due_at",
        condition: "due_at IS NOT NULL",
    },
    Due {
        name: "webhooks",
        what: "webhooks to be processed",
        table: "webhook_inbox",
        column: "due_at",
        condition: "due_at IS NOT NULL",
    },
    Due {
        name: "outbox",
        what: "mails to be sent",
        table: "delivery",
        column: "next_attempt_at",
        condition: "status IN ('QUEUED', 'SENDING')",
    },
    Due {
        name: "webhook messages",
        what: "messages to be sent to webhook endpoints",
        table: "webhook_message",
        column: "next_attempt_at",
        condition: "status IN ('PENDING', 'SENDING')",
    },
    Due {
        name: "alerts",
        what: "accounts with events that were not evaluated yet",
        table: "account_state",
        column: "unread_since",
        condition: "unread_since IS NOT NULL",
    },
    Due {
        name: "reminders",
        what: "accounts to be evaluated for alerts that depend on time",
        table: "alert_due",
        column: "due_at",
        condition: "due_at > 0",
    },
    Due {
        name: "findings",
        what: "accounts to be evaluated for findings",
        table: "troubleshooting_place",
        column: "due_at",
        condition: "due_at IS NOT NULL",
    },
];

/// Returns what is due at `now` of one kind of work.
pub(super) async fn due(database: &Database, due: &Due, now: Timestamp) -> Result<Queue, Fault> {
    let Due {
        name,
        what,
        table,
        column,
        condition,
    } = due;
    let sql = format!(
        "SELECT COUNT(*), MIN(due) FROM (SELECT {column} AS due FROM {table} WHERE {condition} AND {column} <= $1 \
         ORDER BY {column} LIMIT {MOST_COUNTED}) AS waiting"
    );
    let select = Select::across(database, &sql).with([now.millis().into()]);
    let (waiting, oldest): (i64, Option<i64>) = select.value(database).await?.unwrap_or_default();
    Ok(Queue {
        name,
        what,
        waiting,
        oldest: oldest.map(Timestamp::from_millis),
    })
}

/// Returns the work that no worker finishes automatically.
pub(super) async fn stuck(database: &Database, now: Timestamp) -> Result<Stuck, Fault> {
    let (lost_before, failed_since) = (
        now.plus_millis(-LOST).millis(),
        now.plus_millis(-FAILED_REFUNDS_FOR).millis(),
    );
    let lost_mails = "delivery WHERE status IN ('QUEUED', 'SENDING') AND next_attempt_at <= $1 AND status = 'SENDING'";
    let disabled = "webhook_endpoint WHERE disabled_because IN ('GONE', 'FAILING') AND removed_at IS NULL";
    let of_platform =
        "webhook_endpoint WHERE account_id = 0 AND disabled_because IN ('GONE', 'FAILING') AND removed_at IS NULL";
    let unsettled = "top_up_attempt WHERE due_at IS NOT NULL AND is_escalated";
    Ok(Stuck {
        parked_webhooks: count(database, "webhook_inbox WHERE status = 'PARKED'", None).await?,
        unsettled_charges: count(database, unsettled, None).await?,
        lost_mails: count(database, lost_mails, Some(lost_before)).await?,
        disabled_webhook_endpoints: count(database, disabled, None).await?,
        disabled_platform_webhook_endpoints: count(database, of_platform, None).await?,
        failed_refunds: failed_refunds(database, failed_since).await?,
    })
}

/// Counts the newest refunds that failed and the money that came back, without those whose refund was requested again later.
async fn failed_refunds(database: &Database, since: i64) -> Result<i64, Fault> {
    let mut failed: Vec<(AccountId, TopUpId, i64)> = Vec::new();
    for newest in [
        "SELECT account_id, top_up_id, created_at FROM top_up_refund \
         WHERE status = 'FAILED' AND created_at > $1 ORDER BY created_at DESC",
        "SELECT account_id, id, came_back_at FROM top_up \
         WHERE came_back_at IS NOT NULL AND came_back_at > $1 ORDER BY came_back_at DESC",
    ] {
        let sql = format!("{newest} LIMIT {MOST_COUNTED}");
        let select = Select::across(database, &sql).with([since.into()]);
        failed.extend(select.values::<(AccountId, TopUpId, i64)>(database).await?);
    }
    if failed.is_empty() {
        return Ok(0);
    }
    let mut select = Select::across(
        database,
        "SELECT account_id, top_up_id, MAX(created_at) FROM top_up_refund WHERE status <> 'FAILED' AND created_at > $1 AND ",
    )
    .with([since.into()]);
    let accounts: BTreeSet<AccountId> = failed.iter().map(|(account_id, _, _)| *account_id).collect();
    select
        .condition(&Condition::Accounts("account_id", accounts.into_iter().collect()))
        .push(" GROUP BY account_id, top_up_id");
    let again: Vec<(AccountId, TopUpId, i64)> = select.values(database).await?;
    let again: HashMap<_, _> = again
        .into_iter()
        .map(|(account_id, id, at)| ((account_id, id), at))
        .collect();
    let open = failed
        .iter()
        .filter(|(account_id, id, at)| again.get(&(*account_id, *id)).is_none_or(|later| later <= at));
    Ok(i64::try_from(open.count()).unwrap_or(i64::MAX).min(MOST_COUNTED))
}

/// Counts rows up to [`MOST_COUNTED`]. Each count is a statement of its own: a sharded database does not count in several tables at
/// once.
async fn count(database: &Database, rows: &str, value: Option<i64>) -> Result<i64, Fault> {
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM {rows} LIMIT {MOST_COUNTED}) AS found");
    let select = Select::across(database, &sql).with(value.map(Into::into));
    Ok(select.value(database).await?.unwrap_or_default())
}
