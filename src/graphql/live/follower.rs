//! One subscription: where it is in its account's stream, and who looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::audience::{Audience, Step, Stuck};
use super::bill::Bill;
use super::payload::LiveSignal;
use super::{LiveEnd, LiveItem};
use crate::domain::event::{Begin, Listener, Place, Start};
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
    /// What is to be told when history is sent, before anything live.
    due: Option<LiveSignal>,
    /// The step that is being handed out.
    ready: Option<Ready>,
    last_told_at: Timestamp,
    /// The caller's rights were read when the stream had got here at least, and then.
    rights_at: i64,
    rights_read: Instant,
    /// Tells when a key's rights have changed; a member's change is in the stream.
    watch: Option<Watch>,
    /// Whether all that is known has been told. Read by whoever holds the messages.
    waits: Arc<AtomicBool>,
    bill: Bill,
}

impl Follower {
    /// Begins at `start`.
    pub(super) fn start(
        audience: Arc<Audience>,
        caller: Caller,
        (listener, start): (Listener, Start),
        bill: Bill,
    ) -> Self {
        let services = &audience.schema().services;
        Self {
            last_told_at: services.clock.now(),
            watch: services.standing.watch(&caller.actor),
            audience,
            caller,
            listener,
            place: start.place,
            history_ends: start.head.sequence,
            due: Some(if start.is_reset {
                LiveSignal::Reset
            } else {
                LiveSignal::CaughtUp
            }),
            ready: None,
            rights_at: start.head.sequence,
            rights_read: Instant::now(),
            waits: Arc::default(),
            bill,
        }
    }

    pub(super) fn waits(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waits)
    }

    /// The next message, and the subscription after it. `None` after its end.
    pub(super) async fn next(mut self: Box<Self>) -> Option<(Result<LiveItem, LiveEnd>, Option<Box<Self>>)> {
        loop {
            if let Some((item, price)) = self.ready.as_mut().and_then(Ready::next) {
                self.bill.add(price);
                self.bill.add_delivery(item.payload.len());
                let settled = self.bill.settle(&self.audience.schema().services.clock).await;
                let handed_over = match settled {
                    Ok(false) => Ok(true),
                    // It was made for rights that may be others by now.
                    Ok(true) => Box::pin(self.look_again()).await,
                    Err(end) => Err(end),
                };
                match handed_over {
                    Ok(true) => return Some((Ok(item), Some(self))),
                    Ok(false) => continue,
                    Err(end) => return Some((Err(end), None)),
                }
            }
            self.ready = None;
            if self.due.is_none() {
                self.waits.store(true, Ordering::Relaxed);
                tokio::select! {
                    () = self.listener.advanced(self.place.sequence) => {}
                    () = rights_changed(self.watch.as_mut()) => {}
                }
                self.waits.store(false, Ordering::Relaxed);
            }
            // Where only a place is told, nothing is executed that has a price.
            if self.due.is_none() || self.is_in_history() {
                let clock = &self.audience.schema().services.clock;
                if let Err(end) = self.bill.prepay(clock).await {
                    return Some((Err(end), None));
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
                Ok(()) | Err(Halt::Stuck(Stuck::Nothing | Stuck::Gone)) => return Ok(()),
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

    /// Looks at the caller's rights after a message had to wait for its payment. Whether it may be handed over; otherwise the
    /// subscription has started over.
    async fn look_again(&mut self) -> Result<bool, LiveEnd> {
        let mut pause = PAUSES.0;
        loop {
            let looked = match self.present_actor().await {
                Ok(actor) if actor == self.caller.actor => return Ok(true),
                Ok(actor) => self.start_over(actor).await,
                Err(halt) => Err(halt),
            };
            match looked {
                Ok(()) => {
                    self.ready = None;
                    return Ok(false);
                }
                Err(Halt::End(end)) => return Err(end),
                Err(Halt::Stuck(Stuck::Lasting(response))) => return Err(LiveEnd::Failed(response)),
                Err(Halt::Stuck(Stuck::Passing(response))) if pause > PAUSES.1 => {
                    return Err(LiveEnd::Failed(response));
                }
                Err(Halt::Stuck(_)) => {
                    sleep(pause).await;
                    pause *= 2;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<(), Halt> {
        let is_history = self.is_in_history();
        if !is_history && let Some(signal) = self.due {
            return self.signal(signal).await;
        }
        let step = if is_history {
            let step = self
                .audience
                .history_step(&self.listener, self.place, self.history_ends);
            step.await
        } else {
            self.audience.live_step(&self.listener, self.place).await
        };
        // After the step is made: all that it read has gone by, and changes of members among it.
        let actor = self.present_actor().await?;
        if actor != self.caller.actor || matches!(step, Err(Stuck::Gone)) {
            return self.start_over(actor).await;
        }
        let (step, cost) = step?;
        self.place = step.end;
        if !step.items.is_empty() {
            self.tell(step, cost);
            return Ok(());
        }
        self.bill.add(cost);
        if self.now().millis() - self.last_told_at.millis() >= POSITION_MILLIS {
            self.signal(LiveSignal::Position).await?;
        }
        Ok(())
    }

    fn is_in_history(&self) -> bool {
        self.place.sequence < self.history_ends
    }

    async fn signal(&mut self, signal: LiveSignal) -> Result<(), Halt> {
        let item = self.audience.signal(signal, self.place).await?;
        self.due = None;
        let step = Step {
            end: self.place,
            items: vec![item],
            cost: 0,
        };
        self.tell(Arc::new(step), 0);
        Ok(())
    }

    /// Hands out a step next, for which this subscription pays `cost`.
    fn tell(&mut self, step: Arc<Step>, cost: u64) {
        self.last_told_at = self.now();
        let price = cost.div_ceil(step.items.len().max(1) as u64);
        self.ready = Some(Ready { step, told: 0, price });
    }

    fn now(&self) -> Timestamp {
        self.audience.schema().services.clock.now()
    }

    /// The caller with the rights it has by now. They are looked up where they may have changed.
    async fn present_actor(&mut self) -> Result<Actor, Halt> {
        let actor = &self.caller.actor;
        let now = self.now();
        if self.caller.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Halt::End(LiveEnd::Revoked));
        }
        let told = match actor {
            Actor::Member { member_id, .. } => self.listener.member_changed_since(*member_id, self.rights_at),
            // All that use the key share a look-up a second.
            Actor::ApiKey { .. } => Some(true),
            Actor::System => Some(false),
        };
        let may_have_changed = told.unwrap_or_else(|| self.rights_read.elapsed() >= RIGHTS_HOLD);
        if !may_have_changed {
            return Ok(actor.clone());
        }
        let (head, read) = (self.listener.head(), Instant::now());
        let standing = &self.audience.schema().services.standing;
        let present = standing.of(actor).await.map_err(Stuck::from)?;
        let present = present.ok_or(Halt::End(LiveEnd::Revoked))?;
        if present == *actor {
            (self.rights_at, self.rights_read) = (head, read);
        }
        Ok(present)
    }

    /// Goes on at the present, with what the caller may see now. Until that is settled nothing changes here: what is tried again
    /// comes to the same.
    async fn start_over(&mut self, actor: Actor) -> Result<(), Halt> {
        let caller = Caller {
            actor,
            ..self.caller.clone()
        };
        let schema: &Schema = self.audience.schema();
        let operation = self.audience.operation();
        // The rights were read when the stream had got here.
        let rights_at = self.place.sequence;
        let failed = |response| Halt::End(LiveEnd::Failed(response));
        let plan = schema.plan(operation, &caller).await.map_err(failed)?;
        let listening = schema.services.events.listen(plan.account_id, Begin::default()).await;
        let Some((listener, start)) = listening.map_err(Stuck::from)? else {
            return Err(Halt::End(LiveEnd::Revoked));
        };
        let aim = (plan.account_id, plan.interest);
        let language = schema.language(operation, &caller).await;
        let language = language.map_err(|error| failed(Box::new(error.into_response())))?;
        let audience = schema.audiences.join(schema, operation, aim, (&caller, language));
        (self.audience, self.listener, self.caller) = (audience, listener, caller);
        (self.place, self.history_ends, self.rights_at) = (start.head, start.head.sequence, rights_at);
        self.due = Some(LiveSignal::Reset);
        Ok(())
    }
}

/// A step that is being handed out.
struct Ready {
    step: Arc<Step>,
    /// How many of its messages have been handed out.
    told: usize,
    /// What each of them costs. It is paid message by message, so that one who can pay for few gets on by few.
    price: u64,
}

impl Ready {
    fn next(&mut self) -> Option<(LiveItem, u64)> {
        let item = self.step.items.get(self.told)?.clone();
        self.told += 1;
        Some((item, self.price))
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
