//! How much there is to parse, counted in one pass over the text without recursion.

use super::{Refused, too_complex};
use crate::graphql::errors::ErrorCode;

/// Words and signs of a document at the most: enough for a hundred bookings written out.
pub(super) const MOST_TOKENS: usize = 8_000;
/// Brackets within one another at the most: the parser takes its stack for each.
const DEEPEST_BRACKETS: usize = 64;

/// Counts the words and signs of a text, up to one more than there may be, and refuses texts that are too much to parse.
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
            return Err(too_complex("the document has too many brackets within one another"));
        }
        if tokens > MOST_TOKENS {
            return Err(too_complex("the document is too long"));
        }
    }
    Ok(tokens)
}

/// How long the string at the beginning of `text` is, quotes included.
fn length_of_string(text: &[u8]) -> Option<usize> {
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
