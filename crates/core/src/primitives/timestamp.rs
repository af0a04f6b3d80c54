//! Instants.

use std::fmt;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use serde::Serialize;

/// Milliseconds in a second.
pub const SECOND: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Milliseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds in 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// An instant in UTC, cut to whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last instant that can be written with a four-digit year.
    pub const MAX: Self = Self(253_402_300_799_999);
    /// The first instant accepted from outside: 1970.
    pub const MIN: Self = Self(0);

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// In milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// From chrono, cut to milliseconds.
    pub fn from_datetime(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp_millis())
    }

    /// To chrono; instants out of its range become 1970.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// This instant moved by a number of milliseconds, at most to the ends of what can be written.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis).clamp(Self::MIN.0, Self::MAX.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not by chrono's patterns: they are parsed anew for each of the instants of a page.
        let at = self.to_datetime();
        let (date, time) = (at.date_naive(), at.time());
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |mut number: u32, ends: usize| {
            for byte in text[..ends].iter_mut().rev() {
                if number == 0 {
                    break;
                }
                *byte = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        put(u32::try_from(date.year()).unwrap_or_default(), 4);
        put(date.month(), 7);
        put(date.day(), 10);
        put(time.hour(), 13);
        put(time.minute(), 16);
        put(time.second(), 19);
        put(at.timestamp_subsec_millis(), 23);
        f.pad(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}
