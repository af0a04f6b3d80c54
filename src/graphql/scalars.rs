//! Scalars of the contract. They have exact texts as input and output.
//!
//! The library's own scalars are not used: its decimals parse floats first, and its instants have a varying number of digits.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::NaiveDate;
use ledgerbell_core::primitives::scalars::{CREDITS_FORM, CURRENCY_FORM, DATE_TIME_FORM, LOCAL_TIME_FORM};
use rust_decimal::Decimal as ExactDecimal;

/// Returns the form of a scalar, for error messages.
pub(super) fn expected_form(scalar: &str) -> Option<&'static str> {
    Some(match scalar {
        "Credits" => CREDITS_FORM,
        "DateTime" => DATE_TIME_FORM,
        "Decimal" => "a decimal number as a string, such as \"0.5\"",
        "LiveCursor" => "a live cursor from this service",
        "Int64" => "a whole number as a string, such as \"42\"",
        "Date" => "a calendar day such as \"2026-03-01\"",
        "LocalTime" => LOCAL_TIME_FORM,
        "TimeZone" => "an IANA time zone such as \"Europe/Berlin\"",
        "Currency" => CURRENCY_FORM,
        _ => return None,
    })
}

/// Declares scalars that are texts in both directions. No other value is accepted.
macro_rules! text_scalars {
    ($($(#[$doc:meta])* $type:ident: $name:tt = |$text:ident| $read:expr, |$value:ident| $write:expr;)*) => {$(
        impl $type {
            fn read(value: &Value) -> Option<Self> {
                let Value::String($text) = value else {
                    return None;
                };
                $read
            }
        }

        $(#[$doc])*
        #[Scalar(name = $name)]
        impl ScalarType for $type {
            fn parse(value: Value) -> InputValueResult<Self> {
                let form = || expected_form($name).unwrap_or("valid");
                Self::read(&value).ok_or_else(|| InputValueError::custom(format!("must be {}", form())))
            }

            fn is_valid(value: &Value) -> bool {
                Self::read(value).is_some()
            }

            fn to_value(&self) -> Value {
                let $value = &self.0;
                Value::String($write)
            }
        }
    )*};
}

text_scalars! {
    /// Exact decimal as a string; money only.
    Decimal: "Decimal" = |text| Self::from_text(text), |decimal| decimal.to_string();
    /// Position in one account's event stream. Not a page cursor. Opaque: clients only pass it back.
    LiveCursorText: "LiveCursor" = |text| (text.len() <= 128).then(|| Self(text.clone())), |text| text.clone();
    /// Whole number up to 2^63 - 1, as a string: GraphQL's Int ends at 2,147,483,647.
    Int64: "Int64" = |text| text.parse().ok().map(Self), |number| number.to_string();
    /// Calendar day, e.g. 2026-03-01, in the time zone that the field names.
    Date: "Date" = |text| Self::from_text(text), |day| written(*day);
    /// IANA time zone name, e.g. Europe/Berlin.
    TimeZone: "TimeZone" = |text| text.parse().ok().map(Self), |zone| zone.name().to_owned();
}

/// A decimal number of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal(pub ExactDecimal);

impl Decimal {
    fn from_text(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.ends_with(|last: char| last.is_ascii_digit())
            && digits.chars().all(|char| char.is_ascii_digit() || char == '.');
        (plain && text.len() <= 40)
            .then(|| ExactDecimal::from_str_exact(text).ok())
            .flatten()
            .map(Self)
    }
}

/// A position in an account's event stream, as clients store it. Its account is checked when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LiveCursorText(pub String);

/// A whole number beyond GraphQL's `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Int64(pub i64);

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(pub NaiveDate);

impl Date {
    fn from_text(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        // chrono also accepts years of other lengths, and years before 0.
        (written(date) == text).then_some(Self(date))
    }
}

fn written(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeZone(pub chrono_tz::Tz);

/// A JSON value, stored as text in one canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Json(pub serde_json::Value);

/// Any JSON value. Numbers are stored exactly or refused: a number with more digits than 64 bits can store is `BAD_REQUEST`,
/// and `extensions.field` names it. Write such a number as a string.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        value
            .into_json()
            .map(Self)
            .map_err(|_| InputValueError::custom("must be JSON"))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::clock::Timestamp;
    use crate::primitives::credits::Credits;

    #[test]
    fn credits_are_strings_and_never_numbers() {
        assert_eq!(
            Credits::parse(Value::from("12.5")).ok(),
            Some(Credits::from_units(125_000))
        );
        for value in [
            Value::from(12),
            Value::from(12.5),
            Value::from("1e9"),
            Value::from("0.00001"),
            Value::Null,
        ] {
            assert!(!<Credits as ScalarType>::is_valid(&value), "{value}");
            assert!(Credits::parse(value).is_err());
        }
    }

    #[test]
    fn instants_of_any_offset_are_cut_to_milliseconds_in_utc() {
        let parse = |text: &str| Timestamp::parse(Value::from(text)).ok().map(|at| at.to_value());
        assert_eq!(
            parse("2026-03-01T10:30:00.123999+01:00"),
            Some(Value::from("2026-03-01T09:30:00.123Z"))
        );
        for text in [
            "2026-03-01",
            "2026-03-01T09:30:00",
            "1969-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_plain_digits() {
        assert_eq!(
            Decimal::parse(Value::from("0.10"))
                .ok()
                .map(|decimal| decimal.to_value()),
            Some(Value::from("0.10"))
        );
        for text in ["1e3", "1_000", "", ".5", "5.", "+1", "1.2.3", "NaN"] {
            assert!(Decimal::parse(Value::from(text)).is_err(), "{text}");
        }
    }
}
