//! Refuses numbers that cannot be stored. JSON numbers can have any length, but parsers keep 64 bits. The check reads the text,
//! because after parsing the lost digits can no longer be detected.

use async_graphql::{Pos, ServerError};
use serde_json::Number;

use super::text::length_of_string;

/// Returns the path, with dots and below `prefix`, of the first number in a JSON text that would be altered. The text is valid
/// JSON.
pub(crate) fn altered_number(json: &str, prefix: &[&str]) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut at, mut path) = (0, Vec::new());
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'{' => {
                path.push(PathSegment::Field(""));
                1
            }
            b'[' => {
                path.push(PathSegment::Item(0));
                1
            }
            b'}' | b']' => {
                path.pop();
                1
            }
            b',' => {
                if let Some(PathSegment::Item(at)) = path.last_mut() {
                    *at += 1;
                }
                1
            }
            b'"' => {
                let length = length_of_string(&bytes[at..])?;
                let (text, after) = json[at..].split_at(length);
                if let Some(PathSegment::Field(name)) = path.last_mut()
                    && after.trim_start().starts_with(':')
                {
                    *name = &text[1..length - 1];
                }
                length
            }
            b'-' | b'0'..=b'9' => {
                let number = number_at(json, at);
                let place = (!is_kept(number)).then(|| below(&path, prefix)).flatten();
                if place.is_some() {
                    return place;
                }
                number.len()
            }
            _ => 1,
        };
    }
    None
}

/// Refuses a document with a number that would be altered.
pub(super) fn check(document: &str) -> Result<(), ServerError> {
    let bytes = document.as_bytes();
    let (mut at, mut word, mut argument) = (0, "", "");
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b'#' => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            b'"' => length_of_string(rest).unwrap_or(rest.len()),
            b':' => {
                argument = word;
                1
            }
            b'_' | b'A'..=b'Z' | b'a'..=b'z' => {
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
                let length = rest.iter().take_while(is_word).count();
                word = &document[at..at + length];
                length
            }
            b'-' | b'0'..=b'9' => {
                let number = number_at(document, at);
                if !is_kept(number) {
                    let message = format!("Invalid value for argument \"{argument}\", {ALTERED}");
                    return Err(ServerError::new(message, Some(position(&document[..at]))));
                }
                number.len()
            }
            _ => 1,
        };
    }
    Ok(())
}

/// The message for such a number.
pub(super) const ALTERED: &str = "a number with too many digits; send it as a string";

#[derive(Clone, Copy, Debug, PartialEq)]
enum PathSegment<'a> {
    Field(&'a str),
    Item(usize),
}

/// Returns the path below `prefix`, if it is below it.
fn below(path: &[PathSegment<'_>], prefix: &[&str]) -> Option<String> {
    let (start, rest) = path.split_at_checked(prefix.len())?;
    let is_below = start
        .iter()
        .zip(prefix)
        .all(|(segment, name)| *segment == PathSegment::Field(name));
    let rest = rest.iter().map(|segment| match segment {
        PathSegment::Field(name) => (*name).to_owned(),
        PathSegment::Item(at) => at.to_string(),
    });
    is_below.then(|| rest.collect::<Vec<_>>().join("."))
}

/// Returns the number that begins at `at`, with all characters up to the next separator.
fn number_at(text: &str, at: usize) -> &str {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let length = text.as_bytes()[at..]
        .iter()
        .take_while(|byte| is_of_number(byte))
        .count();
    &text[at..at + length]
}

/// Returns whether a number keeps its value when it is parsed, written and parsed again. A text that is no number is not
/// checked here.
fn is_kept(number: &str) -> bool {
    let written = |text: &str| text.parse::<Number>().map(|number| number.to_string());
    let Ok(first) = written(number) else {
        return true;
    };
    let is_stable = written(&first).is_ok_and(|second| second == first);
    is_stable && value(number) == value(&first)
}

/// Returns the sign, the digits without zeros at either end, and the number of places from the digits to the point.
fn value(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (is_negative, mantissa) = mantissa
        .strip_prefix('-')
        .map_or((false, mantissa), |mantissa| (true, mantissa));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    let places = i64::try_from(digits.len() - kept.len()).ok()? - i64::try_from(fraction.len()).ok()?;
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0));
    }
    let exponent: i64 = exponent.parse().ok()?;
    Some((is_negative, kept.to_owned(), exponent.checked_add(places)?))
}

fn position(before: &str) -> Pos {
    let line = before.lines().count().max(1);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    Pos {
        line: if before.ends_with('\n') { line + 1 } else { line },
        column: before[start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_when_its_value_is() {
        for kept in [
            "0",
            "-0",
            "7",
            "0.1",
            "-1.50",
            "18446744073709551615",
            "-9223372036854775808",
            "1e20",
            "100000000000000000000000",
            "2.5E-3",
            "0.30000000000000004",
            "no number",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
        for altered in [
            "18446744073709551617",
            "123456789012345678901234567890",
            "0.12345678901234567890123",
            "3.14159265358979323846",
            "0.10000000000000000001",
            "1e-400",
        ] {
            assert!(!is_kept(altered), "{altered}");
        }
    }

    #[test]
    fn the_place_of_an_altered_number_is_named() {
        let long = "0.10000000000000000001";
        let json = format!(
            r#"{{"a": {long}, "variables" : {{"b": ["{long}", 1, {{"c\"": 2, "d": [3, {long}]}}], "e": {long}}}}}"#
        );
        assert_eq!(altered_number(&json, &["variables"]).as_deref(), Some("b.2.d.1"));
        assert_eq!(altered_number(&json, &[]).as_deref(), Some("a"));
        assert_eq!(altered_number(&json, &["variables", "f"]), None);
        let document = format!("# {long}\n{{ a(b: \"{long}\", c: [1]\n d: [2, {long}]) }}");
        let refused = check(&document).expect_err("refused");
        assert!(refused.message.contains("\"d\""), "{}", refused.message);
        assert_eq!(refused.locations, [Pos { line: 3, column: 9 }]);
        assert!(check("{ a(b: 1.5) { ...c } }").is_ok());
    }
}
