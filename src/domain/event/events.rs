//! Reading streams of events: their ends, from a cursor on, page by page.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::ids::{AccountId, MemberId};

use super::{Event, Hub, Listener, LiveCursor, StreamPosition, store};

/// Reads the streams of all accounts. The caller has checked who may see them.
#[derive(Clone, Debug)]
pub struct Events {
    database: Database,
    epoch: Uuid,
    hub: Hub,
}

/// The parameters of a follower.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begin {
    /// Continue after this cursor; start from now on when `None`.
    pub after: Option<LiveCursor>,
    /// The member whose cursor it is, if it is a member's.
    pub viewer: Option<MemberId>,
    /// With more events than this after the cursor, start over instead.
    pub replay_at_most: Option<i64>,
}

/// Where a follower with a cursor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The position after which to read.
    pub position: StreamPosition,
    /// The end of the stream at that time: events before it are history.
    pub head: StreamPosition,
    /// The cursor cannot be used, for one of these reasons. It is of another epoch, or of a history that was undone. The
    /// events after it are no longer kept. Its holder was changed since, and may now see other things than when it was issued.
    /// More events have happened since than the follower wants replayed. The position is the end of the stream.
    pub is_reset: bool,
}

/// The events after a cursor, up to a limit.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The position before the first event.
    pub start: Start,
    /// The events, without gaps.
    pub events: Vec<Arc<Event>>,
}

impl Events {
    /// Reads from `database`; `epoch` is the installation's.
    pub fn new(database: Database, epoch: Uuid, hub: Hub) -> Self {
        Self { database, epoch, hub }
    }

    /// The listeners of this process.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Returns the cursor of a position.
    pub fn cursor(&self, account_id: AccountId, position: StreamPosition) -> LiveCursor {
        LiveCursor::new(self.epoch, account_id, position)
    }

    /// Returns the end of an account's stream: later events come after this cursor. `None` when there is no such
    /// account.
    pub async fn present(&self, account_id: AccountId) -> Result<Option<LiveCursor>, Fault> {
        let head = self.head(account_id).await?;
        Ok(head.map(|position| self.cursor(account_id, position)))
    }

    /// Follows an account's stream. `None` when there is no such account.
    pub async fn listen(&self, account_id: AccountId, begin: Begin) -> Result<Option<(Listener, Start)>, Fault> {
        let listener = self.hub.listen(account_id);
        let Some(mut start) = self.start(account_id, begin.after, begin.viewer).await? else {
            return Ok(None);
        };
        let missed = start.head.sequence - start.position.sequence;
        if begin.replay_at_most.is_some_and(|most| missed > most) {
            start.position = start.head;
            start.is_reset = true;
        }
        listener.grown_to(start.head.sequence);
        Ok(Some((listener, start)))
    }

    /// Returns the first `limit` events after a cursor; none when there is no cursor. `None` when there is no such
    /// account.
    pub async fn page(
        &self,
        account_id: AccountId,
        after: Option<LiveCursor>,
        viewer: Option<MemberId>,
        limit: usize,
    ) -> Result<Option<EventPage>, Fault> {
        let Some(mut start) = self.start(account_id, after, viewer).await? else {
            return Ok(None);
        };
        let mut events = Vec::new();
        if start.position != start.head {
            let next = start.position.sequence + 1;
            events = store::after(&self.database, account_id, start.position.sequence, limit).await?;
            // Events may be deleted after the cursor was checked.
            if events.first().is_none_or(|first| first.position.sequence != next) {
                events.clear();
                start.position = start.head;
                start.is_reset = true;
            }
        }
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
        let position = match after {
            Some(cursor) if self.holds(&cursor, head).await? && !self.was_changed(viewer, &cursor).await? => {
                Some(cursor.position())
            }
            Some(_) => None,
            None => Some(head),
        };
        Ok(Some(Start {
            position: position.unwrap_or(head),
            head,
            is_reset: position.is_none(),
        }))
    }

    /// Whether the table contains all events since this cursor was issued, right after its event.
    async fn holds(&self, cursor: &LiveCursor, head: StreamPosition) -> Result<bool, Fault> {
        let position = cursor.position();
        if cursor.epoch != self.epoch || position.sequence < 0 || position.sequence > head.sequence {
            return Ok(false);
        }
        if position.sequence == head.sequence {
            return Ok(position == head);
        }
        // The cursor's event must exist; for a cursor before the first, the first one. Then those after it
        // exist too.
        let witness = store::nonce(&self.database, cursor.account_id, position.sequence.max(1)).await?;
        Ok(witness.is_some_and(|nonce| {
            if position.sequence == 0 {
                position.nonce == 0
            } else {
                nonce == position.nonce
            }
        }))
    }

    /// Whether the member who holds a cursor was changed since. Keys are never changed: they are created and
    /// revoked.
    async fn was_changed(&self, viewer: Option<MemberId>, cursor: &LiveCursor) -> Result<bool, Fault> {
        match viewer {
            Some(viewer) => store::member_changed_after(&self.database, cursor, viewer).await,
            None => Ok(false),
        }
    }

    async fn head(&self, account_id: AccountId) -> Result<Option<StreamPosition>, Fault> {
        let heads = store::heads(self.database.read(), &[account_id]).await?;
        Ok(heads.first().map(|(_, position)| *position))
    }
}
