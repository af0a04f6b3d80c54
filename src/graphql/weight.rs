//! How much a document asks for, counted before the library looks at it.
//!
//! The library walks the fragments of a document once for each way that leads to them, in its limits as in its validation, and
//! fragments that spread one another can be reached in exponentially many ways. So everything is counted here first: the text in
//! one pass without recursion, and the parsed document in one pass that visits each fragment once.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use super::errors::ErrorCode;

/// Fields below fields, at the most. The standard introspection query needs 13.
pub(super) const DEEPEST: usize = 15;
/// Fields and fragments of one document at the most, each counted wherever it is spread.
const MOST_SELECTIONS: usize = 1_000;
/// Aliases of one document at the most.
pub(super) const MOST_ALIASES: usize = 100;
/// Fields of one query at its top, at the most.
const MOST_ROOTS: usize = 20;
/// Fragments of one document at the most.
const MOST_FRAGMENTS: usize = 100;
/// Selections within one another, those of fragments included, at the most: the library's own limit.
const DEEPEST_NESTING: usize = 32;
/// Words and signs of a document at the most: enough for a hundred bookings written out.
const MOST_TOKENS: usize = 8_000;
/// Brackets within one another at the most: the parser takes its stack for each.
const DEEPEST_BRACKETS: usize = 64;

/// Why a document is not looked at.
pub(super) type Refused = (ErrorCode, &'static str);

const fn too_complex(message: &'static str) -> Refused {
    (ErrorCode::TooComplex, message)
}

/// Refuses texts that are too much to parse.
pub(super) fn check_text(text: &str) -> Result<(), Refused> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut brackets) = (0, 0_usize, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        at += match byte {
            b'#' => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            b' ' | b'\t' | b'\n' | b'\r' | b',' => 1,
            b'"' => {
                tokens += 1;
                length_of_string(rest).ok_or((ErrorCode::BadRequest, "a string in the document does not end"))?
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
    Ok(())
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

/// What a selection asks for, its fragments included.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    selections: usize,
    aliases: usize,
    /// Fields of its own level.
    roots: usize,
    /// Fields within one another.
    depth: usize,
    /// Selections within one another.
    nesting: usize,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.selections = self.selections.saturating_add(other.selections);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.roots = self.roots.saturating_add(other.roots);
        self.depth = self.depth.max(other.depth);
        self.nesting = self.nesting.max(other.nesting);
    }
}

/// Weighs a document, each fragment once. `None` stands for a fragment that is being weighed.
struct Scales<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<&'a Name, Option<Weight>>,
}

impl<'a> Scales<'a> {
    fn weigh(&mut self, selections: &'a SelectionSet, level: usize) -> Result<Weight, Refused> {
        if level > DEEPEST_NESTING {
            return Err(too_complex("the document has too many selections within one another"));
        }
        let mut sum = Weight::default();
        for selection in &selections.items {
            let weight = match &selection.node {
                Selection::Field(field) => {
                    let below = self.weigh(&field.node.selection_set.node, level + 1)?;
                    Weight {
                        aliases: below.aliases.saturating_add(usize::from(field.node.alias.is_some())),
                        roots: 1,
                        depth: below.depth + 1,
                        ..below
                    }
                }
                Selection::InlineFragment(fragment) => self.weigh(&fragment.node.selection_set.node, level + 1)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, level + 1)?,
            };
            sum.add(Weight {
                selections: weight.selections.saturating_add(1),
                nesting: weight.nesting + 1,
                ..weight
            });
        }
        Ok(sum)
    }

    /// Of a fragment that does not exist nothing is asked; validation says so.
    fn fragment(&mut self, name: &Name, level: usize) -> Result<Weight, Refused> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Weight::default());
        };
        match self.fragments.get(name) {
            Some(Some(weight)) => Ok(*weight),
            Some(None) => Err((ErrorCode::BadRequest, "a fragment must not spread itself")),
            None => {
                self.fragments.insert(name, None);
                let weight = self.weigh(&fragment.node.selection_set.node, level)?;
                self.fragments.insert(name, Some(weight));
                Ok(weight)
            }
        }
    }
}

/// Refuses documents that ask for too much. All operations count, whichever is to run: the library validates them all.
pub(super) fn check_document(document: &ExecutableDocument) -> Result<(), Refused> {
    if document.fragments.len() > MOST_FRAGMENTS {
        return Err(too_complex("the document has too many fragments"));
    }
    let mut scales = Scales {
        document,
        fragments: HashMap::new(),
    };
    let mut sum = Weight::default();
    for (_, operation) in document.operations.iter() {
        let weight = scales.weigh(&operation.node.selection_set.node, 0)?;
        if operation.node.ty == OperationType::Query && weight.roots > MOST_ROOTS {
            return Err(too_complex("the query has too many fields at its top"));
        }
        sum.add(weight);
    }
    for name in document.fragments.keys() {
        scales.fragment(name, 0)?;
    }
    if sum.selections > MOST_SELECTIONS {
        return Err(too_complex("the document asks for too many fields"));
    }
    if sum.aliases > MOST_ALIASES {
        return Err(too_complex("the document has too many aliases"));
    }
    if sum.depth > DEEPEST || sum.nesting > DEEPEST_NESTING {
        return Err(too_complex("the document has too many fields within one another"));
    }
    Ok(())
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
            assert_eq!(check_text(&text), Ok(()), "{text}");
        }
        for text in [
            format!("\"\"\" a\" {brackets}"),
            format!("\"a\n {brackets}"),
            format!("# a\n {brackets}"),
            format!("\"\\\"\" {brackets}"),
            format!("\"\" {brackets}"),
        ] {
            assert!(check_text(&text).is_err(), "{text}");
        }
    }
}
