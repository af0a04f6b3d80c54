//! What members are told: settings, contacts, alerts and how they are delivered.

mod contacts;
mod settings;

use serde_json::{Value, json};

use crate::harness::Client;

/// Runs a mutation with `{"input": …}` and gives its payload.
async fn mutate(client: &Client, name: &str, fields: &str, input: Value) -> Value {
    let mut type_name = name.to_owned();
    type_name[..1].make_ascii_uppercase();
    let query = format!(
        "mutation ($input: {type_name}Input!) {{ {name}(input: $input) {{ {fields} userErrors {{ code field message }} }} }}"
    );
    client.query(&query, json!({ "input": input })).await.only_field()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("accepted")
}
