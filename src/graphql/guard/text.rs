//! Counts the tokens of a document in one pass over the text, without recursion.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Refused, too_complex};
use crate::graphql::errors::ErrorCode;

/// The maximum number of tokens in a document: enough for a hundred bookings without variables.
pub(super) const MOST_TOKENS: usize = 8_000;
/// The maximum depth of brackets: the parser uses stack space for each.
const DEEPEST_BRACKETS: usize = 64;

/// Counts the tokens of a text, up to one more than allowed. Refuses texts that are too large to parse.
pub(super) fn count_tokens(text: &str) -> Result<usize, Refused> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut brackets) = (0, 0_usize, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b'#' => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            b' ' | b'\t' | b'\n' | b'\r' | b',' => 1,
            b'"' => {
                tokens += 1;
                let length = length_of_string(rest);
                length.ok_or_else(|| Refused::new(ErrorCode::BadRequest, "a string in the document does not end"))?
            }
            b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                tokens += 1;
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
                rest.iter().take_while(is_word).count()
            }
            _ => {
                tokens += 1;
                match byte {
                    b'(' | b'[' | b'{' => brackets += 1,
                    b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
                1
            }
        };
        if brackets > DEEPEST_BRACKETS {
            return Err(too_complex("the brackets of the document are nested too deeply"));
        }
        if tokens > MOST_TOKENS {
            return Err(too_complex("the document is too long"));
        }
    }
    Ok(tokens)
}

/// The message for a text with the character U+0000. Postgres cannot store it, and no meaningful text contains it.
pub(crate) const NUL: &str = "texts must not contain the character U+0000";

/// Returns the text in a form that the parser can read. Characters that strings contain as `\u{…}` or as surrogate pairs are
/// written out. Byte-order marks, which the specification ignores, are removed. A text without both is unchanged.
pub(super) fn readable(text: &str) -> Result<Cow<'_, str>, Refused> {
    let nul = || Refused::new(ErrorCode::BadRequest, NUL);
    if text.contains('\0') {
        return Err(nul());
    }
    if !text.contains("\\u") && !text.contains(BYTE_ORDER_MARK) {
        return Ok(Cow::Borrowed(text));
    }
    let mut readable = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => length_of_string(rest.as_bytes()).map_or(rest.len(), |length| length.min(rest.len())),
            other => other.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        rest = after;
        match first {
            BYTE_ORDER_MARK => {}
            '"' if !part.starts_with("\"\"\"") => write_out(part, &mut readable).ok_or_else(nul)?,
            _ => readable.push_str(part),
        }
    }
    Ok(Cow::Owned(readable))
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Copies a string and writes out its escaped characters. Returns `None` if it contains the character U+0000.
fn write_out(string: &str, readable: &mut String) -> Option<()> {
    let mut rest = string;
    while let Some(at) = rest.find('\\') {
        readable.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match numbered(rest) {
            Some(('\0', _)) => return None,
            Some((char, length)) => {
                match char {
                    '"' | '\\' => readable.extend(['\\', char]),
                    _ if char.is_control() => drop(write!(readable, "\\u{:04x}", u32::from(char))),
                    _ => readable.push(char),
                }
                length
            }
            None => {
                let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                readable.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[length..];
    }
    readable.push_str(rest);
    Some(())
}

/// Returns the character of the numeric escape sequence at the beginning, and the length of the sequence. Returns `None` for
/// any other sequence, and if the number is no character.
fn numbered(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("\\u")?;
    if let Some(digits) = digits.strip_prefix('{') {
        let (digits, _) = digits.split_once('}')?;
        let char = char::from_u32(hexadecimal(digits)?)?;
        return Some((char, "\\u{}".len() + digits.len()));
    }
    let unit = |text: &str| hexadecimal(text.strip_prefix("\\u")?.get(..4)?);
    let first = unit(text)?;
    if let Some(char) = char::from_u32(first) {
        return Some((char, 6));
    }
    let second = unit(text.get(6..)?)?;
    let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let char = char::decode_utf16(pair).next()?.ok()?;
    Some((char, 12))
}

fn hexadecimal(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Returns the length of the string at the beginning of `text`, including its quotes.
pub(super) fn length_of_string(text: &[u8]) -> Option<usize> {
    let is_block = text.starts_with(b"\"\"\"");
    let mut at = if is_block { 3 } else { 1 };
    loop {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        if is_block {
            match rest {
                [b'\\', b'"', b'"', b'"', ..] => at += 4,
                [b'"', b'"', b'"', ..] => return Some(at + 3),
                _ => at += 1,
            }
        } else {
            match rest[0] {
                b'"' => return Some(at + 1),
                b'\n' | b'\r' => return None,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_by_their_numbers_are_written_out() {
        for (given, expected) in [
            (r#"{ a(b: "x") }"#, r#"{ a(b: "x") }"#),
            (r#"{ a(b: "\ud83d\udd14") }"#, "{ a(b: \"\u{1f514}\") }"),
            (
                r#"{ a(b: "\u{1F514}\u{e9}\u00e9") }"#,
                "{ a(b: \"\u{1f514}\u{e9}\u{e9}\") }",
            ),
            (r#"{ a(b: "\u{22}\u005c\u{a}") }"#, r#"{ a(b: "\"\\\u000a") }"#),
            (r#"{ a(b: "\\u{41} \" \u{42}") }"#, r#"{ a(b: "\\u{41} \" B") }"#),
            (
                "{ a(b: \"\"\"\\u{41}\"\"\") } # \\u{41}",
                "{ a(b: \"\"\"\\u{41}\"\"\") } # \\u{41}",
            ),
            ("\u{feff}{ a\u{feff}(b: \"\u{feff}\") }", "{ a(b: \"\u{feff}\") }"),
        ] {
            assert_eq!(readable(given).expect("readable"), expected);
        }
        for refused in ["{ a(b: \"\\u0000\") }", "{ a(b: \"\\u{0}\") }", "{ a # \0\n }"] {
            assert_eq!(
                readable(refused).err().map(|refused| refused.message),
                Some(NUL),
                "{refused:?}"
            );
        }
        // The parser refuses numbers that are no character.
        for left in [
            r#"{ a(b: "\ud83d") }"#,
            r#"{ a(b: "\u{110000}") }"#,
            r#"{ a(b: "\u{}") }"#,
            r#"{ a(b: "\uzzzz") }"#,
        ] {
            assert_eq!(readable(left).expect("readable"), left);
            assert!(async_graphql::parser::parse_query(left).is_err(), "{left}");
        }
    }

    #[test]
    fn strings_and_comments_hide_brackets_and_nothing_else_does() {
        let brackets = "[".repeat(100);
        for text in [
            format!("{{ a(b: \"{brackets}\") }}"),
            format!("{{ a(b: \"\"\"{brackets} \\\"\"\" \" \"\"\") }}"),
            format!("{{ a }} # {brackets}"),
        ] {
            assert!(count_tokens(&text).is_ok(), "{text}");
        }
        for text in [
            format!("\"\"\" a\" {brackets}"),
            format!("\"a\n {brackets}"),
            format!("# a\n {brackets}"),
            format!("\"\\\"\" {brackets}"),
            format!("\"\" {brackets}"),
        ] {
            assert!(count_tokens(&text).is_err(), "{text}");
        }
    }
}
