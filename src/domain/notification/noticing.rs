//! Alerts as events and the time bring them about: which accounts are looked at, and how many by one transaction.
//!
//! Most events say nothing to anybody, and most of the others that one alert is to be raised. So the accounts of a moment are looked
//! at together: by reading alone where there is nothing to tell, by one transaction where it is plain what there is, and only the
//! rest one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use crate::domain::database::{MayFault, Transaction};
use crate::domain::event::{self, Event};
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::primitives::actor::AccessError;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

use super::alerts::Alerts;
use super::balance;
use super::causes::{Causes, is_costly, may_say};
use super::raise::{self, NewAlert};
use super::react::{look_again, react};
use super::store::{self, Checked, Glance, Recipients};

/// Events of an account that is looked at alone, in one transaction, at the most…
const MOST_EVENTS: usize = 256;
/// …and those of them that may take statements of their own each.
const MOST_COSTLY: usize = 12;
/// A transaction that has held an account's lock for this long deals with no further event of it.
pub(super) const MOST_HELD: Duration = Duration::from_millis(20);
/// Accounts of which it is read side by side what their events name.
const READ_AT_ONCE: usize = 8;

/// How far events were passed over, as far as that is not written down. What is forgotten is looked at again.
#[derive(Debug, Default)]
pub struct Passed {
    places: HashMap<AccountId, i64>,
    unfinished: Vec<AccountId>,
    batch_size: BatchSize,
}

impl Passed {
    /// Accounts that had more events than are looked at together. They are looked at next, and others in between.
    pub fn take_unfinished(&mut self) -> Vec<AccountId> {
        std::mem::take(&mut self.unfinished)
    }
}

/// Events of an account that say no more than that these alerts are to be raised.
#[derive(Clone, Debug)]
struct Plain {
    /// The events after this one…
    after: i64,
    /// …and up to this one.
    until: i64,
    news: Vec<NewAlert>,
}

/// Alerts that only have to be written: all that they take was read without a lock.
#[derive(Debug)]
struct Prepared {
    plain: HashMap<AccountId, Plain>,
    recipients: Recipients,
    /// The last event of each account when this was read.
    heads: Vec<(AccountId, i64)>,
    /// Accounts in which it is not plain what to do.
    alone: Vec<AccountId>,
}

/// What a transaction has made of accounts of which alerts were prepared.
#[derive(Debug, Default)]
struct Written {
    /// Accounts that have changed since. They are prepared anew.
    stale: Vec<AccountId>,
    /// Since when the accounts were locked.
    locked_since: Option<Instant>,
}

/// How much one transaction does: events of each account, accounts, and alerts unless they are of one account. It adapts to how long
/// transactions hold their locks, so a slow database or machine does not make postings wait longer.
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

    /// The size after a transaction that held its locks for this long.
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
    /// Up to `limit` accounts with events that nobody has looked at yet, the latest first. For what was not told by a bell.
    pub async fn late(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        self.ledger.unread_accounts(limit).await
    }

    /// Looks at the new events of these accounts. Those that say nothing are passed over together, by reading alone, so that a
    /// posting that nobody is told of costs next to nothing. Where it is plain what they say, that is raised for all these
    /// accounts together. Gives the others: for [`Self::notice_alone`].
    ///
    /// Each event is looked at once, however many processes do this: what is raised and how far an account's events have been
    /// looked at are one transaction.
    pub async fn notice(&self, accounts: &[AccountId], passed: &mut Passed) -> Result<Vec<AccountId>, Fault> {
        let glances = self.glance(accounts, passed).await?;
        let (mut alone, mut plain) = (Vec::new(), Vec::new());
        for (account_id, said) in self.listen(glances, passed).await {
            match said {
                Some(said) => plain.push((account_id, said)),
                None => alone.push(account_id),
            }
        }
        let most_accounts = self.ledger.accounts_per_transaction();
        for batch in batches(plain, most_accounts, passed.batch_size) {
            alone.extend(self.raise_plain(batch, passed).await);
        }
        Ok(alone)
    }

    /// Moves the places of accounts on to what was passed over in them, for all by one statement and without their locks.
    pub async fn write_down(&self, passed: &mut Passed) -> Result<(), Fault> {
        let mut places: Vec<(AccountId, i64)> = passed.places.iter().map(|(id, place)| (*id, *place)).collect();
        // In the order of the accounts, so that two processes that do this never wait for each other.
        places.sort_unstable();
        store::move_places(&self.database, places).await?;
        passed.places.clear();
        Ok(())
    }

    /// Looks at the next events of one account and does what they are worth, in one transaction. Gives whether there may be more.
    pub async fn notice_alone(&self, account_id: AccountId) -> Result<bool, Fault> {
        let after = store::place(self.database.read(), account_id).await?;
        let mut events = event::after(&self.database, account_id, after, MOST_EVENTS).await?;
        let is_cut = cut(&mut events);
        let Some(last) = events.last().map(|event| event.place.sequence) else {
            return Ok(false);
        };
        let causes = self.sources.causes(account_id, &events, true, self.clock.now()).await?;
        let (causes, most_held) = (Arc::new(causes), self.most_held);
        let top_ups = self.sources.top_ups.clone();
        let noticed = self.ledger.change(account_id, move |tx, locked| {
            let (causes, top_ups) = (Arc::clone(&causes), top_ups.clone());
            Box::pin(async move {
                if store::place(tx, account_id).await? != after {
                    // Another process has.
                    return Ok::<bool, NoticeError>(false);
                }
                let end = locked.header.event_sequence;
                let stopped_at = react(tx, locked, &top_ups, (&causes, most_held)).await?;
                let until = stopped_at.unwrap_or(last);
                let place = place(until == end, until, locked);
                store::save_places(tx, &[(account_id, place)]).await?;
                Ok(stopped_at.is_some())
            })
        });
        let has_more = is_cut || events.len() == MOST_EVENTS;
        match noticed.await {
            Ok(has_stopped) => Ok(has_stopped || has_more),
            Err(NoticeError::Gone) => Ok(has_more),
            Err(NoticeError::Fault(fault)) => Err(fault),
        }
    }

    /// Looks at up to `limit` accounts whose time has come: what was held back, credits and cards about to expire. Tells how many it
    /// found.
    pub async fn look_at_due(&self, limit: u32) -> Result<usize, Fault> {
        let due = store::due_accounts(&self.database, self.clock.now(), limit).await?;
        let found = due.len();
        for account_id in due {
            let top_ups = self.sources.top_ups.clone();
            let looked = self.ledger.change(account_id, move |tx, locked| {
                let top_ups = top_ups.clone();
                Box::pin(async move { Ok::<(), NoticeError>(look_again(tx, locked, &top_ups).await?) })
            });
            if let Err(NoticeError::Fault(fault)) = looked.await {
                tracing::warn!(account = account_id.number(), %fault, "an account was not looked at again");
            }
        }
        Ok(found)
    }

    /// Those of these accounts that have new events, and which of these are looked at now.
    async fn glance(&self, accounts: &[AccountId], passed: &mut Passed) -> Result<Vec<Glance>, Fault> {
        let mut glances = store::glances(self.database.read(), accounts).await?;
        for glance in &mut glances {
            let known = passed.places.get(&glance.account_id).copied();
            glance.place = glance.place.max(known.unwrap_or(0));
            if glance.is_unread && glance.head <= glance.place {
                // All of it was looked at, and that was not noted.
                passed.places.insert(glance.account_id, glance.place);
            }
        }
        glances.retain(|glance| glance.head > glance.place);
        for glance in &mut glances {
            let until = glance.place + passed.batch_size.events();
            if glance.head > until {
                glance.head = until;
                passed.unfinished.push(glance.account_id);
            }
        }
        Ok(glances)
    }

    /// What the events of these accounts say, if it is plain. Those that say nothing, and whose balance does not either, are passed
    /// over: whatever events have done to it was read at the same moment as where they end, and what comes after is looked at later.
    ///
    /// What cannot be read, of whichever account it is, is to hold up no other: it is left to [`Self::notice_alone`], which says why.
    async fn listen(&self, glances: Vec<Glance>, passed: &mut Passed) -> Vec<(AccountId, Option<Plain>)> {
        let stretch = |glance: &Glance| (glance.account_id, glance.place, glance.head);
        let stretches: Vec<_> = glances.iter().map(stretch).collect();
        let mut events = match event::between(&self.database, &stretches).await {
            Ok(events) => by_account(events),
            Err(_) => return glances.iter().map(|glance| (glance.account_id, None)).collect(),
        };
        let mut speaking = Vec::new();
        for glance in glances {
            let events = events.remove(&glance.account_id).unwrap_or_default();
            if !glance.is_calm() || events.iter().any(|event| may_say(event)) {
                speaking.push((glance, events));
            } else {
                passed.places.insert(glance.account_id, glance.head);
            }
        }
        let understood = stream::iter(speaking).map(|(glance, events)| self.understand(glance, events));
        understood.buffer_unordered(READ_AT_ONCE).collect().await
    }

    /// What the events of an account say, if it is plain.
    async fn understand(&self, glance: Glance, events: Vec<Arc<Event>>) -> (AccountId, Option<Plain>) {
        let causes = self
            .sources
            .causes(glance.account_id, &events, glance.is_session_open, self.clock.now());
        let alerts = causes.await.ok().and_then(Causes::into_alerts);
        let plain = alerts.map(|news| Plain {
            after: glance.place,
            until: glance.head,
            news,
        });
        (glance.account_id, plain)
    }

    /// Raises for several accounts what is plain, in one transaction, which writes what was prepared without a lock. Gives those that
    /// have to be looked at alone.
    async fn raise_plain(&self, plain: HashMap<AccountId, Plain>, passed: &mut Passed) -> Vec<AccountId> {
        let accounts: Vec<AccountId> = plain.keys().copied().collect();
        let raised = async {
            let mut prepared = self.prepare(plain).await?;
            let alone = std::mem::take(&mut prepared.alone);
            Ok::<_, Fault>((self.write(prepared).await?, alone))
        };
        match raised.await {
            Ok((written, alone)) => {
                if let Some(locked_since) = written.locked_since {
                    passed.batch_size = passed.batch_size.after(locked_since.elapsed());
                }
                passed.unfinished.extend(written.stale);
                alone
            }
            Err(fault) => {
                tracing::warn!(%fault, "accounts were not looked at together; they are looked at one by one");
                accounts
            }
        }
    }

    /// Reads all that raising these alerts takes, at one instant and without a lock.
    async fn prepare(&self, plain: HashMap<AccountId, Plain>) -> Result<Prepared, Fault> {
        let (plain, now) = (Arc::new(plain), self.clock.now());
        self.database
            .snapshot(move |tx| {
                let plain = Arc::clone(&plain);
                Box::pin(async move { prepare(tx, &plain, now).await })
            })
            .await
    }

    /// Writes alerts that were prepared, under the locks of their accounts.
    async fn write(&self, prepared: Prepared) -> Result<Written, Fault> {
        let accounts: Vec<AccountId> = prepared.plain.keys().copied().collect();
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

/// Leaves out what is beyond the events that may be dealt with in one transaction. Gives whether something is.
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

/// Events of each account, in order.
fn by_account(events: Vec<(AccountId, Event)>) -> HashMap<AccountId, Vec<Arc<Event>>> {
    let mut by_account: HashMap<_, Vec<_>> = HashMap::new();
    for (account_id, event) in events {
        by_account.entry(account_id).or_default().push(Arc::new(event));
    }
    for events in by_account.values_mut() {
        events.sort_unstable_by_key(|event| event.place.sequence);
    }
    by_account
}

/// What goes into one transaction each.
fn batches(
    plain: Vec<(AccountId, Plain)>,
    most_accounts: usize,
    BatchSize(most): BatchSize,
) -> Vec<HashMap<AccountId, Plain>> {
    let mut batches: Vec<HashMap<_, Plain>> = Vec::new();
    let mut alerts = 0;
    for (account_id, said) in plain {
        alerts += said.news.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < most_accounts.min(most) && alerts <= most => {
                batch.insert(account_id, said);
            }
            _ => {
                alerts = said.news.len();
                batches.push(HashMap::from([(account_id, said)]));
            }
        }
    }
    batches
}

/// Reads whether it is still plain what to do in these accounts, and who their alerts go to.
///
/// The balance is compared here and not again under the lock: it is at least as new as the events that are dealt with, and whatever
/// changes it later has an event of its own.
async fn prepare(tx: &Transaction, plain: &HashMap<AccountId, Plain>, now: Timestamp) -> Result<Prepared, Fault> {
    let accounts: Vec<AccountId> = plain.keys().copied().collect();
    let mut prepared = Prepared {
        plain: HashMap::new(),
        recipients: Recipients::default(),
        heads: Vec::new(),
        alone: Vec::new(),
    };
    for glance in store::glances(tx, &accounts).await? {
        let account_id = glance.account_id;
        let Some(said) = plain.get(&account_id) else { continue };
        if glance.place >= said.until {
            // Another process has looked.
            continue;
        }
        let balance = (glance.available, glance.entry_sequence);
        let is_plain = glance.place <= said.after
            && !glance.are_credits_expiring
            && (glance.is_calm() || balance::is_quiet(tx, account_id, balance).await?);
        if is_plain {
            prepared.plain.insert(account_id, said.clone());
            prepared.heads.push((account_id, glance.head));
        } else {
            prepared.alone.push(account_id);
        }
    }
    let mut news = Vec::new();
    for (account_id, said) in &prepared.plain {
        news.extend(said.news.iter().map(|new| (*account_id, new)));
    }
    prepared.recipients = raise::prepare(tx, news, now).await?;
    Ok(prepared)
}

/// Writes what was prepared, where nothing that it rests on has changed.
async fn write_locked(tx: &Transaction, locked: &mut [LockedAccount], prepared: &Prepared) -> Result<Written, Fault> {
    let mut written = Written {
        stale: Vec::new(),
        locked_since: locked.first().map(LockedAccount::locked_since),
    };
    let checked = store::check_places(tx, &prepared.heads).await?;
    let checked: HashMap<AccountId, Checked> = checked.into_iter().map(|one| (one.account_id, one)).collect();
    let mut raising = Vec::new();
    let mut looked_at = Vec::new();
    for account in locked {
        let account_id = account.header.account_id;
        let (Some(said), Some(checked)) = (prepared.plain.get(&account_id), checked.get(&account_id)) else {
            continue;
        };
        if checked.place >= said.until {
            // Another process has looked.
            continue;
        }
        if checked.place > said.after || checked.have_recipients_changed {
            written.stale.push(account_id);
            continue;
        }
        looked_at.push((said.until == account.header.event_sequence, said.until));
        raising.push((account, said.news.as_slice()));
    }
    raise::raise_prepared(tx, &mut raising, &prepared.recipients).await?;
    let places = raising
        .iter_mut()
        .zip(&looked_at)
        .map(|((account, _), (is_all, until))| {
            let account: &mut LockedAccount = account;
            (account.header.account_id, place(*is_all, *until, account))
        });
    let places: Vec<_> = places.collect();
    store::save_places(tx, &places).await?;
    Ok(written)
}

/// How far an account has been looked at: what this has raised needs no second look, unless other events came in between.
fn place(is_all: bool, last: i64, locked: &mut LockedAccount) -> i64 {
    if !is_all {
        return last;
    }
    locked.read();
    locked.header.event_sequence
}

/// Why events were not looked at.
#[derive(Debug)]
enum NoticeError {
    /// There is no such account.
    Gone,
    Fault(Fault),
}

impl From<Fault> for NoticeError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<AccessError> for NoticeError {
    fn from(_: AccessError) -> Self {
        Self::Gone
    }
}

impl MayFault for NoticeError {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::AlertKind;
    use super::*;

    #[test]
    fn a_transaction_has_so_many_accounts_and_alerts_and_no_more() {
        let new = NewAlert::new(AlertKind::SessionCharged, String::new(), Timestamp::from_millis(0));
        let said = |number: i64, alerts: usize| {
            let news = vec![new.clone(); alerts];
            (
                AccountId::from_number(number),
                Plain {
                    after: 0,
                    until: 1,
                    news,
                },
            )
        };
        let sizes = |said: Vec<_>, size: usize| -> Vec<usize> {
            batches(said, 3, BatchSize(size)).iter().map(HashMap::len).collect()
        };
        assert_eq!(sizes(Vec::new(), 32), Vec::<usize>::new());
        assert_eq!(sizes((0..7).map(|number| said(number, 1)).collect(), 32), [3, 3, 1]);
        assert_eq!(
            sizes(vec![said(1, 18), said(2, 14), said(3, 1), said(4, 80), said(5, 0)], 32),
            [2, 1, 1, 1]
        );
        assert_eq!(
            sizes((0..5).map(|number| said(number, 0)).collect(), 2),
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
