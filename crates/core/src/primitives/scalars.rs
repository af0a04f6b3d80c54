//! The values that are scalars of the contract: exact texts in, exact texts out. They are behind the feature `graphql`. A trait
//! of another crate can be implemented only where the value is defined. The doc comments of the implementations are published in
//! the schema.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::DateTime;

use super::credits::Credits;
use super::local_time::LocalTime;
use super::money::Currency;
use super::timestamp::Timestamp;

/// The format of a `Credits`, for errors.
pub const CREDITS_FORM: &str = "a string such as \"12.5\": digits with at most 4 after the point, up to 1000000000, without exponent; JSON numbers are refused";
/// The format of a `DateTime`, for errors.
pub const DATE_TIME_FORM: &str = "an RFC 3339 instant such as \"2026-03-01T09:30:00.000Z\", from 1970 to 9999";
/// The format of a `LocalTime`, for errors.
pub const LOCAL_TIME_FORM: &str = "a time of day such as \"22:00\"";
/// The format of a `Currency`, for errors.
pub const CURRENCY_FORM: &str = "an ISO 4217 currency code in capitals, such as \"EUR\"";

fn refused<T: async_graphql::InputType>(form: &str) -> InputValueError<T> {
    InputValueError::custom(format!("must be {form}"))
}

/// Returns the text of a string value. No scalar accepts another type.
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
    // Refused: a longer text only adds digits of a second, which would be cut.
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
