//! The values that are scalars of the contract: exact texts in, exact texts out. Behind the feature `graphql`, because a trait of
//! another crate can only be implemented where the value is defined. The doc comments of the implementations are published text.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::DateTime;

use super::credits::Credits;
use super::local_time::LocalTime;
use super::money::Currency;
use super::timestamp::Timestamp;

/// What a `Credits` looks like.
pub const CREDITS_FORM: &str = "a string such as \"12.5\": digits with at most 4 after the point, up to 1000000000, without exponent; JSON numbers are refused";
/// What a `DateTime` looks like.
pub const DATE_TIME_FORM: &str = "an RFC 3339 instant such as \"2026-03-01T09:30:00.000Z\", from 1970 to 9999";
/// What a `LocalTime` looks like.
pub const LOCAL_TIME_FORM: &str = "a time of day such as \"22:00\"";
/// What a `Currency` looks like.
pub const CURRENCY_FORM: &str = "an ISO 4217 currency code in capitals, such as \"EUR\"";

fn refused<T: async_graphql::InputType>(form: &str) -> InputValueError<T> {
    InputValueError::custom(format!("must be {form}"))
}

/// The text of a string value; anything else is not one of our scalars.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Exact amount of credits as a string with at most 4 fraction digits, e.g. "12.5". Numbers are refused: floats lose cents.
#[Scalar(name = "Credits")]
impl ScalarType for Credits {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| refused(CREDITS_FORM))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).is_some_and(|text| text.parse::<Self>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

fn parse_instant(text: &str) -> Option<Timestamp> {
    // Longer texts carry more digits of a second than anybody can mean.
    if text.len() > 64 {
        return None;
    }
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    let millis = instant.timestamp_millis();
    (Timestamp::MIN.millis()..=Timestamp::MAX.millis())
        .contains(&millis)
        .then(|| Timestamp::from_millis(millis))
}

/// RFC 3339 instant in UTC with milliseconds, e.g. "2026-03-01T09:30:00.000Z". Any offset is accepted and finer digits are cut.
#[Scalar(name = "DateTime")]
impl ScalarType for Timestamp {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .and_then(parse_instant)
            .ok_or_else(|| refused(DATE_TIME_FORM))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).and_then(parse_instant).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// HH:MM, 24 hours.
#[Scalar(name = "LocalTime")]
impl ScalarType for LocalTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| refused(LOCAL_TIME_FORM))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).is_some_and(|text| text.parse::<Self>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// ISO 4217 currency code.
#[Scalar(name = "Currency")]
impl ScalarType for Currency {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(&value)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| refused(CURRENCY_FORM))
    }

    fn is_valid(value: &Value) -> bool {
        text(value).is_some_and(|text| text.parse::<Self>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.code().to_owned())
    }
}
