//! Reading streams of events: where they end, from a cursor on, page by page.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::ids::{AccountId, MemberId};

use super::{Event, Hub, Listener, LiveCursor, Place, store};

/// The streams of all accounts. Whoever asks has checked who may see them.
#[derive(Clone, Debug)]
pub struct Events {
    database: Database,
    epoch: Uuid,
    hub: Hub,
}

/// What a follower comes with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begin {
    /// Go on after this cursor; from now on when there is none.
    pub after: Option<LiveCursor>,
    /// The member whose cursor it is, if it is a member's.
    pub viewer: Option<MemberId>,
    /// With more events than this after the cursor, start over instead.
    pub replay_at_most: Option<i64>,
}

/// Where somebody who comes with a cursor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The place to read on from.
    pub place: Place,
    /// The end of the stream at that time: what lies before it is history.
    pub head: Place,
    /// The cursor was of no use: it is of another epoch or of a history that was undone, what follows it is no longer kept, or
    /// whoever holds it was changed since, and perhaps may see other things than when it was handed out; or more has happened
    /// since than the follower wants replayed. The place is the end of the stream.
    pub is_reset: bool,
}

/// Some events after a cursor.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// Where it began.
    pub start: Start,
    /// The events, without a hole.
    pub events: Vec<Arc<Event>>,
}

impl Events {
    /// The streams as kept in `database`; `epoch` is the installation's.
    pub fn new(database: Database, epoch: Uuid, hub: Hub) -> Self {
        Self { database, epoch, hub }
    }

    /// Who listens in this process.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The cursor of a place.
    pub fn cursor(&self, account_id: AccountId, place: Place) -> LiveCursor {
        LiveCursor::new(self.epoch, account_id, place)
    }

    /// The end of an account's stream: what comes later is after this cursor. `None` when there is no such account.
    pub async fn present(&self, account_id: AccountId) -> Result<Option<LiveCursor>, Fault> {
        let head = self.head(account_id).await?;
        Ok(head.map(|place| self.cursor(account_id, place)))
    }

    /// Follows an account's stream. `None` when there is no such account.
    pub async fn listen(&self, account_id: AccountId, begin: Begin) -> Result<Option<(Listener, Start)>, Fault> {
        let listener = self.hub.listen(account_id);
        let Some(mut start) = self.start(account_id, begin.after, begin.viewer).await? else {
            return Ok(None);
        };
        let missed = start.head.sequence - start.place.sequence;
        if begin.replay_at_most.is_some_and(|most| missed > most) {
            start.place = start.head;
            start.is_reset = true;
        }
        listener.grown_to(start.head.sequence);
        Ok(Some((listener, start)))
    }

    /// The first `limit` events after a cursor; none when there is no cursor. `None` when there is no such account.
    pub async fn page(
        &self,
        account_id: AccountId,
        after: Option<LiveCursor>,
        viewer: Option<MemberId>,
        limit: usize,
    ) -> Result<Option<EventPage>, Fault> {
        let Some(start) = self.start(account_id, after, viewer).await? else {
            return Ok(None);
        };
        let events = if start.place == start.head {
            Vec::new()
        } else {
            store::after(&self.database, account_id, start.place.sequence, limit).await?
        };
        Ok(Some(EventPage { start, events }))
    }

    async fn start(
        &self,
        account_id: AccountId,
        after: Option<LiveCursor>,
        viewer: Option<MemberId>,
    ) -> Result<Option<Start>, Fault> {
        let Some(head) = self.head(account_id).await? else {
            return Ok(None);
        };
        let place = match after {
            Some(cursor) if self.holds(&cursor, head).await? && !self.was_changed(viewer, &cursor).await? => {
                Some(cursor.place())
            }
            Some(_) => None,
            None => Some(head),
        };
        Ok(Some(Start {
            place: place.unwrap_or(head),
            head,
            is_reset: place.is_none(),
        }))
    }

    /// Whether all that has happened since this cursor was handed out follows on it in the table.
    async fn holds(&self, cursor: &LiveCursor, head: Place) -> Result<bool, Fault> {
        let place = cursor.place();
        if cursor.epoch != self.epoch || place.sequence < 0 || place.sequence > head.sequence {
            return Ok(false);
        }
        if place.sequence == head.sequence {
            return Ok(place == head);
        }
        // The event itself must be there, or, before the first, the first: then those after it are too.
        let witness = store::nonce(&self.database, cursor.account_id, place.sequence.max(1)).await?;
        Ok(witness.is_some_and(|nonce| {
            if place.sequence == 0 {
                place.nonce == 0
            } else {
                nonce == place.nonce
            }
        }))
    }

    /// Whether the member who holds a cursor was changed since. Keys never are: they are made and revoked.
    async fn was_changed(&self, viewer: Option<MemberId>, cursor: &LiveCursor) -> Result<bool, Fault> {
        match viewer {
            Some(viewer) => store::member_changed_after(&self.database, cursor, viewer).await,
            None => Ok(false),
        }
    }

    async fn head(&self, account_id: AccountId) -> Result<Option<Place>, Fault> {
        let heads = store::heads(self.database.read(), &[account_id]).await?;
        Ok(heads.first().map(|(_, place)| *place))
    }
}
