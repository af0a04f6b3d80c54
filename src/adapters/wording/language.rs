//! One language: its texts, and its formats of amounts and times.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

use super::findings::FindingTexts;
use super::fixed::REFUSAL;
use crate::domain::fault::Fault;
use crate::domain::notification::model::{Alert, AlertKind};
use crate::primitives::clock::{DAY, Timestamp};
use crate::primitives::credits::Credits;

/// The file of a language.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Language {
    format: Format,
    mail: BTreeMap<String, String>,
    alerts: BTreeMap<String, Texts>,
    #[serde(default)]
    troubleshooting: FindingTexts,
    /// Translations of fixed texts, by the English text.
    #[serde(default)]
    fixed: BTreeMap<String, String>,
    /// Translations of texts with figures or names, by the English text, with `{}` as the placeholder.
    #[serde(default)]
    details: BTreeMap<String, String>,
    /// Reasons of refused mutations, by code.
    #[serde(default)]
    refusals: BTreeMap<String, String>,
}

/// The formats of amounts and times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    decimal: String,
    group: String,
    instant: String,
    /// The format of a date without the time of day. If empty, the format of `instant` is used.
    #[serde(default)]
    date: String,
    months: Vec<String>,
}

/// The texts of one kind of alert.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    title: String,
    body: String,
    action: Option<String>,
}

/// The facts of an alert, formatted.
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
    on: Option<String>,
    /// The day before `at`, if `at` is the midnight at which a day ends.
    last_day: Option<String>,
}

#[derive(Serialize)]
struct Instant<'a> {
    day: u32,
    month: &'a str,
    year: i32,
    hour: String,
    minute: String,
    /// The abbreviation of the time zone: `CET`, `+04`.
    zone: String,
}

impl Language {
    /// Returns all templates by name.
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let mail = self.mail.iter().map(|(key, text)| (key.clone(), text.as_str()));
        let alerts = self.alerts.iter().flat_map(|(kind, texts)| {
            let action = texts.action.as_deref().map(|action| ("action", action));
            let parts = [("title", texts.title.as_str()), ("body", texts.body.as_str())];
            let parts = parts.into_iter().chain(action);
            parts.map(move |(part, text)| (format!("{kind}.{part}"), text))
        });
        let refusals = self.refusals.iter();
        let refusals = refusals.map(|(code, text)| (format!("{REFUSAL}{code}"), text.as_str()));
        mail.chain(alerts).chain(self.troubleshooting.texts()).chain(refusals)
    }

    pub(super) fn fixed(&self) -> &BTreeMap<String, String> {
        &self.fixed
    }

    pub(super) fn details(&self) -> &BTreeMap<String, String> {
        &self.details
    }

    pub(super) fn refusals(&self) -> &BTreeMap<String, String> {
        &self.refusals
    }

    pub(super) fn of_findings(&self) -> &FindingTexts {
        &self.troubleshooting
    }

    /// Returns whether this kind of alert has a label for a button.
    pub(super) fn has_action(&self, kind: AlertKind) -> bool {
        self.alerts
            .get(kind.as_str())
            .is_some_and(|texts| texts.action.is_some())
    }

    /// Formats the facts of an alert in the time zone `zone`. `render` renders the template of instants.
    pub(super) fn facts(
        &self,
        alert: &Alert,
        zone: Tz,
        render: impl Fn(&str, minijinja::Value) -> Result<String, Fault>,
    ) -> Result<Written, Fault> {
        let facts = &alert.facts;
        let date = if self.format.date.is_empty() {
            &self.format.instant
        } else {
            &self.format.date
        };
        let at = facts.at.map(Timestamp::from_millis);
        // A card is valid until its month has ended everywhere. Its last day is the last day of the month, in every time zone.
        let on = at.map(|at| match alert.kind {
            AlertKind::CardExpiring => (at.plus_millis(-DAY), Tz::UTC),
            _ => (at, zone),
        });
        let is_midnight = |at: &Timestamp| {
            let local = at.to_datetime().with_timezone(&zone);
            local.num_seconds_from_midnight() == 0
        };
        let last_day = at.filter(is_midnight).map(|at| at.plus_millis(-1));
        Ok(Written {
            available: facts.available.map(|units| self.amount(units)),
            credits: facts.credits.map(|units| self.amount(units)),
            title: facts.title.clone(),
            reason: self.reason(alert),
            code: facts.code.clone(),
            step: alert.next_step().as_str(),
            name: facts.name.clone(),
            at: at
                .map(|at| self.written(&self.format.instant, at, zone, &render))
                .transpose()?,
            on: on.map(|(at, zone)| self.written(date, at, zone, &render)).transpose()?,
            last_day: last_day.map(|at| self.written(date, at, zone, &render)).transpose()?,
        })
    }

    /// Returns the reason in this language. A member wrote why an account is frozen; why mail bounces is a fixed text.
    fn reason(&self, alert: &Alert) -> Option<String> {
        let reason = alert.facts.reason.as_deref()?;
        let fixed = (alert.kind == AlertKind::ContactBouncing).then(|| self.fixed.get(reason));
        Some(fixed.flatten().map_or(reason, String::as_str).to_owned())
    }

    /// Formats an instant in the time zone `zone`. `render` renders the template of instants.
    pub(super) fn instant(
        &self,
        at: Timestamp,
        zone: Tz,
        render: impl Fn(&str, minijinja::Value) -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        self.written(&self.format.instant, at, zone, render)
    }

    fn written(
        &self,
        form: &str,
        at: Timestamp,
        zone: Tz,
        render: impl Fn(&str, minijinja::Value) -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        let local = at.to_datetime().with_timezone(&zone);
        let month = usize::try_from(local.month0())
            .ok()
            .and_then(|at| self.format.months.get(at));
        let instant = Instant {
            day: local.day(),
            month: month.map_or("", String::as_str),
            year: local.year(),
            hour: format!("{:02}", local.hour()),
            minute: format!("{:02}", local.minute()),
            zone: local.format("%Z").to_string(),
        };
        render(form, minijinja::Value::from(Serde(instant)))
    }

    pub(super) fn day(
        &self,
        day: chrono::NaiveDate,
        render: impl Fn(&str, minijinja::Value) -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        let date = if self.format.date.is_empty() {
            &self.format.instant
        } else {
            &self.format.date
        };
        let begin = day.and_time(chrono::NaiveTime::MIN).and_utc();
        self.written(date, Timestamp::from_datetime(begin), Tz::UTC, render)
    }

    /// Formats an amount of credits with separators: `1,234.5` in English.
    pub(super) fn amount(&self, units: i64) -> String {
        self.number(&Credits::from_units(units).to_string())
    }

    /// Formats a number with separators.
    pub(super) fn number(&self, text: &str) -> String {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("−", digits));
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
