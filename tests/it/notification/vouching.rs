//! The platform vouches for addresses that it has verified itself.

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::code;
use crate::harness::{Client, TestApp};

const CONTACT: &str = "email emailStatus version vouchedBy { kind label } vouchedAt";

fn new_account(owner: &Value) -> Value {
    json!({ "externalId": "harbor", "name": "Harbor Choir", "creditPrice": "0.75", "currency": "EUR", "owner": owner })
}

async fn contact_of(app: &TestApp, member_id: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on Member {{ contact {{ {CONTACT} }} }} }} }}");
    let answer = app.platform.query(&query, json!({ "id": member_id })).await;
    answer.at("/node/contact").clone()
}

/// Returns the position of the account's stream, which changes with each event.
async fn place(app: &TestApp) -> Value {
    let query = "query ($id: ID) { account(id: $id) { liveCursor members { nodes { id contact { email emailStatus version } } } } }";
    let answer = app.platform.query(query, json!({ "id": app.team.id() })).await;
    answer.at("/account").clone()
}

/// The example in README: an account with its owner's address, a threshold, and a balance that falls below it.
#[tokio::test]
async fn an_owner_whose_address_the_platform_vouches_for_is_mailed_about_the_first_low_balance() {
    let app = TestApp::start().await;
    let owner = |email: &str, is_verified: bool| json!({ "externalId": "una", "name": "Una", "email": email, "emailVerified": is_verified });
    let mut accounts = Vec::new();
    for (name, email, is_verified) in [("known", "una@known.example", true), ("new", "una@new.example", false)] {
        let mut input = new_account(&owner(email, is_verified));
        input["externalId"] = json!(name);
        let fields = "account { id members { nodes { id } } }";
        let made = app.platform.mutate("createAccount", fields, input).await;
        let (account, member) = (&made["account"]["id"], &made["account"]["members"]["nodes"][0]["id"]);
        let threshold = json!({ "memberId": member, "lowBalanceThreshold": "28" });
        let set = app.platform.mutate("updateNotificationSettings", "", threshold).await;
        assert_eq!(code(&set), "accepted", "{set}");
        let grant =
            json!({ "accountId": account, "credits": "45", "description": "Welcome", "idempotencyKey": "grant" });
        app.platform.mutate("grantCredits", "", grant).await;
        app.evaluate().await;
        let used = json!({ "accountId": account, "amount": "-21.5", "description": "Used", "idempotencyKey": "use" });
        app.platform.accept("adjust_credits", used).await;
        app.evaluate().await;
        accounts.push(member.clone());
    }
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mail = &mails[0];
    assert!(mail.contains("una@known.example"), "{mail}");
    assert!(mail.contains("23.5"), "it says how much is left: {mail}");
    let contact = contact_of(&app, &accounts[0]).await;
    assert_eq!(
        (&contact["emailStatus"], &contact["vouchedBy"]),
        (&json!("VERIFIED"), &json!({ "kind": "API_KEY", "label": "Test" }))
    );
    assert_eq!(contact["vouchedAt"], "2026-03-02T09:00:00.000Z");
    let stranger = contact_of(&app, &accounts[1]).await;
    assert_eq!(
        (&stranger["emailStatus"], &stranger["vouchedBy"], &stranger["vouchedAt"]),
        (&json!("UNVERIFIED"), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_repeated_account_says_the_same_of_its_owners_address() {
    let app = TestApp::start().await;
    let owner = json!({ "name": "Una", "email": "una@harbor.example", "emailVerified": true });
    let make = async |owner: &Value| {
        app.platform
            .mutate("createAccount", "account { id }", new_account(owner))
            .await
    };
    let made = make(&owner).await;
    assert_eq!(code(&made), "accepted", "{made}");
    assert_eq!(make(&owner).await["account"], made["account"]);
    for other in [json!(false), Value::Null] {
        let mut without = owner.clone();
        without["emailVerified"] = other;
        assert_eq!(code(&make(&without).await), "EXTERNAL_ID_TAKEN");
    }
}

#[tokio::test]
async fn a_team_does_not_vouch_for_addresses_and_changes_nothing_by_trying() {
    let app = TestApp::start().await;
    let key = app
        .team_key(&[Permission::ManageSettings, Permission::ManageMembers])
        .await;
    let before = place(&app).await;
    let (owner, admin, mia) = (&app.team.owner.client, &app.team.admin.client, &app.team.member);
    let refused = json!([{ "code": "FORBIDDEN", "field": ["emailVerified"] }]);
    let mut new =
        json!({ "accountId": app.team.id(), "name": "Noa", "email": "noa@team.example", "emailVerified": true });
    let mut changed = json!({ "memberId": mia.id(), "email": "mia@other.example", "emailVerified": true });
    let seen = |payload: &Value| {
        let errors = payload["userErrors"].as_array().expect("a list").iter();
        let seen = errors.map(|error| json!({ "code": error["code"], "field": error["field"] }));
        seen.collect::<Value>()
    };
    for client in [owner, admin, &key] {
        let added = client.mutate("addMember", "", new.clone()).await;
        assert_eq!(seen(&added), refused, "{added}");
        let updated = client.mutate("updateContact", "", changed.clone()).await;
        assert_eq!(seen(&updated), refused, "{updated}");
    }
    let own = json!({ "email": "mia@team.example", "emailVerified": true });
    let updated = mia.client.mutate("updateContact", "", own).await;
    assert_eq!(seen(&updated), refused, "{updated}");
    assert_eq!(place(&app).await, before);
    // The statement that it is not verified vouches for nothing.
    new["emailVerified"] = json!(false);
    changed["emailVerified"] = json!(false);
    assert_eq!(code(&owner.mutate("addMember", "", new).await), "accepted");
    assert_eq!(code(&key.mutate("updateContact", "", changed).await), "accepted");
}

async fn update(client: &Client, input: Value) -> Value {
    client
        .mutate("updateContact", &format!("contact {{ {CONTACT} }}"), input)
        .await
}

#[tokio::test]
async fn a_vouch_is_for_the_address_that_is_given_beside_it() {
    let app = TestApp::start().await;
    let (mia, key) = (&app.team.member, app.key(&[Permission::ManageSettings]).await);
    let vouch = |email: &str| json!({ "memberId": mia.id(), "email": email, "emailVerified": true });
    // For the existing address.
    let vouched = update(&key, vouch("mia@team.example")).await;
    assert_eq!(
        (&vouched["contact"]["emailStatus"], &vouched["contact"]["version"]),
        (&json!("VERIFIED"), &json!(2)),
        "{vouched}"
    );
    let before = place(&app).await;
    assert_eq!(
        update(&key, vouch("mia@team.example")).await["contact"],
        vouched["contact"]
    );
    assert_eq!(place(&app).await, before, "the same again changes nothing");
    // Without an address.
    for input in [
        json!({ "memberId": mia.id(), "emailVerified": true }),
        json!({ "memberId": mia.id(), "email": null, "emailVerified": true }),
    ] {
        let refused = update(&key, input).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"]),
            ("VALIDATION", &json!(["emailVerified"]))
        );
    }
    assert_eq!(place(&app).await, before);
    // A different address is unverified, regardless of who enters it.
    let changed = update(&mia.client, json!({ "email": "mia@home.example" })).await;
    assert_eq!(
        (&changed["contact"]["emailStatus"], &changed["contact"]["vouchedBy"]),
        (&json!("UNVERIFIED"), &Value::Null)
    );
    let vouched = update(&key, vouch("mia@work.example")).await;
    assert_eq!(vouched["contact"]["emailStatus"], "VERIFIED");
    let changed = update(&key, json!({ "memberId": mia.id(), "email": "mia@home.example" })).await;
    assert_eq!(changed["contact"]["emailStatus"], "UNVERIFIED");
}

#[tokio::test]
async fn members_are_added_and_brought_up_to_date_with_addresses_that_are_verified() {
    let app = TestApp::start().await;
    let fields = format!("member {{ id version contact {{ {CONTACT} }} }}");
    let add = json!({ "accountId": app.team.id(), "name": "Noa", "email": "noa@team.example", "emailVerified": true });
    let added = app.platform.mutate("addMember", &fields, add).await;
    assert_eq!(added["member"]["contact"]["emailStatus"], "VERIFIED", "{added}");
    let upsert = async |email: Option<&str>, is_verified: bool| {
        let mut input =
            json!({ "accountId": app.team.id(), "externalId": "ravi", "name": "Ravi", "emailVerified": is_verified });
        if let Some(email) = email {
            input["email"] = json!(email);
        }
        app.platform.mutate("upsertMember", &fields, input).await
    };
    let nowhere = upsert(None, true).await;
    assert_eq!(
        (code(&nowhere), &nowhere["userErrors"][0]["field"]),
        ("VALIDATION", &json!(["emailVerified"]))
    );
    let first = upsert(Some("ravi@team.example"), false).await;
    assert_eq!(first["member"]["contact"]["emailStatus"], "UNVERIFIED", "{first}");
    let vouched = upsert(Some("ravi@team.example"), true).await;
    assert_eq!(vouched["member"]["contact"]["emailStatus"], "VERIFIED", "{vouched}");
    let before = place(&app).await;
    assert_eq!(upsert(Some("ravi@team.example"), true).await, vouched);
    assert_eq!(
        upsert(Some("ravi@team.example"), false).await,
        vouched,
        "what is verified stays so"
    );
    assert_eq!(place(&app).await, before, "the same again changes nothing");
    let changed = upsert(Some("ravi@other.example"), false).await;
    assert_eq!(changed["member"]["contact"]["emailStatus"], "UNVERIFIED");
}
