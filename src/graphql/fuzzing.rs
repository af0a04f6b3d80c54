//! Properties for fuzz targets and tests that hold for any text of a client. They panic if a property does not hold.

use async_graphql::{ScalarType, Value, Variables};

use super::connection::Position;
use super::guard::{Guard, Limits, Parameters, TrustedDocuments};
use super::scalars::{Date, Decimal, Int64, LiveCursorText, TimeZone};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;
use crate::primitives::local_time::LocalTime;
use crate::primitives::money::Currency;

/// A scalar accepts exactly the values that it calls valid, and parses its own output to the same value.
///
/// # Panics
///
/// If that does not hold.
pub fn scalars(text: &str) {
    scalar::<Credits>(text);
    scalar::<Currency>(text);
    scalar::<Date>(text);
    scalar::<Decimal>(text);
    scalar::<Int64>(text);
    scalar::<LiveCursorText>(text);
    scalar::<LocalTime>(text);
    scalar::<TimeZone>(text);
    scalar::<Timestamp>(text);
}

fn scalar<T: ScalarType>(text: &str) {
    let value = Value::String(text.to_owned());
    let is_valid = T::is_valid(&value);
    let parsed = T::parse(value).ok();
    assert_eq!(is_valid, parsed.is_some(), "{text:?}");
    if let Some(parsed) = parsed {
        let shown = parsed.to_value();
        let again = T::parse(shown.clone()).ok().map(|again| again.to_value());
        assert_eq!(again, Some(shown), "{text:?}");
    }
}

/// A position of a page is parsed only from the bytes that it is encoded to.
///
/// # Panics
///
/// If that does not hold.
pub fn positions(bytes: &[u8]) {
    if let Some(number) = i64::from_bytes(bytes) {
        assert_eq!(number.to_bytes(), bytes);
    }
    if let Some(text) = String::from_bytes(bytes) {
        assert_eq!(text.to_bytes(), bytes);
    }
    if let Some(account_id) = AccountId::from_bytes(bytes) {
        let written = account_id.to_bytes();
        assert_eq!(AccountId::from_bytes(&written), Some(account_id));
    }
}

/// The guard decides on any document, with the same result each time, and within its budget. A document that it accepts can be
/// searched for fields that depend on the viewer.
///
/// # Panics
///
/// If that does not hold.
pub fn document(text: &str, variables: &str) {
    const BUDGET: u64 = 10_000;
    let guard = Guard::new(Limits {
        cost: BUDGET,
        trusted: TrustedDocuments::default(),
        only_trusted: false,
    });
    let variables: serde_json::Value = serde_json::from_str(variables).unwrap_or_default();
    let decide = || {
        let checked = guard.check(Parameters {
            query: Some(text.to_owned()),
            variables: Variables::from_json(variables.clone()),
            ..Parameters::default()
        });
        match checked {
            Ok(mut operation) => {
                assert!(operation.cost <= BUDGET, "{text}");
                let document = operation.request.parsed_query().expect("what passes was parsed");
                let depends_on_viewer = super::guard::selects_of_viewer(document);
                Ok((operation.cost, depends_on_viewer))
            }
            Err(refused) => {
                assert!(!refused.errors.is_empty(), "{text}");
                Err(refused
                    .errors
                    .iter()
                    .map(|error| error.message.clone())
                    .collect::<Vec<_>>())
            }
        }
    };
    assert_eq!(decide(), decide(), "{text}");
}
