//! Turns events and the time into alerts: decides which accounts are processed, and how many by one transaction.
//!
//! Most events need no alert, and most of the others need one alert only. So accounts are processed together. Those without an alert
//! are only read. Those with simple causes share one transaction. Only the rest get a transaction each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::domain::database::Transaction;
use crate::domain::event::{self, Event};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::LockedAccount;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;
use crate::primitives::trace;

use super::alerts::Alerts;
use super::balance;
use super::causes::{Causes, is_costly, may_raise};
use super::handling::{check_again, handle};
use super::new_alerts::{self, NewAlert};
use super::store::{self, AlertSnapshot, Checked, Recipients};

/// Maximum events of an account that one transaction processes, when the account is processed alone.
const MOST_EVENTS: usize = 256;
/// Maximum of those events that may need their own statements.
const MOST_COSTLY: usize = 12;
/// A transaction that has held an account's lock this long starts no further event of it.
pub(super) const MOST_HELD: Duration = Duration::from_millis(20);
/// Number of accounts for which the objects of events are read concurrently.
const READ_AT_ONCE: usize = 8;

/// Checkpoints of events that were passed over and are not stored yet. If they are lost, the events are read again.
#[derive(Debug, Default)]
pub struct Progress {
    checkpoints: HashMap<AccountId, i64>,
    unfinished: Vec<AccountId>,
    batch_size: BatchSize,
}

impl Progress {
    /// Returns accounts with more events than one run reads. The next run reads them, with other accounts in between.
    pub fn take_unfinished(&mut self) -> Vec<AccountId> {
        std::mem::take(&mut self.unfinished)
    }

    /// Whether there are checkpoints that [`Alerts::save_progress`] has not stored.
    pub fn is_unsaved(&self) -> bool {
        !self.checkpoints.is_empty()
    }
}

/// Events of an account that only raise these alerts.
#[derive(Clone, Debug)]
struct SimpleAlerts {
    /// The last event before them.
    after: i64,
    /// The last of them.
    until: i64,
    news: Vec<NewAlert>,
}

/// Alerts that only have to be written. Everything they need was read without a lock.
#[derive(Debug)]
struct Prepared {
    simple: HashMap<AccountId, SimpleAlerts>,
    recipients: Recipients,
    /// The last event of each account at the time of the read.
    heads: Vec<(AccountId, i64)>,
    /// Accounts that need a transaction of their own.
    alone: Vec<AccountId>,
}

/// The result of a transaction for accounts whose alerts were prepared.
#[derive(Debug, Default)]
struct Written {
    /// Accounts that have changed since. They are prepared again.
    stale: Vec<AccountId>,
    /// Start of the lock on the accounts.
    locked_since: Option<Instant>,
}

/// The size of one transaction: events of each account, accounts, and alerts unless they belong to one account. It adapts to how
/// long transactions hold their locks, so a slow database or machine does not make postings wait longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BatchSize(usize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(Self::MOST)
    }
}

impl BatchSize {
    const MOST: usize = 32;
    const LEAST: usize = 8;

    fn events(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Returns the size after a transaction that held its locks this long.
    fn after(self, held: Duration) -> Self {
        let next = if held > MOST_HELD {
            self.0 / 2
        } else if held < MOST_HELD / 2 {
            self.0 + 2
        } else {
            self.0
        };
        Self(next.clamp(Self::LEAST, Self::MOST))
    }
}

impl Alerts {
    /// Returns up to `limit` accounts with unprocessed events, the latest first. It finds what no bell has announced.
    pub async fn late(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        self.ledger.unread_accounts(limit).await
    }

    /// Processes the new events of these accounts. Events without an alert are passed over together, by reads only, so that
    /// such a posting costs almost nothing. Simple causes of all these accounts are raised together. Returns the other
    /// accounts, for [`Self::evaluate_alone`].
    ///
    /// Each event is processed once, in any number of processes: one transaction writes the alerts and the checkpoint of the account.
    pub async fn evaluate(&self, accounts: &[AccountId], progress: &mut Progress) -> Result<Vec<AccountId>, Fault> {
        let snapshots = self.snapshots(accounts, progress).await?;
        let (mut alone, mut simple) = (Vec::new(), Vec::new());
        for (account_id, alerts) in self.simple_alerts(snapshots, progress).await {
            match alerts {
                Some(alerts) => simple.push((account_id, alerts)),
                None => alone.push(account_id),
            }
        }
        let most_accounts = self.ledger.accounts_per_transaction();
        for batch in batches(simple, most_accounts, progress.batch_size) {
            alone.extend(self.raise_simple(batch, progress).await);
        }
        Ok(alone)
    }

    /// Advances the checkpoints of accounts past the events that were passed over, together and without their locks.
    pub async fn save_progress(&self, progress: &mut Progress) -> Result<(), Fault> {
        let mut checkpoints: Vec<(AccountId, i64)> = progress
            .checkpoints
            .iter()
            .map(|(id, checkpoint)| (*id, *checkpoint))
            .collect();
        // In the order of the accounts, so that two processes never block each other here.
        checkpoints.sort_unstable();
        for checkpoints in checkpoints.chunks(self.ledger.accounts_per_transaction()) {
            store::move_checkpoints(&self.database, checkpoints.to_vec()).await?;
        }
        progress.checkpoints.clear();
        Ok(())
    }

    /// Processes the next events of one account in one transaction. Returns whether there may be more.
    pub async fn evaluate_alone(&self, account_id: AccountId) -> Result<bool, Fault> {
        let span = trace::job("evaluate alerts", None);
        self.evaluate_events(account_id).instrument(span).await
    }

    async fn evaluate_events(&self, account_id: AccountId) -> Result<bool, Fault> {
        let after = store::checkpoint(self.database.read(), account_id).await?;
        let mut events = event::after(&self.database, account_id, after, MOST_EVENTS).await?;
        let is_cut = cut(&mut events);
        let Some(last) = events.last().map(|event| event.position.sequence) else {
            return Ok(false);
        };
        let causes = self.sources.causes(account_id, &events, true, self.clock.now()).await?;
        let (causes, most_held) = (Arc::new(causes), self.most_held);
        let top_ups = self.sources.top_ups.clone();
        let evaluated = self.ledger.change(account_id, move |tx, locked| {
            let (causes, top_ups) = (Arc::clone(&causes), top_ups.clone());
            Box::pin(async move {
                if store::checkpoint(tx, account_id).await? != after {
                    // Another process has processed them.
                    return Ok::<bool, QueryError>(false);
                }
                let end = locked.header.event_sequence;
                let stopped_at = handle(tx, locked, &top_ups, (&causes, most_held)).await?;
                let until = stopped_at.unwrap_or(last);
                let checkpoint = checkpoint(until == end, until, locked);
                store::save_checkpoints(tx, &[(account_id, checkpoint)]).await?;
                Ok(stopped_at.is_some())
            })
        });
        let has_more = is_cut || events.len() == MOST_EVENTS;
        match evaluated.await {
            Ok(has_stopped) => Ok(has_stopped || has_more),
            // The account does not exist.
            Err(QueryError::Access(_)) => Ok(has_more),
            Err(error) => Err(error.into_fault()),
        }
    }

    /// Evaluates up to `limit` accounts with a scheduled time: held alerts, credits and cards about to expire. Returns how many it found.
    pub async fn evaluate_due(&self, limit: u32) -> Result<usize, Fault> {
        let due = store::due_accounts(&self.database, self.clock.now(), limit).await?;
        let found = due.len();
        for account_id in due {
            let top_ups = self.sources.top_ups.clone();
            let evaluated = self.ledger.change(account_id, move |tx, locked| {
                let top_ups = top_ups.clone();
                Box::pin(async move { Ok::<(), QueryError>(check_again(tx, locked, &top_ups).await?) })
            });
            let evaluated = evaluated.instrument(trace::job("evaluate alerts", None));
            if let Err(QueryError::Fault(fault)) = evaluated.await {
                tracing::warn!(account = account_id.number(), %fault, "an account was not evaluated again");
            }
        }
        Ok(found)
    }

    /// Returns the state of the accounts with new events that this run processes.
    async fn snapshots(&self, accounts: &[AccountId], progress: &mut Progress) -> Result<Vec<AlertSnapshot>, Fault> {
        let mut snapshots = Vec::with_capacity(accounts.len());
        for accounts in accounts.chunks(self.ledger.accounts_per_transaction()) {
            snapshots.extend(store::snapshots(self.database.read(), accounts).await?);
        }
        for snapshot in &mut snapshots {
            let known = progress.checkpoints.get(&snapshot.account_id).copied();
            snapshot.checkpoint = snapshot.checkpoint.max(known.unwrap_or(0));
            if snapshot.is_unread && snapshot.head <= snapshot.checkpoint {
                // All events were processed, but the checkpoint was not stored.
                progress.checkpoints.insert(snapshot.account_id, snapshot.checkpoint);
            }
        }
        snapshots.retain(|snapshot| snapshot.head > snapshot.checkpoint);
        for snapshot in &mut snapshots {
            let until = snapshot.checkpoint + progress.batch_size.events();
            if snapshot.head > until {
                snapshot.head = until;
                progress.unfinished.push(snapshot.account_id);
            }
        }
        Ok(snapshots)
    }

    /// Returns what the events of these accounts mean, where that is simple. Accounts whose events and balance need no alert are
    /// passed over. The balance was read at the same moment as the last event number, and later events are processed later.
    ///
    /// An account that cannot be read delays no other one. It is left to [`Self::evaluate_alone`], which reports the reason.
    async fn simple_alerts(
        &self,
        snapshots: Vec<AlertSnapshot>,
        progress: &mut Progress,
    ) -> Vec<(AccountId, Option<SimpleAlerts>)> {
        let range = |snapshot: &AlertSnapshot| (snapshot.account_id, snapshot.checkpoint, snapshot.head);
        let ranges: Vec<_> = snapshots.iter().map(range).collect();
        let mut found = Vec::new();
        for ranges in ranges.chunks(self.ledger.accounts_per_transaction()) {
            match event::between(&self.database, ranges).await {
                Ok(events) => found.extend(events),
                Err(_) => return snapshots.iter().map(|snapshot| (snapshot.account_id, None)).collect(),
            }
        }
        let mut events = by_account(found);
        let mut relevant = Vec::new();
        for snapshot in snapshots {
            let events = events.remove(&snapshot.account_id).unwrap_or_default();
            if !snapshot.is_calm() || events.iter().any(|event| may_raise(event)) {
                relevant.push((snapshot, events));
            } else {
                progress.checkpoints.insert(snapshot.account_id, snapshot.head);
            }
        }
        let read = stream::iter(relevant).map(|(snapshot, events)| self.simple_alerts_of(snapshot, events));
        read.buffer_unordered(READ_AT_ONCE).collect().await
    }

    /// Returns what the events of an account mean, where that is simple.
    async fn simple_alerts_of(
        &self,
        snapshot: AlertSnapshot,
        events: Vec<Arc<Event>>,
    ) -> (AccountId, Option<SimpleAlerts>) {
        let causes = self
            .sources
            .causes(snapshot.account_id, &events, snapshot.is_session_open, self.clock.now());
        let alerts = causes.await.ok().and_then(Causes::into_alerts);
        let simple = alerts.map(|news| SimpleAlerts {
            after: snapshot.checkpoint,
            until: snapshot.head,
            news,
        });
        (snapshot.account_id, simple)
    }

    /// Raises simple alerts of several accounts in one transaction, which writes what was prepared without a lock. Returns the
    /// accounts that need a transaction of their own.
    async fn raise_simple(&self, simple: HashMap<AccountId, SimpleAlerts>, progress: &mut Progress) -> Vec<AccountId> {
        let accounts: Vec<AccountId> = simple.keys().copied().collect();
        let raised = async {
            let mut prepared = self.prepare(simple).await?;
            let alone = std::mem::take(&mut prepared.alone);
            Ok::<_, Fault>((self.write(prepared).await?, alone))
        };
        match raised.await {
            Ok((written, alone)) => {
                if let Some(locked_since) = written.locked_since {
                    progress.batch_size = progress.batch_size.after(locked_since.elapsed());
                }
                progress.unfinished.extend(written.stale);
                alone
            }
            Err(fault) => {
                tracing::warn!(%fault, "accounts were not evaluated together; they are evaluated one by one");
                accounts
            }
        }
    }

    /// Reads all that these alerts need, at one instant and without a lock.
    async fn prepare(&self, simple: HashMap<AccountId, SimpleAlerts>) -> Result<Prepared, Fault> {
        let (simple, now) = (Arc::new(simple), self.clock.now());
        self.database
            .snapshot(move |tx| {
                let simple = Arc::clone(&simple);
                Box::pin(async move { prepare(tx, &simple, now).await })
            })
            .await
    }

    /// Writes prepared alerts, under the locks of their accounts.
    async fn write(&self, prepared: Prepared) -> Result<Written, Fault> {
        let accounts: Vec<AccountId> = prepared.simple.keys().copied().collect();
        if accounts.is_empty() {
            return Ok(Written::default());
        }
        let prepared = Arc::new(prepared);
        self.ledger
            .change_all(&accounts, move |tx, locked| {
                let prepared = Arc::clone(&prepared);
                Box::pin(async move { write_locked(tx, locked, &prepared).await })
            })
            .await
    }
}

/// Removes the events beyond the limit of one transaction. Returns whether there were any.
fn cut(events: &mut Vec<Arc<Event>>) -> bool {
    let mut costly = 0;
    let end = events.iter().position(|event| {
        costly += usize::from(is_costly(event));
        costly > MOST_COSTLY
    });
    let Some(end) = end else { return false };
    events.truncate(end);
    true
}

/// Groups events by account, in order.
fn by_account(events: Vec<(AccountId, Event)>) -> HashMap<AccountId, Vec<Arc<Event>>> {
    let mut by_account: HashMap<_, Vec<_>> = HashMap::new();
    for (account_id, event) in events {
        by_account.entry(account_id).or_default().push(Arc::new(event));
    }
    for events in by_account.values_mut() {
        events.sort_unstable_by_key(|event| event.position.sequence);
    }
    by_account
}

/// Divides accounts into transactions.
fn batches(
    simple: Vec<(AccountId, SimpleAlerts)>,
    most_accounts: usize,
    BatchSize(most): BatchSize,
) -> Vec<HashMap<AccountId, SimpleAlerts>> {
    let mut batches: Vec<HashMap<_, SimpleAlerts>> = Vec::new();
    let mut count = 0;
    for (account_id, alerts) in simple {
        count += alerts.news.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < most_accounts.min(most) && count <= most => {
                batch.insert(account_id, alerts);
            }
            _ => {
                count = alerts.news.len();
                batches.push(HashMap::from([(account_id, alerts)]));
            }
        }
    }
    batches
}

/// Checks that these accounts are still simple, and reads the recipients of their alerts.
///
/// The balance is compared here and not again under the lock. It is at least as new as the processed events, and every later change
/// of it has an event of its own.
async fn prepare(
    tx: &Transaction,
    simple: &HashMap<AccountId, SimpleAlerts>,
    now: Timestamp,
) -> Result<Prepared, Fault> {
    let accounts: Vec<AccountId> = simple.keys().copied().collect();
    let mut prepared = Prepared {
        simple: HashMap::new(),
        recipients: Recipients::default(),
        heads: Vec::new(),
        alone: Vec::new(),
    };
    for snapshot in store::snapshots(tx, &accounts).await? {
        let account_id = snapshot.account_id;
        let Some(alerts) = simple.get(&account_id) else {
            continue;
        };
        if snapshot.checkpoint >= alerts.until {
            // Another process has processed it.
            continue;
        }
        let balance = (snapshot.available, snapshot.entry_sequence);
        let is_simple = snapshot.checkpoint <= alerts.after
            && !snapshot.are_credits_expiring
            && (snapshot.is_calm() || balance::is_quiet(tx, account_id, balance).await?);
        if is_simple {
            prepared.simple.insert(account_id, alerts.clone());
            prepared.heads.push((account_id, snapshot.head));
        } else {
            prepared.alone.push(account_id);
        }
    }
    let mut news = Vec::new();
    for (account_id, alerts) in &prepared.simple {
        news.extend(alerts.news.iter().map(|new| (*account_id, new)));
    }
    prepared.recipients = new_alerts::prepare(tx, news, now).await?;
    Ok(prepared)
}

/// Writes what was prepared, for accounts whose inputs have not changed.
async fn write_locked(tx: &Transaction, locked: &mut [LockedAccount], prepared: &Prepared) -> Result<Written, Fault> {
    let mut written = Written {
        stale: Vec::new(),
        locked_since: locked.first().map(LockedAccount::locked_since),
    };
    let checked = store::check_prepared(tx, &prepared.heads).await?;
    let checked: HashMap<AccountId, Checked> = checked.into_iter().map(|one| (one.account_id, one)).collect();
    let mut raising = Vec::new();
    let mut evaluated = Vec::new();
    for account in locked {
        let account_id = account.header.account_id;
        let (Some(alerts), Some(checked)) = (prepared.simple.get(&account_id), checked.get(&account_id)) else {
            continue;
        };
        if checked.checkpoint >= alerts.until {
            // Another process has processed it.
            continue;
        }
        if checked.checkpoint > alerts.after || checked.have_recipients_changed {
            written.stale.push(account_id);
            continue;
        }
        evaluated.push((alerts.until == account.header.event_sequence, alerts.until));
        raising.push((account, alerts.news.as_slice()));
    }
    new_alerts::raise_prepared(tx, &mut raising, &prepared.recipients).await?;
    let checkpoints = raising
        .iter_mut()
        .zip(&evaluated)
        .map(|((account, _), (is_all, until))| {
            let account: &mut LockedAccount = account;
            (account.header.account_id, checkpoint(*is_all, *until, account))
        });
    let checkpoints: Vec<_> = checkpoints.collect();
    store::save_checkpoints(tx, &checkpoints).await?;
    Ok(written)
}

/// The new checkpoint of an account. Events of its own alerts are included, unless other events came in between.
fn checkpoint(is_all: bool, last: i64, locked: &mut LockedAccount) -> i64 {
    if !is_all {
        return last;
    }
    locked.read();
    locked.header.event_sequence
}

#[cfg(test)]
mod tests {
    use super::super::model::AlertKind;
    use super::*;

    #[test]
    fn a_transaction_has_so_many_accounts_and_alerts_and_no_more() {
        let new = NewAlert::new(AlertKind::SessionCharged, String::new(), Timestamp::from_millis(0));
        let account = |number: i64, alerts: usize| {
            let news = vec![new.clone(); alerts];
            (
                AccountId::from_number(number),
                SimpleAlerts {
                    after: 0,
                    until: 1,
                    news,
                },
            )
        };
        let sizes = |alerts: Vec<_>, size: usize| -> Vec<usize> {
            batches(alerts, 3, BatchSize(size)).iter().map(HashMap::len).collect()
        };
        assert_eq!(sizes(Vec::new(), 32), Vec::<usize>::new());
        assert_eq!(sizes((0..7).map(|number| account(number, 1)).collect(), 32), [3, 3, 1]);
        assert_eq!(
            sizes(
                vec![
                    account(1, 18),
                    account(2, 14),
                    account(3, 1),
                    account(4, 80),
                    account(5, 0)
                ],
                32
            ),
            [2, 1, 1, 1]
        );
        assert_eq!(
            sizes((0..5).map(|number| account(number, 0)).collect(), 2),
            [2, 2, 1],
            "the size bounds accounts as well"
        );
    }

    #[test]
    fn the_batch_size_adapts_to_how_long_locks_are_held() {
        let mut size = BatchSize::default();
        assert_eq!(size.after(Duration::ZERO), BatchSize(32), "that is the most");
        for slower in [16, 8, 8] {
            size = size.after(MOST_HELD * 2);
            assert_eq!(size, BatchSize(slower));
        }
        assert_eq!(size.after(MOST_HELD), size);
        assert_eq!(size.after(MOST_HELD / 4), BatchSize(10));
    }
}
