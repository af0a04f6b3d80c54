//! The allowed claims of a correctly signed token.

use serde_json::{Value, json};

use super::{SECRET, claims, sign, sign_by, signed_in, start};
use crate::harness::{Socket, TestApp};

/// Returns the status, code and message of the response to a query with this token.
async fn answer(app: &TestApp, token: &str) -> (u16, String, String) {
    let client = app.platform.with_credential(token);
    let answer = client.query("{ viewer { kind } }", json!({})).await;
    let message = answer.body["errors"][0]["message"].as_str().unwrap_or_default();
    (
        answer.status.as_u16(),
        answer.error_code().to_owned(),
        message.to_owned(),
    )
}

#[tokio::test]
async fn control_characters_in_a_claim_are_refused_by_401() {
    let app = start().await;
    let (account, member) = (json!(app.team.id()), json!("olga"));
    for text in ["olga\u{0}", "\u{0}", "ol\nga", "olga\u{7f}", "\u{85}team"] {
        for (acct, sub, claim) in [(&account, &json!(text), "sub"), (&json!(text), &member, "acct")] {
            let (status, code, message) = answer(&app, &sign(&claims(&app, acct, sub))).await;
            assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"), "{text:?} as {claim}");
            assert!(message.contains(&format!("{claim} claim")), "{message}");
        }
    }
    let token = sign(&claims(&app, &account, &json!("olga\u{0}")));
    let mut socket = Socket::connect(app.base()).await;
    socket.init(&token).await;
    assert_eq!(socket.closed().await, 4403);
    assert_eq!(signed_in(&app, &sign(&claims(&app, &account, &member))).await, "Olga");
}

#[tokio::test]
async fn whole_numbers_sign_in_as_the_external_ids_of_their_digits() {
    let app = start().await;
    let new = json!({ "externalId": "90071992547409937", "name": "Numbers", "creditPrice": "2", "currency": "CHF",
        "owner": { "name": "Nora", "externalId": "314" } });
    let made = app.platform.mutate("createAccount", "account { id }", new).await;
    assert_eq!(made["userErrors"], json!([]));
    let account = json!(90_071_992_547_409_937_i64);
    assert_eq!(
        signed_in(&app, &sign(&claims(&app, &account, &json!(314)))).await,
        "Nora"
    );
    assert_eq!(
        signed_in(&app, &sign(&claims(&app, &account, &json!("314")))).await,
        "Nora"
    );
    for odd in [
        json!(314.0),
        json!(3.14e2),
        json!(99_999_999_999_999_999_999.0),
        json!(true),
    ] {
        let (status, code, message) = answer(&app, &sign(&claims(&app, &account, &odd))).await;
        assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"), "{odd}");
        assert!(message.contains("sub claim"), "{message}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_times_of_a_token_is_named() {
    let app = TestApp::start_with(&[("auth.jwt_secret", SECRET), ("auth.max_token_lifetime", "7200")]).await;
    let now = app.clock.now().millis() / 1_000;
    let token = |times: Value| {
        let mut claims = json!({ "acct": app.team.id(), "sub": "mia" });
        for (claim, at) in times.as_object().expect("an object") {
            claims[claim] = at.clone();
        }
        sign(&claims)
    };
    for (times, named) in [
        (json!({}), "no exp claim"),
        (json!({ "exp": null }), "no exp claim"),
        (json!({ "exp": (now + 900) * 1_000 }), "milliseconds"),
        (json!({ "exp": now + 7_300 }), "more than 7200 s"),
        (json!({ "exp": now + 900, "iat": now - 7_000 }), "more than 7200 s"),
        (json!({ "exp": now + 8_000, "iat": now + 7_900 }), "more than 7200 s"),
        (json!({ "exp": now - 60 }), "has expired"),
    ] {
        let (status, code, message) = answer(&app, &token(times.clone())).await;
        assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"), "{times}");
        assert!(message.contains(named), "{times}: {message}");
    }
    for times in [
        json!({ "exp": now + 7_200 }),
        json!({ "exp": now + 900, "iat": now - 6_000 }),
        json!({ "exp": now + 900, "iat": (now - 6_000) * 1_000 }),
    ] {
        assert_eq!(signed_in(&app, &token(times.clone())).await, "Mia", "{times}");
    }
}

const NEXT_SECRET: &str = "the secret that the platform signs its tokens with from now on";

#[tokio::test]
async fn while_a_secret_is_replaced_tokens_by_either_sign_in_and_by_no_other() {
    let settings = [("auth.jwt_secret", NEXT_SECRET), ("auth.jwt_secret_previous", SECRET)];
    let app = TestApp::start_with(&settings).await;
    let claims = claims(&app, &json!(app.team.id()), &json!("olga"));
    for secret in [SECRET, NEXT_SECRET] {
        assert_eq!(signed_in(&app, &sign_by(secret, &claims)).await, "Olga");
    }
    drop(Socket::ready(app.base(), &sign_by(SECRET, &claims)).await);
    let third = sign_by("a secret that was never set up on this server", &claims);
    let (status, code, message) = answer(&app, &third).await;
    assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"));
    assert!(
        message.contains("auth.jwt_secret") && message.contains("auth.jwt_secret_previous"),
        "{message}"
    );
    // An error in a token of the previous secret is reported as usual.
    let mut old = claims.clone();
    old["exp"] = json!(app.clock.now().millis() / 1_000 - 60);
    let (_, _, message) = answer(&app, &sign_by(SECRET, &old)).await;
    assert!(message.contains("has expired"), "{message}");

    let replaced = TestApp::start_with(&[("auth.jwt_secret", NEXT_SECRET)]).await;
    let claims = super::claims(&replaced, &json!(replaced.team.id()), &json!("olga"));
    assert_eq!(signed_in(&replaced, &sign_by(SECRET, &claims)).await, "UNAUTHENTICATED");
    assert_eq!(signed_in(&replaced, &sign_by(NEXT_SECRET, &claims)).await, "Olga");
}
