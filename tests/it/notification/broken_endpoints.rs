//! Alerts about webhook endpoints that failures have disabled.

use std::time::Duration;

use serde_json::{Value, json};

use super::{inbox, kinds, mail_of, set, verify};
use crate::harness::TestApp;
use crate::webhook_endpoints::receiver::{Answer, Receiver};
use crate::webhook_endpoints::{about, deliver, endpoint, entries, grant, start};

const KIND: &str = "WEBHOOK_ENDPOINT_DISABLED";
const RAISED: &str = "subscription { alertRaised { signal alert { kind title body action { nextStep } } } }";

/// The alerts about endpoints in the owner's inbox, newest first: the text, and whether it has ended.
async fn disabled_alerts(app: &TestApp) -> Vec<(String, bool)> {
    let (alerts, _) = inbox(&app.team.owner.client).await;
    let about = alerts.iter().filter(|alert| alert["kind"] == KIND);
    about
        .map(|alert| {
            let body = alert["body"].as_str().expect("a text").to_owned();
            (body, alert["resolvedAt"] != Value::Null)
        })
        .collect()
}

#[tokio::test]
async fn admins_hear_of_an_endpoint_that_is_gone_until_it_is_enabled() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let (olga, adam, mia) = (&app.team.owner, &app.team.admin, &app.team.member);
    for person in [olga, adam, mia] {
        verify(&app, person).await;
    }
    set(
        adam,
        json!({ "preferences": [{ "kind": KIND, "channel": "EMAIL", "enabled": false }] }),
    )
    .await;
    receiver.answer("/secret-path", Answer::Status(410));
    let with = json!({ "eventTypes": ["CREDIT_ENTRY_POSTED"], "description": "Books" });
    let made = endpoint(&app, &receiver.url("/secret-path"), &with).await;
    let mut of_adam = app.subscribe(&adam.client, RAISED, json!({})).await;
    let mut of_mia = app.subscribe(&mia.client, RAISED, json!({})).await;
    of_adam.expect("CAUGHT_UP").await;
    of_mia.expect("CAUGHT_UP").await;
    grant(&app, "one").await;
    deliver(&app).await;
    app.evaluate().await;
    let alert = of_adam.expect("ITEM").await["alert"].clone();
    let host = receiver.url("").replace("http://", "");
    let body = format!(
        "The endpoint “Books” at {host} answered that it is gone (410). It gets nothing anymore. Repair and enable it, then send what \
         it missed, or delete it."
    );
    let expected = json!({ "kind": KIND, "title": "A webhook endpoint was disabled", "body": body,
        "action": { "nextStep": "REVIEW_WEBHOOK_ENDPOINTS" } });
    assert_eq!(alert, expected);
    assert_eq!(mail_of(&app, olga, KIND).await, (json!("QUEUED"), Value::Null));
    assert_eq!(
        mail_of(&app, adam, KIND).await,
        (json!("SUPPRESSED"), json!("PREFERENCE_OFF"))
    );
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "to Olga alone: {mails:?}");
    assert!(
        mails[0].contains("Subject: A webhook endpoint was disabled"),
        "{}",
        mails[0]
    );
    assert!(!mails[0].contains("secret-path"), "{}", mails[0]);
    // Other changes of the account raise it no second time.
    let rename = json!({ "accountId": app.team.id(), "name": "Renamed" });
    app.platform.apply("updateAccount", "account { id }", rename).await;
    let note = json!({ "description": "Ledger" });
    about(&olga.client, "updateWebhookEndpoint", &made.id, &note).await;
    app.evaluate().await;
    assert_eq!(disabled_alerts(&app).await, [(body.clone(), false)]);
    about(
        &olga.client,
        "updateWebhookEndpoint",
        &made.id,
        &json!({ "enabled": true }),
    )
    .await;
    app.evaluate().await;
    assert_eq!(disabled_alerts(&app).await, [(body, true)], "it has ended");
    // It fails again: another alert, which ends when the endpoint is deleted.
    app.advance(Duration::from_secs(1));
    grant(&app, "two").await;
    deliver(&app).await;
    app.evaluate().await;
    let ended = |alerts: &[(String, bool)]| alerts.iter().map(|(_, ended)| *ended).collect::<Vec<_>>();
    assert_eq!(ended(&disabled_alerts(&app).await), [false, true]);
    about(&olga.client, "deleteWebhookEndpoint", &made.id, &json!({})).await;
    app.evaluate().await;
    assert_eq!(ended(&disabled_alerts(&app).await), [true, true]);
    assert!(kinds(mia).await.is_empty());
    assert!(of_mia.is_idle().await, "a plain member hears nothing of it");
}

#[tokio::test]
async fn an_endpoint_that_a_person_disables_raises_no_alert() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let owner = &app.team.owner.client;
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    about(owner, "updateWebhookEndpoint", &made.id, &json!({ "enabled": false })).await;
    let rename = json!({ "accountId": app.team.id(), "name": "Renamed" });
    app.platform.apply("updateAccount", "account { id }", rename).await;
    app.evaluate().await;
    assert!(disabled_alerts(&app).await.is_empty());
    assert_eq!(app.mail().await.len(), 0);
}

#[tokio::test]
async fn endpoints_that_fail_for_days_raise_alerts_and_those_that_wait_share_a_mail() {
    let (app, receiver) = (start().await, Receiver::start().await);
    verify(&app, &app.team.owner).await;
    for path in ["/one", "/two", "/three"] {
        receiver.answer(path, Answer::Status(500));
        endpoint(&app, &receiver.url(path), &entries()).await;
    }
    for day in 0..6 {
        grant(&app, &format!("day {day}")).await;
        deliver(&app).await;
        app.advance(Duration::from_hours(24));
    }
    app.evaluate().await;
    let alerts = disabled_alerts(&app).await;
    assert_eq!(alerts.len(), 3, "{alerts:?}");
    for (body, ended) in &alerts {
        assert!(
            body.contains("did not accept any message for five days") && !ended,
            "{body}"
        );
    }
    // The first goes at once. All others wait for an hour, also one that fails in the meantime.
    let sent = async || app.mail().await;
    assert_eq!(sent().await.len(), 1);
    app.advance(Duration::from_mins(35));
    receiver.answer("/four", Answer::Status(410));
    endpoint(&app, &receiver.url("/four"), &entries()).await;
    grant(&app, "four").await;
    deliver(&app).await;
    app.evaluate().await;
    assert_eq!(sent().await.len(), 1);
    app.advance(Duration::from_mins(25));
    let mails = sent().await;
    assert_eq!(mails.len(), 2);
    assert!(
        mails.iter().any(|mail| mail.contains("Subject: 3 messages")),
        "{mails:?}"
    );
    app.advance(Duration::from_hours(24));
    assert_eq!(sent().await.len(), 2);
}

#[tokio::test]
async fn a_broken_endpoint_of_the_platform_is_a_figure_for_operators() {
    let (app, receiver) = (start().await, Receiver::start().await);
    receiver.answer("/in", Answer::Status(410));
    let input = json!({ "url": receiver.url("/in"), "eventTypes": ["CREDIT_ENTRY_POSTED"] });
    app.platform
        .apply("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    let stuck = || async {
        let stuck = app.services().backlog.stuck(app.clock.now()).await.expect("figures");
        (
            stuck.disabled_webhook_endpoints,
            stuck.disabled_platform_webhook_endpoints,
        )
    };
    assert_eq!(stuck().await, (0, 0));
    grant(&app, "one").await;
    deliver(&app).await;
    assert_eq!(stuck().await, (1, 1));
    receiver.answer("/team", Answer::Status(410));
    endpoint(&app, &receiver.url("/team"), &entries()).await;
    grant(&app, "two").await;
    deliver(&app).await;
    assert_eq!(stuck().await, (2, 1));
    app.evaluate().await;
    assert_eq!(disabled_alerts(&app).await.len(), 1, "of the team's own endpoint alone");
}
