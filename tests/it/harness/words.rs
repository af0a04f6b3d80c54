//! Checks translations during all tests: each text of ours that any test receives in English must be in the German catalogue.
//!
//! Some texts are deliberately English for all viewers. Errors about the request itself (`BAD_REQUEST`, `TOO_COMPLEX`) are for
//! developers. Exported files are the same for all who have the link. Members do not read the page of the simulated gateway,
//! the logs and the command line.

use std::sync::LazyLock;

use ledgerbell::adapters::wording::Templates;
use ledgerbell::domain::notification::{Refused, Wording};
use serde_json::Value;

static CATALOGUE: LazyLock<Templates> = LazyLock::new(|| Templates::load(None).expect("the built-in texts are good"));

const GERMAN: &str = include_str!("../../../src/adapters/wording/de.toml");

/// Fields with a text of ours in the viewer's language.
const OF_OURS: [&str; 3] = ["message", "bounceMessage", "lastError"];

/// Fails if a text of ours in this response has no German translation.
pub(super) fn must_be_in_the_catalogue(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(must_be_in_the_catalogue),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if OF_OURS.contains(&name.as_str()) => {
                        assert!(is_listed(text), "src/adapters/wording/de.toml has no words for: {text}");
                    }
                    _ => must_be_in_the_catalogue(value),
                }
            }
        }
        _ => {}
    }
}

/// Returns whether the catalogue contains exactly this text: in English, or in German for a member who reads German. The
/// generic text of the refusal's code does not count.
fn is_listed(text: &str) -> bool {
    if GERMAN.contains(text) {
        return true;
    }
    let refused = Refused {
        code: "",
        message: text,
        field: None,
        missing: None,
        retry_after_seconds: None,
    };
    CATALOGUE.refusal(&refused, "de").expect("rendered").is_some()
}
