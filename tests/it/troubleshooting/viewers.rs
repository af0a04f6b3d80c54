//! Remedies match the viewers who receive them: a viewer of a finding may do what it proposes.

use std::collections::BTreeSet;
use std::time::Duration;

use ledgerbell::primitives::actor::{Permission, Permissions, Side};
use serde_json::{Value, json};

use super::{a_card_beside_the_one_that_was_refused, book, codes, findings, level, make_well, spend, switch_on};
use crate::harness::{Client, Person, TestApp};
use crate::notification::{set, smtp};
use crate::top_ups::Buyer;

/// Returns all viewers of findings, those with the fewest permissions first: later viewers find less left to do.
async fn viewers(app: &TestApp) -> Vec<(&'static str, Client)> {
    use Permission::{BuyCredits, ManageSettings, ReadCreditLog, SettleSessions};
    let of_team: Vec<Permission> = Permissions::of(Side::Team).iter().collect();
    vec![
        ("team key that reads", app.team_key(&[ReadCreditLog]).await),
        ("platform key that reads", app.key(&[ReadCreditLog]).await),
        ("team key that buys", app.team_key(&[ReadCreditLog, BuyCredits]).await),
        ("platform key that buys", app.key(&[ReadCreditLog, BuyCredits]).await),
        (
            "team key for settings",
            app.team_key(&[ReadCreditLog, ManageSettings]).await,
        ),
        ("team key", app.team_key(&of_team).await),
        ("admin", app.team.admin.client.clone()),
        (
            "platform key for settings",
            app.key(&[ReadCreditLog, ManageSettings]).await,
        ),
        (
            "platform key that settles",
            app.key(&[ReadCreditLog, SettleSessions]).await,
        ),
        ("owner", app.team.owner.client.clone()),
        ("platform key", app.key(&Permission::ALL).await),
    ]
}

/// Returns the code of a mutation's refusal, if it was refused.
async fn refusal(client: &Client, mutation: &str, variables: Value) -> Option<String> {
    let input = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let results = if mutation == "completeSessions" {
        "results { userErrors { code } }"
    } else {
        ""
    };
    let query =
        format!("mutation($input: {input}!) {{ {mutation}(input: $input) {{ {results} userErrors {{ code }} }} }}");
    let answer = client.query(&query, variables).await;
    if answer.body["errors"].is_array() {
        return Some(answer.error_code().to_owned());
    }
    let payload = answer.only_field();
    let code = |of: &Value| of["userErrors"][0]["code"].as_str().map(str::to_owned);
    let of_items = payload["results"]
        .as_array()
        .and_then(|results| results.iter().find_map(code));
    code(&payload).or(of_items)
}

/// Returns what a person would send to follow a remedy manually, for each member that proves the finding, or once.
fn by_hand(finding: &Value, key: &str) -> Vec<(&'static str, Value)> {
    let members = || {
        let evidence = finding["evidence"].as_array().expect("a list").iter();
        let ids = evidence.filter_map(|node| node["id"].as_str()?.split_once('_').map(|(_, id)| format!("mem_{id}")));
        ids.collect::<Vec<_>>()
    };
    match finding["remedy"]["action"].as_str().expect("an action") {
        "CREATE_TOP_UP" => vec![("createTopUp", json!({ "credits": "1", "idempotencyKey": key }))],
        "ADD_PAYMENT_METHOD" => vec![("addPaymentMethod", json!({ "gatewayToken": "no such" }))],
        "UPDATE_AUTO_TOP_UP" => vec![("updateAutoTopUp", json!({ "enabled": false }))],
        "UPDATE_CONTACT" => {
            let of = |id| ("updateContact", json!({ "memberId": id, "locale": "en" }));
            members().into_iter().map(of).collect()
        }
        "UPDATE_NOTIFICATION_SETTINGS" => {
            let of = |id| ("updateNotificationSettings", json!({ "memberId": id }));
            members().into_iter().map(of).collect()
        }
        "AUTHENTICATE" | "ASK_OWNER" | "CONTACT_SUPPORT" | "WAIT" => vec![],
        other => panic!("{other} is ready to send: {finding:#}"),
    }
}

/// Each offer: the viewer, the finding, and how it is executed.
type Offers = BTreeSet<(String, String, String)>;

/// Sends everything that each viewer is offered. No viewer is refused what they are offered.
async fn send_all(app: &TestApp, offers: &mut Offers) {
    let viewers = viewers(app).await;
    let mut offered = Vec::new();
    for (who, client) in &viewers {
        offered.push((who, client, findings(client).await));
    }
    let refused = |code: &Option<String>| {
        let code = code.as_deref().unwrap_or_default();
        ["FORBIDDEN", "NOT_FOUND", "UNAUTHENTICATED", "VALIDATION", "BAD_REQUEST"].contains(&code)
    };
    let account = json!(app.team.id());
    for (who, client, found) in offered {
        for finding in found {
            let remedy = &finding["remedy"];
            let text = |of: &Value| of.as_str().expect("a text").to_owned();
            offers.insert(((*who).to_owned(), text(&finding["code"]), text(&remedy["action"])));
            if let Some(mutation) = remedy["mutation"].as_str() {
                let code = refusal(client, mutation, remedy["variables"].clone()).await;
                assert!(!refused(&code), "{who} sends {finding:#}: {code:?}");
                continue;
            }
            let mut codes = Vec::new();
            for (mutation, mut input) in by_hand(&finding, who) {
                let is_of_account = ["createTopUp", "addPaymentMethod", "updateAutoTopUp"].contains(&mutation);
                if is_of_account {
                    input["accountId"] = account.clone();
                }
                codes.push(refusal(client, mutation, json!({ "input": input })).await);
            }
            let is_forbidden = |code: &Option<String>| code.as_deref() == Some("FORBIDDEN");
            let may = codes.is_empty() || codes.iter().any(|code| !is_forbidden(code));
            assert!(may, "{who} does by hand {finding:#}: {codes:?}");
        }
    }
}

/// Returns a team in which no member would be notified of low credits, and no address is verified; one is missing.
async fn news_that_reaches_nobody(muted: &[fn(&TestApp) -> &Person]) -> TestApp {
    let app = TestApp::start().await;
    app.top_up(100).await;
    let preference = |channel: &str| json!({ "kind": "LOW_BALANCE", "channel": channel, "enabled": false });
    for person in muted {
        let settings =
            json!({ "lowBalanceThreshold": "5", "preferences": [preference("EMAIL"), preference("IN_APP")] });
        set(person(&app), settings).await;
    }
    app
}

/// Returns an app in which all mail was given up, or bounces.
async fn mail_that_fails(reply: &'static str) -> TestApp {
    let (app, server) = smtp::start().await;
    make_well(&app).await;
    server.answer(smtp::Answer::Refuse(reply));
    for person in [&app.team.member, &app.team.admin, &app.team.owner] {
        smtp::test_by_mail(&app, person).await;
    }
    for _ in 0..10 {
        app.mail().await;
        app.advance(Duration::from_hours(3));
    }
    app
}

/// Returns an app with a rule that is paused because of its card.
async fn a_rule_that_is_paused(token: &str) -> TestApp {
    let app = super::healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card(token).await;
    switch_on(&buyer, "10", "50", None).await;
    spend(&app, "95").await;
    app.settle().await;
    app
}

#[tokio::test]
async fn every_remedy_may_be_sent_by_whoever_is_offered_it() {
    let mut offers = Offers::new();
    // First the owner's settings, then also an admin's, then no more.
    let everybody: [fn(&TestApp) -> &Person; 2] = [|app| &app.team.owner, |app| &app.team.admin];
    for muted in [&everybody[..1], &everybody, &[]] {
        let app = Box::pin(news_that_reaches_nobody(muted)).await;
        send_all(&app, &mut offers).await;
    }
    let app = Box::pin(super::healthy()).await;
    for person in [&app.team.owner, &app.team.admin] {
        let removed = person
            .client
            .mutate("updateContact", "", json!({ "email": null }))
            .await;
        assert_eq!(removed["userErrors"], json!([]));
    }
    send_all(&app, &mut offers).await;
    for reply in ["550 5.1.1 no such user here", "451 the disk is full"] {
        send_all(&Box::pin(mail_that_fails(reply)).await, &mut offers).await;
    }

    let app = Box::pin(super::healthy()).await;
    spend(&app, "95").await;
    send_all(&app, &mut offers).await;

    let app = Box::pin(super::healthy()).await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_declines_once", "10").await;
    book(&app, "10").await;
    app.advance(Duration::from_mins(61 + 16));
    send_all(&app, &mut offers).await;
    for token in ["card_declined", "card_expired", "card_blocked", "card_authenticate"] {
        send_all(&Box::pin(a_rule_that_is_paused(token)).await, &mut offers).await;
    }
    let (app, _) = Box::pin(a_card_beside_the_one_that_was_refused()).await;
    send_all(&app, &mut offers).await;
    let app = Box::pin(super::healthy()).await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    buyer.buy_with("card_fails_late", "20").await;
    app.advance(Duration::from_secs(61));
    app.settle().await;
    level(&app.team.owner, json!("500")).await;
    assert!(codes(&app).await.contains(&"AUTO_TOP_UP_PAUSED".to_owned()));
    send_all(&app, &mut offers).await;

    let has = |who: &str, code: &str, action: &str| {
        let offer = (who.to_owned(), code.to_owned(), action.to_owned());
        assert!(offers.contains(&offer), "{offer:?} of {offers:#?}");
    };
    // Owners and the platform can help an owner; an admin is not offered what would be refused.
    for (code, action) in [
        ("CONTACT_MISSING", "UPDATE_CONTACT"),
        ("CONTACT_BOUNCING", "UPDATE_CONTACT"),
        ("CONTACT_UNVERIFIED", "SEND_CONTACT_VERIFICATION"),
    ] {
        for who in [
            "owner",
            "admin",
            "platform key",
            "platform key for settings",
            "team key",
        ] {
            has(who, code, action);
        }
        for who in ["admin", "team key", "team key for settings", "team key that buys"] {
            has(who, code, "ASK_OWNER");
        }
        for who in ["owner", "platform key", "platform key for settings"] {
            let asked = (who.to_owned(), code.to_owned(), "ASK_OWNER".to_owned());
            assert!(!offers.contains(&asked), "{asked:?}");
        }
    }
    for (code, action) in [
        ("LOW_BALANCE_MUTED", "UPDATE_NOTIFICATION_SETTINGS"),
        ("EMAIL_DELIVERY_FAILING", "RESEND_DELIVERY"),
    ] {
        for who in ["owner", "admin", "team key for settings", "platform key for settings"] {
            has(who, code, action);
        }
        has("team key that reads", code, "ASK_OWNER");
    }
    has("admin", "LOW_BALANCE_MUTED", "ASK_OWNER");
    for who in ["owner", "admin", "team key that buys", "platform key that buys"] {
        has(who, "TOP_UP_FAILED", "RETRY_TOP_UP");
        has(who, "TOP_UP_FAILED", "ADD_PAYMENT_METHOD");
        has(who, "PAYMENT_METHOD_MISSING", "UPDATE_AUTO_TOP_UP");
        has(who, "AUTO_TOP_UP_PAUSED", "RESUME_AUTO_TOP_UP");
        has(who, "AUTO_TOP_UP_OFF_AND_LOW", "UPDATE_AUTO_TOP_UP");
    }
    has("team key that reads", "TOP_UP_FAILED", "ASK_OWNER");
    has("platform key that settles", "SESSIONS_OVERDUE", "COMPLETE_SESSIONS");
    for who in ["owner", "admin", "team key", "platform key that buys"] {
        has(who, "SESSIONS_OVERDUE", "CONTACT_SUPPORT");
    }
}

#[tokio::test]
async fn an_admin_is_told_what_an_owner_has_to_do() {
    let app = TestApp::start().await;
    let told = async || {
        let found = findings(&app.team.admin.client).await.into_iter();
        let of_olga = |finding: &Value| finding["summary"].as_str().is_some_and(|text| text.contains("Olga"));
        found.filter(of_olga).collect::<Vec<_>>().remove(0)["remedy"].clone()
    };
    let remedy = told().await;
    assert_eq!(
        remedy,
        json!({
            "label": "Ask an owner", "action": "ASK_OWNER", "mutation": null, "variables": null, "url": null,
            "help": "An owner of the team has to do this. Send a code to olga@team.example, and enter it.",
        })
    );
    let german = json!({ "locale": "de" });
    app.team.admin.client.mutate("updateContact", "", german).await;
    let help = told().await["help"].clone();
    assert!(
        help.as_str()
            .is_some_and(|help| help.starts_with("Das kann nur ein Inhaber des Teams tun. ")),
        "{help}"
    );
}

#[tokio::test]
async fn an_alert_offers_what_its_reader_may_do() {
    use Permission::{BuyCredits, ManageSettings, ReadCreditLog};
    let (app, server) = smtp::start().await;
    make_well(&app).await;
    let (olga, adam, mia) = (&app.team.owner, &app.team.admin, &app.team.member);
    server.answer(smtp::Answer::Refuse("550 5.1.1 no such user here"));
    smtp::test_by_mail(&app, olga).await;
    app.mail().await;
    spend(&app, "101").await;
    app.evaluate().await;
    let steps = async |client: &Client| {
        let query = "query ($id: ID) { account(id: $id) { alerts { nodes { kind action { nextStep } } } } }";
        let alerts = client.query(query, json!({ "id": app.team.id() })).await;
        let steps = |kind: &str| {
            let mut all = alerts.at("/account/alerts/nodes").as_array().expect("a list").iter();
            all.find(|alert| alert["kind"] == kind)
                .map(|alert| alert["action"]["nextStep"].clone())
        };
        (steps("BALANCE_DEPLETED"), steps("CONTACT_BOUNCING"))
    };
    let (top_up, contact, nothing) = (Some(json!("TOP_UP")), Some(json!("UPDATE_CONTACT")), Some(Value::Null));
    assert_eq!(steps(&olga.client).await, (top_up.clone(), contact.clone()));
    assert_eq!(steps(&adam.client).await, (top_up.clone(), nothing.clone()));
    assert_eq!(
        steps(&mia.client).await,
        (nothing.clone(), None),
        "a member does not buy"
    );
    for (key, expected) in [
        (app.team_key(&[ReadCreditLog]).await, (&nothing, &nothing)),
        (app.team_key(&[ReadCreditLog, BuyCredits]).await, (&top_up, &nothing)),
        (
            app.team_key(&[ReadCreditLog, ManageSettings]).await,
            (&nothing, &nothing),
        ),
        (app.key(&[ReadCreditLog, ManageSettings]).await, (&nothing, &contact)),
    ] {
        let (depleted, bouncing) = steps(&key).await;
        assert_eq!((&depleted, &bouncing), expected);
    }
}
