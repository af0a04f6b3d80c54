//! Who listens to which account, how far each stream goes, and what was read of it last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::ids::{AccountId, MemberId};

use super::recent::Recent;
use super::rung::Rung;
use super::{Bell, Event, store};

/// Events that one statement reads at the most.
const MOST_READ: usize = 128;
/// Accounts whose heads one statement asks for at the most.
const HEADS_AT_ONCE: usize = 1_000;

/// The streams of accounts that somebody in this process listens to. Cloning shares them.
///
/// An account without listeners costs nothing: its stream is made with the first of them and dropped with the last.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    streams: Mutex<HashMap<AccountId, Followed>>,
    listeners: watch::Sender<usize>,
    wants_bells: watch::Sender<bool>,
    rung: Rung,
    rung_for_findings: Rung,
}

#[derive(Debug)]
struct Followed {
    stream: Arc<Stream>,
    listeners: usize,
}

/// What listeners of one account share.
#[derive(Debug)]
struct Stream {
    account_id: AccountId,
    /// The last event that is known of. Only grows, but for a bell that promised too much.
    head: watch::Sender<i64>,
    recent: Mutex<Recent>,
    /// Held by whoever reads what is new, for all others.
    reading: tokio::sync::Mutex<()>,
}

impl Hub {
    /// A hub without listeners on this database.
    pub fn new(database: Database) -> Self {
        Self(Arc::new(Inner {
            database,
            streams: Mutex::default(),
            listeners: watch::Sender::new(0),
            wants_bells: watch::Sender::new(false),
            rung: Rung::default(),
            rung_for_findings: Rung::default(),
        }))
    }

    /// How many listeners there are.
    pub fn listeners(&self) -> usize {
        *self.0.listeners.borrow()
    }

    /// Accounts that have new events, whether or not somebody listens to them.
    pub fn rung(&self) -> &Rung {
        &self.0.rung
    }

    /// The same, for whoever looks at what is wrong: each takes their own.
    pub fn rung_for_findings(&self) -> &Rung {
        &self.0.rung_for_findings
    }

    /// Waits until somebody listens.
    pub async fn listened_to(&self) {
        // Fails only when the sender is gone, which this handle holds.
        let _ = self.0.listeners.subscribe().wait_for(|listeners| *listeners > 0).await;
    }

    /// From now on bells of other processes are wanted, whether or not anyone listens.
    pub fn want_bells(&self) {
        self.0.wants_bells.send_replace(true);
    }

    /// Waits until bells of other processes are of use here.
    pub async fn bells_are_wanted(&self) {
        let mut wanted = self.0.wants_bells.subscribe();
        tokio::select! {
            _ = wanted.wait_for(|wanted| *wanted) => {}
            () = self.listened_to() => {}
        }
    }

    /// Asks how far the streams go that somebody listens to: for bells that were lost.
    pub async fn poll(&self) -> Result<(), Fault> {
        let accounts: Vec<AccountId> = self.streams().keys().copied().collect();
        for some in accounts.chunks(HEADS_AT_ONCE) {
            for (account_id, place) in store::heads(self.0.database.read(), some).await? {
                self.ring(account_id, place.sequence);
            }
        }
        Ok(())
    }

    /// Listens to an account from now on. Whoever reads the head of its stream after this misses nothing.
    pub(super) fn listen(&self, account_id: AccountId) -> Listener {
        let mut streams = self.streams();
        let followed = streams.entry(account_id).or_insert_with(|| Followed {
            stream: Arc::new(Stream {
                account_id,
                head: watch::Sender::new(0),
                recent: Mutex::default(),
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
        // Every change is complete before anything could panic.
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell for Hub {
    fn ring(&self, account_id: AccountId, event_sequence: i64) {
        self.0.rung.ring(account_id);
        self.0.rung_for_findings.ring(account_id);
        let stream = self
            .streams()
            .get(&account_id)
            .map(|followed| Arc::clone(&followed.stream));
        if let Some(stream) = stream {
            stream.grown_to(event_sequence);
        }
    }
}

/// One who follows an account's stream. Dropping it ends that.
#[derive(Debug)]
pub struct Listener {
    hub: Hub,
    stream: Arc<Stream>,
    head: watch::Receiver<i64>,
}

impl Listener {
    /// Whose stream it is.
    pub fn account_id(&self) -> AccountId {
        self.stream.account_id
    }

    /// The last event that is known of.
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Waits until the stream is known to go beyond `sequence`.
    pub async fn advanced(&mut self, sequence: i64) {
        // Fails only when the sender is gone, which the stream holds.
        let _ = self.head.wait_for(|head| *head > sequence).await;
    }

    /// The events after `sequence`, without a hole and as many as are read at once; none when there are none yet. What is new is
    /// read by one for all listeners.
    pub async fn after(&self, sequence: i64) -> Result<Vec<Arc<Event>>, Fault> {
        self.stream.read_on(&self.hub.0.database, sequence).await?;
        let kept = self.stream.recent().after(sequence, MOST_READ);
        match kept {
            Some(events) => Ok(events),
            None if sequence >= self.head() => Ok(Vec::new()),
            // Too far behind for what is kept.
            None => store::after(&self.hub.0.database, self.account_id(), sequence, MOST_READ).await,
        }
    }

    /// Whether a member was added or removed, or their rights may have changed, after the event `sequence`. `None` where not all that has happened since
    /// has been read here.
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

    fn grown_to(&self, sequence: i64) {
        self.head.send_if_modified(|head| {
            let has_grown = sequence > *head;
            *head = sequence.max(*head);
            has_grown
        });
    }

    /// Reads what is new, if there is anything and nobody else has read it meanwhile. `sequence` is where the asking listener
    /// is: one that is beyond what is kept needs no more of it.
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
            // The bell promised what is not there. Unless it has rung again, there is nothing to wait for.
            self.head.send_if_modified(|now| {
                if *now == head {
                    *now = after;
                }
                false
            });
        } else {
            self.recent().extend(after, events);
        }
        Ok(())
    }
}
