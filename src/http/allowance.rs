//! What each caller may ask for over time: a bucket of cost for each, which refills steadily.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::graphql::Caller;
use crate::primitives::actor::Actor;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

/// How fast allowances refill, and how much they hold.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Cost a second.
    pub per_second: NonZeroU32,
    /// Cost at once, after a while of rest.
    pub burst: NonZeroU32,
}

/// Whose bucket pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    Member(AccountId, MemberId),
    ApiKey(AccountId, ApiKeyId),
    /// Whoever is not signed in. One that has a network of IPv6 to itself has one bucket for the network.
    Address(IpAddr),
}

impl Payer {
    pub(super) fn of(caller: Option<&Caller>, remote: IpAddr) -> Self {
        match caller.map(|caller| &caller.actor) {
            Some(Actor::Member {
                account_id, member_id, ..
            }) => Self::Member(*account_id, *member_id),
            Some(Actor::ApiKey {
                account_id, api_key_id, ..
            }) => Self::ApiKey(*account_id, *api_key_id),
            Some(Actor::System) | None => Self::address(remote),
        }
    }

    pub(super) fn address(remote: IpAddr) -> Self {
        Self::Address(match remote.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Charges between two rounds in which full buckets are forgotten: a full one is as good as none.
const ROUND: u32 = 4_096;

type Buckets<C> = RateLimiter<Payer, DashMapStateStore<Payer>, C, StateInformationMiddleware>;

/// The buckets of all callers. Those that are full again are forgotten, so there are no more than were used of late.
pub(super) struct Allowances<C: Clock = MonotonicClock> {
    buckets: Option<Buckets<C>>,
    clock: C,
    refill: Duration,
    charges: AtomicU32,
}

impl<C: Clock + Clone> Allowances<C> {
    /// Without a rate everybody may ask for as much as they like.
    pub(super) fn new(rate: Option<Rate>, clock: C) -> Self {
        let quota = rate.map(|rate| Quota::per_second(rate.per_second).allow_burst(rate.burst));
        Self {
            buckets: quota.map(|quota| Buckets::new(quota, DashMapStateStore::default(), clock.clone())),
            clock,
            refill: quota.map_or(Duration::ZERO, |quota| quota.burst_size_replenished_in()),
            charges: AtomicU32::new(0),
        }
    }

    /// Takes a cost from somebody's bucket. Gives what is left in it, where anything is counted; or how long to wait.
    pub(super) fn charge(&self, payer: &Payer, cost: u64) -> Result<Option<u32>, Duration> {
        let Some(buckets) = &self.buckets else {
            return Ok(None);
        };
        if self.charges.fetch_add(1, Ordering::Relaxed) % ROUND == ROUND - 1 {
            buckets.retain_recent();
        }
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        match buckets.check_key_n(payer, cost) {
            Ok(Ok(state)) => Ok(Some(state.remaining_burst_capacity())),
            Ok(Err(until)) => Err(until.wait_time_from(self.clock.now())),
            // Settings see to it that a bucket holds what one operation may cost.
            Err(_) => Err(self.refill),
        }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn allowances(clock: &FakeRelativeClock) -> Allowances<FakeRelativeClock> {
        let number = |number| NonZeroU32::new(number).expect("above 0");
        let rate = Rate {
            per_second: number(10),
            burst: number(100),
        };
        Allowances::new(Some(rate), clock.clone())
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
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let allowances = allowances(&clock);
        let buckets = allowances.buckets.as_ref().expect("there is a rate");
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
