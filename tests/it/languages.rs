//! One language for one viewer: what is shown to a German member is German, wherever it comes from.

use ledgerbell::adapters::wording::Templates;
use ledgerbell::domain::notification::model::{AlertKind, Channel, Group};
use ledgerbell::domain::notification::{Refused, Wording};
use ledgerbell::domain::top_up::model::FailureCode;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

async fn speak_german(client: &Client) {
    let update = "mutation { updateContact(input: { locale: \"de-AT\" }) { userErrors { code } } }";
    assert_eq!(
        client.query(update, json!({})).await.at("/updateContact/userErrors"),
        &json!([])
    );
}

/// Asks with a header that names the languages that are wanted.
async fn ask_in(client: &Client, languages: &str, query: &str) -> Value {
    let request = client.post("/graphql").header("accept-language", languages);
    let response = request
        .json(&json!({ "query": query }))
        .send()
        .await
        .expect("an answer");
    response.json().await.expect("JSON")
}

#[tokio::test]
async fn the_settings_have_a_row_for_each_kind_with_its_words() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let rows = "{ viewer { member { notificationSettings { rows { kind title description group groupTitle
        cells { kind channel enabled locked label } } preferences { label } } } } }";
    let english = client.query(rows, json!({})).await;
    speak_german(client).await;
    let german = client.query(rows, json!({})).await;
    let of = "/viewer/member/notificationSettings/rows";
    let (english, german) = (
        english.at(of).as_array().expect("rows"),
        german.at(of).as_array().expect("rows"),
    );
    assert_eq!(english.len(), AlertKind::ALL.len() - 1, "tests are no row");
    let mut groups: Vec<&Value> = english.iter().map(|row| &row["group"]).collect();
    groups.dedup();
    assert_eq!(
        groups,
        ["BALANCE", "TOP_UPS", "SESSIONS", "ACCOUNT"],
        "groups stand together"
    );
    for (english, german) in english.iter().zip(german) {
        assert_ne!(english["kind"], "TEST");
        assert_eq!(english["kind"], german["kind"]);
        for part in ["title", "description", "groupTitle"] {
            assert_ne!(english[part], german[part], "{english}");
        }
        let cells = english["cells"].as_array().expect("cells");
        assert_eq!(
            cells.iter().map(|cell| &cell["channel"]).collect::<Vec<_>>(),
            ["EMAIL", "IN_APP"]
        );
        assert!(cells.iter().all(|cell| cell["kind"] == english["kind"]));
        assert_ne!(cells[0]["label"], german["cells"][0]["label"]);
    }
}

#[tokio::test]
async fn what_a_german_member_sees_of_the_log_and_of_refusals_is_german() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    app.top_up(8).await;
    let log = "{ account { creditLog { nodes { description } } } }";
    let refused = "mutation { updateNotificationSettings(input: { memberId: null }) { userErrors { code message } } }";
    let message = "/updateNotificationSettings/userErrors/0/message";
    assert_eq!(
        client
            .query(log, json!({}))
            .await
            .at("/account/creditLog/nodes/0/description"),
        "Top-up"
    );
    let english = client.query(refused, json!({})).await.at(message).clone();
    assert_eq!(english, "must not be null; leave it out for the viewer");
    speak_german(client).await;
    assert_eq!(
        client
            .query(log, json!({}))
            .await
            .at("/account/creditLog/nodes/0/description"),
        "Aufladung"
    );
    let german = client.query(refused, json!({})).await;
    assert_eq!(
        german.at(message),
        "Die Angabe „memberId“ ist nicht zulässig. Bitte prüfen Sie sie."
    );
}

/// What people wrote stays as they wrote it, though it be a text of ours.
#[tokio::test]
async fn what_people_wrote_is_not_translated() {
    let app = TestApp::start().await;
    let grant = "mutation ($id: ID!) { grantCredits(input: { accountId: $id, credits: \"3\", description: \"Top-up\", idempotencyKey: \"g\" }) {
        entry { id } } }";
    app.platform.query(grant, json!({ "id": app.team.id() })).await.data();
    let client = &app.team.owner.client;
    speak_german(client).await;
    let log = client
        .query("{ account { creditLog { nodes { description } } } }", json!({}))
        .await;
    assert_eq!(log.at("/account/creditLog/nodes/0/description"), "Top-up");
}

#[tokio::test]
async fn requests_of_keys_and_errors_are_in_the_language_that_is_asked_for() {
    let app = TestApp::start().await;
    let german = "fr;q=0.9, de-CH, en;q=0.5";
    let refused = format!(
        "mutation {{ adjustCredits(input: {{ accountId: \"{}\", amount: \"0\", description: \"x\", idempotencyKey: \"a\" }}) {{
            userErrors {{ message field }} }} }}",
        app.team.id()
    );
    let answer = ask_in(&app.platform, german, &refused).await;
    let message = &answer["data"]["adjustCredits"]["userErrors"][0]["message"];
    assert_eq!(message, "Die Angabe „amount“ ist nicht zulässig. Bitte prüfen Sie sie.");
    let english = ask_in(&app.platform, "en, de;q=0.9", &refused).await;
    assert_ne!(&english["data"]["adjustCredits"]["userErrors"][0]["message"], message);
    let unheard = ask_in(&app.platform, "de;q=0, tlh", &refused).await;
    assert_eq!(english["data"], unheard["data"]);
    let anonymous = ask_in(&app.anonymous(), german, "{ viewer { kind } }").await;
    assert_eq!(anonymous["errors"][0]["message"], "Bitte melden Sie sich an.");
    assert_eq!(anonymous["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let forbidden = ask_in(&app.team.member.client, german, "{ accounts { nodes { id } } }").await;
    assert_eq!(forbidden["errors"][0]["message"], "Dazu fehlt Ihnen die Berechtigung.");
}

/// Two owners who follow the same thing and read different languages are not told by one message.
#[tokio::test]
async fn followers_of_different_languages_share_no_words() {
    let app = TestApp::start().await;
    speak_german(&app.team.admin.client).await;
    let document = "subscription { creditEntryPosted { cursor signal entry { description } } }";
    let mut owner = app.subscribe(&app.team.owner.client, document, json!({})).await;
    let mut admin = app.subscribe(&app.team.admin.client, document, json!({})).await;
    owner.expect("CAUGHT_UP").await;
    admin.expect("CAUGHT_UP").await;
    app.top_up(6).await;
    assert_eq!(owner.expect("ITEM").await["entry"]["description"], "Top-up");
    assert_eq!(admin.expect("ITEM").await["entry"]["description"], "Aufladung");
}

/// Every text of ours that people may see, and that is not in the German catalogue. Those that are listed are English on purpose.
#[test]
fn every_text_that_people_see_is_in_the_catalogue() {
    let templates = Templates::load(None).expect("the templates load");
    let kinds = AlertKind::ALL
        .iter()
        .flat_map(|kind| [kind.label(), kind.description()]);
    let channels = Channel::ALL.iter().map(|channel| channel.label());
    let groups = Group::ALL.iter().map(|group| group.label());
    let failures = FailureCode::ALL.iter().flat_map(|code| {
        [(true, false), (false, false), (false, true)]
            .map(|(may_authenticate, is_worn_out)| code.explain(may_authenticate, is_worn_out).message)
    });
    let entries = [
        "Top-up",
        "Automatic top-up",
        "Credits expired",
        "No-show: a lesson",
        "Late cancellation: a lesson",
        "Money of a top-up was given back",
        "A refund of a top-up failed later",
        "A disputed top-up was lost",
        "A disputed top-up was won after all",
        "Payment gateway",
    ];
    let texts = kinds.chain(channels).chain(groups).chain(failures).chain(entries);
    let missing: Vec<&str> = texts.filter(|text| templates.fixed(text, "de") == *text).collect();
    assert_eq!(missing, ["Test"], "written alike in both languages");
    let schema = ledgerbell::graphql::sdl();
    let (_, codes) = schema.split_once("enum UserErrorCode {").expect("the enum");
    let (codes, _) = codes.split_once('}').expect("its end");
    let is_code = |line: &&str| !line.is_empty() && line.chars().all(|char| char.is_ascii_uppercase() || char == '_');
    let codes: Vec<&str> = codes.lines().map(str::trim).filter(is_code).collect();
    assert!(codes.len() > 30, "{codes:?}");
    let untold = codes.into_iter().filter(|code| {
        let refused = Refused {
            code,
            field: None,
            missing: None,
            retry_after_seconds: None,
        };
        templates.refusal(&refused, "de").expect("rendered").is_none()
    });
    assert_eq!(untold.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// A member is written to in their language from the first mail on.
#[tokio::test]
async fn members_are_made_in_their_language() {
    let app = TestApp::start().await;
    let fields = "member { id contact { locale version } } userErrors { code field }";
    let add = format!("mutation ($input: AddMemberInput!) {{ addMember(input: $input) {{ {fields} }} }}");
    let input = json!({ "accountId": app.team.id(), "name": "Jörg", "externalId": "joerg", "locale": "de-CH" });
    let added = app.platform.query(&add, json!({ "input": input })).await;
    assert_eq!(added.at("/addMember/member/contact/locale"), "de-CH");
    let upsert = format!("mutation ($input: UpsertMemberInput!) {{ upsertMember(input: $input) {{ {fields} }} }}");
    for (locale, expected, version) in [(None, "de-CH", 1), (Some("de-CH"), "de-CH", 1), (Some("fr"), "fr", 2)] {
        let mut input = json!({ "accountId": app.team.id(), "name": "Jörg", "externalId": "joerg" });
        if let Some(locale) = locale {
            input["locale"] = json!(locale);
        }
        let answer = app.platform.query(&upsert, json!({ "input": input })).await;
        let contact = json!({ "locale": expected, "version": version });
        assert_eq!(answer.at("/upsertMember/member/contact"), &contact, "{locale:?}");
    }
    let wrong = json!({ "accountId": app.team.id(), "name": "X", "locale": "german" });
    let wrong = app.platform.query(&add, json!({ "input": wrong })).await;
    assert_eq!(
        wrong.at("/addMember/userErrors"),
        &json!([{ "code": "VALIDATION", "field": ["locale"] }])
    );
    let create = "mutation ($input: CreateAccountInput!) { createAccount(input: $input) {
        account { members { nodes { contact { locale } } } } userErrors { code field } } }";
    let input = json!({
        "name": "Berg", "externalId": "berg", "timezone": "Europe/Zurich", "currency": "EUR", "creditPrice": "0.5",
        "owner": { "name": "Ueli", "locale": "de" },
    });
    let created = app.platform.query(create, json!({ "input": input })).await;
    assert_eq!(
        created.at("/createAccount/account/members/nodes/0/contact/locale"),
        "de"
    );
}
