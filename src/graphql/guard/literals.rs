//! Requires enum values in a document to be names: the library also accepts strings.

use async_graphql::parser::types::{BaseType, ExecutableDocument, Selection, SelectionSet, Type};
use async_graphql::{Name, Pos, Positioned, ServerError};
use async_graphql_value::Value;

use super::types::Types;
use super::variables::{Input, InputField};

/// Refuses a document with a string where an enum value is expected. Visits each selection once, wherever its fragment is
/// spread.
pub(super) fn check(document: &ExecutableDocument, types: &Types) -> Result<(), ServerError> {
    let literals = Literals { types };
    for (_, operation) in document.operations.iter() {
        for definition in &operation.node.variable_definitions {
            let Some(default) = &definition.node.default_value else {
                continue;
            };
            let value = default.node.clone().into_value();
            if literals.has_text_for_enum(&value, &definition.node.var_type.node) {
                return Err(refused(&definition.node.name));
            }
        }
        let root = super::types::root(operation.node.ty);
        literals.check_selections(&operation.node.selection_set.node, Some(root))?;
    }
    document.fragments.values().try_for_each(|fragment| {
        let on_type = fragment.node.type_condition.node.on.node.as_str();
        literals.check_selections(&fragment.node.selection_set.node, Some(on_type))
    })
}

fn refused(argument: &Positioned<Name>) -> ServerError {
    let name = &argument.node;
    let message = format!("Invalid value for argument \"{name}\", an enum's value is written without quotes");
    let pos: Pos = argument.pos;
    ServerError::new(message, Some(pos))
}

struct Literals<'a> {
    types: &'a Types,
}

impl Literals<'_> {
    fn check_selections(&self, selections: &SelectionSet, on_type: Option<&str>) -> Result<(), ServerError> {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let known = on_type.and_then(|on_type| self.types.field(on_type, &field.name.node));
                    for (name, value) in &field.arguments {
                        let ty = known.and_then(|known| known.arguments.get(name.node.as_str()));
                        if ty.is_some_and(|ty| self.has_text_for_enum(&value.node, ty)) {
                            return Err(refused(name));
                        }
                    }
                    let returns = known.and_then(|known| known.returns.as_deref());
                    self.check_selections(&field.selection_set.node, returns)?;
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on_type = condition.map(|condition| condition.node.on.node.as_str()).or(on_type);
                    self.check_selections(&fragment.node.selection_set.node, on_type)?;
                }
                // Fragments are visited separately.
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    fn has_text_for_enum(&self, value: &Value, ty: &Type) -> bool {
        let name = match (&ty.base, value) {
            (BaseType::List(of), Value::List(items)) => {
                return items.iter().any(|item| self.has_text_for_enum(item, of));
            }
            (BaseType::List(of), value) => return self.has_text_for_enum(value, of),
            (BaseType::Named(name), _) => name,
        };
        match (self.types.inputs().get(name.as_str()), value) {
            (Some(Input::Enum(_)), Value::String(_)) => true,
            (Some(Input::Object(fields)), Value::Object(given)) => given.iter().any(|(name, value)| {
                let field: Option<&InputField> = fields.get(name.as_str());
                field.is_some_and(|field| self.has_text_for_enum(value, field.ty()))
            }),
            _ => false,
        }
    }
}
