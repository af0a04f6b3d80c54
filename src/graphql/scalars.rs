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

fn refused<T: async_graphql::InputType>(name: &str) -> InputValueError<T> {
    InputValueError::custom(format!("must be {}", expected_form(name).unwrap_or("valid")))
}

/// Returns the text of a string value. No other value is one of our scalars.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
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

/// Exact decimal as a string; money only.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value).and_then(Self::from_text).ok_or_else(|| refused("Decimal"))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).and_then(Self::from_text).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A position in an account's event stream, as clients store it. Its account is checked when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LiveCursorText(pub String);

/// Position in one account's event stream. Not a page cursor. Opaque: clients only pass it back.
#[Scalar(name = "LiveCursor")]
impl ScalarType for LiveCursorText {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .filter(|text| text.len() <= 128)
            .map(|text| Self(text.to_owned()))
            .ok_or_else(|| refused("LiveCursor"))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).is_some_and(|text| text.len() <= 128)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A whole number beyond GraphQL's `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Int64(pub i64);

/// Whole number up to 2^63 - 1, as a string: GraphQL's Int ends at 2,147,483,647.
#[Scalar(name = "Int64")]
impl ScalarType for Int64 {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or_else(|| refused("Int64"))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).is_some_and(|text| text.parse::<i64>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(pub NaiveDate);

impl Date {
    fn from_text(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self)?;
        // chrono also accepts years of other lengths, and years before 0.
        (date.written() == text).then_some(date)
    }

    fn written(self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }
}

/// Calendar day, e.g. 2026-03-01, in the time zone that the field names.
#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value).and_then(Self::from_text).ok_or_else(|| refused("Date"))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).and_then(Self::from_text).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.written())
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeZone(pub chrono_tz::Tz);

/// IANA time zone name, e.g. Europe/Berlin.
#[Scalar(name = "TimeZone")]
impl ScalarType for TimeZone {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or_else(|| refused("TimeZone"))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).is_some_and(|text| text.parse::<chrono_tz::Tz>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.name().to_owned())
    }
}

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
