//! Comma-separated values (RFC 4180) in which no spreadsheet finds a formula.
//!
//! Users write titles and names, and `=HYPERLINK(…)` is a valid title. A spreadsheet may split a file at another separator than the
//! comma. If the list separator of the system is `;`, `Yoga;=1+1` has two cells. So a formula is escaped everywhere a cell may begin,
//! not only at the beginning of our cells.
//!
//! The csv crate does not write these rows: it quotes by one style for all cells. So either amounts would be quoted, or texts such as
//! `007` would not be.

use std::fmt::{Display, Write};

/// A cell of a row.
#[derive(Clone, Copy)]
pub enum Cell<'a> {
    /// A number that this program formats. It stays a number in a spreadsheet.
    Number(&'a dyn Display),
    /// A text that this program formats, in which nothing is escaped: an id, an instant, a name of a kind.
    Plain(&'a dyn Display),
    /// Any text. It is quoted and escaped.
    Text(&'a str),
}

/// Appends a row and the end of its line.
pub fn push_row<'a>(csv: &mut String, cells: impl IntoIterator<Item = Cell<'a>>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            csv.push(',');
        }
        match cell {
            // Writing to memory cannot fail.
            Cell::Number(number) => drop(write!(csv, "{number}")),
            Cell::Plain(text) => drop(write!(csv, "\"{text}\"")),
            Cell::Text(text) => {
                csv.push('"');
                if is_harmless(text) {
                    csv.push_str(text);
                } else {
                    csv.push_str(&shielded(text).replace('"', "\"\""));
                }
                csv.push('"');
            }
        }
    }
    csv.push_str("\r\n");
}

/// Returns whether the text has no character that is escaped. Most texts have not, and the check is faster than copying each character.
fn is_harmless(text: &str) -> bool {
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.' | b':' | b'-' | b'_' | b'/');
    let begins_harmlessly = text.as_bytes().first().is_none_or(u8::is_ascii_alphanumeric);
    begins_harmlessly && text.as_bytes().iter().all(is_known)
}

/// Returns the text with an apostrophe before each character that starts a formula where a cell may begin.
fn shielded(text: &str) -> String {
    let mut shielded = String::with_capacity(text.len() + 1);
    let mut may_begin = true;
    for char in text.chars() {
        if may_begin && begins_formula(char) {
            shielded.push('\'');
        }
        shielded.push(char);
        may_begin = separates(char) || (may_begin && is_passed_over(char));
    }
    shielded
}

/// Returns whether spreadsheets read the character as the start of a formula. Some treat full-width
/// characters like their ASCII forms.
const fn begins_formula(char: char) -> bool {
    matches!(char, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠')
}

/// Returns whether some reader takes the character for the end of a cell or of a line.
const fn separates(char: char) -> bool {
    matches!(
        char,
        ',' | ';' | '|' | '\t' | '\r' | '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Returns whether some reader strips the character from the start of a cell: quotes, spaces and invisible
/// characters.
fn is_passed_over(char: char) -> bool {
    let is_unseen = matches!(char, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    char == '"' || char.is_whitespace() || char.is_control() || is_unseen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_shielded_wherever_a_cell_may_begin() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("\n=1", "\n'=1"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠A1", "'＠A1"),
            ("Yoga;=1+1;x", "Yoga;'=1+1;x"),
            ("Yoga, +1 guest", "Yoga, '+1 guest"),
            ("a|-1|\"=2\"", "a|'-1|\"'=2\""),
            ("a\t=1", "a\t'=1"),
            ("a;\u{feff}\u{a0}＝1", "a;\u{feff}\u{a0}'＝1"),
            ("a\u{2028}@b", "a\u{2028}'@b"),
            ("Yoga", "Yoga"),
            ("Yoga - for 2 + 1", "Yoga - for 2 + 1"),
            ("", ""),
        ] {
            assert_eq!(shielded(text), written, "{text:?}");
            assert!(!is_harmless(text) || written == text, "{text:?}");
        }
    }

    #[test]
    fn every_text_is_quoted_and_numbers_are_bare() {
        let mut csv = String::new();
        push_row(
            &mut csv,
            [
                Cell::Number(&"-1.5"),
                Cell::Plain(&"2026"),
                Cell::Text("say \"hi\""),
                Cell::Text(""),
                Cell::Text("7"),
            ],
        );
        assert_eq!(csv, "-1.5,\"2026\",\"say \"\"hi\"\"\",\"\",\"7\"\r\n");
    }

    /// Generates texts of characters that matter to readers, and of others.
    fn text() -> impl Strategy<Value = String> {
        let tokens = "=|\\+|-|@|\t|\r|\n|,|;|\\||\"|\"\"|'| |\u{feff}|\u{2028}|＝|＋|－|＠|a|1|é|.";
        prop::collection::vec(tokens, 0..12).prop_map(|tokens| tokens.concat())
    }

    /// Returns all cells that a reader with this separator finds.
    fn read(csv: &str, separator: u8) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(csv.as_bytes());
        let rows = reader
            .records()
            .map(|row| row.expect("is read").iter().map(str::to_owned).collect());
        rows.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_reader_finds_a_formula_and_ours_finds_the_text(rows in prop::collection::vec((text(), text(), text()), 1..4)) {
            let mut csv = String::new();
            for (one, two, three) in &rows {
                let cells = [Cell::Number(&"7"), Cell::Text(one), Cell::Number(&"-2.5"), Cell::Text(two), Cell::Text(three), Cell::Text("ab12")];
                push_row(&mut csv, cells);
            }
            let ours = read(&csv, b',');
            prop_assert_eq!(ours.len(), rows.len());
            for (row, (one, two, three)) in ours.iter().zip(&rows) {
                prop_assert_eq!((&*row[0], &*row[2]), ("7", "-2.5"));
                for (cell, text) in [(&row[1], one), (&row[3], two), (&row[4], three)] {
                    prop_assert!(!cell.starts_with(begins_formula), "{:?} of {:?}", cell, text);
                    let left: String = cell.chars().filter(|char| *char != '\'').collect();
                    let meant: String = text.chars().filter(|char| *char != '\'').collect();
                    prop_assert_eq!(left, meant, "only apostrophes are added");
                }
            }
            for separator in [b';', b'\t', b'|'] {
                for cell in read(&csv, separator).iter().flatten() {
                    prop_assert!(!cell.starts_with(begins_formula), "{:?} at {:?} of {}", cell, separator as char, csv);
                }
            }
        }
    }
}
