//! An account under the caller's lock, for use cases that change rows of their own together with the
//! ledger's.

use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::database::writes::Writes;
use crate::domain::database::{MayFault, Transaction, Work};
use crate::domain::event::{self, Event, EventContent, LiveCursor};
use crate::domain::fault::Fault;
use crate::primitives::actor::AccessError;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, MemberId, TopUpId};

use super::balance::Posted;
use super::engine::{self, Poster};
use super::model::{AccountHeader, KeyRecord, MemberStanding, Origin, Refusal, Request};
use super::movements::Movement;
use super::{Ledger, store};

/// An account whose row is locked until the transaction ends. Its figures are written at the end of the change that holds
/// the lock.
#[derive(Debug)]
pub struct LockedAccount {
    /// The locked row.
    pub header: AccountHeader,
    /// The time of the transaction. It is read under the lock, and never before the account's last time.
    pub now: Timestamp,
    /// The row as it is in the database.
    written: AccountHeader,
    /// The number of the last event before this transaction.
    began_at: i64,
    /// The version of the balance that events contain so far.
    announced_version: i64,
    /// Movements of credits and money, for the log.
    movements: Vec<Movement>,
    /// Since when it is locked.
    locked_since: Instant,
    poster: Arc<Poster>,
}

impl Ledger {
    /// Runs a change of another module: `work`, in a transaction whose first statement locks the account. After the commit, and
    /// not before, followers of the account are notified of the appended events.
    ///
    /// This and [`Self::change_all`] are the only ways to get such a lock, so that every change is announced. An account that does
    /// not exist is [`AccessError::NotFound`]. As in any transaction, `work` may run several times.
    pub async fn change<T, E, F>(&self, account_id: AccountId, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction, &'t mut LockedAccount) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + From<AccessError> + Send + 'static,
    {
        self.change_all(&[account_id], move |tx, locked| match locked.first_mut() {
            Some(locked) => work(tx, locked),
            None => Box::pin(async { Err(AccessError::NotFound.into()) }),
        })
        .await
    }

    /// As [`Self::change`], for several accounts, at most [`Self::accounts_per_transaction`]. `work` gets them in the order of
    /// their ids. Accounts that do not exist are left out.
    pub async fn change_all<T, E, F>(&self, accounts: &[AccountId], work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction, &'t mut [LockedAccount]) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + Send + 'static,
    {
        let (poster, work, accounts) = (
            Arc::clone(&self.poster),
            Arc::new(work),
            Arc::<[AccountId]>::from(accounts),
        );
        let changed = self.poster.database.transaction(move |tx| {
            let (poster, work, accounts) = (Arc::clone(&poster), Arc::clone(&work), Arc::clone(&accounts));
            Box::pin(async move {
                let mut locked = LockedAccount::begin(tx, &accounts, &poster).await?;
                let done = work(tx, &mut locked).await?;
                LockedAccount::write(tx, &locked).await?;
                let rings: Vec<_> = locked.iter().filter_map(LockedAccount::ring).collect();
                let movements = locked
                    .into_iter()
                    .map(|account| (account.header.account_id, account.movements));
                let movements: Vec<_> = movements.filter(|(_, moved)| !moved.is_empty()).collect();
                Ok::<_, E>((done, rings, movements))
            })
        });
        let (done, rings, movements) = changed.await?;
        for (account_id, moved) in movements {
            for movement in &moved {
                movement.log(account_id);
            }
        }
        for (account_id, event_sequence) in rings {
            self.bell.ring(account_id, event_sequence);
        }
        Ok(done)
    }
}

impl LockedAccount {
    /// Locks in the order of the ids, as every transaction that locks several accounts does.
    async fn begin(tx: &Transaction, accounts: &[AccountId], poster: &Arc<Poster>) -> Result<Vec<Self>, Fault> {
        let begun = engine::begin(tx, accounts, &poster.clock).await?.into_iter();
        let locked_since = Instant::now();
        let locked = begun.map(|(header, now)| Self {
            began_at: header.event_sequence,
            announced_version: header.balance_version,
            written: header.clone(),
            header,
            now,
            movements: Vec::new(),
            locked_since,
            poster: Arc::clone(poster),
        });
        Ok(locked.collect())
    }

    /// Since when this transaction has kept others from the account.
    pub const fn locked_since(&self) -> Instant {
        self.locked_since
    }

    /// The account, and its last event, where there are new ones.
    fn ring(&self) -> Option<(AccountId, i64)> {
        let last = self.header.event_sequence;
        (last > self.began_at).then_some((self.header.account_id, last))
    }

    /// Posts a command as a batch of one, in the caller's transaction.
    pub async fn post(&mut self, tx: &Transaction, request: Request) -> Result<Result<Posted, Refusal>, Fault> {
        let account = (&mut self.header, &mut self.movements);
        let posted = engine::post_one(&self.poster, tx, account, self.now, request).await?;
        self.written = self.header.clone();
        self.announced_version = self.header.balance_version;
        Ok(posted)
    }

    /// Appends an event. If the balance has changed since the last event of this transaction, it contains the balance's version.
    pub async fn append(&mut self, tx: &Transaction, content: EventContent) -> Result<(), Fault> {
        let event = self.numbered(content);
        event::append(tx, &[(self.header.account_id, &event)]).await
    }

    /// Appends an event that the account's settings changed.
    pub async fn append_account_updated(&mut self, tx: &Transaction) -> Result<(), Fault> {
        let status = self.header.status;
        self.append(tx, EventContent::AccountUpdated { status }).await
    }

    /// Returns an event whose number is taken. The caller appends it in this transaction, with the events of other accounts.
    pub(in crate::domain) fn numbered(&mut self, content: EventContent) -> Event {
        let mut event = self.header.next_event(content, Uuid::new_v4().as_fields().0, self.now);
        if self.header.balance_version != self.announced_version {
            self.announced_version = self.header.balance_version;
            event.balance_version = Some(self.announced_version);
        }
        event
    }

    /// Changes the credits that are coming in, which are part of the balance. The next event announces it.
    pub fn change_incoming(&mut self, change: Credits) -> Result<(), Fault> {
        if !change.is_zero() {
            let overflow = || Fault::Internal("the sum of incoming credits overflows".to_owned());
            self.header.incoming = self.header.incoming.checked_add(change).ok_or_else(overflow)?;
            self.header.balance_version += 1;
            self.header.balance_at = self.now;
        }
        Ok(())
    }

    /// Records a movement. It is logged when the transaction is committed.
    pub(in crate::domain) fn note(&mut self, movement: Movement) {
        self.movements.push(movement);
    }

    /// Returns what a key was used for before, if it was.
    pub async fn known_key(&self, tx: &Transaction, key: &(Origin, String)) -> Result<Option<KeyRecord>, Fault> {
        let mut works = [store::Work::new(self.header.clone(), Vec::new(), self.now)];
        store::load_keys(tx, &mut works, &[key]).await?;
        Ok(works[0].state.keys.remove(key))
    }

    /// Returns the rights of the member on whose behalf an actor acts; `None` when there is no such member.
    pub async fn member_standing(&self, tx: &Transaction, id: MemberId) -> Result<Option<MemberStanding>, Fault> {
        store::member_standing(tx, self.header.account_id, id).await
    }

    /// Binds a key to its result.
    pub async fn store_key(
        &self,
        tx: &Transaction,
        key: (Origin, String),
        operation: &'static str,
        record: KeyRecord,
    ) -> Result<(), Fault> {
        let mut work = store::Work::new(self.header.clone(), Vec::new(), self.now);
        work.changes.keys.push((key, operation, record));
        let mut writes = Writes::of(tx);
        store::insert_keys(&mut writes, &[work]);
        writes.send().await
    }

    /// Returns what refunds in progress of a top-up hold.
    pub async fn refunding(&self, tx: &Transaction, top_up_id: TopUpId) -> Result<Credits, Fault> {
        store::refunding(tx, self.header.account_id, top_up_id).await
    }

    /// Returns how much of an entry was reversed, by any cause.
    pub async fn taken_back(&self, tx: &Transaction, entry_id: EntryId) -> Result<Credits, Fault> {
        store::taken_back(tx, self.header.account_id, entry_id).await
    }

    /// Lets the ledger watch available credits. A fall to `mark` is recorded until [`Self::looked`].
    pub fn watch(&mut self, mark: Option<Credits>) {
        self.header.low_mark = mark;
        let is_low = self.header.is_low();
        self.header.low_since = self.header.low_since.or(Some(self.now)).filter(|_| is_low);
    }

    /// Records that a worker has checked the watched level.
    pub fn looked(&mut self) {
        self.header.low_since = None;
    }

    /// Records that a worker has read all events of the account, including those of this transaction.
    pub fn read(&mut self) {
        self.header.unread_since = None;
    }

    /// All events of the account, those of this transaction among them, are checked for what is wrong.
    pub fn checked(&mut self) {
        self.header.unchecked_since = None;
    }

    /// Returns the credits that expire after now and until `until`, grouped by the hour: the first expiry in each hour, and the sum.
    pub async fn expiring(&self, tx: &Transaction, until: Timestamp) -> Result<Vec<(Timestamp, Credits)>, Fault> {
        store::expiring(tx, self.header.account_id, (self.now, until)).await
    }

    /// Returns when the next credits expire after an instant.
    pub async fn next_expiry(&self, tx: &Transaction, after: Timestamp) -> Result<Option<Timestamp>, Fault> {
        store::next_expiry(tx, self.header.account_id, after).await
    }

    /// Returns the current position in the account's event stream.
    pub fn live_cursor(&self) -> LiveCursor {
        LiveCursor::new(self.poster.epoch, self.header.account_id, self.header.event_position())
    }

    /// Writes the changed figures. They contain the events' numbers, so this comes after the last event.
    async fn write(tx: &Transaction, locked: &[Self]) -> Result<(), Fault> {
        let changed = locked.iter().filter(|account| account.header != account.written);
        let headers: Vec<&AccountHeader> = changed.map(|account| &account.header).collect();
        let mut writes = Writes::of(tx);
        store::update_headers(&mut writes, &headers);
        writes.send().await
    }
}
