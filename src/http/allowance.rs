//! Limits the cost that each caller may use over time. Each has a bucket of cost, which refills steadily.
//!
//! Members and API keys have large buckets. Addresses have small ones, for requests without a caller. The address pays for refused
//! credentials, forged signatures and anonymous requests.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::Clock as Ticks;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use serde::Deserialize;

use super::SharedHttpState;
use super::address::counted_as;
use crate::graphql::{Caller, Purse};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

/// The cost of a refused credential or signature: a look-up and a comparison.
pub(super) const REFUSED_CREDENTIAL: u64 = 50;

/// How fast the allowances of all kinds of payers refill, and how much they hold. A rate of 0 means no limit.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Rates {
    /// The cost that is added per second for each member and each API key.
    pub rate: u32,
    /// The largest cost in their buckets.
    pub burst: NonZeroU32,
    /// The cost that is added per second for each address, for requests without a caller.
    pub anonymous_rate: u32,
    /// The largest cost in the buckets of addresses.
    pub anonymous_burst: NonZeroU32,
}

/// Selects the bucket that pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Member(AccountId, MemberId),
    ApiKey(AccountId, ApiKeyId),
    /// A client that is not signed in. An IPv6 network shares one bucket.
    Address(IpAddr),
}

impl Payer {
    pub(super) fn of(caller: Option<&Caller>, remote: IpAddr) -> Self {
        let signed_in = caller.and_then(|caller| Self::of_actor(&caller.actor));
        signed_in.unwrap_or_else(|| Self::address(remote))
    }

    pub(super) fn of_actor(actor: &Actor) -> Option<Self> {
        match actor {
            Actor::Member {
                account_id, member_id, ..
            } => Some(Self::Member(*account_id, *member_id)),
            Actor::ApiKey {
                account_id, api_key_id, ..
            } => Some(Self::ApiKey(*account_id, *api_key_id)),
            Actor::System => None,
        }
    }

    pub(super) fn address(remote: IpAddr) -> Self {
        Self::Address(counted_as(remote))
    }
}

/// Charges a caller's allowance for what a subscription executes.
#[derive(Clone)]
pub(super) struct CallerPurse {
    pub(super) state: SharedHttpState,
    pub(super) payer: Payer,
}

impl Purse for CallerPurse {
    fn charge(&self, cost: u64) -> Result<(), Duration> {
        self.state.allowances.charge(&self.payer, cost).map(|_| ())
    }
}

/// The service's clock, so that tests move allowances together with everything else.
#[derive(Clone, Debug)]
pub(super) struct Elapsed(pub(super) Clock);

impl Ticks for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The number of charges between two removals of full buckets. A full bucket needs no entry.
const ROUND: u32 = 4_096;

type Buckets<C> = RateLimiter<Payer, DashMapStateStore<Payer>, C, StateInformationMiddleware>;

/// The buckets of one kind of payer.
struct Kind<C: Ticks> {
    buckets: Buckets<C>,
    /// How long an empty bucket takes to fill.
    refill: Duration,
}

impl<C: Ticks + Clone> Kind<C> {
    /// `None` if there is no limit.
    fn new(rate: u32, burst: NonZeroU32, clock: &C) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(rate)?).allow_burst(burst);
        Some(Self {
            buckets: Buckets::new(quota, DashMapStateStore::default(), clock.clone()),
            refill: quota.burst_size_replenished_in(),
        })
    }
}

/// The buckets of all payers. Full buckets are removed, so that only those that were used recently take memory.
pub(super) struct Allowances<C: Ticks = Elapsed> {
    callers: Option<Kind<C>>,
    addresses: Option<Kind<C>>,
    clock: C,
    charges: AtomicU32,
}

impl<C: Ticks + Clone> Allowances<C> {
    /// Creates the buckets. A kind of payer whose rate is 0 has no limit.
    pub(super) fn new(rates: Rates, clock: C) -> Self {
        Self {
            callers: Kind::new(rates.rate, rates.burst, &clock),
            addresses: Kind::new(rates.anonymous_rate, rates.anonymous_burst, &clock),
            clock,
            charges: AtomicU32::new(0),
        }
    }

    /// Takes a cost from a payer's bucket. Returns what is left in it, if there is a limit. Otherwise the error is the
    /// time to wait.
    pub(super) fn charge(&self, payer: &Payer, cost: u64) -> Result<Option<u32>, Duration> {
        let kind = match payer {
            Payer::Member(..) | Payer::ApiKey(..) => &self.callers,
            Payer::Address(_) => &self.addresses,
        };
        let Some(kind) = kind else {
            return Ok(None);
        };
        if self.charges.fetch_add(1, Ordering::Relaxed) % ROUND == ROUND - 1 {
            for kind in [&self.callers, &self.addresses].into_iter().flatten() {
                kind.buckets.retain_recent();
            }
        }
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        match kind.buckets.check_key_n(payer, cost) {
            Ok(Ok(state)) => Ok(Some(state.remaining_burst_capacity())),
            Ok(Err(until)) => Err(until.wait_time_from(self.clock.now())),
            // The settings guarantee that a caller's bucket holds the cost of one operation. The bucket of an
            // address may be smaller.
            Err(_) => Err(kind.refill),
        }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn allowances(clock: &FakeRelativeClock) -> Allowances<FakeRelativeClock> {
        let burst = |burst| NonZeroU32::new(burst).expect("above 0");
        let rates = Rates {
            rate: 10,
            burst: burst(1_000),
            anonymous_rate: 10,
            anonymous_burst: burst(100),
        };
        Allowances::new(rates, clock.clone())
    }

    fn address(last: u8) -> Payer {
        Payer::address(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_bucket_empties_refills_and_is_its_owners_alone() {
        let clock = FakeRelativeClock::default();
        let allowances = allowances(&clock);
        assert_eq!(allowances.charge(&address(1), 60), Ok(Some(40)));
        assert_eq!(allowances.charge(&address(1), 50), Err(Duration::from_secs(1)));
        assert_eq!(allowances.charge(&address(2), 100), Ok(Some(0)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(allowances.charge(&address(1), 50), Ok(Some(0)));
        assert!(
            allowances.charge(&address(1), 1_000).is_err(),
            "more than it ever holds"
        );
        let caller = Payer::Member(AccountId::PLATFORM, MemberId::from_uuid(uuid::Uuid::nil()));
        assert_eq!(
            allowances.charge(&caller, 1_000),
            Ok(Some(0)),
            "callers have another bucket"
        );
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let allowances = allowances(&clock);
        let buckets = &allowances.addresses.as_ref().expect("there is a rate").buckets;
        for number in 0..ROUND - 1 {
            let [_, _, high, low] = number.to_be_bytes();
            let payer = Payer::address(IpAddr::from([10, 0, high, low]));
            assert!(allowances.charge(&payer, 1).is_ok());
        }
        assert_eq!(buckets.len(), ROUND as usize - 1);
        clock.advance(Duration::from_secs(11));
        assert!(allowances.charge(&address(1), 1).is_ok());
        assert!(buckets.len() <= 1);
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_share_a_bucket() {
        let payer = |text: &str| Payer::address(text.parse().expect("an address"));
        assert_eq!(payer("2001:db8:1:2::1"), payer("2001:db8:1:2:ffff::9"));
        assert_ne!(payer("2001:db8:1:2::1"), payer("2001:db8:1:3::1"));
        assert_eq!(payer("::ffff:192.0.2.1"), address(1));
    }
}
