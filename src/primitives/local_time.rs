//! A time of day, without a time zone.

use std::fmt;
use std::str::FromStr;

/// A minute of the day, from 00:00 to 23:59.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime(u16);

/// The text is not a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be HH:MM, from 00:00 to 23:59")]
pub struct InvalidLocalTime;

impl LocalTime {
    const MINUTES_PER_DAY: u16 = 24 * 60;

    /// Converts from the number of minutes since midnight; `None` beyond a day.
    pub fn from_minutes(minutes: i32) -> Option<Self> {
        let minutes = u16::try_from(minutes).ok()?;
        (minutes < Self::MINUTES_PER_DAY).then_some(Self(minutes))
    }

    /// Minutes since midnight.
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for LocalTime {
    type Err = InvalidLocalTime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = |at: usize| {
            let bytes = text.as_bytes().get(at..at + 2)?;
            let is_digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
            Some(is_digit(bytes[0])? * 10 + is_digit(bytes[1])?)
        };
        let (Some(hours), Some(minutes)) = (digits(0), digits(3)) else {
            return Err(InvalidLocalTime);
        };
        if text.len() != 5 || text.as_bytes()[2] != b':' || hours > 23 || minutes > 59 {
            return Err(InvalidLocalTime);
        }
        Ok(Self(hours * 60 + minutes))
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_come_back_from_their_text() {
        for minutes in 0..i32::from(LocalTime::MINUTES_PER_DAY) {
            let time = LocalTime::from_minutes(minutes).expect("of a day");
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!(LocalTime::from_minutes(24 * 60), None);
        assert_eq!(LocalTime::from_minutes(-1), None);
        for text in [
            "", "24:00", "7:00", "07:60", "07-00", "07:0", "07:00:00", "+7:00", "éé:00",
        ] {
            assert_eq!(text.parse::<LocalTime>(), Err(InvalidLocalTime), "{text}");
        }
    }
}
