//! One subscription: where it is in its account's stream, and who looks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Response;
use tokio::time::{Instant, sleep};

use super::audience::{Audience, Stuck};
use super::payload::LiveSignal;
use super::{LiveEnd, LiveItem};
use crate::domain::event::{Listener, Place, Start};
use crate::domain::member::Watch;
use crate::graphql::Schema;
use crate::graphql::context::Caller;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;

/// How often a subscriber is told of a place alone, at the most.
const POSITION_MILLIS: i64 = 30_000;
/// How old what is known of a member's rights may be where the stream has not been read to its end.
const RIGHTS_HOLD: Duration = Duration::from_secs(1);
/// Between tries while something is unavailable: the first pause, and the last before the subscription ends.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// One who follows a stream. Idle, it waits for the stream's head and nothing else.
pub(super) struct Follower {
    audience: Arc<Audience>,
    caller: Caller,
    listener: Listener,
    /// After this event it goes on.
    place: Place,
    /// History ends with this event.
    history_ends: i64,
    has_caught_up: bool,
    /// Made and not handed out yet.
    ready: VecDeque<LiveItem>,
    last_told_at: Timestamp,
    /// The caller's rights were read when the stream had got here at least, and then.
    rights_at: i64,
    rights_read: Instant,
    /// Tells when a key's rights have changed; a member's change is in the stream.
    watch: Option<Watch>,
}

impl Follower {
    /// Begins at `start`.
    pub(super) async fn start(
        audience: Arc<Audience>,
        caller: Caller,
        (listener, start): (Listener, Start),
    ) -> Result<Self, Box<Response>> {
        let mut follower = Self {
            last_told_at: audience.schema().services.clock.now(),
            watch: audience.schema().services.standing.watch(&caller.actor),
            audience,
            caller,
            listener,
            place: start.place,
            history_ends: start.head.sequence,
            has_caught_up: start.is_reset,
            ready: VecDeque::new(),
            rights_at: start.head.sequence,
            rights_read: Instant::now(),
        };
        if start.is_reset {
            let reset = follower.audience.signal(LiveSignal::Reset, start.place).await;
            follower.ready.push_back(reset.map_err(|stuck| match stuck {
                Stuck::Passing(response) | Stuck::Lasting(response) => response,
                Stuck::Nothing => Box::default(),
            })?);
        }
        Ok(follower)
    }

    /// The next message, and the subscription after it. `None` after its end.
    pub(super) async fn next(mut self) -> Option<(Result<LiveItem, LiveEnd>, Option<Self>)> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some((Ok(item), Some(self)));
            }
            if self.has_caught_up {
                tokio::select! {
                    () = self.listener.advanced(self.place.sequence) => {}
                    () = rights_changed(self.watch.as_mut()) => {}
                }
            }
            // Boxed, so that one that waits does not take the room of one that works.
            if let Err(end) = Box::pin(self.advance()).await {
                return Some((Err(end), None));
            }
        }
    }

    /// Goes a step on, waiting for what is unavailable for a while.
    async fn advance(&mut self) -> Result<(), LiveEnd> {
        let mut pause = PAUSES.0;
        loop {
            match self.step().await {
                Ok(()) | Err(Halt::Stuck(Stuck::Nothing)) => return Ok(()),
                Err(Halt::End(end)) => return Err(end),
                Err(Halt::Stuck(Stuck::Passing(_))) if pause <= PAUSES.1 => {
                    sleep(pause).await;
                    pause *= 2;
                }
                Err(Halt::Stuck(Stuck::Passing(response) | Stuck::Lasting(response))) => {
                    return Err(LiveEnd::Failed(response));
                }
            }
        }
    }

    async fn step(&mut self) -> Result<(), Halt> {
        let is_history = self.place.sequence < self.history_ends;
        let step = if is_history {
            self.audience
                .history_step(&self.listener, self.place, self.history_ends)
                .await
        } else if self.has_caught_up {
            self.audience.live_step(&self.listener, self.place).await
        } else {
            let item = self.audience.signal(LiveSignal::CaughtUp, self.place).await?;
            self.has_caught_up = true;
            self.tell([item]);
            return Ok(());
        };
        // After the step is made: all that it read has gone by, and changes of members among it.
        if self.rights_have_changed().await? {
            return Ok(());
        }
        let step = step?;
        self.place = step.end;
        if !step.items.is_empty() {
            self.tell(step.items.iter().cloned());
        } else if self.now().millis() - self.last_told_at.millis() >= POSITION_MILLIS {
            let item = self.audience.signal(LiveSignal::Position, self.place).await?;
            self.tell([item]);
        }
        Ok(())
    }

    fn tell(&mut self, items: impl IntoIterator<Item = LiveItem>) {
        self.last_told_at = self.now();
        self.ready.extend(items);
    }

    fn now(&self) -> Timestamp {
        self.audience.schema().services.clock.now()
    }

    /// Looks at the caller's rights again, if they may have changed. If they have, the subscription starts over at the present, with
    /// those that are left.
    async fn rights_have_changed(&mut self) -> Result<bool, Halt> {
        if self
            .caller
            .expires_at
            .is_some_and(|expires_at| expires_at <= self.now())
        {
            return Err(Halt::End(LiveEnd::Revoked));
        }
        let told = match &self.caller.actor {
            Actor::Member { member_id, .. } => self.listener.member_changed_since(*member_id, self.rights_at),
            // All that use the key share a look-up a second.
            Actor::ApiKey { .. } => Some(true),
            Actor::System => Some(false),
        };
        let may_have_changed = told.unwrap_or_else(|| self.rights_read.elapsed() >= RIGHTS_HOLD);
        if !may_have_changed {
            return Ok(false);
        }
        let (head, read) = (self.listener.head(), Instant::now());
        let standing = &self.audience.schema().services.standing;
        let Some(actor) = standing.of(&self.caller.actor).await.map_err(Stuck::from)? else {
            return Err(Halt::End(LiveEnd::Revoked));
        };
        (self.rights_at, self.rights_read) = (head, read);
        if actor == self.caller.actor {
            return Ok(false);
        }
        self.caller.actor = actor;
        self.start_over().await?;
        Ok(true)
    }

    async fn start_over(&mut self) -> Result<(), Halt> {
        let schema: &Schema = self.audience.schema();
        let operation = self.audience.operation();
        let failed = |response| Halt::End(LiveEnd::Failed(response));
        let plan = schema.plan(operation, &self.caller).await.map_err(failed)?;
        let listening = schema.services.events.listen(plan.account_id, None).await;
        let Some((listener, start)) = listening.map_err(Stuck::from)? else {
            return Err(Halt::End(LiveEnd::Revoked));
        };
        let aim = (plan.account_id, plan.interest);
        self.audience = schema.audiences.join(schema, operation, aim, &self.caller);
        self.listener = listener;
        self.place = start.head;
        self.history_ends = start.head.sequence;
        self.has_caught_up = true;
        let reset = self.audience.signal(LiveSignal::Reset, self.place).await?;
        self.tell([reset]);
        Ok(())
    }
}

async fn rights_changed(watch: Option<&mut Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Why a subscription does not go on as it was.
enum Halt {
    Stuck(Stuck),
    End(LiveEnd),
}

impl From<Stuck> for Halt {
    fn from(stuck: Stuck) -> Self {
        Self::Stuck(stuck)
    }
}
