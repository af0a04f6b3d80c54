//! U+0000, which PostgreSQL can neither store nor compare: wherever a text is accepted, it is an error of the caller, not of
//! the server.
//!
//! The requests are derived from the published schema, so that a new text is tested too.

use std::collections::BTreeMap;

use graphql_parser::schema::{Definition, Field, InputValue, Type, TypeDefinition, parse_schema};
use serde_json::{Map, Value, json};

use crate::harness::TestApp;

const NUL: &str = "a\u{0}b";

struct Schema {
    types: BTreeMap<String, TypeDefinition<'static, String>>,
    /// The values of required inputs and arguments.
    known: BTreeMap<&'static str, Value>,
}

impl Schema {
    async fn of(app: &TestApp) -> Self {
        let document = parse_schema::<String>(&ledgerbell::graphql::sdl())
            .expect("a schema")
            .into_static();
        let types = document
            .definitions
            .into_iter()
            .filter_map(|definition| match definition {
                Definition::TypeDefinition(of) => Some((name_of(&of)?, of)),
                _ => None,
            });
        let top_up = app.top_up(20).await;
        let known = BTreeMap::from([
            ("id", json!(app.team.id())),
            ("accountId", json!(app.team.id())),
            ("memberId", json!(app.team.member.id())),
            ("topUpId", json!(top_up.id.global(app.team.account.id).to_string())),
            ("gatewayToken", json!("card_ok")),
            ("externalId", json!("mia")),
            ("startsAt", json!(app.in_minutes(5))),
            ("endsAt", json!(app.in_minutes(25))),
            ("permissions", json!(["READ_OWN_USAGE"])),
        ]);
        Self {
            types: types.collect(),
            known,
        }
    }

    fn fields(&self, name: &str) -> &[Field<'static, String>] {
        match &self.types[name] {
            TypeDefinition::Object(of) => &of.fields,
            other => panic!("{name} is no object: {other:?}"),
        }
    }

    /// Returns a value for a required input or argument.
    fn sample(&self, name: &str, of: &Type<'static, String>) -> Value {
        match of {
            Type::NonNullType(inner) => self.sample(name, inner),
            Type::ListType(inner) => self
                .known
                .get(name)
                .cloned()
                .unwrap_or_else(|| json!([self.sample(name, inner)])),
            Type::NamedType(named) => match (self.known.get(name), self.types.get(named)) {
                (Some(known), _) => known.clone(),
                (None, Some(TypeDefinition::Enum(of))) => json!(of.values[0].name),
                (None, Some(TypeDefinition::InputObject(of))) => Value::Object(self.needed(&of.fields)),
                (None, _) => match named.as_str() {
                    "Int" => json!(1),
                    "Boolean" => json!(false),
                    "Currency" => json!("EUR"),
                    "TimeZone" => json!("UTC"),
                    "DateTime" => json!("2026-03-02T10:00:00.000Z"),
                    _ => json!("1"),
                },
            },
        }
    }

    fn needed(&self, values: &[InputValue<'static, String>]) -> Map<String, Value> {
        let needed = values.iter().filter(|value| {
            let is_required = matches!(value.value_type, Type::NonNullType(_)) && value.default_value.is_none();
            is_required || value.name == "accountId"
        });
        needed
            .map(|value| (value.name.clone(), self.sample(&value.name, &value.value_type)))
            .collect()
    }

    /// Returns all ways to fill these values so that one text in them contains U+0000, each with its position.
    fn spoiled(&self, values: &[InputValue<'static, String>], depth: usize) -> Vec<(String, Map<String, Value>)> {
        let mut all = Vec::new();
        for value in values {
            for (path, spoiled) in self.spoiled_value(&value.value_type, depth) {
                let mut filled = self.needed(values);
                filled.insert(value.name.clone(), spoiled);
                all.push((format!("{}{path}", value.name), filled));
            }
        }
        all
    }

    fn spoiled_value(&self, of: &Type<'static, String>, depth: usize) -> Vec<(String, Value)> {
        match of {
            Type::NonNullType(inner) => self.spoiled_value(inner, depth),
            Type::ListType(inner) => {
                let inner = self.spoiled_value(inner, depth).into_iter();
                inner.map(|(path, value)| (path, json!([value]))).collect()
            }
            Type::NamedType(named) => match self.types.get(named) {
                Some(TypeDefinition::InputObject(of)) if depth > 0 => {
                    let inner = self.spoiled(&of.fields, depth - 1).into_iter();
                    inner
                        .map(|(path, value)| (format!(".{path}"), Value::Object(value)))
                        .collect()
                }
                Some(TypeDefinition::Scalar(_)) | None if !["Int", "Boolean", "Float"].contains(&named.as_str()) => {
                    vec![(String::new(), json!(NUL))]
                }
                _ => Vec::new(),
            },
        }
    }

    /// Returns a call of a field with arguments by variables, inside the fields that lead to it.
    fn document(&self, operation: &str, (before, after): (&str, &str), field: &Field<'static, String>) -> String {
        let declared: Vec<String> = field
            .arguments
            .iter()
            .map(|of| format!("${}: {}", of.name, of.value_type))
            .collect();
        let given: Vec<String> = field.arguments.iter().map(|of| format!("{0}: ${0}", of.name)).collect();
        let selection = match self.types.get(inner_name(&field.field_type)) {
            Some(TypeDefinition::Object(_) | TypeDefinition::Interface(_)) => "{ __typename }",
            _ => "",
        };
        let (declared, given) = (declared.join(", "), given.join(", "));
        format!(
            "{operation}({declared}) {{ {before}{}({given}) {selection}{after} }}",
            field.name
        )
    }
}

fn name_of(definition: &TypeDefinition<'static, String>) -> Option<String> {
    match definition {
        TypeDefinition::Scalar(of) => Some(of.name.clone()),
        TypeDefinition::Object(of) => Some(of.name.clone()),
        TypeDefinition::Interface(of) => Some(of.name.clone()),
        TypeDefinition::Enum(of) => Some(of.name.clone()),
        TypeDefinition::InputObject(of) => Some(of.name.clone()),
        TypeDefinition::Union(_) => None,
    }
}

fn inner_name<'a>(of: &'a Type<'static, String>) -> &'a str {
    match of {
        Type::NonNullType(inner) | Type::ListType(inner) => inner_name(inner),
        Type::NamedType(name) => name,
    }
}

#[tokio::test]
async fn a_nul_in_any_text_of_a_request_is_no_failure_of_the_service() {
    let app = TestApp::start_with(&[("limits.rate", "0")]).await;
    let schema = Schema::of(&app).await;
    let account = format!("node(id: \"{}\") {{ ... on Account {{ ", app.team.id());
    let member = format!("node(id: \"{}\") {{ ... on Member {{ ", app.team.member.id());
    let mut tried = 0;
    for (operation, of, path) in [
        ("mutation", "Mutation", ("", "")),
        ("query", "Query", ("", "")),
        ("query", "Account", (account.as_str(), " } }")),
        ("query", "Member", (member.as_str(), " } }")),
    ] {
        for field in schema.fields(of) {
            let document = schema.document(operation, path, field);
            for (at, (place, variables)) in schema.spoiled(&field.arguments, 3).into_iter().enumerate() {
                let mut variables = Value::Object(variables);
                let key = variables.pointer_mut("/input/idempotencyKey").filter(|key| *key != NUL);
                if let Some(key) = key {
                    *key = json!(format!("{} {at}", field.name));
                }
                let answer = app.platform.query(&document, variables).await;
                let errors = answer.body["errors"].as_array().into_iter().flatten();
                let codes: Vec<&Value> = errors.map(|error| &error["extensions"]["code"]).collect();
                let is_theirs = codes.iter().all(|code| *code == "BAD_REQUEST");
                assert!(
                    is_theirs && answer.status.as_u16() < 500,
                    "{of}.{}({place}): {}",
                    field.name,
                    answer.body
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried} texts");
}
