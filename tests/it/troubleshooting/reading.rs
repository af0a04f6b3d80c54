//! Reading findings: for which viewer, in which language, and at what cost.

use std::time::Duration;

use serde_json::json;

use super::{all_is_well, book, findings, healthy, says, spend, the_finding};
use crate::harness::{Client, TestApp};
use crate::top_ups::Buyer;

const CODES: &str = "{ account { troubleshooting { id code summary evidence { id } } } }";

async fn error_code(client: &Client) -> String {
    client.query(CODES, json!({})).await.error_code().to_owned()
}

#[tokio::test]
async fn members_see_none_and_strangers_see_no_account() {
    let app = healthy().await;
    spend(&app, "97").await;
    let member = app.team.member.client.query(CODES, json!({})).await;
    assert_eq!(member.at("/account"), &json!({ "troubleshooting": null }));
    assert_eq!(error_code(&app.anonymous()).await, "UNAUTHENTICATED");
    let other = app.another_team("other").await;
    let of_other = format!(
        "{{ account(id: \"{}\") {{ troubleshooting {{ id }} }} }}",
        app.team.id()
    );
    let seen = other.owner.client.query(&of_other, json!({})).await;
    assert!(seen.at("/account").is_null());
    let key = app
        .key(&[ledgerbell::primitives::actor::Permission::ReadCreditLog])
        .await;
    assert_eq!(findings(&key).await.len(), 1);
}

#[tokio::test]
async fn texts_are_in_the_viewers_language_and_time() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_insufficient_funds", "1250.5").await;
    let of_olga = json!({ "locale": "de-AT", "timezone": "Europe/Vienna" });
    let changed = app.team.owner.client.mutate("updateContact", "", of_olga).await;
    assert_eq!(changed["userErrors"], json!([]));
    let german = the_finding(&app, "TOP_UP_FAILED").await;
    says(
        &german,
        &["1.250,50 EUR", "2. März 2026, 10:00 Uhr", "ist nicht gedeckt"],
    );
    assert_eq!(german["remedy"]["label"], "Aufladung wiederholen");
    let english = findings(&app.team.admin.client).await.remove(0);
    says(&english, &["1,250.50 EUR", "2 March 2026, 09:00"]);
    assert_eq!(english["id"], german["id"]);
}

/// The number of statements does not grow with the data.
#[tokio::test]
async fn it_takes_a_fixed_number_of_statements() {
    let app = TestApp::start().await;
    let statements = async || {
        let before = app.app().database().statements();
        let answer = app.team.admin.client.query(CODES, json!({})).await;
        let found = answer.at("/account/troubleshooting").as_array().expect("a list").len();
        (app.app().database().statements() - before, found)
    };
    let (buyer, olga) = (Buyer::of(&app), &app.team.owner.client);
    app.top_up(1_000).await;
    app.advance(Duration::from_secs(1));
    buyer.buy_with("card_insufficient_funds", "10").await;
    book(&app, "10").await;
    app.advance(Duration::from_mins(90));
    let (few, found) = statements().await;
    assert_eq!(found, 5, "a failure, a session, two addresses and no level");
    for n in 0..5 {
        let top_up = buyer.create("10", &format!("more {n}")).await;
        assert!(top_up["id"].is_string());
        app.settle().await;
        book(&app, "10").await;
        let new = json!({ "name": format!("Admin {n}"), "role": "ADMIN", "email": format!("admin{n}@team.example") });
        let added = olga.mutate("addMember", "", new).await;
        assert_eq!(added["userErrors"], json!([]));
    }
    app.advance(Duration::from_mins(90));
    let (many, found) = statements().await;
    assert!(found >= 14, "{found}");
    assert_eq!(many, few, "as many statements for {found} findings as for 5");
}

#[tokio::test]
async fn an_account_that_never_had_anything_has_not_run_out_of_it() {
    let app = TestApp::start().await;
    for person in [&app.team.owner, &app.team.admin] {
        crate::notification::verify(&app, person).await;
    }
    all_is_well(&app).await;
}
