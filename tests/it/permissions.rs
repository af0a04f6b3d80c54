//! The permission table, read off the published schema: every field that says `[auth: …]` keeps to it.
//!
//! What to send is made up from the schema as well, so that a field that is added is tested without anybody thinking of it. It
//! need not make sense: who may not do a thing is told so before anything else is looked at.

use std::collections::BTreeMap;

use graphql_parser::schema::{Definition, Field, Type, TypeDefinition, parse_schema};
use ledgerbell::primitives::actor::Permission;
use serde_json::{Map, Value, json};

use crate::harness::{Client, Team, TestApp};

/// A field, and the permissions any of which it takes.
struct Guarded {
    field: Field<'static, String>,
    permissions: Vec<Permission>,
    /// Whether only keys of the platform have it.
    of_platform: bool,
}

/// Things of one account that exist.
struct Ids {
    account: String,
    member: String,
    api_key: String,
    payment_method: String,
    top_up: String,
}

impl Ids {
    async fn of(team: &Team) -> Self {
        let made = async |mutation: &str, path: &str| {
            let answer = team.owner.client.query(mutation, json!({})).await;
            answer.at(path).as_str().expect("an id").to_owned()
        };
        let key = "createApiKey(input: { name: \"Test\", permissions: [READ_OWN_USAGE] }) { apiKey { id } }";
        let card = "addPaymentMethod(input: { gatewayToken: \"card_ok\" }) { paymentMethod { id } }";
        let top_up = "createTopUp(input: { credits: \"10\", idempotencyKey: \"test\" }) { topUp { id } }";
        Self {
            account: team.id(),
            member: team.member.id(),
            api_key: made(&format!("mutation {{ {key} }}"), "/createApiKey/apiKey/id").await,
            payment_method: made(&format!("mutation {{ {card} }}"), "/addPaymentMethod/paymentMethod/id").await,
            top_up: made(&format!("mutation {{ {top_up} }}"), "/createTopUp/topUp/id").await,
        }
    }
}

struct Published {
    types: BTreeMap<String, TypeDefinition<'static, String>>,
}

impl Published {
    fn read() -> Self {
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

    fn fields(&self, name: &str) -> Vec<Field<'static, String>> {
        match &self.types[name] {
            TypeDefinition::Object(object) => object.fields.clone(),
            _ => panic!("{name} is no object"),
        }
    }

    /// The fields of a type that say who may use them.
    fn guarded(&self, name: &str) -> Vec<Guarded> {
        let guarded = self.fields(name).into_iter().filter_map(|field| {
            let description = field.description.clone()?;
            let (_, auth) = description.split_once("[auth: ")?;
            let (auth, _) = auth.split_once(']')?;
            // What follows a semicolon is about some inputs, which are for the tests of the domain.
            let (auth, _) = auth.split_once(';').unwrap_or((auth, ""));
            // What one may always do with one's own is for the tests of the rooms.
            if auth.contains("OWN,") {
                return None;
            }
            Some(Guarded {
                permissions: auth.split('`').filter_map(Permission::from_name).collect(),
                of_platform: auth.contains("platform key"),
                field,
            })
        });
        guarded.collect()
    }

    /// Something for the input field of this name and type.
    fn sample_of(&self, name: &str, of: &Type<'static, String>, ids: &Ids) -> Value {
        match name {
            "memberId" => json!(ids.member),
            "apiKeyId" => json!(ids.api_key),
            "topUpId" => json!(ids.top_up),
            "paymentMethodId" => json!(ids.payment_method),
            // A key cannot make one that may do more than itself.
            "permissions" => json!(["MANAGE_API_KEYS"]),
            _ => self.sample(of, ids),
        }
    }

    /// Something of this type, with no more than it needs.
    fn sample(&self, of: &Type<'static, String>, ids: &Ids) -> Value {
        match of {
            Type::NonNullType(inner) => self.sample(inner, ids),
            Type::ListType(inner) => json!([self.sample(inner, ids)]),
            Type::NamedType(name) => match (name.as_str(), self.types.get(name)) {
                ("Credits" | "Decimal" | "Int64", _) => json!("1"),
                ("DateTime", _) => json!("2026-03-02T10:00:00.000Z"),
                ("Currency", _) => json!("EUR"),
                ("TimeZone", _) => json!("UTC"),
                ("Int", _) => json!(1),
                ("Boolean", _) => json!(true),
                ("ID", _) => json!(ids.account),
                (_, Some(TypeDefinition::Enum(of))) => json!(of.values[0].name),
                (_, Some(TypeDefinition::InputObject(of))) => {
                    let mut fields = Map::new();
                    for field in &of.fields {
                        let is_needed =
                            matches!(field.value_type, Type::NonNullType(_)) && field.default_value.is_none();
                        // Some inputs want one of two ids.
                        if is_needed || ["accountId", "externalId", "memberExternalId"].contains(&field.name.as_str()) {
                            fields.insert(field.name.clone(), self.sample_of(&field.name, &field.value_type, ids));
                        }
                    }
                    Value::Object(fields)
                }
                _ => json!("x"),
            },
        }
    }

    /// The field with what it needs, and something to select of it.
    fn call(&self, field: &Field<'static, String>, ids: &Ids) -> String {
        let arguments: Vec<String> = field
            .arguments
            .iter()
            .filter(|argument| matches!(argument.value_type, Type::NonNullType(_)))
            .map(|argument| format!("{}: {}", argument.name, self.sample(&argument.value_type, ids)))
            .collect();
        let arguments = if arguments.is_empty() {
            String::new()
        } else {
            format!("({})", arguments.join(", "))
        };
        let selection = match self.types.get(&inner_name(&field.field_type)) {
            Some(TypeDefinition::Object(_) | TypeDefinition::Interface(_)) => "{ __typename }",
            _ => "",
        };
        format!("{}{arguments} {selection}", field.name)
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

/// Sends a mutation and gives the code that it is refused with, if any.
async fn mutate(client: &Client, schema: &Published, field: &Field<'static, String>, ids: &Ids) -> String {
    let input = &field.arguments[0].value_type;
    let query = format!(
        "mutation($input: {input}) {{ {}(input: $input) {{ userErrors {{ code }} }} }}",
        field.name
    );
    let answer = client
        .query(&query, json!({ "input": schema.sample(input, ids) }))
        .await;
    if answer.body["errors"].is_array() {
        return answer.error_code().to_owned();
    }
    answer.only_field()["userErrors"][0]["code"]
        .as_str()
        .unwrap_or("accepted")
        .to_owned()
}

/// Reads a field, and gives the code of the error it has, if any.
async fn read(client: &Client, query: &str) -> String {
    let answer = client.query(query, json!({})).await;
    if answer.body["errors"].is_array() {
        return answer.error_code().to_owned();
    }
    "accepted".to_owned()
}

#[tokio::test]
async fn mutations_take_the_permission_they_say_and_no_other() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let mutations = schema.guarded("Mutation");
    for field in schema.fields("Mutation") {
        let description = field.description.unwrap_or_default();
        assert!(description.contains("[auth: "), "{} says who may use it", field.name);
    }
    for permission in Permission::ALL {
        let (of_account, of_platform) = (app.key(&[permission]).await, app.platform_key(&[permission]).await);
        // A team of its own: what a key may do, it does.
        let ids = Ids::of(&app.team).await;
        let team = app
            .another_team(&permission.name().to_lowercase().replace('_', "-"))
            .await;
        let theirs = Ids::of(&team).await;
        for Guarded {
            field,
            permissions,
            of_platform: needs_platform,
        } in &mutations
        {
            let code = mutate(&of_platform, &schema, field, &theirs).await;
            let is_allowed = permissions.contains(&permission);
            assert_eq!(
                code != "FORBIDDEN",
                is_allowed,
                "{} with {}: {code}",
                field.name,
                permission.name()
            );
            if !is_allowed || *needs_platform {
                let code = mutate(&of_account, &schema, field, &ids).await;
                assert_eq!(
                    code,
                    "FORBIDDEN",
                    "{} with {} of one account",
                    field.name,
                    permission.name()
                );
            }
        }
    }
}

#[tokio::test]
async fn members_and_strangers_change_nothing() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let schema = Published::read();
    let other = app.another_team("other").await;
    let ids = Ids::of(&app.team).await;
    let seen = "{ account { version balance { version posted held } members { totalNames: nodes { name } } } }";
    let before = app.team.owner.client.query(seen, json!({})).await.data().clone();
    for Guarded { field, of_platform, .. } in schema.guarded("Mutation") {
        let code = mutate(&app.team.member.client, &schema, &field, &ids).await;
        assert_eq!(code, "FORBIDDEN", "{} by a plain member", field.name);
        let code = mutate(&app.anonymous(), &schema, &field, &ids).await;
        assert_eq!(code, "UNAUTHENTICATED", "{} by nobody", field.name);
        // Whoever may not do it anywhere is told that; whoever may is not told that the account exists.
        let code = mutate(&other.owner.client, &schema, &field, &ids).await;
        let expected = ["NOT_FOUND", "FORBIDDEN"].contains(&code.as_str()) && !(of_platform && code == "NOT_FOUND");
        assert!(expected, "{} by another team's owner: {code}", field.name);
    }
    let after = app.team.owner.client.query(seen, json!({})).await.data().clone();
    assert_eq!(before, after);
}

#[tokio::test]
async fn fields_take_the_permission_they_say_and_no_other() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let ids = Ids::of(&app.team).await;
    let of_account = |field: &Field<'static, String>| {
        let field = schema.call(field, &ids);
        format!("{{ account(id: \"{}\") {{ {field} }} }}", ids.account)
    };
    let of_query = |field: &Field<'static, String>| format!("{{ {} }}", schema.call(field, &ids));
    let fields: Vec<(Guarded, String)> = schema
        .guarded("Account")
        .into_iter()
        .map(|guarded| (of_account(&guarded.field), guarded))
        .chain(
            schema
                .guarded("Query")
                .into_iter()
                .map(|guarded| (of_query(&guarded.field), guarded)),
        )
        .map(|(query, guarded)| (guarded, query))
        .collect();
    assert!(fields.len() > 4, "there are some");
    for permission in Permission::ALL {
        // What reads the account at all is not what is tested.
        let key = app.platform_key(&[permission, Permission::ReadOwnUsage]).await;
        for (guarded, query) in &fields {
            let is_allowed = guarded.permissions.is_empty() || guarded.permissions.contains(&permission);
            let code = read(&key, query).await;
            assert_eq!(
                code != "FORBIDDEN",
                is_allowed,
                "{query} with {}: {code}",
                permission.name()
            );
        }
    }
    for (_, query) in &fields {
        assert_eq!(
            read(&app.team.member.client, query).await,
            "FORBIDDEN",
            "{query} by a plain member"
        );
        assert_eq!(
            read(&app.anonymous(), query).await,
            "UNAUTHENTICATED",
            "{query} by nobody"
        );
    }
}
