//! An account under the caller's lock: for use cases that change rows of their own beside the ledger's.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::event::{self, EventKind, LiveCursor, NewEvent};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId, TopUpId};

use super::balance::Posted;
use super::engine::{self, Poster};
use super::model::{AccountHeader, Refusal, Request};
use super::store;

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

    /// Appends an event about a top-up and what has become of it.
    pub async fn append_top_up_event(
        &mut self,
        tx: &Transaction,
        top_up_id: TopUpId,
        status: &'static str,
    ) -> Result<(), Fault> {
        self.append(tx, EventKind::TopUpUpdated, |event| {
            event.top_up_id = Some(top_up_id);
            event.status = Some(status);
        })
        .await
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
