//! The meaning of `search`: beginnings of words, ignoring case, composition of letters and punctuation.
//!
//! The same function normalizes text when it is written and the words of a query when they are searched. So both databases
//! compare plain bytes. They agree also about letters beyond ASCII, whose capitals SQLite does not know.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use serde::Serialize;

use crate::domain::database::select::Condition;
use crate::domain::fault::InvalidInput;

/// Words of one search that are used; further words are ignored.
const MAX_WORDS: usize = 10;
/// Characters in one search, at most.
const MAX_CHARS: usize = 200;

/// The version of the form. Text that is stored in an older form is rewritten when the schema is upgraded.
pub const FORM: i32 = 2;

/// Returns the form in which text is stored for searching: NFKC, folded, every word (a run of letters and digits) after one space.
/// In scripts without spaces between words each character counts as a word, so a search finds any part of a run.
pub fn searchable(text: &str) -> String {
    let nfkc = const { ComposingNormalizerBorrowed::new_nfkc() };
    // Compose first. Otherwise a letter with a separate accent would fold differently from the composed
    // letter.
    let folded: String = nfkc.normalize(text).chars().flat_map(fold).collect();
    let mut out = String::with_capacity(folded.len() + 1);
    let mut goes_on = false;
    for letter in nfkc.normalize(&folded).chars() {
        if letter.is_alphanumeric() {
            let stands_alone = is_unspaced(letter);
            if !goes_on || stands_alone {
                out.push(' ');
            }
            out.push(letter);
            goes_on = !stands_alone;
        } else if !is_mark(letter) {
            goes_on = false;
        }
    }
    out
}

/// Full case folding: texts that differ only in case become equal, including `ß` and `ss`, `ς` and `σ`, `ı`, `I` and `i`. Capitals
/// come first, because only they unify these letters.
fn fold(letter: char) -> impl Iterator<Item = char> {
    letter.to_uppercase().flat_map(char::to_lowercase)
}

/// Combining marks that would split a word in two: `İ` in lower case is `i` and a dot.
fn is_mark(letter: char) -> bool {
    let classes = const { CanonicalCombiningClassMapBorrowed::new() };
    classes.get_u8(letter) != 0
}

/// Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese.
fn is_unspaced(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The words that [`searchable`] text must all contain, each with the space before it. A search without letters and digits has
/// none, and matches every text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Search(Vec<String>);

impl Search {
    /// Parses the text of a search. Refuses a text that is too long.
    pub fn parse(field: &'static str, text: Option<&str>) -> Result<Self, InvalidInput> {
        let text = text.unwrap_or_default();
        if text.chars().nth(MAX_CHARS).is_some() {
            return Err(InvalidInput::new(
                field,
                format!("must have at most {MAX_CHARS} characters"),
            ));
        }
        let mut words: Vec<String> = text.split_whitespace().map(searchable).collect();
        words.retain(|word| !word.is_empty());
        words.truncate(MAX_WORDS);
        words.sort();
        words.dedup();
        Ok(Self(words))
    }

    /// The words, in order.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Whether each word of the search begins a word of `text`.
    pub(in crate::domain) fn matches(&self, text: &str) -> bool {
        self.0.is_empty() || {
            let text = searchable(text);
            self.0.iter().all(|word| text.contains(word.as_str()))
        }
    }

    /// The search as conditions on a column of searchable text. Letters and digits need no escaping in patterns of SQL.
    pub(in crate::domain) fn conditions(&self, column: &'static str) -> impl Iterator<Item = Condition> {
        let patterns = self.0.iter().map(|word| format!("%{word}%"));
        patterns.map(move |pattern| Condition::Like(column, pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Search::parse("s", Some(text)).expect("valid").0
    }

    #[test]
    fn text_is_kept_as_lower_case_words() {
        for (text, kept) in [
            ("Yoga-Stunde, (Größe) ÄÖÜ", " yoga stunde grösse äöü"),
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
        assert_eq!(words("  ÄRZTE co-op "), [" co op", " ärzte"]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn a_search_finds_beginnings_of_words() {
        let search = |text: &str| Search::parse("search", Some(text)).expect("valid");
        assert!(search("lov AD").matches("Ada Lovelace"));
        assert!(search("").matches("Ada"));
        assert!(search("ÉC").matches("école-nord"));
        assert!(!search("velace").matches("Ada Lovelace"));
    }

    #[test]
    fn what_is_the_same_to_readers_has_the_same_form() {
        for (one, other) in [
            ("Café", "cafe\u{301}"),
            ("Größe", "GRÖSSE"),
            ("ΟΔΟΣ", "οδος"),
            ("oﬃce ﬁle", "office file"),
            ("ISPARTA", "ısparta"),
            ("İzmir", "izmir"),
            ("Ｙｏｇａ１２", "yoga12"),
            ("ｶﾀｶﾅ", "カタカナ"),
        ] {
            assert_eq!(searchable(one), searchable(other), "{one} {other}");
        }
        assert_ne!(searchable("resume"), searchable("résumé"), "accents tell words apart");
    }

    #[test]
    fn any_part_of_a_run_without_spaces_is_found() {
        for (text, part) in [
            ("東京タワー見学", "タワー"),
            ("中文课程第3课", "课程"),
            ("เรียนโยคะ", "โยคะ"),
            ("Raum東京2号", "東京"),
        ] {
            assert!(searchable(text).contains(&searchable(part)), "{text} {part}");
        }
        assert!(!searchable("東京").contains(&searchable("京東")));
    }

    #[test]
    fn no_word_is_too_short_and_only_a_search_that_is_too_long_is_refused() {
        assert_eq!(words("German l"), [" german", " l"]);
        assert_eq!(words("C++ %% -"), [" c"]);
        assert!(words("%_").is_empty());
        assert_eq!(words("a b c d e f g h i j k l").len(), 10);
        let of = |count: usize| Search::parse("s", Some(&"a".repeat(count)));
        assert!(of(200).is_ok() && of(201).is_err());
    }
}
