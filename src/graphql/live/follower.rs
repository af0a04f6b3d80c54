//! One subscription: its position in its account's stream, and its caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::audience::{Audience, Batch, Stuck};
use super::bill::Bill;
use super::payload::LiveSignal;
use super::{LiveEnd, LiveItem};
use crate::domain::event::{Begin, Listener, Start, StreamPosition};
use crate::domain::member::Watch;
use crate::graphql::Schema;
use crate::graphql::context::Caller;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;

/// The shortest interval between messages that contain only a position, in milliseconds.
const POSITION_MILLIS: i64 = 30_000;
/// How old the known rights of a member may be while the stream has not been read to its end.
const RIGHTS_HOLD: Duration = Duration::from_secs(1);
/// The pauses between retries while a service is unavailable: the first, and the last before the subscription ends.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// One subscriber of a stream. While idle, it only waits for a new end of the stream.
pub(super) struct Follower {
    audience: Arc<Audience>,
    caller: Caller,
    listener: Listener,
    /// The position after which it continues.
    position: StreamPosition,
    /// The last event of the history.
    history_ends: i64,
    /// The signal to send between the history and the first live message.
    due: Option<LiveSignal>,
    /// The batch whose messages are being delivered.
    ready: Option<Ready>,
    last_sent_at: Timestamp,
    /// The stream position at or after which the caller's rights were read, and the time of that read.
    rights_at: i64,
    rights_read: Instant,
    /// Notifies when a key's rights have changed; changes of a member are in the stream.
    watch: Option<Watch>,
    /// Whether all known events were delivered. The owner of the message stream reads it.
    waits: Arc<AtomicBool>,
    bill: Bill,
}

impl Follower {
    /// Creates a subscription at `start`.
    pub(super) fn start(
        audience: Arc<Audience>,
        caller: Caller,
        (listener, start): (Listener, Start),
        bill: Bill,
    ) -> Self {
        let services = &audience.schema().services;
        Self {
            last_sent_at: services.clock.now(),
            watch: services.current_rights.watch(&caller.actor),
            audience,
            caller,
            listener,
            position: start.position,
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

    /// Returns the next message, and the subscription after it. Returns `None` after its end.
    pub(super) async fn next(mut self: Box<Self>) -> Option<(Result<LiveItem, LiveEnd>, Option<Box<Self>>)> {
        loop {
            if let Some((item, price)) = self.ready.as_mut().and_then(Ready::next) {
                self.bill.add(price);
                self.bill.add_delivery(item.payload.len());
                let settled = self.bill.settle(&self.audience.schema().services.clock).await;
                let handed_over = match settled {
                    Ok(false) => Ok(true),
                    // The message was produced for rights that may have changed since then.
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
                    () = self.listener.advanced(self.position.sequence) => {}
                    () = rights_changed(self.watch.as_mut()) => {}
                }
                self.waits.store(false, Ordering::Relaxed);
            }
            // A message that contains only a position executes nothing that costs.
            if self.due.is_none() || self.is_in_history() {
                let clock = &self.audience.schema().services.clock;
                if let Err(end) = self.bill.prepay(clock).await {
                    return Some((Err(end), None));
                }
            }
            // Boxed, so that a waiting subscription does not take the memory of a working one.
            if let Err(end) = Box::pin(self.advance()).await {
                return Some((Err(end), None));
            }
        }
    }

    /// Advances by one batch. Waits for a while for a service that is unavailable.
    async fn advance(&mut self) -> Result<(), LiveEnd> {
        let mut pause = PAUSES.0;
        loop {
            match self.take_batch().await {
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

    /// Checks the caller's rights after a message had to wait for its payment. Returns whether it may be delivered; otherwise
    /// the subscription has been restarted.
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

    async fn take_batch(&mut self) -> Result<(), Halt> {
        let is_history = self.is_in_history();
        if !is_history && let Some(signal) = self.due {
            return self.signal(signal).await;
        }
        let batch = if is_history {
            let batch = self
                .audience
                .history_batch(&self.listener, self.position, self.history_ends);
            batch.await
        } else {
            self.audience.live_batch(&self.listener, self.position).await
        };
        // Read after the batch was produced: all events of the batch have passed, including changes of members.
        let actor = self.present_actor().await?;
        if actor != self.caller.actor || matches!(batch, Err(Stuck::Gone)) {
            return self.start_over(actor).await;
        }
        let (batch, cost) = batch?;
        self.position = batch.end;
        if !batch.items.is_empty() {
            self.deliver_next(batch, cost);
            return Ok(());
        }
        self.bill.add(cost);
        if self.now().millis() - self.last_sent_at.millis() >= POSITION_MILLIS {
            self.signal(LiveSignal::Position).await?;
        }
        Ok(())
    }

    fn is_in_history(&self) -> bool {
        self.position.sequence < self.history_ends
    }

    async fn signal(&mut self, signal: LiveSignal) -> Result<(), Halt> {
        let item = self.audience.signal(signal, self.position).await?;
        self.due = None;
        let batch = Batch {
            end: self.position,
            items: vec![item],
            cost: 0,
        };
        self.deliver_next(Arc::new(batch), 0);
        Ok(())
    }

    /// Sets the batch to deliver next. This subscription pays `cost` for it.
    fn deliver_next(&mut self, batch: Arc<Batch>, cost: u64) {
        self.last_sent_at = self.now();
        let price = cost.div_ceil(batch.items.len().max(1) as u64);
        self.ready = Some(Ready {
            batch,
            delivered: 0,
            price,
        });
    }

    fn now(&self) -> Timestamp {
        self.audience.schema().services.clock.now()
    }

    /// Returns the caller with its current rights. They are read again where they may have changed.
    async fn present_actor(&mut self) -> Result<Actor, Halt> {
        let actor = &self.caller.actor;
        let now = self.now();
        if self.caller.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Halt::End(LiveEnd::Revoked));
        }
        let announced = match actor {
            Actor::Member { member_id, .. } => self.listener.member_changed_since(*member_id, self.rights_at),
            // All users of the key share one check per second.
            Actor::ApiKey { .. } => Some(true),
            Actor::System => Some(false),
        };
        let may_have_changed = announced.unwrap_or_else(|| self.rights_read.elapsed() >= RIGHTS_HOLD);
        if !may_have_changed {
            return Ok(actor.clone());
        }
        // A bell may announce events that do not exist. What was delivered does.
        let (seen, read) = (self.rights_at.max(self.position.sequence), Instant::now());
        let current_rights = &self.audience.schema().services.current_rights;
        let present = current_rights.of(actor).await.map_err(Stuck::from)?;
        let present = present.ok_or(Halt::End(LiveEnd::Revoked))?;
        if present == *actor {
            (self.rights_at, self.rights_read) = (seen, read);
        }
        Ok(present)
    }

    /// Restarts at the end of the stream, with what the caller may see now. Nothing changes here until that has succeeded, so a
    /// retry has the same result.
    async fn start_over(&mut self, actor: Actor) -> Result<(), Halt> {
        let caller = Caller {
            actor,
            ..self.caller.clone()
        };
        let schema: &Schema = self.audience.schema();
        let operation = self.audience.operation();
        // The rights were read when the stream was at this position.
        let rights_at = self.position.sequence;
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
        (self.position, self.history_ends, self.rights_at) = (start.head, start.head.sequence, rights_at);
        self.due = Some(LiveSignal::Reset);
        Ok(())
    }
}

/// A batch whose messages are being delivered.
struct Ready {
    batch: Arc<Batch>,
    /// The number of its messages that were delivered.
    delivered: usize,
    /// The cost of each message. It is paid per message, so that a caller who can pay for few messages receives few.
    price: u64,
}

impl Ready {
    fn next(&mut self) -> Option<(LiveItem, u64)> {
        let item = self.batch.items.get(self.delivered)?.clone();
        self.delivered += 1;
        Some((item, self.price))
    }
}

async fn rights_changed(watch: Option<&mut Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Why a subscription does not continue unchanged.
enum Halt {
    Stuck(Stuck),
    End(LiveEnd),
}

impl From<Stuck> for Halt {
    fn from(stuck: Stuck) -> Self {
        Self::Stuck(stuck)
    }
}
