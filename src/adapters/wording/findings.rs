//! Texts of findings: what is wrong, why, and what to do. They are in the same files as the texts of alerts.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use minijinja::value::Serde;
use serde::Deserialize;
use serde_json::Value;

use super::language::Language;
use super::{FALLBACK, TemplateError, Templates};
use crate::domain::fault::Fault;
use crate::domain::notification::Reader;
use crate::domain::troubleshooting::model::{Fact, Finding, FindingCode, RemedyAction};
use crate::domain::troubleshooting::{Explained, Explaining};

/// The names that the texts of findings may use.
const NAMES: &[&str] = &[
    "action",
    "advice",
    "amount",
    "at",
    "available",
    "cap",
    "card",
    "count",
    "credits",
    "email",
    "expected",
    "failure",
    "gone_card",
    "left",
    "level",
    "money",
    "more",
    "name",
    "other_card",
    "outcome",
    "pause",
    "reader",
    "reason",
    "spent",
    "trigger",
    "typical",
    "until",
];

/// The texts of findings in one language.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindingTexts {
    /// The texts by finding code.
    pub(super) findings: BTreeMap<String, Texts>,
    /// Labels of buttons, by what the button does.
    pub(super) remedies: BTreeMap<String, String>,
    /// Translations of closed lists, by list and word.
    pub(super) words: BTreeMap<String, BTreeMap<String, String>>,
}

/// The texts of one code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Texts {
    summary: String,
    cause: String,
    help: String,
}

impl FindingTexts {
    pub(super) fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        self.findings.iter().flat_map(|(code, texts)| {
            let parts = [
                ("summary", &texts.summary),
                ("cause", &texts.cause),
                ("help", &texts.help),
            ];
            parts.map(|(part, text)| (template(code, part), text.as_str()))
        })
    }

    fn word(&self, list: &str, word: &str) -> Option<&String> {
        self.words.get(list)?.get(word)
    }
}

fn template(code: &str, part: &str) -> String {
    format!("findings.{code}.{part}")
}

impl Templates {
    /// Checks that the texts of findings use known names only, and that English has all texts.
    pub(super) fn check_findings(&self) -> Result<(), TemplateError> {
        let known: BTreeSet<&str> = NAMES.iter().copied().collect();
        for (locale, language) in &self.languages {
            for (key, _) in language.of_findings().texts() {
                let name = format!("{locale}/{key}");
                let template = self.environment.get_template(&name);
                let named = template
                    .map_err(|error| TemplateError::new(&name, &error))?
                    .undeclared_variables(false);
                if let Some(other) = named.iter().find(|other| !known.contains(other.as_str())) {
                    return Err(TemplateError::new(&name, &format!("there is no {other}")));
                }
            }
        }
        let english = self.fallback.of_findings();
        let missing = |what: &str| Err(TemplateError::new(FALLBACK, &format!("has no text for {what}")));
        for code in FindingCode::ALL {
            if !english.findings.contains_key(code.as_str()) {
                return missing(code.as_str());
            }
        }
        for action in RemedyAction::ALL {
            if !english.remedies.contains_key(action.as_str()) {
                return missing(action.as_str());
            }
        }
        Ok(())
    }

    fn fact(&self, language: &Language, fact: &Fact, zone: Tz) -> Result<Value, Fault> {
        Ok(match fact {
            Fact::Credits(credits) => language.amount(credits.units()).into(),
            Fact::Money(money) => {
                let amount = language.number(&money.to_decimal().to_string());
                format!("{amount} {}", money.currency).into()
            }
            Fact::At(at) => language
                .instant(*at, zone, |text, context| self.render_instant(text, context))?
                .into(),
            Fact::Day(day) => language
                .day(*day, |text, context| self.render_instant(text, context))?
                .into(),
            Fact::Count(count) => Value::from(*count),
            Fact::Text(text) => Value::from(text.as_str()),
            Fact::Key(key) => Value::from(*key),
            Fact::Word(list, word) => {
                let found = language.of_findings().word(list, word);
                let found = found.or_else(|| self.fallback.of_findings().word(list, word));
                let missing = || Fault::Internal(format!("no language has the word {list}.{word}"));
                Value::from(found.ok_or_else(missing)?.as_str())
            }
        })
    }
}

impl Explaining for Templates {
    fn explain(&self, finding: &Finding, reader: &Reader) -> Result<Explained, Fault> {
        let code = finding.code.as_str();
        let (mut name, mut language) = self.language(&reader.locale);
        // A language of the operator may have texts of alerts only.
        if !language.of_findings().findings.contains_key(code) {
            (name, language) = (FALLBACK, &self.fallback);
        }
        let facts = finding.facts.iter();
        let facts = facts.map(|(name, fact)| Ok((*name, self.fact(language, fact, reader.timezone)?)));
        let context = facts.collect::<Result<BTreeMap<&str, Value>, Fault>>()?;
        let written = |part: &str| self.render(&format!("{name}/{}", template(code, part)), Serde(&context));
        let action = finding.remedy.action.as_str();
        let remedies = [language, &self.fallback].map(|language| language.of_findings().remedies.get(action));
        let missing = || Fault::Internal(format!("no language has a button for {action}"));
        let mut help = written("help")?;
        if finding.remedy.action == RemedyAction::AskOwner {
            let asked = self.fact(language, &Fact::Word("asked", action), reader.timezone)?;
            help = format!("{} {help}", asked.as_str().unwrap_or_default());
        }
        Ok(Explained {
            summary: written("summary")?,
            cause: written("cause")?,
            label: remedies.into_iter().flatten().next().ok_or_else(missing)?.clone(),
            help,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::top_up::model::{FailureCode, PauseReason};

    use super::*;

    #[test]
    fn every_built_in_language_says_all_of_it() {
        let templates = Templates::load(None).expect("the built-in texts are good");
        for (locale, language) in &templates.languages {
            let texts = language.of_findings();
            for code in FindingCode::ALL {
                assert!(texts.findings.contains_key(code.as_str()), "{locale}: {code:?}");
            }
            for action in RemedyAction::ALL {
                assert!(texts.remedies.contains_key(action.as_str()), "{locale}: {action:?}");
            }
            for code in FailureCode::ALL {
                assert!(texts.word("failure", code.as_str()).is_some(), "{locale}: {code:?}");
                assert!(texts.word("advice", code.as_str()).is_some(), "{locale}: {code:?}");
            }
            assert!(
                texts.word("asked", RemedyAction::AskOwner.as_str()).is_some(),
                "{locale}"
            );
            for pause in PauseReason::ALL {
                assert!(texts.word("pause", pause.as_str()).is_some(), "{locale}: {pause:?}");
            }
        }
    }
}
