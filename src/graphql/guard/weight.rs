//! Measures a document, including its fragments, before the library walks it.
//!
//! The library walks the fragments of a document once for each path that leads to them, in its limits and in its validation.
//! Fragments that spread each other can have exponentially many paths. So the parsed document is weighed here first, in one
//! pass that visits each fragment once.

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

use super::{Refused, too_complex};
use crate::graphql::errors::ErrorCode;

/// The maximum depth of fields. The standard introspection query needs 13.
const DEEPEST: usize = 15;
/// The maximum number of fields and fragments in one document, each counted wherever it is spread.
const MOST_SELECTIONS: usize = 1_000;
/// The maximum number of aliases in one document.
const MOST_ALIASES: usize = 100;
/// The maximum number of directives in one document.
const MOST_DIRECTIVES: usize = 100;
/// The maximum number of top-level fields in one query.
const MOST_ROOTS: usize = 20;
/// The maximum number of fragments in one document.
const MOST_FRAGMENTS: usize = 100;
/// The maximum depth of selections, including those of fragments: the library has the same limit.
const DEEPEST_NESTING: usize = 32;

/// The size of a selection, including its fragments.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    selections: usize,
    aliases: usize,
    directives: usize,
    /// The number of fields on its own level.
    roots: usize,
    /// The depth of fields.
    depth: usize,
    /// The depth of selections.
    nesting: usize,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.selections = self.selections.saturating_add(other.selections);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.roots = self.roots.saturating_add(other.roots);
        self.depth = self.depth.max(other.depth);
        self.nesting = self.nesting.max(other.nesting);
    }
}

/// Weighs a document, each fragment once. `None` marks a fragment that is being weighed.
struct Scales<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<&'a Name, Option<Weight>>,
    visited: usize,
}

impl<'a> Scales<'a> {
    fn weigh(&mut self, selections: &'a SelectionSet, level: usize) -> Result<Weight, Refused> {
        if level > DEEPEST_NESTING {
            return Err(too_complex("the selections of the document are nested too deeply"));
        }
        let mut sum = Weight::default();
        for selection in &selections.items {
            self.visited += 1;
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
                directives: weight.directives.saturating_add(selection.node.directives().len()),
                nesting: weight.nesting + 1,
                ..weight
            });
        }
        Ok(sum)
    }

    /// A fragment that does not exist weighs nothing; validation reports it.
    fn fragment(&mut self, name: &Name, level: usize) -> Result<Weight, Refused> {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Weight::default());
        };
        match self.fragments.get(name) {
            Some(Some(weight)) => Ok(*weight),
            Some(None) => {
                let message = "a fragment must not spread itself";
                Err(Refused::new(ErrorCode::BadRequest, message))
            }
            None => {
                self.fragments.insert(name, None);
                let mut weight = self.weigh(&fragment.node.selection_set.node, level)?;
                weight.directives += fragment.node.directives.len();
                self.fragments.insert(name, Some(weight));
                Ok(weight)
            }
        }
    }
}

/// Refuses documents that are too large. All operations count, whichever is executed: the library validates them all. A
/// document that passes can be walked wherever its fragments are spread: that takes at most [`MOST_SELECTIONS`] steps.
///
/// Returns the number of selections that were visited, which measures the work.
pub(super) fn check(document: &ExecutableDocument) -> Result<usize, Refused> {
    if document.fragments.len() > MOST_FRAGMENTS {
        return Err(too_complex("the document has too many fragments"));
    }
    let mut scales = Scales {
        document,
        fragments: HashMap::new(),
        visited: 0,
    };
    let mut sum = Weight::default();
    for (_, operation) in document.operations.iter() {
        let mut weight = scales.weigh(&operation.node.selection_set.node, 0)?;
        if operation.node.ty == OperationType::Query && weight.roots > MOST_ROOTS {
            return Err(too_complex("the query has too many top-level fields"));
        }
        let of_variables = operation.node.variable_definitions.iter();
        weight.directives += of_variables
            .map(|variable| variable.node.directives.len())
            .sum::<usize>();
        weight.directives += operation.node.directives.len();
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
    if sum.directives > MOST_DIRECTIVES {
        return Err(too_complex("the document has too many directives"));
    }
    if sum.depth > DEEPEST || sum.nesting > DEEPEST_NESTING {
        return Err(too_complex("the fields of the document are nested too deeply"));
    }
    Ok(scales.visited)
}

/// Returns whether these directives may leave out their selection.
pub(super) fn is_conditional(directives: &[Positioned<Directive>]) -> bool {
    directives
        .iter()
        .any(|directive| matches!(directive.node.name.node.as_str(), "include" | "skip"))
}
