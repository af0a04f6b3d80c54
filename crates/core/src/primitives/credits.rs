//! Exact amounts of credits.

use std::fmt;
use std::iter::Sum;
use std::ops::Neg;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An exact amount of credits, counted in units of 1/10,000 credit.
///
/// Integers throughout: one of the two databases binds decimals as floats, and floats lose credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits(i64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);
    /// Units in one credit.
    pub const UNITS: i64 = 10_000;
    /// The largest amount one command may move: a thousand million credits.
    pub const MAX: Self = Self(1_000_000_000 * Self::UNITS);

    /// Creates an amount from units of 1/10,000 credit.
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// Creates an amount of whole credits. For constants and tests; input is parsed.
    pub const fn whole(credits: i64) -> Self {
        Self(credits * Self::UNITS)
    }

    /// The amount in units of 1/10,000 credit.
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` on overflow.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, which wraps around on overflow: for sums of which only differences are used.
    #[must_use]
    pub const fn wrapping_add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The difference, which wraps around on overflow.
    #[must_use]
    pub const fn wrapping_sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }

    /// The amount without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Returns whether the amount is above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Returns whether the amount is below zero.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Returns whether the amount is exactly zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The amount as a decimal number of credits.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 4).normalize()
    }
}

impl Neg for Credits {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Credits {
    /// Saturates. Amounts are bounded at the edge by [`Credits::MAX`], so no sum of rows reaches the limit.
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        Self(iter.fold(0_i64, |sum, item| sum.saturating_add(item.0)))
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not by way of a decimal number: a page has hundreds of amounts.
        let digit = |number: u64| b'0' + u8::try_from(number % 10).unwrap_or_default();
        let magnitude = self.0.unsigned_abs();
        let (mut whole, mut part) = (magnitude / UNITS, magnitude % UNITS);
        let mut text = [0; 24];
        let mut at = text.len();
        let mut put = |byte| {
            at -= 1;
            text[at] = byte;
        };
        if part > 0 {
            let mut places = DECIMALS;
            while part % 10 == 0 {
                part /= 10;
                places -= 1;
            }
            for _ in 0..places {
                put(digit(part));
                part /= 10;
            }
            put(b'.');
        }
        loop {
            put(digit(whole));
            whole /= 10;
            if whole == 0 {
                break;
            }
        }
        if self.0 < 0 {
            put(b'-');
        }
        f.pad(str::from_utf8(&text[at..]).map_err(|_| fmt::Error)?)
    }
}

/// Digits after the point.
const DECIMALS: u32 = 4;
/// The smallest amounts in a credit.
const UNITS: u64 = 10_u64.pow(DECIMALS);

/// Why a text is not an amount of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCreditsError {
    /// Not digits with at most one point; or an exponent, a plus sign or white space.
    #[error("must be a decimal number such as \"12.5\", without exponent or spaces")]
    Malformed,
    /// More than four digits after the point.
    #[error("must have at most 4 digits after the point")]
    TooPrecise,
    /// Beyond [`Credits::MAX`] in either direction.
    #[error("must not exceed {} credits", Credits::MAX)]
    TooLarge,
}

// As text, as in the API: a number would be read as another amount by someone who counts in credits.
impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl FromStr for Credits {
    type Err = ParseCreditsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ParseCreditsError::{Malformed, TooLarge, TooPrecise};
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(Malformed);
        }
        if fraction.len() > 4 {
            return Err(TooPrecise);
        }
        let whole: i64 = whole.parse().map_err(|_| TooLarge)?;
        let fraction: i64 = format!("{fraction:0<4}").parse().map_err(|_| Malformed)?;
        let units = whole
            .checked_mul(Self::UNITS)
            .and_then(|units| units.checked_add(fraction))
            .filter(|units| *units <= Self::MAX.0)
            .ok_or(TooLarge)?;
        Ok(Self(if negative { -units } else { units }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_amount_are_the_same_thing() {
        for (text, units) in [
            ("0", 0),
            ("12.5", 125_000),
            ("-0.0001", -1),
            ("1000000000", Credits::MAX.0),
        ] {
            let credits: Credits = text.parse().expect("valid");
            assert_eq!(credits.units(), units);
            assert_eq!(credits.to_string(), text);
        }
        assert_eq!("007.50".parse::<Credits>().expect("valid").to_string(), "7.5");
    }

    #[test]
    fn text_that_is_no_amount_is_refused() {
        for text in [
            "", "-", ".", "1.", ".5", "1e9", "NaN", "+1", " 1", "1 ", "1,5", "0x1", "--1", "١",
        ] {
            assert_eq!(text.parse::<Credits>(), Err(ParseCreditsError::Malformed), "{text:?}");
        }
        assert_eq!("0.00001".parse::<Credits>(), Err(ParseCreditsError::TooPrecise));
        assert_eq!("1000000000.0001".parse::<Credits>(), Err(ParseCreditsError::TooLarge));
        assert_eq!(
            "99999999999999999999".parse::<Credits>(),
            Err(ParseCreditsError::TooLarge)
        );
    }
}
