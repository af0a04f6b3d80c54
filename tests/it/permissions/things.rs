//! One object of each kind in a team, owned by the plain member if it has an owner; and everything that a refusal must not
//! change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Client, Team, TestApp};

/// The ids of one object of each kind, by the name of its type.
pub(super) struct Things(BTreeMap<String, String>);

impl Things {
    pub(super) fn of(&self, type_name: &str) -> &str {
        let id = self.0.get(type_name);
        id.unwrap_or_else(|| panic!("there is a {type_name} to ask for: make one in tests/it/permissions/things.rs"))
    }

    /// Creates one object of each kind in a team, with a key that has all permissions.
    pub(super) async fn make(app: &TestApp, team: &Team) -> Self {
        let (everything, owner) = (&app.platform, &team.owner.client);
        let ask = async |client: &Client, name: &str, selection: &str, mut input: Value| {
            input["accountId"] = json!(team.id());
            client.apply(name, selection, input).await
        };
        let credits = json!({ "credits": "20", "description": "Welcome", "idempotencyKey": "grant" });
        ask(everything, "grantCredits", "account { id }", credits).await;
        let book = json!({ "memberId": team.member.id(), "title": "Yoga", "externalId": "x", "credits": "1", "idempotencyKey": "book",
            "startsAt": app.in_minutes(1), "endsAt": app.in_minutes(2) });
        let booked = ask(everything, "bookSession", "session { id }", book).await;
        let complete = json!({ "sessionId": booked["session"]["id"], "idempotencyKey": "complete" });
        ask(everything, "completeSession", "session { id }", complete).await;
        let key = json!({ "name": "Team's", "permissions": ["READ_OWN_USAGE"] });
        let key = ask(owner, "createApiKey", "apiKey { id }", key).await;
        let card = ask(
            owner,
            "addPaymentMethod",
            "paymentMethod { id }",
            json!({ "gatewayToken": "card_ok" }),
        )
        .await;
        let rule = json!({ "enabled": true, "trigger": "30", "amount": "10", "consent": true });
        ask(owner, "updateAutoTopUp", "autoTopUp { id }", rule).await;
        let address = json!({ "label": "Accounting", "email": "books@example.com", "alertKinds": ["TOP_UP_FAILED"] });
        let address = ask(owner, "addNotificationAddress", "notificationAddress { id }", address).await;
        let hook = json!({ "url": "https://example.com/hooks" });
        let hook = ask(owner, "createWebhookEndpoint", "webhookEndpoint { id }", hook).await;
        let test = json!({ "webhookEndpointId": hook["webhookEndpoint"]["id"] });
        let test = owner.apply("sendTestWebhook", "webhookMessage { id }", test).await;
        app.settle().await;
        app.evaluate().await;
        let query = "query ($id: ID) { account(id: $id) { liveCursor balance { id } creditLots { nodes { id } }
            creditLog(filter: { kinds: [SESSION] }) { nodes { id } }
            topUps { nodes { id attempts { id } } } autoTopUp { id decisions(first: 1) { nodes { id } } } } }";
        let all = everything.query(query, json!({ "id": team.id() })).await;
        let at = |path: &str| all.at(&format!("/account/{path}")).clone();
        let own = "{ viewer { member { id contact { id } notificationSettings { id } deliveries(first: 1) { nodes { id alert { id } } } } }
            account { alerts(first: 1) { items { id } } } }";
        let own = team.member.client.query(own, json!({})).await;
        let of_member = |path: &str| own.at(&format!("/viewer/member/{path}")).clone();
        let things = [
            ("Account", json!(team.id())),
            ("LiveCursor", at("liveCursor")),
            ("Balance", at("balance/id")),
            ("CreditEntry", at("creditLog/nodes/0/id")),
            ("CreditLot", at("creditLots/nodes/0/id")),
            ("Session", booked["session"]["id"].clone()),
            ("TopUp", at("topUps/nodes/0/id")),
            ("TopUpAttempt", at("topUps/nodes/0/attempts/0/id")),
            ("PaymentMethod", card["paymentMethod"]["id"].clone()),
            ("AutoTopUp", at("autoTopUp/id")),
            ("TopUpDecision", at("autoTopUp/decisions/nodes/0/id")),
            ("Member", json!(team.member.id())),
            ("Contact", of_member("contact/id")),
            ("NotificationSettings", of_member("notificationSettings/id")),
            ("ApiKey", key["apiKey"]["id"].clone()),
            ("Alert", of_member("deliveries/nodes/0/alert/id")),
            ("InboxItem", own.at("/account/alerts/items/0/id").clone()),
            ("Delivery", of_member("deliveries/nodes/0/id")),
            ("NotificationAddress", address["notificationAddress"]["id"].clone()),
            ("WebhookEndpoint", hook["webhookEndpoint"]["id"].clone()),
            ("WebhookMessage", test["webhookMessage"]["id"].clone()),
        ];
        let things = things.map(|(name, id)| (name.to_owned(), id.as_str().expect("an id").to_owned()));
        Self(things.into_iter().collect())
    }
}

/// Returns everything of the account that a mutation can change, and the position in its stream, which changes with each event.
pub(super) async fn snapshot(app: &TestApp) -> Value {
    let query = "query ($id: ID) { account(id: $id) { liveCursor externalId name status timezone creditPrice { amount }
        balance { version posted held incoming } creditLog { totals { count net } } sessions { nodes { id status } }
        members(includeRemoved: true) { nodes { id externalId name role removedAt
            contact { email emailStatus locale timezone version } notificationSettings { version } unreadAlertCount
            deliveries { nodes { id status attempts } } } }
        notificationDefaults { version } notificationAddresses { id label email emailStatus alertKinds removedAt version }
        webhookEndpoints { id url enabled previousSecretUntil version messages { nodes { id status nextAttemptAt } } }
        apiKeys { id permissions revokedAt } paymentMethods { id isDefault } autoTopUp { enabled state trigger amount version }
        topUps { nodes { id status creditsReversed } } } }";
    let answer = app.platform.query(query, json!({ "id": app.team.id() })).await;
    answer.at("/account").clone()
}
