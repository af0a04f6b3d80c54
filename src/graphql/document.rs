//! What a document is about to do, told before it is executed.

use std::collections::HashSet;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Request, Response};

use super::{errors, weight};

/// What the operation that a request selects is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Whether it changes things.
    pub is_mutation: bool,
    /// Whether it asks for nothing but the schema itself, which is no secret.
    pub is_introspection: bool,
}

/// Reads the intent of a request. The parsed document stays with the request. A document that does not parse, or does not have
/// the operation, or asks for too much, is answered here.
pub fn intent(request: &mut Request) -> Result<Intent, Box<Response>> {
    let refused = |(code, message)| Box::new(errors::refused_request(code, message));
    weight::check_text(&request.query).map_err(refused)?;
    let name = request.operation_name.clone();
    let document = match request.parsed_query() {
        Ok(document) => document,
        Err(error) => {
            let mut response = Response::from_errors(vec![error]);
            errors::tidy(&mut response);
            return Err(Box::new(response));
        }
    };
    weight::check_document(document).map_err(refused)?;
    let Some(operation) = selected(document, name.as_deref()) else {
        let message = match name {
            Some(_) => "the document has no operation of this operationName",
            None => "the document has several operations: operationName must say which",
        };
        return Err(Box::new(errors::refused_request(
            errors::ErrorCode::BadRequest,
            message,
        )));
    };
    let mut seen = HashSet::new();
    Ok(Intent {
        is_mutation: operation.ty == OperationType::Mutation,
        is_introspection: operation.ty == OperationType::Query
            && is_introspection(document, &operation.selection_set.node, &mut seen),
    })
}

/// The operation that a name selects; without one, the only operation.
pub(super) fn selected<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    match name {
        Some(wanted) => operations
            .find(|(name, _)| name.is_some_and(|name| name.as_str() == wanted))
            .map(|(_, operation)| &operation.node),
        None => operations
            .next()
            .filter(|_| operations.next().is_none())
            .map(|(_, operation)| &operation.node),
    }
}

/// Looks into each fragment once: fragments that spread one another can be walked in exponentially many ways.
fn is_introspection<'a>(
    document: &'a ExecutableDocument,
    selections: &'a SelectionSet,
    seen: &mut HashSet<&'a Name>,
) -> bool {
    selections.items.iter().all(|selection| match &selection.node {
        Selection::Field(field) => field.node.name.node.starts_with("__"),
        Selection::InlineFragment(fragment) => is_introspection(document, &fragment.node.selection_set.node, seen),
        Selection::FragmentSpread(spread) => {
            let name = &spread.node.fragment_name.node;
            !seen.insert(name)
                || document
                    .fragments
                    .get(name)
                    .is_some_and(|fragment| is_introspection(document, &fragment.node.selection_set.node, seen))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Intent, Box<Response>> {
        intent(&mut Request::new(query))
    }

    #[test]
    fn only_the_schema_itself_is_introspection() {
        for query in [
            "{ __schema { types { name } } }",
            "query { ...A ...A } fragment A on Query { __typename }",
            "{ ... on Query { __type(name: \"Query\") { name } } }",
        ] {
            assert!(read(query).expect("parses").is_introspection, "{query}");
        }
        for query in [
            "{ viewer { kind } }",
            "{ __typename viewer { kind } }",
            "query { ...A } fragment A on Query { ...B } fragment B on Query { viewer { kind } }",
            "mutation { __typename }",
            "{ ...Missing }",
        ] {
            assert!(!read(query).expect("parses").is_introspection, "{query}");
        }
    }

    #[test]
    fn a_document_without_the_operation_is_answered() {
        assert!(read("{ a").is_err());
        assert!(read("query A { a } query B { b }").is_err());
        let mut request = Request::new("query A { a } mutation B { b }").operation_name("B");
        assert!(intent(&mut request).expect("parses").is_mutation);
    }
}
