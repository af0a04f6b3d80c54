//! The contacts of members.

use std::time::Duration;

use ledgerbell::domain::member::NewCode;
use ledgerbell::primitives::actor::{Actor, Permission};
use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::code;
use crate::harness::{Client, Person, TestApp};

const FIELDS: &str = "contact { email emailStatus locale timezone version } member { name }";

async fn update(client: &Client, input: Value) -> Value {
    client.mutate("updateContact", FIELDS, input).await
}

async fn contact_of(client: &Client, person: &Person) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on Member { contact { email emailStatus locale timezone version } } } }";
    let answer = client.query(query, json!({ "id": person.id() })).await;
    answer.at("/node/contact").clone()
}

/// Returns the code that a mail would contain.
async fn new_code(app: &TestApp, person: &Person) -> NewCode {
    let contacts = &app.services().contacts;
    let started = contacts.start_verification(&Actor::System, app.team.account.id, person.member.id);
    started.await.expect("a code")
}

async fn verify(person: &Person, code: &str) -> Value {
    person
        .client
        .mutate("verifyContact", FIELDS, json!({ "code": code }))
        .await
}

#[tokio::test]
async fn a_member_changes_how_they_are_reached() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let input = json!({ "email": "mia@new.example", "locale": "de", "timezone": "Europe/Berlin" });
    let changed = update(&mia.client, input.clone()).await;
    let expected = json!({ "email": "mia@new.example", "emailStatus": "UNVERIFIED", "locale": "de",
        "timezone": "Europe/Berlin", "version": 2 });
    assert_eq!(
        (&changed["contact"], &changed["member"]["name"]),
        (&expected, &json!("Mia"))
    );
    assert_eq!(
        update(&mia.client, input).await["contact"]["version"],
        2,
        "the same again changes nothing"
    );
    let cleared = update(&mia.client, json!({ "email": null, "expectedVersion": 2 })).await;
    assert_eq!(cleared["contact"]["emailStatus"], "NONE");
    assert_eq!(cleared["contact"]["locale"], "de", "what is left out stays");
    let late = update(&mia.client, json!({ "locale": "en", "expectedVersion": 2 })).await;
    assert_eq!(
        (code(&late), &late["contact"]["version"]),
        ("VERSION_CONFLICT", &json!(3))
    );
}

#[tokio::test]
async fn bad_contacts_and_strangers_are_refused_and_change_nothing() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let mia = &app.team.member;
    let before = contact_of(&mia.client, mia).await;
    for (input, field) in [
        (json!({ "email": "mia" }), "email"),
        (json!({ "email": "mia@example.com\r\nBcc: all@example.com" }), "email"),
        (json!({ "locale": "de_DE" }), "locale"),
        (json!({ "locale": null }), "locale"),
        (json!({ "timezone": null }), "timezone"),
    ] {
        let refused = update(&mia.client, input).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"][0]),
            ("VALIDATION", &json!(field))
        );
    }
    let input = json!({ "memberId": mia.id(), "locale": "de" });
    let reader = app.key(&[Permission::ReadCreditLog]).await;
    assert_eq!(code(&update(&reader, input.clone()).await), "FORBIDDEN");
    assert_eq!(code(&update(&other.owner.client, input.clone()).await), "NOT_FOUND");
    let of_owner = json!({ "memberId": app.team.owner.id(), "locale": "de" });
    assert_eq!(code(&update(&mia.client, of_owner).await), "FORBIDDEN");
    assert_eq!(contact_of(&mia.client, mia).await, before);
    let key = app.key(&[Permission::ManageSettings]).await;
    assert_eq!(code(&update(&key, input).await), "accepted");
}

#[tokio::test]
async fn an_address_is_verified_by_the_code_that_was_sent_there() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    assert_eq!(code(&verify(mia, "12345678").await), "CODE_INVALID", "none was sent");
    let sent = new_code(&app, mia).await;
    assert_eq!(sent.code.len(), 8);
    let verified = verify(mia, &sent.code).await;
    assert_eq!(verified["contact"]["emailStatus"], "VERIFIED", "{verified}");
    assert_eq!(
        code(&verify(mia, &sent.code).await),
        "CODE_INVALID",
        "a code is good once"
    );
    let changed = update(&mia.client, json!({ "email": "mia@new.example" })).await;
    assert_eq!(changed["contact"]["emailStatus"], "UNVERIFIED");
}

#[tokio::test]
async fn a_code_is_no_good_for_another_address_another_member_too_late_or_after_five_wrong_ones() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let of_address = new_code(&app, mia).await;
    update(&mia.client, json!({ "email": "mia@new.example" })).await;
    assert_eq!(code(&verify(mia, &of_address.code).await), "CODE_INVALID");

    app.advance(Duration::from_mins(1));
    let of_mia = new_code(&app, mia).await;
    assert_eq!(code(&verify(&app.team.admin, &of_mia.code).await), "CODE_INVALID");
    app.advance(Duration::from_mins(15));
    assert_eq!(code(&verify(mia, &of_mia.code).await), "CODE_INVALID");

    let guessed = new_code(&app, mia).await;
    let wrong = if guessed.code == "00000000" {
        "00000001"
    } else {
        "00000000"
    };
    for _ in 0..5 {
        assert_eq!(code(&verify(mia, wrong).await), "CODE_INVALID");
    }
    assert_eq!(code(&verify(mia, &guessed.code).await), "CODE_INVALID");
    assert_eq!(contact_of(&mia.client, mia).await["emailStatus"], "UNVERIFIED");
}

/// Returns the stored hash of the last code of a member.
async fn kept_hash(app: &TestApp, person: &Person) -> Vec<u8> {
    let connection = Database::connect(app.database_url()).await.expect("the database opens");
    let sql = "SELECT code_hash FROM contact_verification WHERE recipient_id = $1";
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [person.member.id.uuid().into()]);
    let row = connection
        .query_one_raw(statement)
        .await
        .expect("a query")
        .expect("a row");
    connection.close().await.expect("the database closes");
    row.try_get("", "code_hash").expect("a hash")
}

/// Returns the hash of a code without a key, as in older versions.
fn unkeyed_hash(app: &TestApp, person: &Person, code: &str) -> Vec<u8> {
    Sha256::new()
        .chain_update(app.team.account.id.number().to_be_bytes())
        .chain_update(person.member.id.uuid().as_bytes())
        .chain_update("mia@team.example")
        .chain_update([0])
        .chain_update(code)
        .finalize()
        .to_vec()
}

#[tokio::test]
async fn whoever_reads_the_database_cannot_find_a_code_by_trying_all() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let sent = new_code(&app, mia).await;
    let kept = kept_hash(&app, mia).await;
    assert_eq!(kept.len(), 32);
    assert_ne!(kept, unkeyed_hash(&app, mia, &sent.code), "the hash has a key");

    // The hash depends on the secret: an installation with another secret does not accept the code.
    let other = app
        .another_process(&[("secret", "another secret of at least 32 characters")])
        .await;
    let contacts = &other.services().contacts;
    let verified = contacts
        .verify(&Actor::System, app.team.account.id, mia.member.id, sent.code.clone())
        .await;
    assert!(verified.is_err_and(|error| error.to_string().contains("code")));
    assert_eq!(contact_of(&mia.client, mia).await["emailStatus"], "UNVERIFIED");
    assert_eq!(verify(mia, &sent.code).await["contact"]["emailStatus"], "VERIFIED");
    other.close().await;
}

#[tokio::test]
async fn a_code_that_was_sent_before_hashes_had_a_key_is_refused_and_another_one_is_taken() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let old = new_code(&app, mia).await;
    let connection = Database::connect(app.database_url()).await.expect("the database opens");
    let sql = "UPDATE contact_verification SET code_hash = $1";
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        sql,
        [unkeyed_hash(&app, mia, &old.code).into()],
    );
    connection.execute_raw(statement).await.expect("is changed");
    connection.close().await.expect("the database closes");
    assert_eq!(code(&verify(mia, &old.code).await), "CODE_INVALID");
    assert_eq!(contact_of(&mia.client, mia).await["emailStatus"], "UNVERIFIED");
    app.advance(Duration::from_mins(1));
    let new = new_code(&app, mia).await;
    assert_eq!(verify(mia, &new.code).await["contact"]["emailStatus"], "VERIFIED");
}
