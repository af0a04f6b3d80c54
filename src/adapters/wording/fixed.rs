//! Texts that are always the same, and those of refusals: what the API says beside alerts and findings.

use super::Templates;
use crate::domain::fault::Fault;
use crate::domain::notification::Refused;

/// Where the templates of refusals are among those of a language.
pub(super) const REFUSAL: &str = "refusal.";

impl Templates {
    pub(super) fn fixed_text(&self, english: &str, locale: &str) -> String {
        let (_, language) = self.language(locale);
        let texts = language.fixed();
        if let Some(text) = texts.get(english) {
            return text.clone();
        }
        let begun = english.find(": ").map(|at| english.split_at(at + 1));
        let begun = begun.and_then(|(start, rest)| Some(format!("{}{rest}", texts.get(start)?)));
        begun.unwrap_or_else(|| english.to_owned())
    }

    pub(super) fn refusal_text(&self, refused: &Refused<'_>, locale: &str) -> Result<Option<String>, Fault> {
        let (name, language) = self.language(locale);
        if !language.refusals().contains_key(refused.code) {
            return Ok(None);
        }
        let context = minijinja::context! {
            field => refused.field,
            missing => refused.missing.map(|credits| language.amount(credits.units())),
            seconds => refused.retry_after_seconds,
        };
        self.render(&format!("{name}/{REFUSAL}{}", refused.code), context)
            .map(Some)
    }
}
