//! The rate at which credits are used, and when they are used up.

use crate::ledger::Lot;
use crate::primitives::credits::Credits;
use crate::primitives::timestamp::{DAY, HOUR, Timestamp};

use super::BURN_DAYS;

/// Days of an average month, times 10,000.
const MONTH: i128 = 304_375;

/// How long an account must have had credits before a rate is computed.
const LEAST_ELAPSED: i64 = 6 * HOUR;

/// The average use of sessions per day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burn {
    /// The credits used per day.
    pub per_day: Credits,
    /// The number of days that the average is computed from.
    pub based_on_days: u16,
}

impl Burn {
    /// The rate of an account without history, or with too little of it.
    pub const NOTHING: Self = Self {
        per_day: Credits::ZERO,
        based_on_days: 0,
    };

    /// Computes the rate from the use in each of the last hours, the last 60 minutes first. Hours that are left out had no use.
    /// `elapsed` is how long the account has had credits, in milliseconds.
    ///
    /// Current use counts 28 times as much as use 27 days ago. Of a partly elapsed hour only that part counts. If more was
    /// returned than used, the use is 0. There is no rate for the first hours: one session would be taken for a rate.
    pub fn of(used: &[(i64, Credits)], elapsed: i64) -> Self {
        if elapsed < LEAST_ELAPSED {
            return Self::NOTHING;
        }
        let whole = i64::from(BURN_DAYS) * DAY;
        let elapsed = elapsed.min(whole);
        let within = used.iter().filter(|(hour, _)| (0..whole / HOUR).contains(hour));
        let weighed = within.map(|(hour, used)| {
            let (begin, end) = (hour * HOUR, ((hour + 1) * HOUR).min(elapsed).max(hour * HOUR));
            i128::from(2 * whole - begin - end) * i128::from(used.units())
        });
        let sum: i128 = weighed.sum();
        // The weight falls linearly from now to 28 days ago. This is its sum over the elapsed time, in days.
        let weights = i128::from(elapsed) * i128::from(2 * whole - elapsed) / i128::from(DAY);
        let per_day = (2 * sum.max(0) + weights) / (2 * weights.max(1));
        let days = u16::try_from((elapsed + DAY - 1) / DAY).unwrap_or(BURN_DAYS);
        Self {
            per_day: Credits::from_units(i64::try_from(per_day).unwrap_or(i64::MAX)),
            based_on_days: days,
        }
    }

    /// Returns the use in an average month.
    pub fn per_month(self) -> Credits {
        let units = (i128::from(self.per_day.units()) * MONTH + 5_000) / 10_000;
        Credits::from_units(i64::try_from(units).unwrap_or(i64::MAX))
    }
}

/// Returns how long credits last at this rate, in milliseconds; `None` if the number is too large.
pub fn lasts(credits: Credits, per_day: Credits) -> Option<i64> {
    if !per_day.is_positive() {
        return None;
    }
    let (credits, per_day) = (i128::from(credits.units().max(0)), i128::from(per_day.units()));
    i64::try_from((credits * i128::from(DAY) + per_day - 1) / per_day).ok()
}

/// Returns the instant `millis` after `now`; `None` if it cannot be represented.
pub fn after(now: Timestamp, millis: i64) -> Option<Timestamp> {
    let at = now.millis().checked_add(millis)?;
    (at <= Timestamp::MAX.millis()).then(|| Timestamp::from_millis(at))
}

/// Returns when no more than `level` is available. Credits are used in the order in which lots are spent. What a lot still has when it
/// expires is lost. Held credits are not available.
pub fn falls_to(
    level: Credits,
    mut lots: Vec<Lot>,
    held: Credits,
    available: Credits,
    per_day: Credits,
    now: Timestamp,
) -> Option<Timestamp> {
    if available <= level {
        return Some(now);
    }
    lots.sort_unstable_by_key(Lot::spending_key);
    // What expired lots still have is kept for holds. The rest of the holds uses the lots that are spent first.
    let (kept, mut lots): (Vec<Lot>, Vec<Lot>) = lots.into_iter().partition(|lot| lot.is_expired(now));
    let kept: Credits = kept.iter().map(|lot| lot.remaining).sum();
    spend(&mut lots, Credits::from_units((held.units() - kept.units()).max(0)));
    let mut now = now;
    loop {
        let left: Credits = lots.iter().map(|lot| lot.remaining).sum();
        let above = Credits::from_units(left.units().saturating_sub(level.units()));
        if !above.is_positive() {
            return Some(now);
        }
        let used_up = lasts(above, per_day).and_then(|millis| after(now, millis));
        let with_some = lots.iter().filter(|lot| lot.remaining.is_positive());
        let Some(expiry) = with_some.filter_map(|lot| lot.expires_at).min() else {
            return used_up;
        };
        if used_up.is_some_and(|used_up| used_up <= expiry) {
            return used_up;
        }
        let millis = i128::from(expiry.millis() - now.millis());
        let used = i128::from(per_day.units()) * millis / i128::from(DAY);
        spend(&mut lots, Credits::from_units(i64::try_from(used).unwrap_or(i64::MAX)));
        lots.retain(|lot| !lot.is_expired(expiry));
        now = expiry;
    }
}

fn spend(lots: &mut [Lot], credits: Credits) {
    let mut left = credits;
    for lot in lots {
        let spent = lot.remaining.min(left);
        lot.remaining = Credits::from_units(lot.remaining.units() - spent.units());
        left = Credits::from_units(left.units() - spent.units());
    }
}
