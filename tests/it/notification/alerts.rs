//! Which events raise alerts, who receives them, and when they end.

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{adjust, complete, inbox, kinds, set};
use ledgerbell::domain::notification::Progress;
use ledgerbell::primitives::ids::AccountId;

use crate::harness::{Team, TestApp};

#[tokio::test]
async fn f53_f57_low_balance_is_told_once_to_whom_it_concerns_and_ends_with_a_recovery() {
    let app = TestApp::start().await;
    let Team {
        owner, admin, member, ..
    } = &app.team;
    app.top_up(100).await;
    app.evaluate().await;
    set(owner, json!({ "lowBalanceThreshold": "50" })).await;
    set(member, json!({ "lowBalanceThreshold": "90" })).await;
    app.evaluate().await;
    let begun = kinds(owner).await;
    assert_eq!(begun, ["TOP_UP_SUCCEEDED"]);

    adjust(&app, "-49.9999").await;
    assert_eq!(kinds(owner).await, begun, "above the threshold");
    adjust(&app, "-0.0001").await;
    let (alerts, _) = inbox(&owner.client).await;
    assert_eq!(alerts[0]["kind"], "LOW_BALANCE");
    assert_eq!(
        (&alerts[0]["title"], &alerts[0]["body"]),
        (&json!("Credits are running low"), &json!("50 credits are left."))
    );
    assert_eq!(
        alerts[0]["action"],
        json!({ "label": "Top up", "nextStep": "TOP_UP", "url": null })
    );
    assert_eq!(kinds(admin).await, ["TOP_UP_SUCCEEDED"], "has no threshold");
    assert_eq!(kinds(member).await, [""; 0], "is no admin");
    for _ in 0..5 {
        adjust(&app, "-1").await;
    }
    adjust(&app, "9").await;
    assert_eq!(
        kinds(owner).await,
        ["LOW_BALANCE", "TOP_UP_SUCCEEDED"],
        "F53: once while it lasts, F54: nor within the margin"
    );

    adjust(&app, "1.0001").await;
    let (alerts, _) = inbox(&owner.client).await;
    assert_eq!(
        (&alerts[0]["kind"], &alerts[1]["kind"]),
        (&json!("BALANCE_RECOVERED"), &json!("LOW_BALANCE"))
    );
    assert!(alerts[1]["resolvedAt"].is_string());
    adjust(&app, "-20").await;
    assert_eq!(kinds(owner).await[0], "LOW_BALANCE", "armed again");
}

#[tokio::test]
async fn f55_of_what_one_posting_crosses_the_worst_is_told() {
    let app = TestApp::start().await;
    let Team {
        owner, admin, member, ..
    } = &app.team;
    set(owner, json!({ "lowBalanceThreshold": "50" })).await;
    set(admin, json!({ "lowBalanceThreshold": "10" })).await;
    app.top_up(100).await;
    app.evaluate().await;
    adjust(&app, "-120").await;
    for person in [owner, admin] {
        assert_eq!(kinds(person).await, ["BALANCE_DEPLETED", "TOP_UP_SUCCEEDED"]);
    }
    assert_eq!(kinds(member).await, ["BALANCE_DEPLETED"], "everybody sees it");
    let query =
        "{ account { alerts(filter: { kinds: [LOW_BALANCE], includeArchived: true }) { nodes { kind resolvedAt } } } }";
    let key = app
        .key(&[ledgerbell::primitives::actor::Permission::ManageSettings])
        .await;
    let recorded = key.query(query, json!({})).await;
    assert_eq!(recorded.at("/account/alerts/nodes").as_array().map(Vec::len), Some(1));
    assert!(recorded.at("/account/alerts/nodes/0/resolvedAt").is_string());

    adjust(&app, "50").await;
    assert_eq!(
        kinds(owner).await[0],
        "BALANCE_DEPLETED",
        "30 are still low for the owner"
    );
    adjust(&app, "100").await;
    assert_eq!(kinds(owner).await[0], "BALANCE_RECOVERED");
}

#[tokio::test]
async fn what_nobody_is_told_of_is_passed_over_for_many_accounts_at_once() {
    let app = TestApp::start().await;
    let alerts = &app.services().alerts;
    let (mut accounts, mut public) = (vec![app.team.account.id], vec![app.team.id()]);
    for number in 0..8 {
        let team = app.another_team(&format!("quiet-{number}")).await;
        app.top_up_of(&team, 100).await;
        accounts.push(team.account.id);
        public.push(team.id());
    }
    app.top_up(100).await;
    app.evaluate().await;
    for (number, account) in public.iter().enumerate() {
        let spent = json!({ "accountId": account, "amount": "-40", "description": "Spent",
            "idempotencyKey": format!("spent-{number}") });
        app.platform.accept("adjust_credits", spent).await;
    }
    set(&app.team.owner, json!({ "lowBalanceThreshold": "60" })).await;
    let before = app.app().database().statements();
    let mut progress = Progress::default();
    for _ in 0..2 {
        let alone = alerts.evaluate(&accounts[1..], &mut progress).await;
        assert_eq!(alone, Ok(Vec::new()));
    }
    alerts.save_progress(&mut progress).await.expect("written");
    let statements = app.app().database().statements() - before;
    let together = app.services().ledger.accounts_per_transaction().min(8);
    assert!(
        statements <= 6 * (8 / together as u64),
        "{statements} statements for eight accounts"
    );
    let alone = alerts.evaluate(&accounts, &mut progress).await.expect("looked at");
    assert_eq!(alone, [app.team.account.id], "at the owner's threshold, and no other");

    let late = async || alerts.late(100).await.expect("found");
    assert_eq!(late().await, [app.team.account.id]);
    app.evaluate().await;
    assert!(kinds(&app.team.owner).await.iter().any(|kind| kind == "LOW_BALANCE"));
    assert!(late().await.is_empty());
}

#[tokio::test]
async fn sessions_of_many_teams_are_told_by_one_transaction_but_where_more_is_to_be_told() {
    let app = TestApp::start().await;
    let alerts = &app.services().alerts;
    let mut teams = Vec::new();
    for number in 0..9 {
        teams.push(app.another_team(&format!("busy-{number}")).await);
    }
    for team in &teams {
        app.top_up_of(team, 100).await;
    }
    set(&teams[4].owner, json!({ "lowBalanceThreshold": "98" })).await;
    set(&teams[5].owner, json!({ "lowBalanceThreshold": "150" })).await;
    app.evaluate().await;
    for team in &teams {
        complete(&app, team, "s").await;
    }
    let accounts: Vec<AccountId> = teams.iter().map(|team| team.account.id).collect();
    let mut progress = Progress::default();
    let before = app.app().database().statements();
    let alone = alerts.evaluate(&accounts, &mut progress).await.expect("looked at");
    let statements = app.app().database().statements() - before;
    assert_eq!(
        alone,
        [teams[4].account.id],
        "its balance is low now, that of the next one was before"
    );
    if app.services().ledger.accounts_per_transaction() > 1 {
        let (of_each, of_low_ones) = (9, 2 * 5);
        assert!(
            statements <= of_each + of_low_ones + 13,
            "{statements} statements for nine accounts"
        );
    }
    alerts.save_progress(&mut progress).await.expect("written");
    let late = alerts.late(100).await.expect("found");
    assert_eq!(late, alone, "the others need no second look");
    app.evaluate().await;
    for (number, team) in teams.iter().enumerate() {
        assert_eq!(kinds(&team.member).await, ["SESSION_CHARGED"], "team {number}");
        let told = kinds(&team.owner).await;
        let is_low = told.iter().any(|kind| kind == "LOW_BALANCE");
        assert_eq!(is_low, [4, 5].contains(&number), "{told:?}");
    }
    assert_eq!(
        alerts.evaluate(&accounts, &mut progress).await,
        Ok(Vec::new()),
        "nothing is left"
    );
}

#[tokio::test]
async fn an_account_that_cannot_be_read_holds_up_no_other() {
    let app = TestApp::start().await;
    let alerts = &app.services().alerts;
    let mut teams = Vec::new();
    for number in 0..4 {
        let team = app.another_team(&format!("neighbour-{number}")).await;
        app.top_up_of(&team, 100).await;
        teams.push(team);
    }
    app.evaluate().await;
    for team in &teams {
        complete(&app, team, "s").await;
    }
    let number = teams[2].account.id.number();
    // A kind of a newer version, as while processes are replaced one by one.
    let sql = format!("UPDATE event SET kind = 'OF_THE_FUTURE' WHERE account_id = {number}");
    let database = sea_orm::Database::connect(app.database_url()).await.expect("connects");
    database.execute_unprepared(&sql).await.expect("writes");
    database.close().await.expect("closes");
    let accounts: Vec<AccountId> = teams.iter().map(|team| team.account.id).collect();
    let alone = alerts
        .evaluate(&accounts, &mut Progress::default())
        .await
        .expect("looked at");
    for account_id in alone {
        let evaluated = alerts.evaluate_alone(account_id).await;
        assert_eq!(evaluated.is_err(), account_id == teams[2].account.id);
    }
    for (number, team) in teams.iter().enumerate() {
        let told = kinds(&team.member).await;
        assert_eq!(told.is_empty(), number == 2, "{told:?}");
    }
}

#[tokio::test]
async fn a_session_is_told_to_its_member_alone_once_however_many_look() {
    let app = TestApp::start().await;
    let Team { owner, member, .. } = &app.team;
    app.top_up(100).await;
    app.evaluate().await;
    complete(&app, &app.team, "s").await;
    let another = app.another_process(&[]).await;
    let account_id = app.team.account.id;
    let looks = (0..6).map(|at| {
        let services = if at % 2 == 0 {
            app.services()
        } else {
            another.services()
        };
        async move {
            let alone = services.alerts.evaluate(&[account_id], &mut Progress::default()).await;
            assert_eq!(alone, Ok(Vec::new()), "it is plain what there is to tell");
            while services.alerts.evaluate_alone(account_id).await.expect("looks") {}
        }
    });
    join_all(looks).await;
    another.close().await;
    let (alerts, unread) = inbox(&member.client).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(
        (&alerts[0]["kind"], &alerts[0]["title"], &unread),
        (&json!("SESSION_CHARGED"), &json!("3 credits were deducted"), &json!(1))
    );
    assert_eq!(alerts[0]["session"]["title"], "Yoga <b>");
    assert_eq!(kinds(owner).await, ["TOP_UP_SUCCEEDED"]);
}

#[tokio::test]
async fn freezing_is_told_once_and_ends() {
    let app = TestApp::start().await;
    let Team { owner, member, .. } = &app.team;
    let freeze = json!({ "accountId": app.team.id(), "reason": "The invoice is open." });
    app.platform.accept("freeze_account", freeze).await;
    app.evaluate().await;
    let rename =
        "mutation ($id: ID!) { updateAccount(input: { accountId: $id, name: \"New\" }) { userErrors { code } } }";
    app.platform.query(rename, json!({ "id": app.team.id() })).await;
    app.evaluate().await;
    for person in [owner, member] {
        let (alerts, _) = inbox(&person.client).await;
        let bodies: Vec<&Value> = alerts.iter().map(|alert| &alert["body"]).collect();
        assert_eq!(
            bodies,
            ["The invoice is open. Credits can be neither used nor added, and none expire."]
        );
    }
    app.advance(std::time::Duration::from_secs(1));
    app.platform
        .accept("unfreeze_account", json!({ "accountId": app.team.id() }))
        .await;
    app.evaluate().await;
    assert_eq!(kinds(member).await, ["ACCOUNT_UNFROZEN", "ACCOUNT_FROZEN"]);
    assert!(inbox(&member.client).await.0[1]["resolvedAt"].is_string());
}

#[tokio::test]
async fn alerts_are_written_in_the_readers_language_and_lead_to_the_operators_page() {
    let app = TestApp::start_with(&[("app_url", "https://app.example/credits")]).await;
    let olga = &app.team.owner;
    olga.client
        .mutate("updateContact", "", json!({ "locale": "de-AT" }))
        .await;
    app.top_up(1_234).await;
    app.evaluate().await;
    adjust(&app, "-1234.5").await;
    let (alerts, _) = inbox(&olga.client).await;
    assert_eq!(alerts[0]["title"], "Das Guthaben ist aufgebraucht");
    assert!(
        alerts[0]["body"]
            .as_str()
            .is_some_and(|body| body.contains("−0,5 Credits")),
        "{}",
        alerts[0]
    );
    let url = format!(
        "https://app.example/credits?action=TOP_UP&alert={}",
        alerts[0]["id"].as_str().expect("an id")
    );
    assert_eq!(alerts[0]["action"]["url"], json!(url));
    assert_eq!(alerts[1]["body"], "1.234 Credits wurden hinzugefügt.");
    assert_eq!(inbox(&app.team.admin.client).await.0[0]["title"], "Out of credits");
}
