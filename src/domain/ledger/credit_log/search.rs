//! What `search` means: beginnings of words, without regard to capitals or punctuation.
//!
//! Text is brought into one form when it is written, and words of a query by the same function when they are asked for. So both
//! databases compare plain bytes and agree also about letters beyond ASCII, whose capitals SQLite does not know.

use crate::domain::fault::QueryError;

/// Words in one search at the most.
const MAX_WORDS: usize = 5;
/// Characters in one search at the most.
const MAX_CHARS: usize = 200;

/// The form in which text is kept for searching: lower case, every word (a run of letters and digits) after one space.
pub fn searchable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut in_word = false;
    for letter in text.chars().flat_map(char::to_lowercase).filter(|c| !is_accent(*c)) {
        if letter.is_alphanumeric() {
            if !in_word {
                out.push(' ');
            }
            out.push(letter);
        }
        in_word = letter.is_alphanumeric();
    }
    out
}

/// Accents that stand alone would split words in two: `İ` in lower case is `i` and a dot.
fn is_accent(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

/// The patterns that [`searchable`] text must all match, in SQL's `LIKE`. Letters and digits need no escaping there.
pub(in crate::domain) fn patterns(field: &'static str, search: &str) -> Result<Vec<String>, QueryError> {
    let invalid = |message: &str| QueryError::Invalid {
        field,
        message: message.to_owned(),
    };
    if search.chars().count() > MAX_CHARS {
        return Err(invalid("must have at most 200 characters"));
    }
    let mut patterns = Vec::new();
    for word in search.split_whitespace() {
        let word = searchable(word);
        if word.chars().filter(|letter| *letter != ' ').count() < 2 {
            return Err(invalid("must be words of at least 2 letters or digits"));
        }
        patterns.push(format!("%{word}%"));
    }
    if patterns.len() > MAX_WORDS {
        return Err(invalid("must have at most 5 words"));
    }
    patterns.sort();
    patterns.dedup();
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_as_lower_case_words() {
        for (text, kept) in [
            ("Yoga-Stunde, (Größe) ÄÖÜ", " yoga stunde größe äöü"),
            ("  CRM_42%\\x ", " crm 42 x"),
            ("İstanbul", " istanbul"),
            ("", ""),
            ("--", ""),
        ] {
            assert_eq!(searchable(text), kept, "{text}");
        }
    }

    #[test]
    fn words_of_a_search_take_the_same_form() {
        assert_eq!(
            patterns("s", "  ÄRZTE co-op "),
            Ok(vec!["% co op%".into(), "% ärzte%".into()])
        );
        assert_eq!(patterns("s", "   "), Ok(vec![]));
    }

    #[test]
    fn too_many_or_too_short_words_are_refused() {
        for search in ["a", "ab c", "%%", "aa bb cc dd ee ff", &"a".repeat(201)] {
            assert!(patterns("s", search).is_err(), "{search}");
        }
    }
}
