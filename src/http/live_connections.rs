//! Counts the connections that stay open, sockets and event streams, by caller.
//!
//! A live connection is released when it is dropped, however its connection ends. So the counts equal the open connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::domain::member::CurrentRights;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

/// The interval of checks that callers are still signed in.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// What one member or API key may have open in this process.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LiveConnectionBounds {
    /// The maximum number of connections that stay open.
    #[serde(rename = "per_caller")]
    pub connections: usize,
    /// The maximum total cost of one message of each open subscription.
    #[serde(rename = "cost_per_caller")]
    pub cost: u64,
}

/// Counts the connections of this process that stay open. Clones share the count.
#[derive(Clone, Debug)]
pub struct LiveConnections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bounds: LiveConnectionBounds,
    taken: AtomicUsize,
    /// The number of live connections that were ever created. It spreads the closing times of live connections at shutdown.
    given: AtomicUsize,
    callers: Mutex<HashMap<Holder, Held>>,
}

/// The live connections of one caller.
#[derive(Debug)]
struct Held {
    count: usize,
    /// The total cost of one message of each open subscription.
    cost: u64,
    /// The actor of the last sign-in.
    actor: Actor,
    signed_out: CancellationToken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Member(AccountId, MemberId),
    ApiKey(ApiKeyId),
    System,
}

impl Holder {
    fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Member {
                account_id, member_id, ..
            } => Self::Member(*account_id, *member_id),
            Actor::ApiKey { api_key_id, .. } => Self::ApiKey(*api_key_id),
            Actor::System => Self::System,
        }
    }
}

/// Why a connection may not stay open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectionRefusal {
    /// The caller has reached its limit of connections.
    #[error("This caller has too many connections: close some")]
    Caller,
    /// The address has reached its limit.
    #[error("This address has too many connections: close some")]
    Address,
}

/// The caller's open subscriptions would exceed the cost limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the open subscriptions of this caller would cost {cost} per message together, but at most {most} is allowed: complete some first"
)]
pub(super) struct TooMuchOpen {
    cost: u64,
    most: u64,
}

impl LiveConnections {
    /// Creates an empty count.
    pub fn new(bounds: LiveConnectionBounds) -> Self {
        Self(Arc::new(Shared {
            bounds,
            taken: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
            callers: Mutex::new(HashMap::new()),
        }))
    }

    /// Returns the number of open connections.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Returns the number of callers with at least one connection.
    pub fn callers(&self) -> usize {
        self.0.callers().len()
    }

    /// Checks every second which callers may no longer sign in, and cancels their live connections. Operations check this whenever an
    /// event arrives; this covers connections without events.
    pub(super) async fn watch(&self, clock: &Clock, current_rights: &CurrentRights) {
        loop {
            clock.alarm(clock.elapsed() + LOOKS_EVERY).await;
            let actors = self.0.callers().values().map(|held| held.actor.clone()).collect();
            match current_rights.signed_out(actors).await {
                Ok(signed_out) => signed_out.iter().for_each(|actor| self.sign_out(actor)),
                Err(fault) => tracing::warn!(%fault, "the server could not check whether callers are still signed in"),
            }
        }
    }

    fn sign_out(&self, actor: &Actor) {
        if let Some(held) = self.0.callers().get(&Holder::of(actor)) {
            held.signed_out.cancel();
        }
    }

    /// Counts a subscription with this cost per message for its caller. The caller must have a live connection.
    pub(super) fn open(&self, actor: &Actor, cost: u64) -> Result<OpenCost, TooMuchOpen> {
        let holder = Holder::of(actor);
        let most = self.0.bounds.cost;
        let mut callers = self.0.callers();
        let held = callers.get_mut(&holder);
        let total = held.as_ref().map_or(0, |held| held.cost).saturating_add(cost);
        if total > most {
            return Err(TooMuchOpen { cost: total, most });
        }
        if let Some(held) = held {
            held.cost = total;
        }
        drop(callers);
        let live_connections = Arc::clone(&self.0);
        Ok(OpenCost {
            live_connections,
            holder,
            cost,
        })
    }

    /// Creates a live connection for a caller who is not known yet.
    pub(super) fn take(&self) -> LiveConnection {
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        LiveConnection {
            live_connections: Arc::clone(&self.0),
            number: self.0.given.fetch_add(1, Ordering::SeqCst),
            holder: None,
            signed_out: CancellationToken::new(),
        }
    }
}

impl Shared {
    fn callers(&self) -> MutexGuard<'_, HashMap<Holder, Held>> {
        // The lock is never poisoned with a wrong count: counting cannot panic.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a subscription for its caller until it is dropped.
#[derive(Debug)]
pub(super) struct OpenCost {
    live_connections: Arc<Shared>,
    holder: Holder,
    cost: u64,
}

impl Drop for OpenCost {
    fn drop(&mut self) {
        if let Some(held) = self.live_connections.callers().get_mut(&self.holder) {
            // If the caller has left and returned since then, less may be counted.
            held.cost = held.cost.saturating_sub(self.cost);
        }
    }
}

/// The permission of one connection to stay open.
#[derive(Debug)]
pub(super) struct LiveConnection {
    live_connections: Arc<Shared>,
    number: usize,
    holder: Option<Holder>,
    signed_out: CancellationToken,
}

impl LiveConnection {
    /// Assigns the live connection to its caller, after sign-in.
    pub(super) fn hold(&mut self, actor: &Actor) -> Result<(), ConnectionRefusal> {
        let holder = Holder::of(actor);
        let mut callers = self.live_connections.callers();
        let held = callers.entry(holder).or_insert_with(|| Held {
            count: 0,
            cost: 0,
            actor: actor.clone(),
            signed_out: CancellationToken::new(),
        });
        if held.count >= self.live_connections.bounds.connections {
            return Err(ConnectionRefusal::Caller);
        }
        held.count += 1;
        self.signed_out = held.signed_out.clone();
        drop(callers);
        self.holder = Some(holder);
        Ok(())
    }

    /// Resolves when the caller may no longer sign in. Never resolves for an anonymous caller.
    pub(super) fn signed_out(&self) -> WaitForCancellationFutureOwned {
        self.signed_out.clone().cancelled_owned()
    }

    /// Returns the closing time of this live connection within the drain, from 0 up to 1. Live connections that were created in
    /// sequence are spread evenly.
    pub(super) fn turn(&self) -> f64 {
        // Multiples of the golden ratio are always spread evenly (the Kronecker sequence).
        let spread = self.number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
        f64::from(u32::try_from(spread).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }
}

impl Drop for LiveConnection {
    fn drop(&mut self) {
        self.live_connections.taken.fetch_sub(1, Ordering::SeqCst);
        let Some(holder) = self.holder else {
            return;
        };
        let mut callers = self.live_connections.callers();
        if let Some(held) = callers.get_mut(&holder) {
            held.count -= 1;
            if held.count == 0 {
                callers.remove(&holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: u128) -> Actor {
        Actor::ApiKey {
            account_id: AccountId::PLATFORM,
            api_key_id: ApiKeyId::from_uuid(uuid::Uuid::from_u128(number)),
            side: crate::primitives::actor::Side::Platform,
            permissions: crate::primitives::actor::Permissions::default(),
        }
    }

    #[test]
    fn seats_are_bounded_for_each_caller_and_are_given_back() {
        let bounds = LiveConnectionBounds {
            connections: 2,
            cost: 100,
        };
        let live_connections = LiveConnections::new(bounds);
        let seated = |number| {
            let mut live_connection = live_connections.take();
            live_connection.hold(&caller(number)).map(|()| live_connection)
        };
        let (first, second) = (seated(1).expect("free"), seated(1).expect("free"));
        assert_eq!(seated(1).err(), Some(ConnectionRefusal::Caller));
        let third = seated(2).expect("free");
        assert_eq!((live_connections.taken(), live_connections.callers()), (3, 2));
        drop(first);
        seated(1).expect("free again");
        drop((second, third));
        assert_eq!((live_connections.taken(), live_connections.callers()), (0, 0));
    }

    #[test]
    fn what_a_caller_has_open_is_bounded_over_all_its_connections() {
        let live_connections = LiveConnections::new(LiveConnectionBounds {
            connections: 5,
            cost: 100,
        });
        let mut on_two = [live_connections.take(), live_connections.take()];
        for live_connection in &mut on_two {
            live_connection.hold(&caller(1)).expect("free");
        }
        let first = live_connections.open(&caller(1), 60).expect("room");
        let refused = TooMuchOpen { cost: 101, most: 100 };
        assert_eq!(live_connections.open(&caller(1), 41).err(), Some(refused));
        let second = live_connections.open(&caller(1), 40).expect("room");
        drop(first);
        let _third = live_connections.open(&caller(1), 60).expect("room again");
        drop((second, on_two));
        assert_eq!(live_connections.callers(), 0);
    }

    #[test]
    fn turns_are_spread_evenly() {
        let live_connections = LiveConnections::new(LiveConnectionBounds {
            connections: 1,
            cost: 1,
        });
        let taken: Vec<LiveConnection> = (0..1_000).map(|_| live_connections.take()).collect();
        let mut tenths = [0; 10];
        for live_connection in &taken {
            let tenth = (0..10).rfind(|tenth| live_connection.turn() * 10.0 >= f64::from(*tenth));
            tenths[usize::try_from(tenth.expect("from 0 up")).expect("small")] += 1;
        }
        assert!(tenths.iter().all(|count| (90..=110).contains(count)), "{tenths:?}");
    }
}
