//! One language: its texts, and how it writes amounts and times.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

use crate::domain::fault::Fault;
use crate::domain::notification::model::{Alert, AlertKind};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;

/// A language's file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Language {
    format: Format,
    mail: BTreeMap<String, String>,
    alerts: BTreeMap<String, Texts>,
}

/// How a language writes amounts and times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    decimal: String,
    group: String,
    instant: String,
    months: Vec<String>,
}

/// The texts of a kind of alert.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    title: String,
    body: String,
    action: Option<String>,
}

/// An alert's facts, written out.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    available: Option<String>,
    credits: Option<String>,
    title: Option<String>,
    reason: Option<String>,
    code: Option<String>,
    step: &'static str,
    name: Option<String>,
    at: Option<String>,
}

#[derive(Serialize)]
struct Instant<'a> {
    day: u32,
    month: &'a str,
    year: i32,
    hour: String,
    minute: String,
}

impl Language {
    /// All its templates, by name.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let mail = self.mail.iter().map(|(key, text)| (key.clone(), text.as_str()));
        let alerts = self.alerts.iter().flat_map(|(kind, texts)| {
            let action = texts.action.as_deref().map(|action| ("action", action));
            let parts = [("title", texts.title.as_str()), ("body", texts.body.as_str())];
            let parts = parts.into_iter().chain(action);
            parts.map(move |(part, text)| (format!("{kind}.{part}"), text))
        });
        mail.chain(alerts)
    }

    /// Whether there is something to write on a button.
    pub(super) fn has_action(&self, kind: AlertKind) -> bool {
        self.alerts
            .get(kind.as_str())
            .is_some_and(|texts| texts.action.is_some())
    }

    /// An alert's facts as this language writes them, in `zone`. `render` fills the template of instants in.
    pub(super) fn facts(
        &self,
        alert: &Alert,
        zone: Tz,
        render: impl Fn(&str, minijinja::Value) -> Result<String, Fault>,
    ) -> Result<Written, Fault> {
        let facts = &alert.facts;
        let instant = |millis: i64| {
            let local = Timestamp::from_millis(millis).to_datetime().with_timezone(&zone);
            let month = usize::try_from(local.month0())
                .ok()
                .and_then(|at| self.format.months.get(at));
            let instant = Instant {
                day: local.day(),
                month: month.map_or("", String::as_str),
                year: local.year(),
                hour: format!("{:02}", local.hour()),
                minute: format!("{:02}", local.minute()),
            };
            render(&self.format.instant, minijinja::Value::from(Serde(instant)))
        };
        Ok(Written {
            available: facts.available.map(|units| self.amount(units)),
            credits: facts.credits.map(|units| self.amount(units)),
            title: facts.title.clone(),
            reason: facts.reason.clone(),
            code: facts.code.clone(),
            step: alert.next_step().as_str(),
            name: facts.name.clone(),
            at: facts.at.map(instant).transpose()?,
        })
    }

    /// An amount of credits with its separators: `1,234.5` in English.
    fn amount(&self, units: i64) -> String {
        let text = Credits::from_units(units).to_string();
        let (sign, digits) = text
            .strip_prefix('-')
            .map_or(("", text.as_str()), |digits| ("−", digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut grouped = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                grouped.push_str(&self.format.group);
            }
            grouped.push(digit);
        }
        let point = if fraction.is_empty() {
            ""
        } else {
            self.format.decimal.as_str()
        };
        format!("{sign}{grouped}{point}{fraction}")
    }
}
