//! One language per viewer: a German member receives German texts, wherever they come from.

use std::time::Duration;

use ledgerbell::adapters::wording::Templates;
use ledgerbell::domain::notification::model::{Alert, AlertKind, Channel, Facts, Group, MailFailure, Reversal};
use ledgerbell::domain::notification::{Reader, Refused, Wording};
use ledgerbell::domain::top_up::model::{FailureCode, PauseReason};
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::ids::{AccountId, AlertId};
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};
use crate::notification::smtp;
use crate::top_ups::Buyer;

async fn speak_german(client: &Client) {
    let update = "mutation { updateContact(input: { locale: \"de-AT\" }) { userErrors { code } } }";
    assert_eq!(
        client.query(update, json!({})).await.at("/updateContact/userErrors"),
        &json!([])
    );
}

/// Sends a query with a header that names the requested languages.
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
    let german = ask_in(client, "en", refused).await;
    assert_eq!(
        german["data"].pointer(message),
        Some(&json!("darf nicht null sein; lassen Sie es für sich selbst weg")),
        "what the contact says counts, not the header"
    );
}

/// Texts of members are not translated, even if they equal a text of ours.
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
    assert_eq!(message, "amount darf nicht 0 sein.");
    let english = ask_in(&app.platform, "en, de;q=0.9", &refused).await;
    assert_ne!(&english["data"]["adjustCredits"]["userErrors"][0]["message"], message);
    let unheard = ask_in(&app.platform, "de;q=0, tlh", &refused).await;
    assert_eq!(english["data"], unheard["data"]);
    let anonymous = ask_in(&app.anonymous(), german, "{ viewer { kind } }").await;
    assert_eq!(anonymous["errors"][0]["message"], "Bitte melden Sie sich an.");
    assert_eq!(anonymous["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let forbidden = ask_in(&app.team.member.client, german, "{ accounts { nodes { id } } }").await;
    assert_eq!(
        forbidden["errors"][0]["message"],
        "Dafür fehlt die Berechtigung MANAGE_ACCOUNTS."
    );
}

/// Texts with figures are German too: decisions of the rule, and refusals with the same figures as in English.
#[tokio::test]
async fn decisions_and_refusals_with_figures_are_german() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    app.top_up(1_100).await;
    buyer.add_card("card_ok").await;
    let rule = json!({ "enabled": true, "trigger": "1000", "amount": "12.5", "consent": true });
    buyer.accept("updateAutoTopUp", "autoTopUp { state }", rule).await;
    app.advance(Duration::from_mins(1));
    let spend =
        json!({ "accountId": app.team.id(), "amount": "-100.5", "description": "Spent", "idempotencyKey": "s" });
    app.platform.accept("adjust_credits", spend).await;
    app.settle().await;
    let decisions = "{ account { autoTopUp { decisions(first: 9) { nodes { outcome message } } } } }";
    let message = async |client: &Client| {
        let decisions = client.query(decisions, json!({})).await;
        let nodes = decisions
            .at("/account/autoTopUp/decisions/nodes")
            .as_array()
            .expect("decisions");
        let triggered = nodes
            .iter()
            .find(|node| node["outcome"] == "TRIGGERED")
            .expect("it bought");
        triggered["message"].as_str().expect("a text").to_owned()
    };
    let english = message(&app.team.owner.client).await;
    assert!(
        english.starts_with("Available credits: 999.5, at or below the trigger of 1000. Bought: 12.5 for "),
        "{english}"
    );
    speak_german(&app.team.admin.client).await;
    let request = ask_in(&app.team.admin.client, "en", decisions).await;
    let german = request["data"]["account"]["autoTopUp"]["decisions"]["nodes"].to_string();
    assert!(
        german.contains("Verfügbare Credits: 999,5, nicht über dem Auslöser von 1.000. Gekauft: 12,5 für "),
        "{german}"
    );
    let book = format!(
        "mutation {{ bookSession(input: {{ accountId: \"{}\", memberId: \"{}\", title: \"Lesson\", credits: \"5000\", startsAt: \"{}\",
            endsAt: \"{}\", idempotencyKey: \"b\" }}) {{ userErrors {{ code message }} }} }}",
        app.team.id(),
        app.team.member.id(),
        app.in_minutes(1),
        app.in_minutes(2)
    );
    let refused = ask_in(&app.platform, "de", &book).await;
    assert_eq!(
        refused["data"]["bookSession"]["userErrors"][0],
        json!({ "code": "INSUFFICIENT_CREDITS", "message": "Das Guthaben reicht nicht. Fehlende Credits: 3.988, verfügbar: 1.012, reserviert: 0." })
    );
}

#[tokio::test]
async fn why_mail_comes_back_is_said_in_the_language_of_the_one_who_asks() {
    let (app, server) = smtp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    speak_german(&adam.client).await;
    server.answer(smtp::Answer::Refuse("550 5.1.1 no such user"));
    smtp::test_by_mail(&app, olga).await;
    app.mail().await;
    app.evaluate().await;
    let read = format!(
        "{{ node(id: \"{}\") {{ ... on Member {{ contact {{ bounceMessage }} deliveries(first: 9) {{ nodes {{ lastError }} }} }} }}
            account {{ alerts(first: 9) {{ nodes {{ kind title body }} }} }} }}",
        olga.id()
    );
    let english = olga.client.query(&read, json!({})).await.data().to_string();
    assert!(
        english.contains("\"bounceMessage\":\"The receiving mail system does not know this mailbox.\""),
        "{english}"
    );
    let german = ask_in(&adam.client, "en", &read).await["data"].to_string();
    let words = "Das empfangende Mailsystem kennt dieses Postfach nicht.";
    assert_eq!(
        german.matches(words).count(),
        3,
        "the contact, the delivery and the alert: {german}"
    );
    assert!(!german.contains("mailbox"), "{german}");
}

#[tokio::test]
async fn that_the_account_was_closed_is_said_in_german_and_what_people_wrote_is_not_translated() {
    let app = TestApp::start().await;
    app.top_up(9).await;
    for (key, credits) in [("closed", "2"), ("called off", "3")] {
        let book = json!({ "accountId": app.team.id(), "memberId": app.team.member.id(), "externalId": key, "title": "Lesson",
            "credits": credits, "startsAt": app.in_minutes(1), "endsAt": app.in_minutes(2), "idempotencyKey": key });
        app.platform.accept("book_session", book).await;
    }
    let cancel =
        "mutation ($id: ID!) { cancelSession(input: { accountId: $id, externalId: \"called off\", reason: \"Rain\",
        idempotencyKey: \"c\" }) { userErrors { code } } }";
    let close =
        "mutation ($id: ID!) { closeAccount(input: { accountId: $id, reason: \"Bye\" }) { userErrors { code } } }";
    for mutation in [cancel, close] {
        let done = app.platform.query(mutation, json!({ "id": app.team.id() })).await;
        assert_eq!(done.only_field()["userErrors"], json!([]));
    }
    let read = format!(
        "{{ account(id: \"{}\") {{ sessions(first: 9) {{ nodes {{ cancelReason }} }} }} }}",
        app.team.id()
    );
    let read = ask_in(&app.platform, "de", &read).await["data"].to_string();
    assert!(
        read.contains("Das Konto wurde geschlossen") && read.contains("Rain"),
        "{read}"
    );
}

/// Two owners who follow the same thing in different languages do not share a message.
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

/// Fails for every text of ours that members can see and that is not in the German catalogue. The listed ones are deliberately
/// English. Texts with figures (refusals, decisions, failures) are compared with the catalogue whenever a test of this suite
/// receives one: see `harness/words.rs`, which also lists what is English for all viewers.
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
        "The account was closed",
        "No-show: a lesson",
        "Late cancellation: a lesson",
        "Money of a top-up was given back",
        "A refund of a top-up failed later",
        "A disputed top-up was lost",
        "A disputed top-up was won after all",
        "Payment gateway",
    ];
    let mails = MailFailure::ALL.iter().map(|failure| failure.in_words());
    let texts = kinds
        .chain(channels)
        .chain(groups)
        .chain(failures)
        .chain(mails)
        .chain(entries);
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
            message: "",
            field: None,
            missing: None,
            retry_after_seconds: None,
        };
        templates.refusal(&refused, "de").expect("rendered").is_none()
    });
    assert_eq!(untold.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// The singular is used for one credit, in every alert of every language, whatever its reason.
#[test]
fn one_credit_is_not_several() {
    let templates = Templates::load(None).expect("the templates load");
    let failures = FailureCode::ALL.iter().map(|code| code.as_str());
    let pauses = PauseReason::ALL.iter().map(|reason| reason.as_str());
    let reversals = Reversal::ALL.iter().map(|reversal| reversal.as_str());
    let codes = failures
        .chain(pauses)
        .chain(reversals)
        .chain(["CEILING_REACHED", "CREATED"]);
    for code in codes.map(Some).chain([None]) {
        for kind in AlertKind::ALL {
            let alert = Alert {
                id: AlertId::from_uuid(uuid::Uuid::nil()),
                account_id: AccountId::PLATFORM,
                kind: *kind,
                subject: None,
                facts: Facts {
                    available: Some(10_000),
                    credits: Some(10_000),
                    code: code.map(str::to_owned),
                    at: Some(1_774_031_400_000),
                    ..Facts::default()
                },
                entry_id: None,
                session_id: None,
                top_up_id: None,
                raised_at: Timestamp::from_millis(0),
                resolved_at: None,
            };
            for locale in ["en", "de"] {
                let reader = Reader {
                    locale: locale.to_owned(),
                    ..Reader::default()
                };
                let words = templates.alert(&alert, &reader).expect("rendered");
                let text = format!("{}. {}", words.title, words.body);
                for wrong in [
                    "1 credits",
                    "1 Credits",
                    "1 credit are",
                    "1 credit were",
                    "1 credit expire ",
                    "1 credit stay ",
                    "1 Credit sind",
                    "1 Credit wurden",
                    "bleiben 1",
                    "sind noch 1",
                ] {
                    assert!(!text.contains(wrong), "{kind:?} {code:?}: {text}");
                }
            }
        }
    }
}

/// A member receives mail in their language from the first mail on.
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
