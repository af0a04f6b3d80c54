//! A live matrix of languages: each text of ours that any test of this suite is shown in English has to be in the German catalogue.
//!
//! English for everyone, on purpose: errors about the request itself (`BAD_REQUEST`, `TOO_COMPLEX`), which developers read; exported
//! files, which are the same for all who have the link; the page of the simulated gateway, logs and the command line, which no member of
//! a team reads.

use std::sync::LazyLock;

use ledgerbell::adapters::wording::Templates;
use ledgerbell::domain::notification::{Refused, Wording};
use serde_json::Value;

static CATALOGUE: LazyLock<Templates> = LazyLock::new(|| Templates::load(None).expect("the built-in texts are good"));

const GERMAN: &str = include_str!("../../../src/adapters/wording/de.toml");

/// Fields with a text of ours, in the language of the one who asks.
const OF_OURS: [&str; 3] = ["message", "bounceMessage", "lastError"];

/// Fails where a text of ours in this answer has no German words.
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

/// Whether the catalogue has this very text, in English or, for a member who reads German, in German. What the refusal's code would say
/// does not count.
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
