//! Checks variables against their definitions before the execution.
//!
//! The specification coerces variables first (*Coercing Variable Values*). The library checks a variable only where it is used:
//! a missing required variable becomes null there, and a text is accepted in place of an object.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use async_graphql::parser::types::{BaseType, InputObjectType, OperationDefinition, Type};
use async_graphql::{Name, Variables};
use async_graphql_value::ConstValue;

/// A type that variables may have.
#[derive(Debug)]
pub(super) enum Input {
    /// The library checks the value.
    Scalar,
    Enum(HashSet<String>),
    Object(BTreeMap<String, InputField>),
}

#[derive(Debug)]
pub(super) struct InputField {
    ty: Type,
    has_default: bool,
}

impl InputField {
    pub(super) const fn ty(&self) -> &Type {
        &self.ty
    }
}

impl Input {
    pub(super) fn object(definition: &InputObjectType) -> Self {
        let fields = definition.fields.iter().map(|field| {
            let input = InputField {
                ty: field.node.ty.node.clone(),
                has_default: field.node.default_value.is_some(),
            };
            (field.node.name.node.to_string(), input)
        });
        Self::Object(fields.collect())
    }
}

/// The types that variables may have, by name.
pub(super) type Inputs = HashMap<String, Input>;

/// A variable of an operation.
#[derive(Debug)]
pub(super) struct Definition {
    name: Name,
    ty: Type,
    has_default: bool,
}

impl Definition {
    pub(super) fn all(operation: &OperationDefinition) -> Vec<Self> {
        let definitions = operation.variable_definitions.iter();
        definitions
            .map(|definition| Self {
                name: definition.node.name.node.clone(),
                ty: definition.node.var_type.node.clone(),
                has_default: definition.node.default_value.is_some(),
            })
            .collect()
    }
}

/// The position of an error in the variables, such as `$input.items[3].credits`.
enum VariablePath<'a> {
    Variable(&'a str),
    Field(&'a VariablePath<'a>, &'a str),
    Item(&'a VariablePath<'a>, usize),
}

impl fmt::Display for VariablePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "${name}"),
            Self::Field(outer, name) => write!(f, "{outer}.{name}"),
            Self::Item(outer, at) => write!(f, "{outer}[{at}]"),
        }
    }
}

impl VariablePath<'_> {
    /// Returns the position as a path: the variable and all further parts, separated by dots.
    fn path(&self) -> String {
        match self {
            Self::Variable(name) => (*name).to_owned(),
            Self::Field(outer, name) => format!("{}.{name}", outer.path()),
            Self::Item(outer, at) => format!("{}.{at}", outer.path()),
        }
    }

    /// Returns an error at this position; the message begins with the position.
    fn wrong(&self, what: impl fmt::Display) -> WrongVariable {
        WrongVariable {
            path: self.path(),
            message: format!("{self} {what}"),
        }
    }
}

/// A variable that does not match its definition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongVariable {
    /// The position, such as `input.items.3.credits`.
    pub(super) path: String,
    /// A human-readable explanation.
    pub(super) message: String,
}

pub(super) fn check(definitions: &[Definition], given: &Variables, inputs: &Inputs) -> Result<(), WrongVariable> {
    for Definition { name, ty, has_default } in definitions {
        let path = VariablePath::Variable(name);
        match given.get(name) {
            Some(value) => check_value(&path, value, ty, inputs)?,
            None if !ty.nullable && !has_default => return Err(path.wrong(format!("must be given: it is {ty}"))),
            None => {}
        }
    }
    Ok(())
}

fn check_value(path: &VariablePath<'_>, value: &ConstValue, ty: &Type, inputs: &Inputs) -> Result<(), WrongVariable> {
    if matches!(value, ConstValue::Null) {
        return if ty.nullable {
            Ok(())
        } else {
            Err(path.wrong(format!("must not be null: it is {ty}")))
        };
    }
    match (&ty.base, value) {
        (BaseType::List(of), ConstValue::List(items)) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(at, item)| check_value(&VariablePath::Item(path, at), item, of, inputs))
        }
        // A single item is accepted as a list of one item.
        (BaseType::List(of), value) => check_value(path, value, of, inputs),
        (BaseType::Named(name), value) => check_named(path, value, name, inputs),
    }
}

fn check_named(path: &VariablePath<'_>, value: &ConstValue, name: &Name, inputs: &Inputs) -> Result<(), WrongVariable> {
    let wrong = |what: &str| Err(path.wrong(format!("must be {what}: it is {name}")));
    let number = match value {
        ConstValue::Number(number) => Some(number),
        _ => None,
    };
    match (name.as_str(), inputs.get(name.as_str())) {
        ("Int", _) => {
            let whole = number.and_then(serde_json::Number::as_i64);
            if whole.is_some_and(|whole| i32::try_from(whole).is_ok()) {
                Ok(())
            } else {
                wrong("a whole number of 32 bits")
            }
        }
        ("Float", _) if number.is_none() => wrong("a number"),
        ("String", _) if !matches!(value, ConstValue::String(_)) => wrong("a text"),
        ("Boolean", _) if !matches!(value, ConstValue::Boolean(_)) => wrong("true or false"),
        ("ID", _) => {
            let is_whole = number.is_some_and(|number| number.is_i64() || number.is_u64());
            if is_whole || matches!(value, ConstValue::String(_)) {
                Ok(())
            } else {
                wrong("a text")
            }
        }
        (_, Some(Input::Enum(values))) => match value {
            ConstValue::String(value) if values.contains(value) => Ok(()),
            _ => wrong("one of the enum's values"),
        },
        (_, Some(Input::Object(fields))) => check_object(path, value, name, fields, inputs),
        // Validation reports types that do not exist.
        _ => Ok(()),
    }
}

fn check_object(
    path: &VariablePath<'_>,
    value: &ConstValue,
    name: &Name,
    fields: &BTreeMap<String, InputField>,
    inputs: &Inputs,
) -> Result<(), WrongVariable> {
    let ConstValue::Object(object) = value else {
        return Err(path.wrong(format!("must be an object: it is {name}")));
    };
    for (name, value) in object {
        let path = VariablePath::Field(path, name);
        match fields.get(name.as_str()) {
            Some(field) => check_value(&path, value, &field.ty, inputs)?,
            None => return Err(path.wrong("does not exist")),
        }
    }
    let missing = fields.iter().find(|(name, field)| {
        let is_required = !field.ty.nullable && !field.has_default;
        is_required && !object.contains_key(name.as_str())
    });
    match missing {
        Some((name, field)) => {
            let ty = &field.ty;
            Err(VariablePath::Field(path, name).wrong(format!("must be given: it is {ty}")))
        }
        None => Ok(()),
    }
}
