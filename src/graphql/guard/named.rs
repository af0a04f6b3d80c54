//! Finds the accounts that an operation names by ids: those of all ids in the arguments of its document, and in its variables.

use std::convert::Infallible;

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::{ConstValue, Value};

use crate::primitives::ids::{AccountId, GlobalId};

/// Returns the accounts of the ids in a document: in the arguments of its fields, and in the defaults of its variables.
pub(super) fn in_document(document: &ExecutableDocument) -> Vec<AccountId> {
    let mut found = Vec::new();
    for (_, operation) in document.operations.iter() {
        let definitions = operation.node.variable_definitions.iter();
        for default in definitions.filter_map(|definition| definition.node.default_value.as_ref()) {
            in_value(&default.node, &mut found);
        }
        in_selections(&operation.node.selection_set.node, &mut found);
    }
    for fragment in document.fragments.values() {
        in_selections(&fragment.node.selection_set.node, &mut found);
    }
    found
}

/// Returns the accounts of the ids in variables.
pub(super) fn in_variables(variables: &Variables) -> Vec<AccountId> {
    let mut found = Vec::new();
    for value in variables.values() {
        in_value(value, &mut found);
    }
    found
}

/// Fragments are visited separately.
fn in_selections(selections: &SelectionSet, found: &mut Vec<AccountId>) {
    for selection in &selections.items {
        match &selection.node {
            Selection::Field(field) => {
                for (_, value) in &field.node.arguments {
                    in_argument(&value.node, found);
                }
                in_selections(&field.node.selection_set.node, found);
            }
            Selection::InlineFragment(fragment) => in_selections(&fragment.node.selection_set.node, found),
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// The values of variables are searched by [`in_variables`].
fn in_argument(value: &Value, found: &mut Vec<AccountId>) {
    let without_variables = value.clone().into_const_with(|_| Ok::<_, Infallible>(ConstValue::Null));
    match without_variables {
        Ok(value) => in_value(&value, found),
        Err(never) => match never {},
    }
}

fn in_value(value: &ConstValue, found: &mut Vec<AccountId>) {
    match value {
        ConstValue::String(text) => found.extend(text.parse::<GlobalId>().ok().map(|id| id.account_id)),
        ConstValue::List(items) => {
            for item in items {
                in_value(item, found);
            }
        }
        ConstValue::Object(fields) => {
            for field in fields.values() {
                in_value(field, found);
            }
        }
        ConstValue::Null
        | ConstValue::Number(_)
        | ConstValue::Boolean(_)
        | ConstValue::Binary(_)
        | ConstValue::Enum(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_found_wherever_they_are() {
        let ids: Vec<String> = (1..=6)
            .map(|number| AccountId::from_number(number).to_string())
            .collect();
        let text = format!(
            r#"query Q($a: ID = "{}") {{
                account(id: "{}") {{ ...F ... on Account {{ creditLog(filter: {{ memberIds: ["{}"] }}) {{ liveCursor }} }} }}
                account(externalId: "of {}") {{ liveCursor }} # {}
            }}
            fragment F on Account {{ session(externalId: "{}") {{ id }} }}"#,
            ids[0], ids[1], ids[2], ids[3], ids[4], ids[5]
        );
        let mut found = in_document(&parse_query(text).expect("a document"));
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 6].map(AccountId::from_number));

        let variables =
            Variables::from_json(json!({ "input": { "ids": [ids[0], 7] }, "id": ids[1], "no": ids[2].to_uppercase() }));
        let mut found = in_variables(&variables);
        found.sort_unstable();
        assert_eq!(found, [1, 2].map(AccountId::from_number));
    }
}
