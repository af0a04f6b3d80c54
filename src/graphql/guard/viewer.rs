//! Finds documents with fields that depend on the caller.

use std::collections::HashSet;

use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use super::types::{Field, Types};

/// Returns whether any operation of a document selects a field that the schema marks. `is_meant` tests the mark.
pub(super) fn selects(types: &Types, document: &ExecutableDocument, is_meant: fn(&Field) -> bool) -> bool {
    let mut search = Search {
        types,
        document,
        is_meant,
        seen: HashSet::new(),
    };
    document.operations.iter().any(|(_, operation)| {
        let root = match operation.node.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        search.finds(root, &operation.node.selection_set.node)
    })
}

struct Search<'a> {
    types: &'a Types,
    document: &'a ExecutableDocument,
    is_meant: fn(&Field) -> bool,
    /// Fragments that were searched; each names its own type.
    seen: HashSet<&'a str>,
}

impl<'a> Search<'a> {
    fn finds(&mut self, on_type: &str, selections: &'a SelectionSet) -> bool {
        selections.items.iter().any(|selection| match &selection.node {
            Selection::Field(field) => {
                let Some(known) = self.types.field(on_type, field.node.name.node.as_str()) else {
                    // `__typename`, or an unknown field, which validation refuses.
                    return false;
                };
                // Selections on a union are in fragments, which name their type.
                let returned = known.returns.as_deref().unwrap_or_default();
                (self.is_meant)(known) || self.finds(returned, &field.node.selection_set.node)
            }
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let on_type = condition.map_or(on_type, |condition| condition.node.on.node.as_str());
                self.finds(on_type, &fragment.node.selection_set.node)
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
                    return false;
                };
                let on_type = fragment.node.type_condition.node.on.node.as_str();
                self.seen.insert(name.as_str()) && self.finds(on_type, &fragment.node.selection_set.node)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::super::types_of_schema;
    use super::*;

    fn finds(text: &str) -> bool {
        selects(types_of_schema(), &parse_query(text).expect("a document"), |field| {
            field.is_of_viewer
        })
    }

    #[test]
    fn what_depends_on_the_viewer_is_found_wherever_it_is() {
        for text in [
            "subscription { alertRaised { cursor } }",
            "subscription { accountUpdated { account { unreadAlerts: alerts { nodes { id } } } } }",
            "subscription { creditEntryPosted { entry { member { contact { email } } } } }",
            "subscription { creditEntryPosted { entry { ...E } } } fragment M on Member { usage { net } } fragment E on CreditEntry { member { ...M } }",
            "subscription { sessionUpdated { ... on SessionEvent { session { member { ... { notificationSettings { version } } } } } } }",
            "subscription { balanceChanged { account { creditLogExport { url } } } }",
        ] {
            assert!(finds(text), "{text}");
        }
        for text in [
            "subscription { accountUpdated { account { name balance { posted } } entries { amount member { name role } } } }",
            "subscription { creditEntryPosted { __typename entry { contact: amount alerts: id } } }",
            "subscription { topUpUpdated { topUp { id canRetry attempts { outcome } } } }",
        ] {
            assert!(!finds(text), "{text}");
        }
    }
}
