//! Translates fixed texts and refusals: every text of the API besides alerts and findings.

use super::language::Language;
use super::{TemplateError, Templates};
use crate::domain::fault::Fault;
use crate::domain::notification::Refused;

/// The prefix of refusals among the template names of a language.
pub(super) const REFUSAL: &str = "refusal.";

/// The placeholder for a figure or a name in a text of `details`. The order of placeholders is the same in every language.
const HOLE: &str = "{}";

impl Templates {
    pub(super) fn fixed_text(&self, english: &str, locale: &str) -> String {
        let (_, language) = self.language(locale);
        phrase(language, english).unwrap_or_else(|| english.to_owned())
    }

    pub(super) fn refusal_text(&self, refused: &Refused<'_>, locale: &str) -> Result<Option<String>, Fault> {
        let (name, language) = self.language(locale);
        if let Some(text) = phrase(language, refused.message) {
            return Ok(Some(text));
        }
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

/// Checks that each translation has a placeholder for each figure and name of the English text.
pub(super) fn check_details(name: &str, language: &Language) -> Result<(), TemplateError> {
    let places = |text: &str| text.matches(HOLE).count();
    let is_wrong = |(english, text): &(&String, &String)| places(english) == 0 || places(english) != places(text);
    match language.details().iter().find(is_wrong) {
        Some((english, _)) => Err(TemplateError::new(
            name,
            &format!("details: \"{english}\" and its translation must have the same number of {{}}, at least one"),
        )),
        None => Ok(()),
    }
}

/// Translates a text: as a whole, up to its colon, or with the figures and names in it.
fn phrase(language: &Language, english: &str) -> Option<String> {
    let texts = language.fixed();
    let begun = || {
        let (start, rest) = english.split_at(english.find(": ")? + 1);
        Some(format!("{}{rest}", texts.get(start)?))
    };
    let whole = texts.get(english).cloned();
    whole.or_else(begun).or_else(|| detail(language, english))
}

/// Translates a text with figures or names. If several patterns match, the pattern with the most fixed text wins.
fn detail(language: &Language, english: &str) -> Option<String> {
    let fitting = language.details().iter();
    let fitting = fitting.filter_map(|(pattern, text)| Some((pattern.len(), found(pattern, english)?, text)));
    let (_, held, text) = fitting.max_by_key(|(length, ..)| *length)?;
    let mut written = String::with_capacity(text.len());
    let mut held = held.into_iter();
    for (at, part) in text.split(HOLE).enumerate() {
        if at > 0 {
            written.push_str(&in_language(language, held.next().unwrap_or_default()));
        }
        written.push_str(part);
    }
    Some(written)
}

/// Returns the values of the placeholders if the text matches the pattern.
fn found<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let (first, places) = pattern.split_once(HOLE)?;
    let mut rest = text.strip_prefix(first)?;
    let mut held = Vec::new();
    let mut parts = places.split(HOLE).peekable();
    while let Some(part) = parts.next() {
        let at = match parts.peek() {
            Some(_) => rest.find(part)?,
            None => rest.strip_suffix(part)?.len(),
        };
        if at == 0 {
            return None;
        }
        held.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    Some(held)
}

/// Formats a number for the language; returns any other text unchanged.
fn in_language(language: &Language, held: &str) -> String {
    let digits = held.strip_prefix('-').unwrap_or(held);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if is_number {
        language.number(held)
    } else {
        held.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_and_written_as_the_language_writes_them() {
        let templates = Templates::load(None).expect("the built-in texts are good");
        let (_, german) = templates.language("de");
        let text = "must be between 0 and 1000000000; got -5";
        assert_eq!(
            detail(german, text).as_deref(),
            Some("muss zwischen 0 und 1.000.000.000 liegen; angegeben ist −5")
        );
        assert_eq!(found("{} of {}.", "1.5 of 2 of 3."), Some(vec!["1.5", "2 of 3"]));
        assert_eq!(found("{} of {}.", " of 3."), None, "nothing stands in the first place");
        assert_eq!(found("a {} b", "a b"), None);
        assert_eq!(in_language(german, "-1234.5"), "−1.234,5");
        assert_eq!(in_language(german, "1.2.3"), "1.2.3");
    }
}
