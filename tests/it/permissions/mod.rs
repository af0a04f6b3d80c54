//! The table of permissions: every mutation, every guarded field, every subscription and every kind of node, for all kinds of
//! callers. The requests are derived from the published schema, so that a new field is tested too. A new field without a
//! permission fails.

mod parties;
mod published;
mod rules;
mod things;

use std::time::Duration;

use graphql_parser::schema::Field;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, TestApp};
use parties::{Party, Role, Standing};
use published::Published;
use rules::Rule;
use things::{Things, snapshot};

const UNAUTHENTICATED: &str = "UNAUTHENTICATED";

/// Returns the result of a request: the code of its first error or refusal, `null` if the object does not exist, otherwise
/// `accepted`.
fn verdict(answer: &Answer) -> String {
    if answer.body["errors"].is_array() {
        return answer.error_code().to_owned();
    }
    let field = answer.only_field();
    if let Some(code) = field["userErrors"][0]["code"].as_str() {
        return code.to_owned();
    }
    // One field of an object is selected.
    let is_hidden = |of: &Value| of.is_object() && of.as_object().is_some_and(|of| of.values().all(Value::is_null));
    if field.is_null() || is_hidden(&field) {
        return "null".to_owned();
    }
    "accepted".to_owned()
}

/// Returns whether a result matches the rule. A permitted request may still be refused for other reasons.
fn is_right(party: &Party, rule: &Rule, verdict: &str) -> bool {
    let is_refused = ["FORBIDDEN", UNAUTHENTICATED, "NOT_FOUND", "null"].contains(&verdict);
    // A subscription returns this for an account that does not exist for the caller.
    let is_unknown = verdict == "BAD_REQUEST";
    match &party.standing {
        Standing::SignedOut => verdict == UNAUTHENTICATED,
        Standing::Stranger => (is_refused || is_unknown) && verdict != UNAUTHENTICATED,
        Standing::Has(rights) if rule.allows(rights) => !["FORBIDDEN", UNAUTHENTICATED].contains(&verdict),
        Standing::Has(_) => is_refused && verdict != UNAUTHENTICATED,
    }
}

/// Collects all violations, so that one run shows all of them.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn check(&mut self, what: &str, party: &Party, rule: &Rule, verdict: &str) {
        if !is_right(party, rule, verdict) {
            self.0
                .push(format!("{what} by {}: {verdict}, though {rule:?}", party.name));
        }
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
        }
    }
}

async fn mutate(client: &Client, schema: &Published, field: &Field<'static, String>, things: &Things) -> String {
    let input = &field.arguments[0].value_type;
    let query = format!(
        "mutation($input: {input}) {{ {}(input: $input) {{ userErrors {{ code }} }} }}",
        field.name
    );
    let variables = json!({ "input": schema.sample(input, things) });
    verdict(&client.query(&query, variables).await)
}

#[tokio::test]
async fn mutations_are_refused_to_all_but_those_who_may_and_change_nothing_then() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let things = Things::make(&app, &app.team).await;
    let mut parties = parties::of_team(&app, &app.team).await;
    parties.extend(parties::outside(&app).await);
    let before = snapshot(&app).await;
    let mut complaints = Complaints::default();
    for field in schema.fields("Mutation") {
        // Anonymous callers share an allowance, which grows again.
        app.advance(Duration::from_mins(1));
        let rule = Rule::of("Mutation", &field);
        let may = |party: &&Party| matches!(&party.standing, Standing::Has(rights) if rule.allows(rights));
        for party in parties.iter().filter(|party| !may(party)) {
            let verdict = mutate(&party.client, &schema, &field, &things).await;
            complaints.check(&field.name, party, &rule, &verdict);
        }
    }
    assert_eq!(snapshot(&app).await, before, "a refusal changes nothing");
}

#[tokio::test]
async fn mutations_are_open_to_those_who_may() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let mut complaints = Complaints::default();
    for (at, role) in Role::all().into_iter().enumerate() {
        // A team for each: a permitted mutation is executed.
        let team = app.another_team(&format!("team-{at}")).await;
        let things = Things::make(&app, &team).await;
        let party = role.in_team(&app, &team).await;
        for field in schema.fields("Mutation") {
            let rule = Rule::of("Mutation", &field);
            if matches!(&party.standing, Standing::Has(rights) if rule.allows(rights)) {
                let verdict = mutate(&party.client, &schema, &field, &things).await;
                complaints.check(&field.name, &party, &rule, &verdict);
            }
        }
    }
}

/// Types with fields that state a permission, and how to select such an object.
const ENTRANCES: [&str; 4] = ["Query", "Account", "Member", "CreditEntry"];

#[tokio::test]
async fn fields_are_open_to_those_who_may_and_to_no_one_else() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let things = Things::make(&app, &app.team).await;
    let mut parties = parties::of_team(&app, &app.team).await;
    parties.extend(parties::outside(&app).await);
    let mut complaints = Complaints::default();
    for type_name in schema.objects(None) {
        if ["Mutation", "Subscription"].contains(&type_name.as_str()) {
            continue;
        }
        let is_whole = ["Query", "Account"].contains(&type_name.as_str());
        for field in schema.fields(&type_name) {
            let says = field.description.as_ref().is_some_and(|text| text.contains("[auth: "));
            if !says && !is_whole {
                continue;
            }
            assert!(
                ENTRANCES.contains(&type_name.as_str()),
                "there is a way to a {type_name}"
            );
            app.advance(Duration::from_mins(1));
            let rule = Rule::of(&type_name, &field);
            let (call, declared, variables) = schema.call(&field, &things);
            let query = if type_name == "Query" {
                format!("query {declared} {{ {call} }}")
            } else {
                let id = things.of(&type_name);
                format!("query {declared} {{ node(id: \"{id}\") {{ ... on {type_name} {{ {call} }} }} }}")
            };
            for party in &parties {
                let verdict = verdict(&party.client.query(&query, variables.clone()).await);
                let sees_it = match &party.standing {
                    Standing::Has(rights) => type_name == "Query" || Rule::of_node(&type_name).allows(rights),
                    Standing::SignedOut | Standing::Stranger => true,
                };
                // If the object itself is hidden, all its fields are hidden.
                let place = format!("{type_name}.{}", field.name);
                // Fields of Query are about the caller, and null for objects of others.
                let is_strangers_own =
                    matches!(party.standing, Standing::Stranger) && type_name == "Query" && rule == Rule::Anyone;
                if is_strangers_own {
                    continue;
                }
                if sees_it {
                    complaints.check(&place, party, &rule, &verdict);
                } else if !["null", "FORBIDDEN"].contains(&verdict.as_str()) {
                    complaints.0.push(format!("{place} by {}: {verdict}", party.name));
                }
            }
        }
    }
}

#[tokio::test]
async fn nodes_of_each_kind_are_seen_by_those_who_may_and_by_no_one_else() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let things = Things::make(&app, &app.team).await;
    let mut parties = parties::of_team(&app, &app.team).await;
    parties.extend(parties::outside(&app).await);
    let mut complaints = Complaints::default();
    for type_name in schema.objects(Some("Node")) {
        app.advance(Duration::from_mins(1));
        let (rule, id) = (Rule::of_node(&type_name), things.of(&type_name));
        let asked = [
            (
                "query ($id: ID!) { node(id: $id) { id } }",
                json!({ "id": id }),
                "/node",
            ),
            (
                "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
                json!({ "ids": [id] }),
                "/nodes/0",
            ),
        ];
        for party in &parties {
            for (query, variables, path) in &asked {
                let answer = party.client.query(query, variables.clone()).await;
                let is_seen = answer.body["data"].pointer(path).is_some_and(Value::is_object);
                let expected = match &party.standing {
                    Standing::SignedOut | Standing::Stranger => false,
                    Standing::Has(rights) => rule.allows(rights),
                };
                let is_stranger = matches!(party.standing, Standing::Stranger);
                let is_silent = !is_stranger || answer.body["errors"].is_null();
                if is_seen != expected || !is_silent {
                    complaints
                        .0
                        .push(format!("{type_name} by {}: {}", party.name, answer.body));
                }
            }
        }
    }
}

#[tokio::test]
async fn subscriptions_are_open_to_those_who_may_and_to_no_one_else() {
    let app = TestApp::start().await;
    let schema = Published::read();
    let parties = parties::of_team(&app, &app.team).await;
    let outside = parties::outside(&app).await;
    let mut complaints = Complaints::default();
    for field in schema.fields("Subscription") {
        let rule = Rule::of("Subscription", &field);
        let document = format!(
            "subscription ($id: ID) {{ {}(accountId: $id) {{ signal }} }}",
            field.name
        );
        for party in parties.iter().chain(&outside) {
            let Some(credential) = party.client.credential() else {
                continue;
            };
            let verdict = match app.services().sign_in.authenticate(credential).await {
                Err(_) => UNAUTHENTICATED.to_owned(),
                Ok(signed_in) => {
                    let variables = json!({ "id": app.team.id() });
                    match app.subscribe_as(signed_in, &document, variables).await {
                        Ok(_) => "accepted".to_owned(),
                        Err(refused) => refused["errors"][0]["extensions"]["code"]
                            .as_str()
                            .expect("a code")
                            .to_owned(),
                    }
                }
            };
            complaints.check(&field.name, party, &rule, &verdict);
        }
    }
}
