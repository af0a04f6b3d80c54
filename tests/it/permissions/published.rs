//! The published schema, and a request for each of its fields. A request need not be valid: a missing permission is reported
//! before everything else.

use std::collections::BTreeMap;

use graphql_parser::schema::{Definition, Field, InputObjectType, Type, TypeDefinition, parse_schema};
use serde_json::{Map, Value, json};

use super::things::Things;

pub(super) struct Published {
    types: BTreeMap<String, TypeDefinition<'static, String>>,
}

impl Published {
    pub(super) fn read() -> Self {
        let document = parse_schema::<String>(&ledgerbell::graphql::sdl())
            .expect("a schema")
            .into_static();
        let types = document
            .definitions
            .into_iter()
            .filter_map(|definition| match definition {
                Definition::TypeDefinition(definition) => Some((name_of(&definition), definition)),
                _ => None,
            });
        Self { types: types.collect() }
    }

    pub(super) fn fields(&self, name: &str) -> Vec<Field<'static, String>> {
        match &self.types[name] {
            TypeDefinition::Object(object) => object.fields.clone(),
            _ => panic!("{name} is no object"),
        }
    }

    /// Returns the names of all object types that implement `interface`, or of all object types.
    pub(super) fn objects(&self, interface: Option<&str>) -> Vec<String> {
        let objects = self.types.iter().filter(|(_, of)| match of {
            TypeDefinition::Object(of) => {
                interface.is_none_or(|name| of.implements_interfaces.iter().any(|of| of == name))
            }
            _ => false,
        });
        objects.map(|(name, _)| name.clone()).collect()
    }

    /// Returns a value for the input field of this name and type.
    fn sample_of(&self, name: &str, of: &Type<'static, String>, things: &Things) -> Value {
        match name {
            "memberId" => json!(things.of("Member")),
            "apiKeyId" => json!(things.of("ApiKey")),
            "topUpId" => json!(things.of("TopUp")),
            "paymentMethodId" => json!(things.of("PaymentMethod")),
            "notificationAddressId" => json!(things.of("NotificationAddress")),
            "deliveryId" => json!(things.of("Delivery")),
            "webhookEndpointId" => json!(things.of("WebhookEndpoint")),
            "webhookMessageId" => json!(things.of("WebhookMessage")),
            "alertIds" => json!([things.of("Alert")]),
            // A key cannot create a key with more permissions than its own.
            "permissions" => json!(["MANAGE_API_KEYS"]),
            _ => self.sample(of, things),
        }
    }

    /// Returns a value of this type, with required fields only.
    pub(super) fn sample(&self, of: &Type<'static, String>, things: &Things) -> Value {
        match of {
            Type::NonNullType(inner) => self.sample(inner, things),
            Type::ListType(inner) => json!([self.sample(inner, things)]),
            Type::NamedType(name) => match (name.as_str(), self.types.get(name)) {
                ("Credits" | "Decimal" | "Int64", _) => json!("1"),
                ("DateTime", _) => json!("2026-03-02T10:00:00.000Z"),
                ("Currency", _) => json!("EUR"),
                ("TimeZone", _) => json!("UTC"),
                ("Int", _) => json!(1),
                ("Boolean", _) => json!(true),
                ("LiveCursor", _) => json!(things.of("LiveCursor")),
                ("ID", _) => json!(things.of("Account")),
                (_, Some(TypeDefinition::Enum(of))) => json!(of.values[0].name),
                (_, Some(TypeDefinition::InputObject(of))) => {
                    let mut fields = Map::new();
                    for field in &of.fields {
                        let is_needed =
                            matches!(field.value_type, Type::NonNullType(_)) && field.default_value.is_none();
                        if is_needed || is_one_of_two(of, &field.name) {
                            fields.insert(
                                field.name.clone(),
                                self.sample_of(&field.name, &field.value_type, things),
                            );
                        }
                    }
                    Value::Object(fields)
                }
                _ => json!("x"),
            },
        }
    }

    /// Returns a call of the field with a selection; its variables, declared; and their values.
    pub(super) fn call(&self, field: &Field<'static, String>, things: &Things) -> (String, String, Value) {
        let needed: Vec<_> = field
            .arguments
            .iter()
            .filter(|argument| matches!(argument.value_type, Type::NonNullType(_)))
            .collect();
        let listed = |parts: Vec<String>| {
            if parts.is_empty() {
                String::new()
            } else {
                format!("({})", parts.join(", "))
            }
        };
        let declared = needed
            .iter()
            .map(|argument| format!("${}: {}", argument.name, argument.value_type));
        let given = needed.iter().map(|argument| format!("{0}: ${0}", argument.name));
        let values = needed
            .iter()
            .map(|argument| (argument.name.clone(), self.sample(&argument.value_type, things)));
        let selection = match self.types.get(&inner_name(&field.field_type)) {
            Some(TypeDefinition::Object(_) | TypeDefinition::Interface(_)) => "{ __typename }",
            _ => "",
        };
        let call = format!("{}{} {selection}", field.name, listed(given.collect()));
        (call, listed(declared.collect()), Value::Object(values.collect()))
    }
}

/// Some inputs need one of two ids, and some name their subject by one. All other external ids can be set only by the platform.
fn is_one_of_two(input: &InputObjectType<'static, String>, field: &str) -> bool {
    let has = |name: &str| input.fields.iter().any(|field| field.name == name);
    match field {
        "accountId" | "memberExternalId" | "alertIds" => true,
        "memberId" => !has("memberExternalId"),
        "externalId" => has("sessionId"),
        _ => false,
    }
}

fn name_of(definition: &TypeDefinition<'static, String>) -> String {
    match definition {
        TypeDefinition::Scalar(of) => of.name.clone(),
        TypeDefinition::Object(of) => of.name.clone(),
        TypeDefinition::Interface(of) => of.name.clone(),
        TypeDefinition::Union(of) => of.name.clone(),
        TypeDefinition::Enum(of) => of.name.clone(),
        TypeDefinition::InputObject(of) => of.name.clone(),
    }
}

fn inner_name(of: &Type<'static, String>) -> String {
    match of {
        Type::NonNullType(inner) | Type::ListType(inner) => inner_name(inner),
        Type::NamedType(name) => name.clone(),
    }
}
