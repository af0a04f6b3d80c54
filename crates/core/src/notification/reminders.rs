//! Decides when members are reminded that credits expire, and when an account is checked again.

use crate::primitives::credits::Credits;
use crate::primitives::timestamp::{DAY, HOUR, Timestamp};

/// How long before credits expire the first reminder is sent, in milliseconds.
pub const FIRST_REMINDER_MILLIS: i64 = 7 * DAY;
/// How long before credits expire the last reminder is sent, in milliseconds.
pub const LAST_REMINDER_MILLIS: i64 = DAY;

/// When an account is checked again, even without an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Until when alerts about the balance are held back, because credits will arrive soon.
    pub held_until: Option<Timestamp>,
    /// When the next reminder starts or ends.
    pub remind_at: Option<Timestamp>,
}

impl Due {
    /// Returns the earlier of the two times.
    pub fn at(self) -> Option<Timestamp> {
        earliest(self.held_until, self.remind_at)
    }
}

/// Credits that expire within the same hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// When the first of them expire.
    pub at: Timestamp,
    /// The number of credits.
    pub credits: Credits,
}

impl Expiring {
    /// Returns the name of the reminder at `now`. The name stays the same until the next reminder. Returns `None` if it is
    /// too early or too late.
    pub fn reminder(&self, now: Timestamp) -> Option<String> {
        let left = self.at.millis() - now.millis();
        let days = match left {
            ..=0 => return None,
            _ if left <= LAST_REMINDER_MILLIS => 1,
            _ if left <= FIRST_REMINDER_MILLIS => 7,
            _ => return None,
        };
        Some(format!("{days}:{}", self.at.millis() / HOUR))
    }

    /// Returns the next time after `now` at which a reminder starts, or the last one ends.
    pub fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        [FIRST_REMINDER_MILLIS, LAST_REMINDER_MILLIS, 0]
            .into_iter()
            .map(|before| self.at.plus_millis(-before))
            .find(|at| *at > now)
    }
}

/// Returns the earlier of two instants, or the only one.
pub fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_772_442_000_000);

    fn expiring() -> Expiring {
        Expiring {
            at: AT,
            credits: Credits::whole(5),
        }
    }

    #[test]
    fn credits_are_reminded_of_a_week_and_a_day_before_they_expire() {
        let hour = AT.millis() / HOUR;
        let cases = [
            (FIRST_REMINDER_MILLIS + 1, None, Some(FIRST_REMINDER_MILLIS)),
            (FIRST_REMINDER_MILLIS, Some(7), Some(LAST_REMINDER_MILLIS)),
            (LAST_REMINDER_MILLIS + 1, Some(7), Some(LAST_REMINDER_MILLIS)),
            (LAST_REMINDER_MILLIS, Some(1), Some(0)),
            (1, Some(1), Some(0)),
            (0, None, None),
            (-1, None, None),
        ];
        for (before, days, next) in cases {
            let now = AT.plus_millis(-before);
            let name = days.map(|days| format!("{days}:{hour}"));
            assert_eq!(expiring().reminder(now), name, "{before} before");
            let next = next.map(|next| AT.plus_millis(-next));
            assert_eq!(expiring().next_look(now), next, "{before} before");
        }
    }

    #[test]
    fn whatever_comes_first_is_due() {
        let due = |held_until, remind_at| Due { held_until, remind_at }.at();
        let later = AT.plus_millis(1);
        assert_eq!(due(None, None), None);
        assert_eq!(due(Some(AT), None), Some(AT));
        assert_eq!(due(None, Some(later)), Some(later));
        assert_eq!(due(Some(later), Some(AT)), Some(AT));
    }
}
