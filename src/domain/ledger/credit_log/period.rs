//! Calendar periods in a time zone, as instants.
//!
//! Periods of one unit divide time without gap or overlap, also where clocks are changed. A day may have 23, 24 or 25 hours. A
//! day that a country skipped has no hours. The hour that occurs twice is two hours.

use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::primitives::clock::Timestamp;

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeriodUnit {
    Hour,
    Day,
    /// Monday to Sunday.
    Week,
    Month,
}

/// One period: from `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// The first day of the period, in the zone.
    pub(super) date: NaiveDate,
}

impl PeriodUnit {
    /// Returns the period that contains `instant`.
    pub(super) fn around(self, zone: Tz, instant: Timestamp) -> Period {
        let local = zone.from_utc_datetime(&instant.to_datetime().naive_utc());
        let day = local.date_naive();
        let (first, next) = match self {
            Self::Hour => return hour_around(zone, instant, day),
            Self::Day => (day, day.checked_add_days(Days::new(1))),
            Self::Week => {
                let monday = day - Days::new(u64::from(day.weekday().num_days_from_monday()));
                (monday, monday.checked_add_days(Days::new(7)))
            }
            Self::Month => {
                let first = day.with_day(1).unwrap_or(day);
                (first, first.checked_add_months(Months::new(1)))
            }
        };
        Period {
            start: start_of_day(zone, first),
            end: next.map_or(Timestamp::MAX, |next| start_of_day(zone, next)),
            date: first,
        }
    }

    /// Returns the period before `period`; `None` before the first representable one.
    pub(super) fn before(self, zone: Tz, period: &Period) -> Option<Period> {
        (period.start > Timestamp::MIN).then(|| self.around(zone, Timestamp::from_millis(period.start.millis() - 1)))
    }
}

/// Returns the end of the calendar month that contains an instant, in a time zone.
pub fn end_of_month(zone: Tz, instant: Timestamp) -> Timestamp {
    PeriodUnit::Month.around(zone, instant).end
}

/// Returns the first instant of a calendar day. Where clocks skip midnight, it is the instant of the skip. Where midnight
/// occurs twice, it is the first one.
pub(super) fn start_of_day(zone: Tz, day: NaiveDate) -> Timestamp {
    // Calendar arithmetic would panic at the limits of chrono's range.
    if day.year() > 9_999 {
        return Timestamp::MAX;
    } else if day.year() < 1_969 {
        return Timestamp::MIN;
    }
    let midnight = day.and_time(NaiveTime::MIN);
    let instant = match zone.from_local_datetime(&midnight) {
        LocalResult::Single(instant) => instant.to_utc(),
        LocalResult::Ambiguous(one, other) => one.to_utc().min(other.to_utc()),
        LocalResult::None => {
            // No zone ever skipped more than a day, or differs from UTC by more.
            let somewhere = midnight.and_utc();
            let (from, to) = (somewhere - TimeDelta::hours(49), somewhere + TimeDelta::hours(49));
            first_instant(from, to, |instant| {
                zone.from_utc_datetime(&instant.naive_utc()).naive_local() >= midnight
            })
        }
    };
    Timestamp::MIN.max(Timestamp::MAX.min(Timestamp::from_datetime(instant)))
}

/// An hour begins where local clocks show a full hour, and also where the clocks change within one.
fn hour_around(zone: Tz, instant: Timestamp, date: NaiveDate) -> Period {
    let offset = |instant: DateTime<Utc>| {
        i64::from(
            zone.offset_from_utc_datetime(&instant.naive_utc())
                .fix()
                .local_minus_utc(),
        )
    };
    let at = instant.to_datetime();
    let here = offset(at);
    let into = (instant.millis() + here * 1_000).rem_euclid(3_600_000);
    let mut start = at - TimeDelta::milliseconds(into);
    let mut end = start + TimeDelta::hours(1);
    if offset(start) != here {
        start = first_instant(start, at, |instant| offset(instant) == here);
    }
    if offset(end - TimeDelta::milliseconds(1)) != here {
        end = first_instant(at, end, |instant| offset(instant) != here);
    }
    Period {
        start: Timestamp::from_datetime(start),
        end: Timestamp::from_datetime(end),
        date,
    }
}

/// Returns the first millisecond in (`from`, `to`] at which `holds` is true. `holds` changes once in between.
fn first_instant(from: DateTime<Utc>, to: DateTime<Utc>, holds: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    let (mut no, mut yes) = (from, to);
    while yes - no > TimeDelta::milliseconds(1) {
        let middle = no + (yes - no) / 2;
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(zone: &str, date: &str) -> String {
        start_of_day(zone.parse().expect("zone"), date.parse().expect("date")).to_string()
    }

    #[test]
    fn f47_days_begin_by_the_calendar_of_the_zone() {
        for (zone, date, start) in [
            ("UTC", "2026-03-01", "2026-03-01T00:00:00.000Z"),
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00.000Z"),
            ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00.000Z"),
            // Clocks skip midnight: the day begins at 1:00.
            ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00.000Z"),
            // Midnight occurs twice: the first one counts.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00.000Z"),
            // A day that was skipped as a whole begins where the next one does.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00.000Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00.000Z"),
        ] {
            assert_eq!(day(zone, date), start, "{zone} {date}");
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let at = |unit: PeriodUnit| {
            let instant = Timestamp::from_millis(1_772_323_200_000);
            let period = unit.around(chrono_tz::UTC, instant);
            (
                period.date.to_string(),
                (period.end.millis() - period.start.millis()) / 86_400_000,
            )
        };
        assert_eq!(at(PeriodUnit::Day), ("2026-03-01".into(), 1));
        assert_eq!(at(PeriodUnit::Week), ("2026-02-23".into(), 7));
        assert_eq!(at(PeriodUnit::Month), ("2026-03-01".into(), 31));
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_gap_or_overlap(
            millis in 0..4_102_444_800_000_i64,
            zone in prop::sample::select(vec![
                "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/Havana",
                "Africa/Monrovia", "Antarctica/Troll",
            ]),
            unit in prop::sample::select(vec![PeriodUnit::Hour, PeriodUnit::Day, PeriodUnit::Week, PeriodUnit::Month]),
        ) {
            let zone: Tz = zone.parse().expect("zone");
            let mut period = unit.around(zone, Timestamp::from_millis(millis));
            prop_assert!(period.start.millis() <= millis && millis < period.end.millis(), "{:?}", period);
            for _ in 0..5 {
                let Some(before) = unit.before(zone, &period) else { break };
                prop_assert_eq!(before.end, period.start);
                prop_assert!(before.start < before.end);
                prop_assert_eq!(unit.around(zone, before.start), before);
                period = before;
            }
        }
    }
}
