//! An account under the caller's lock: for use cases that change rows of their own beside the ledger's.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::event::{self, EventKind, LiveCursor, NewEvent};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, MemberId, TopUpId};

use super::balance::Posted;
use super::engine::{self, Poster};
use super::model::{AccountHeader, KeyRecord, MemberStanding, Origin, Refusal, Request};
use super::store::{self, Work};

/// An account whose row is locked until the transaction ends.
///
/// Whoever changes its figures or appends an event ends with [`Self::save`]; [`Self::post`] saves by itself.
#[derive(Debug)]
pub struct LockedAccount {
    /// The locked row.
    pub header: AccountHeader,
    /// The time of the transaction: read under the lock, and not before the account's last.
    pub now: Timestamp,
    poster: Arc<Poster>,
}

impl LockedAccount {
    pub(super) async fn begin(
        tx: &Transaction,
        account_id: AccountId,
        poster: &Arc<Poster>,
    ) -> Result<Option<Self>, Fault> {
        let found = engine::begin(tx, account_id, &poster.clock).await?;
        Ok(found.map(|(header, now)| Self {
            header,
            now,
            poster: Arc::clone(poster),
        }))
    }

    /// Posts a command as a batch of one, in the caller's transaction.
    pub async fn post(&mut self, tx: &Transaction, request: Request) -> Result<Result<Posted, Refusal>, Fault> {
        engine::post_one(&self.poster, tx, &mut self.header, self.now, request).await
    }

    /// Appends an event about the account, or about a member of it.
    pub async fn append_event(
        &mut self,
        tx: &Transaction,
        kind: EventKind,
        member_id: Option<MemberId>,
    ) -> Result<(), Fault> {
        let status = (kind == EventKind::AccountUpdated).then(|| self.header.status.as_str());
        self.append(tx, kind, |event| {
            event.member_id = member_id;
            event.status = status;
        })
        .await
    }

    /// Appends an event about a top-up and what has become of it, which changes what is coming in by `incoming`.
    pub async fn append_top_up_event(
        &mut self,
        tx: &Transaction,
        top_up_id: TopUpId,
        status: &'static str,
        incoming: Credits,
    ) -> Result<(), Fault> {
        let mut balance_version = None;
        if !incoming.is_zero() {
            let overflow = || Fault::Internal("what is coming in would not fit".to_owned());
            self.header.incoming = self.header.incoming.checked_add(incoming).ok_or_else(overflow)?;
            self.header.balance_version += 1;
            self.header.balance_at = self.now;
            balance_version = Some(self.header.balance_version);
        }
        self.append(tx, EventKind::TopUpUpdated, |event| {
            event.top_up_id = Some(top_up_id);
            event.status = Some(status);
            event.balance_version = balance_version;
        })
        .await
    }

    /// What a key was used for before, if it was.
    pub async fn known_key(&self, tx: &Transaction, key: &(Origin, String)) -> Result<Option<KeyRecord>, Fault> {
        let mut works = [Work::new(self.header.clone(), Vec::new(), self.now)];
        store::load_keys(tx, &mut works, &[key]).await?;
        Ok(works[0].state.keys.remove(key))
    }

    /// How a member on whose behalf somebody acts stands; `None` when there is none such.
    pub async fn member_standing(&self, tx: &Transaction, id: MemberId) -> Result<Option<MemberStanding>, Fault> {
        store::member_standing(tx, self.header.account_id, id).await
    }

    /// Binds a key to what came of it.
    pub async fn store_key(
        &self,
        tx: &Transaction,
        key: (Origin, String),
        operation: &'static str,
        record: KeyRecord,
    ) -> Result<(), Fault> {
        let mut work = Work::new(self.header.clone(), Vec::new(), self.now);
        work.changes.keys.push((key, operation, record));
        store::insert_keys(tx, &[work]).await
    }

    /// How much of an entry was taken back, by whomever.
    pub async fn taken_back(&self, tx: &Transaction, entry_id: EntryId) -> Result<Credits, Fault> {
        store::taken_back(tx, self.header.account_id, entry_id).await
    }

    /// Has the ledger watch available credits: whenever they fall to `mark`, it is remembered until somebody looks.
    pub fn watch(&mut self, mark: Option<Credits>) {
        self.header.low_mark = mark;
        let is_low = self.header.is_low();
        self.header.low_since = self.header.low_since.or(Some(self.now)).filter(|_| is_low);
    }

    /// Somebody has looked at the level that is watched.
    pub fn looked(&mut self) {
        self.header.low_since = None;
    }

    /// Writes the figures. The events' numbers are among them, so this comes after the last event.
    pub async fn save(&self, tx: &Transaction) -> Result<(), Fault> {
        store::update_headers(tx, &[&self.header]).await
    }

    /// The place in the account's stream as of now.
    pub fn live_cursor(&self) -> LiveCursor {
        LiveCursor {
            epoch: self.poster.epoch,
            account_id: self.header.account_id,
            sequence: self.header.event_sequence,
            nonce: self.header.event_nonce,
        }
    }

    async fn append(
        &mut self,
        tx: &Transaction,
        kind: EventKind,
        fill: impl FnOnce(&mut NewEvent),
    ) -> Result<(), Fault> {
        self.header.event_sequence += 1;
        self.header.event_nonce = i64::from(Uuid::new_v4().as_fields().0);
        self.header.last_at = self.now;
        let mut event = NewEvent {
            sequence: self.header.event_sequence,
            nonce: self.header.event_nonce,
            kind,
            occurred_at: self.now,
            entry_id: None,
            session_id: None,
            top_up_id: None,
            member_id: None,
            status: None,
            balance_version: None,
        };
        fill(&mut event);
        event::append(tx, &[(self.header.account_id, &event)]).await
    }
}
