//! Who has connections that stay open for what happens later, sockets and event streams, and how many.
//!
//! A seat is given back when it is dropped, however its connection ends, so that what is counted is what is there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::domain::member::Standing;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

/// How often it is looked who is still signed in.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// What one member or API key may have open in this process.
#[derive(Clone, Copy, Debug)]
pub struct SeatBounds {
    /// Connections that stay open.
    pub connections: usize,
    /// What one message of each of its subscriptions costs, all together.
    pub cost: u64,
}

/// Counts the connections of this process that stay open. Cloning shares the count.
#[derive(Clone, Debug)]
pub struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bounds: SeatBounds,
    taken: AtomicUsize,
    /// How many were ever given; says how far a seat is from the others when all are to leave.
    given: AtomicUsize,
    callers: Mutex<HashMap<Holder, Held>>,
}

/// The seats of one caller.
#[derive(Debug)]
struct Held {
    count: usize,
    /// Of its open subscriptions, a message each.
    cost: u64,
    /// As it signed in last.
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
pub(super) enum NoSeat {
    /// The caller has as many connections as it may.
    #[error("There are too many connections of this caller: close some")]
    Caller,
    /// The address has.
    #[error("There are too many connections of this address: close some")]
    Address,
}

/// The subscriptions of a caller would cost more, all together, than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the open subscriptions of this caller would cost {cost} a message, more than {most} together: complete some first"
)]
pub(super) struct TooMuchOpen {
    cost: u64,
    most: u64,
}

impl Seats {
    /// None taken yet.
    pub fn new(bounds: SeatBounds) -> Self {
        Self(Arc::new(Shared {
            bounds,
            taken: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
            callers: Mutex::new(HashMap::new()),
        }))
    }

    /// How many connections are open.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// How many callers have at least one.
    pub fn callers(&self) -> usize {
        self.0.callers().len()
    }

    /// Looks every second who of those with seats would no longer be signed in, and tells theirs. Operations look by themselves
    /// when something happens; this is for connections on which nothing does.
    pub(super) async fn watch(&self, clock: &Clock, standing: &Standing) {
        loop {
            clock.alarm(clock.elapsed() + LOOKS_EVERY).await;
            let actors = self.0.callers().values().map(|held| held.actor.clone()).collect();
            match standing.signed_out(actors).await {
                Ok(signed_out) => signed_out.iter().for_each(|actor| self.sign_out(actor)),
                Err(fault) => tracing::warn!(%fault, "nobody could be asked whether callers are still signed in"),
            }
        }
    }

    fn sign_out(&self, actor: &Actor) {
        if let Some(held) = self.0.callers().get(&Holder::of(actor)) {
            held.signed_out.cancel();
        }
    }

    /// Counts a subscription that costs this much a message among those that its caller has open. The caller must have a seat.
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
        let seats = Arc::clone(&self.0);
        Ok(OpenCost { seats, holder, cost })
    }

    /// A seat for a caller who is not known yet.
    pub(super) fn take(&self) -> Seat {
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        Seat {
            seats: Arc::clone(&self.0),
            number: self.0.given.fetch_add(1, Ordering::SeqCst),
            holder: None,
            signed_out: CancellationToken::new(),
        }
    }
}

impl Shared {
    fn callers(&self) -> MutexGuard<'_, HashMap<Holder, Held>> {
        // Counting cannot panic half-way.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscription counts among those of its caller for as long as this lives.
#[derive(Debug)]
pub(super) struct OpenCost {
    seats: Arc<Shared>,
    holder: Holder,
    cost: u64,
}

impl Drop for OpenCost {
    fn drop(&mut self) {
        if let Some(held) = self.seats.callers().get_mut(&self.holder) {
            // Of a caller that has left and come back, less may be counted.
            held.cost = held.cost.saturating_sub(self.cost);
        }
    }
}

/// The right to stay.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Shared>,
    number: usize,
    holder: Option<Holder>,
    signed_out: CancellationToken,
}

impl Seat {
    /// Whose it is, now that that is known.
    pub(super) fn hold(&mut self, actor: &Actor) -> Result<(), NoSeat> {
        let holder = Holder::of(actor);
        let mut callers = self.seats.callers();
        let held = callers.entry(holder).or_insert_with(|| Held {
            count: 0,
            cost: 0,
            actor: actor.clone(),
            signed_out: CancellationToken::new(),
        });
        if held.count >= self.seats.bounds.connections {
            return Err(NoSeat::Caller);
        }
        held.count += 1;
        self.signed_out = held.signed_out.clone();
        drop(callers);
        self.holder = Some(holder);
        Ok(())
    }

    /// Resolves when its caller would no longer be signed in; never for nobody.
    pub(super) fn signed_out(&self) -> WaitForCancellationFutureOwned {
        self.signed_out.clone().cancelled_owned()
    }

    /// From 0 up to 1, spread evenly over neighbouring seats: when among all it is this one's turn to leave.
    pub(super) fn turn(&self) -> f64 {
        // Multiples of the golden ratio never bunch (the Kronecker sequence).
        let spread = self.number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
        f64::from(u32::try_from(spread).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::SeqCst);
        let Some(holder) = self.holder else {
            return;
        };
        let mut callers = self.seats.callers();
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
        let bounds = SeatBounds {
            connections: 2,
            cost: 100,
        };
        let seats = Seats::new(bounds);
        let seated = |number| {
            let mut seat = seats.take();
            seat.hold(&caller(number)).map(|()| seat)
        };
        let (first, second) = (seated(1).expect("free"), seated(1).expect("free"));
        assert_eq!(seated(1).err(), Some(NoSeat::Caller));
        let third = seated(2).expect("free");
        assert_eq!((seats.taken(), seats.callers()), (3, 2));
        drop(first);
        seated(1).expect("free again");
        drop((second, third));
        assert_eq!((seats.taken(), seats.callers()), (0, 0));
    }

    #[test]
    fn what_a_caller_has_open_is_bounded_over_all_its_connections() {
        let seats = Seats::new(SeatBounds {
            connections: 5,
            cost: 100,
        });
        let mut on_two = [seats.take(), seats.take()];
        for seat in &mut on_two {
            seat.hold(&caller(1)).expect("free");
        }
        let first = seats.open(&caller(1), 60).expect("room");
        let refused = TooMuchOpen { cost: 101, most: 100 };
        assert_eq!(seats.open(&caller(1), 41).err(), Some(refused));
        let second = seats.open(&caller(1), 40).expect("room");
        drop(first);
        let _third = seats.open(&caller(1), 60).expect("room again");
        drop((second, on_two));
        assert_eq!(seats.callers(), 0);
    }

    #[test]
    fn turns_are_spread_evenly() {
        let seats = Seats::new(SeatBounds {
            connections: 1,
            cost: 1,
        });
        let taken: Vec<Seat> = (0..1_000).map(|_| seats.take()).collect();
        let mut tenths = [0; 10];
        for seat in &taken {
            let tenth = (0..10).rfind(|tenth| seat.turn() * 10.0 >= f64::from(*tenth));
            tenths[usize::try_from(tenth.expect("from 0 up")).expect("small")] += 1;
        }
        assert!(tenths.iter().all(|count| (90..=110).contains(count)), "{tenths:?}");
    }
}
