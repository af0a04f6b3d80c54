//! Texts of requests, in which `{{key}}`, `{{mark}}` and the fields of a subject are replaced.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

/// An account, and what else belongs to it.
pub(crate) type Subject = HashMap<String, String>;

#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone)]
enum Part {
    Text(String),
    /// A number that no other request of this process has.
    Key,
    /// The mark, by which messages are recognized.
    Mark,
    Field(String),
}

impl From<String> for Template {
    fn from(text: String) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, (name, after))) = rest
            .split_once("{{")
            .and_then(|(before, after)| Some((before, after.split_once("}}")?)))
        {
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "key" => Part::Key,
                "mark" => Part::Mark,
                field => Part::Field(field.to_owned()),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Self(parts)
    }
}

impl Template {
    pub(crate) fn fill(&self, subject: &Subject, mark: u64) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut text = String::with_capacity(512);
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Key => text.push_str(&NEXT.fetch_add(1, Ordering::Relaxed).to_string()),
                Part::Mark => text.extend(["mark-", &mark.to_string(), "."]),
                Part::Field(name) => text.push_str(subject.get(name).map_or("", String::as_str)),
            }
        }
        text
    }
}

/// Returns the mark in a message.
pub(crate) fn mark_in(text: &str) -> Option<u64> {
    text.split_once("mark-")?.1.split_once('.')?.0.parse().ok()
}
