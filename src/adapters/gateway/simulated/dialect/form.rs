//! Request parameters: forms with nested keys, in the query or in the body.

use std::collections::BTreeMap;

use reqwest::Url;

use super::{Stop, invalid};

/// The maximum number of parameters in one request.
const MOST: usize = 200;

/// Parameters with their raw names, such as `metadata[top_up]`.
pub(super) struct Form {
    pairs: Vec<(String, String)>,
}

/// Parameters that every request may contain.
const ALWAYS: [&str; 2] = ["expand", "client_secret"];

/// Returns the name before the first bracket: `created` for `created[gte]`.
fn root(name: &str) -> &str {
    name.split_once('[').map_or(name, |(root, _)| root)
}

impl Form {
    pub(super) fn read(query: &str, body: &str) -> Result<Self, Stop> {
        let mut pairs = Vec::new();
        for encoded in [query, body] {
            let url = Url::parse(&format!("http://form/?{encoded}"));
            let url = url.map_err(|_| invalid("", None, "The parameters cannot be read"))?;
            pairs.extend(url.query_pairs().into_owned());
        }
        if pairs.len() > MOST {
            return Err(invalid("", None, "There are too many parameters"));
        }
        Ok(Self { pairs })
    }

    /// Refuses parameters that are not in `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Stop> {
        let is_known = |name: &str| known.contains(&name) || ALWAYS.contains(&name);
        match self.pairs.iter().find(|(name, _)| !is_known(root(name))) {
            Some((name, _)) => Err(invalid(
                name,
                Some("parameter_unknown"),
                format!("Received unknown parameter: {name}"),
            )),
            None => Ok(()),
        }
    }

    /// Returns the value of a parameter. An empty text counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Stop> {
        let missing = || {
            invalid(
                name,
                Some("parameter_missing"),
                format!("Missing required param: {name}."),
            )
        };
        self.text(name).ok_or_else(missing)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Stop> {
        let number = |text: &str| {
            let wrong = || {
                invalid(
                    name,
                    Some("parameter_invalid_integer"),
                    format!("Invalid integer: {text}"),
                )
            };
            text.parse().map_err(|_| wrong())
        };
        self.text(name).map(number).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// Reads a map: `metadata[a]=1&metadata[b]=2`.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let inside = |given: &str| {
            let rest = given.strip_prefix(name)?.strip_prefix('[')?;
            Some(rest.strip_suffix(']')?.to_owned())
        };
        let pairs = self.pairs.iter();
        pairs
            .filter_map(|(given, value)| Some((inside(given)?, value.clone())))
            .collect()
    }

    /// Reads a list: `expand[]=a&expand[]=b`, or with numbers in the brackets.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let parts = self.pairs.iter().filter(|(given, _)| root(given) == name);
        parts.map(|(_, value)| value.clone()).collect()
    }
}
