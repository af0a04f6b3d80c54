//! The listeners of each account, the head of each stream, and the events that were read last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::histogram::HistogramTotals;
use crate::primitives::ids::{AccountId, MemberId};

use super::echo::Echo;
use super::known::Known;
use super::recent::Recent;
use super::rung::Rung;
use super::{Bell, Event, store};

/// Events that one statement reads, at most.
const MOST_READ: usize = 128;
/// Accounts whose heads one statement reads, at most.
const HEADS_AT_ONCE: usize = 1_000;

/// The streams of accounts with listeners in this process. Clones share them.
///
/// An account without listeners costs nothing: its stream is created with the first listener and dropped with the
/// last.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    streams: Mutex<HashMap<AccountId, Followed>>,
    listeners: watch::Sender<usize>,
    wants_bells: watch::Sender<bool>,
    echo: Echo,
    rung: Rung,
    rung_for_findings: Rung,
    rung_for_webhooks: Rung,
}

#[derive(Debug)]
struct Followed {
    stream: Arc<Stream>,
    listeners: usize,
}

/// State that the listeners of one account share.
#[derive(Debug)]
struct Stream {
    account_id: AccountId,
    /// The last known event. It only grows, except after a bell that announced an event which does not exist.
    head: watch::Sender<i64>,
    recent: Mutex<Recent>,
    known: Mutex<Known>,
    /// Held by the listener that reads new events for all others.
    reading: tokio::sync::Mutex<()>,
}

impl Hub {
    /// Creates a hub without listeners on this database.
    pub fn new(database: Database) -> Self {
        Self(Arc::new(Inner {
            database,
            streams: Mutex::default(),
            listeners: watch::Sender::new(0),
            wants_bells: watch::Sender::new(false),
            echo: Echo::default(),
            rung: Rung::default(),
            rung_for_findings: Rung::default(),
            rung_for_webhooks: Rung::default(),
        }))
    }

    /// The number of listeners.
    pub fn listeners(&self) -> usize {
        *self.0.listeners.borrow()
    }

    /// Accounts that have new events, with or without listeners.
    pub fn rung(&self) -> &Rung {
        &self.0.rung
    }

    /// The same, for the worker that diagnoses problems: each worker takes its own.
    pub fn rung_for_findings(&self) -> &Rung {
        &self.0.rung_for_findings
    }

    /// The same, for the worker that writes messages to webhook endpoints.
    pub fn rung_for_webhooks(&self) -> &Rung {
        &self.0.rung_for_webhooks
    }

    /// Waits until there is a listener.
    pub async fn listened_to(&self) {
        // Fails only when the sender is dropped, which this handle owns.
        let _ = self.0.listeners.subscribe().wait_for(|listeners| *listeners > 0).await;
    }

    /// Whether anyone listens.
    pub fn has_listeners(&self) -> bool {
        *self.0.listeners.borrow() > 0
    }

    /// The bus sends this bell of this process, which hears it too if it listens.
    pub fn sent(&self, account_id: AccountId, event_sequence: i64) {
        self.0.echo.sent(account_id, event_sequence);
    }

    /// The bus has delivered a bell of this process.
    pub fn heard(&self, account_id: AccountId, event_sequence: i64) {
        self.0.echo.heard(account_id, event_sequence);
    }

    /// The bus has begun to deliver bells. Earlier ones are lost.
    pub fn hears_from_now(&self) {
        self.0.echo.forget();
    }

    /// The time from commits of this process until it heard its own bells.
    pub fn bell_lag(&self) -> HistogramTotals {
        self.0.echo.lag()
    }

    /// From now on bells of other processes are received, with or without listeners.
    pub fn want_bells(&self) {
        self.0.wants_bells.send_replace(true);
    }

    /// Waits until bells of other processes are needed here.
    pub async fn bells_are_wanted(&self) {
        let mut wanted = self.0.wants_bells.subscribe();
        tokio::select! {
            _ = wanted.wait_for(|wanted| *wanted) => {}
            () = self.listened_to() => {}
        }
    }

    /// Reads the heads of the streams with listeners, in case a bell was lost.
    pub async fn poll(&self) -> Result<(), Fault> {
        let accounts: Vec<AccountId> = self.streams().keys().copied().collect();
        for some in accounts.chunks(HEADS_AT_ONCE) {
            for (account_id, position) in store::heads(self.0.database.read(), some).await? {
                if self.is_behind(account_id, position.sequence) {
                    // When they were committed is not known.
                    self.announce(account_id, position.sequence, None);
                }
            }
        }
        Ok(())
    }

    /// Listens to an account from now on. A caller that reads the head of its stream after this misses
    /// nothing.
    pub(super) fn listen(&self, account_id: AccountId) -> Listener {
        let mut streams = self.streams();
        let followed = streams.entry(account_id).or_insert_with(|| Followed {
            stream: Arc::new(Stream {
                account_id,
                head: watch::Sender::new(0),
                recent: Mutex::default(),
                known: Mutex::default(),
                reading: tokio::sync::Mutex::default(),
            }),
            listeners: 0,
        });
        followed.listeners += 1;
        self.0.listeners.send_modify(|listeners| *listeners += 1);
        Listener {
            head: followed.stream.head.subscribe(),
            stream: Arc::clone(&followed.stream),
            hub: self.clone(),
        }
    }

    /// Whether listeners do not know of this event.
    fn is_behind(&self, account_id: AccountId, event_sequence: i64) -> bool {
        let streams = self.streams();
        let followed = streams.get(&account_id);
        followed.is_some_and(|followed| *followed.stream.head.borrow() < event_sequence)
    }

    /// Wakes workers and listeners for an account with new events. `at` is when they were committed, or the bell came.
    fn announce(&self, account_id: AccountId, event_sequence: i64, at: Option<Instant>) {
        self.0.rung.ring(account_id);
        self.0.rung_for_findings.ring(account_id);
        self.0.rung_for_webhooks.ring(account_id);
        let stream = self
            .streams()
            .get(&account_id)
            .map(|followed| Arc::clone(&followed.stream));
        if let Some(stream) = stream {
            stream.known().add(event_sequence, at);
            stream.grown_to(event_sequence);
        }
        self.0.database.wake().wake();
    }

    fn leave(&self, account_id: AccountId) {
        let mut streams = self.streams();
        if let Some(followed) = streams.get_mut(&account_id) {
            followed.listeners -= 1;
            if followed.listeners == 0 {
                streams.remove(&account_id);
            }
        }
        self.0.listeners.send_modify(|listeners| *listeners -= 1);
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<AccountId, Followed>> {
        // No panic can happen in the middle of a change.
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell for Hub {
    fn ring(&self, account_id: AccountId, event_sequence: i64) {
        if account_id == AccountId::PLATFORM {
            self.0.database.wake().wake();
        } else {
            self.announce(account_id, event_sequence, Some(Instant::now()));
        }
    }
}

/// A follower of an account's stream. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Listener {
    hub: Hub,
    stream: Arc<Stream>,
    head: watch::Receiver<i64>,
}

impl Listener {
    /// The account whose stream it follows.
    pub fn account_id(&self) -> AccountId {
        self.stream.account_id
    }

    /// The number of the last known event.
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Waits until the stream is known to go beyond `sequence`.
    pub async fn advanced(&mut self, sequence: i64) {
        // Fails only when the sender is dropped, which the stream owns.
        let _ = self.head.wait_for(|head| *head > sequence).await;
    }

    /// Returns the events after `sequence`, without gaps, as many as are read at once; none when there are none yet. One
    /// listener reads new events for all listeners.
    pub async fn after(&self, sequence: i64) -> Result<Vec<Arc<Event>>, Fault> {
        self.stream.read_on(&self.hub.0.database, sequence).await?;
        let kept = self.stream.recent().after(sequence, MOST_READ);
        match kept {
            Some(events) => Ok(events),
            None if sequence >= self.head() => Ok(Vec::new()),
            // Too far behind for the events that are kept.
            None => store::after(&self.hub.0.database, self.account_id(), sequence, MOST_READ).await,
        }
    }

    /// When this process committed the event `sequence` or heard of it; `None` where neither is known.
    pub fn known_since(&self, sequence: i64) -> Option<Instant> {
        self.stream.known().since(sequence)
    }

    /// Whether a member was added or removed, or their rights may have changed, after the event `sequence`. `None` where not all events
    /// since have been read here.
    pub fn member_changed_since(&self, member_id: MemberId, sequence: i64) -> Option<bool> {
        let head = self.head();
        if head <= sequence {
            return Some(false);
        }
        self.stream.recent().member_changed_within(member_id, sequence, head)
    }

    pub(super) fn grown_to(&self, sequence: i64) {
        self.stream.grown_to(sequence);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hub.leave(self.stream.account_id);
    }
}

impl Stream {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grown_to(&self, sequence: i64) {
        self.head.send_if_modified(|head| {
            let has_grown = sequence > *head;
            *head = sequence.max(*head);
            has_grown
        });
    }

    /// Reads new events, if there are any and no other listener has read them meanwhile. `sequence` is the position of the
    /// calling listener: beyond what is kept, it needs no more of it.
    async fn read_on(&self, database: &Database, sequence: i64) -> Result<(), Fault> {
        let head = *self.head.borrow();
        let is_read = || sequence.max(self.recent().last().unwrap_or_default()) >= head;
        if is_read() {
            return Ok(());
        }
        let _turn = self.reading.lock().await;
        if is_read() {
            return Ok(());
        }
        let after = sequence.max(self.recent().last().unwrap_or(sequence));
        let events = store::after(database, self.account_id, after, MOST_READ).await?;
        if events.is_empty() {
            // The bell announced an event that does not exist. Unless it has rung again, there is nothing to
            // wait for.
            self.head.send_if_modified(|now| {
                if *now == head {
                    *now = after;
                    self.known().end_at(after);
                }
                false
            });
        } else {
            self.recent().extend(after, events);
        }
        Ok(())
    }
}
