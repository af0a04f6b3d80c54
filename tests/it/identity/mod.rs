//! Who signs in as which member, and how members may change each other's identity.

mod external_ids;
mod member_tokens;
mod nul;
mod owners;
mod tokens;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::{TestApp, code};

const SECRET: &str = "the secret of a platform that signs tokens by HS256";

/// Starts a server whose tokens are signed with [`SECRET`].
async fn start() -> TestApp {
    TestApp::start_with(&[("auth.jwt_secret", SECRET)]).await
}

/// Signs a token with these claims, as the platform's own issuer does.
fn sign(claims: &Value) -> String {
    sign_by(SECRET, claims)
}

fn sign_by(secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("signs")
}

/// Returns claims for a member of the team, valid for an hour.
fn claims(app: &TestApp, acct: &Value, sub: &Value) -> Value {
    json!({ "acct": acct, "sub": sub, "exp": app.clock.now().millis() / 1_000 + 3_600 })
}

/// Returns the name of the member that a token signs in, or the code of the error.
async fn signed_in(app: &TestApp, token: &str) -> String {
    let client = app.platform.with_credential(token);
    let answer = client.query("{ viewer { member { name } } }", json!({})).await;
    if answer.body["errors"].is_array() {
        return answer.error_code().to_owned();
    }
    answer.at("/viewer/member/name").as_str().expect("a name").to_owned()
}

/// Returns the code of a refusal and the field that it names.
fn refusal(payload: &Value) -> (&str, String) {
    let field = payload["userErrors"][0]["field"].as_array().into_iter().flatten();
    let field: Vec<&str> = field.filter_map(Value::as_str).collect();
    (code(payload), field.join("."))
}
