//! Inspects the operations of a document before one is executed.

use async_graphql::Name;
pub use async_graphql::parser::types::OperationType as OperationKind;
use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet};

use super::cost::OperationCost;
use super::types::Types;
use super::variables::Definition;
use super::weight::is_conditional;
use super::{Refused, too_complex};
use crate::graphql::errors::ErrorCode;

/// An inspected operation of a document.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: Option<Name>,
    pub(super) kind: OperationKind,
    /// Whether it queries only the schema itself, which is public.
    pub(super) is_introspection: bool,
    /// Whether it selects `__schema` or `__type`, perhaps beside other fields.
    pub(super) selects_schema: bool,
    pub(super) cost: OperationCost,
    pub(super) variables: Vec<Definition>,
}

impl Operation {
    /// Inspects an operation of a document that was weighed.
    pub(super) fn read(
        document: &ExecutableDocument,
        name: Option<&Name>,
        operation: &OperationDefinition,
        types: &Types,
    ) -> Result<Self, Refused> {
        let mut roots = Roots::default();
        roots.collect(document, &operation.selection_set.node);
        check_roots(operation.ty, &roots, types)?;
        Ok(Self {
            name: name.cloned(),
            kind: operation.ty,
            is_introspection: operation.ty == OperationKind::Query
                && !roots.are_incomplete
                && roots.fields.iter().all(|field| field.name.node.starts_with("__")),
            selects_schema: roots
                .fields
                .iter()
                .any(|field| matches!(field.name.node.as_str(), "__schema" | "__type")),
            cost: OperationCost::of(document, operation, types),
            variables: Definition::all(operation),
        })
    }
}

/// The top-level fields of an operation, including those of fragments.
#[derive(Default)]
struct Roots<'a> {
    fields: Vec<&'a Field>,
    /// Whether `@skip` or `@include` may leave one out.
    are_conditional: bool,
    /// Whether a fragment is missing.
    are_incomplete: bool,
}

impl<'a> Roots<'a> {
    fn collect(&mut self, document: &'a ExecutableDocument, selections: &'a SelectionSet) {
        for selection in &selections.items {
            self.are_conditional |= is_conditional(selection.node.directives());
            match &selection.node {
                Selection::Field(field) => self.fields.push(&field.node),
                Selection::InlineFragment(fragment) => self.collect(document, &fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => match document.fragments.get(&spread.node.fragment_name.node) {
                    Some(fragment) => self.collect(document, &fragment.node.selection_set.node),
                    None => self.are_incomplete = true,
                },
            }
        }
    }
}

/// Allows one root field for a subscription, as the specification requires, and for a mutation that moves credits. So a
/// response reports one movement, and a retry with its key repeats exactly that movement.
fn check_roots(kind: OperationKind, roots: &Roots<'_>, types: &Types) -> Result<(), Refused> {
    let bad = |message| Err(Refused::new(ErrorCode::BadRequest, message));
    match kind {
        OperationKind::Subscription if roots.fields.len() != 1 => {
            bad("a subscription must have exactly one top-level field")
        }
        OperationKind::Subscription if roots.are_conditional => {
            bad("@skip and @include are not allowed at the top level of a subscription")
        }
        OperationKind::Subscription if roots.fields[0].name.node.starts_with("__") => {
            bad("the top-level field of a subscription must not be an introspection field")
        }
        OperationKind::Subscription | OperationKind::Query => Ok(()),
        OperationKind::Mutation => {
            let moves = |field: &&&Field| {
                let known = types.field("Mutation", &field.name.node);
                known.is_some_and(|known| known.moves_credits)
            };
            let moving = roots.fields.iter().filter(moves).count();
            if moving > 0 && roots.fields.len() > 1 {
                return Err(too_complex(
                    "a mutation that moves credits must be the only field of its operation: send one at a time, or use bookSessions and completeSessions",
                ));
            }
            Ok(())
        }
    }
}
