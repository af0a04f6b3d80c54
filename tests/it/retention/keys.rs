//! Idempotency keys expire where a setting says so: a repeated request is refused, and is never executed a second time.

use std::time::Duration;

use ledgerbell::domain::fault::Fault;
use ledgerbell::domain::retention::{Retention, RetentionSettings};
use ledgerbell::primitives::clock::Clock;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::AccountId;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};

use super::{DAY, count, execute, prune, verified};
use crate::harness::{Client, TestApp, code, with};
use crate::reading::ground::Ground;
use crate::top_ups::Buyer;

const KEYS: &[(&str, &str)] = &[("retention.idempotency_keys_days", "37")];

/// Returns balance, entries, sessions, top-ups, and the position in the account's stream, which changes with each event.
async fn seen(app: &TestApp) -> Value {
    let query = "query ($id: ID) { account(id: $id) { liveCursor balance { version posted held incoming } \
        creditLog { nodes { id amount description } } sessions { nodes { id status charged refunded } } \
        topUps { nodes { id status creditsReversed attempts { id outcome } } } } }";
    app.platform
        .query(query, json!({ "id": app.team.id() }))
        .await
        .at("/account")
        .clone()
}

/// A request, and what its repetition with other input differs in.
struct Request<'a> {
    client: &'a Client,
    mutation: &'static str,
    fields: &'static str,
    input: Value,
    other: Value,
}

impl Request<'_> {
    async fn send(&self) -> Value {
        self.client.mutate(self.mutation, self.fields, self.input.clone()).await
    }

    async fn send_other(&self) -> Value {
        let input = with(self.input.clone(), self.other.clone());
        self.client.mutate(self.mutation, self.fields, input).await
    }
}

fn number_of(app: &TestApp) -> i64 {
    app.team.account.id.number()
}

async fn whole_keys(app: &TestApp, origin: &str) -> i64 {
    let rows = format!(
        "idempotency_key WHERE account_id = {} AND origin = '{origin}' AND length(digest) = 32",
        number_of(app)
    );
    count(app, &rows).await
}

/// One request of each kind that moves credits, about this session and this top-up.
fn requests<'a>(app: &'a TestApp, buyer: &'a Client, session: &str, bought: &Value) -> [Request<'a>; 7] {
    let team = app.team.id();
    [
        Request {
            client: &app.platform,
            mutation: "bookSession",
            fields: "session { id }",
            input: app.booking("7.3", "lesson", 10..55),
            other: json!({ "credits": "0.9" }),
        },
        Request {
            client: &app.platform,
            mutation: "grantCredits",
            fields: "entry { id }",
            input: gift(app, "gift"),
            other: json!({ "credits": "11.2" }),
        },
        Request {
            client: &app.platform,
            mutation: "completeSession",
            fields: "session { id }",
            input: json!({ "sessionId": session, "credits": "6.9", "idempotencyKey": "complete" }),
            other: json!({ "credits": "6.8" }),
        },
        Request {
            client: &app.platform,
            mutation: "refundSession",
            fields: "session { id }",
            input: json!({ "sessionId": session, "credits": "1.3", "reason": "Late", "idempotencyKey": "refund" }),
            other: json!({ "reason": "Early" }),
        },
        Request {
            client: &app.platform,
            mutation: "adjustCredits",
            fields: "entry { id }",
            input: json!({ "accountId": team, "amount": "-2.7", "description": "Correction", "idempotencyKey": "adjust" }),
            other: json!({ "amount": "2.7" }),
        },
        Request {
            client: &app.platform,
            mutation: "refundTopUp",
            fields: "topUp { id }",
            input: json!({ "topUpId": bought["id"], "credits": "3.9", "reason": "Too many", "idempotencyKey": "back" }),
            other: json!({ "credits": "4.1" }),
        },
        Request {
            client: buyer,
            mutation: "createTopUp",
            fields: "topUp { id }",
            input: json!({ "credits": "83", "idempotencyKey": "card_ok" }),
            other: json!({ "credits": "84" }),
        },
    ]
}

fn gift(app: &TestApp, key: &str) -> Value {
    json!({ "accountId": app.team.id(), "credits": "11.1", "description": "Gift", "idempotencyKey": key })
}

#[tokio::test]
async fn a_key_that_has_expired_is_refused_and_nothing_changes() {
    let app = TestApp::start_with(KEYS).await;
    let buyer = Buyer::of(&app);
    let bought = buyer.buy_with("card_ok", "83").await;
    let session = app.book(app.booking("7.3", "lesson", 10..55)).await;
    let requests = requests(&app, buyer.client, &session, &bought);
    let mut first = Vec::new();
    for request in &requests {
        let result = request.send().await;
        assert_eq!(result["userErrors"], json!([]), "{}: {result}", request.mutation);
        first.push(result);
    }
    app.settle().await;
    app.advance(11 * DAY);
    app.settle().await;
    let late =
        json!({ "accountId": app.team.id(), "credits": "0.3", "description": "Later", "idempotencyKey": "later" });
    let later = app.platform.mutate("grantCredits", "entry { id }", late.clone()).await;
    app.advance(25 * DAY);
    app.settle().await;

    assert_eq!(prune(&app).await.idempotency_keys, 0, "36 days are less than 37");
    let before = seen(&app).await;
    for (request, result) in requests.iter().zip(&first) {
        assert_eq!(request.send().await, *result, "{}", request.mutation);
        assert_eq!(code(&request.send_other().await), "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(seen(&app).await, before);

    let rows = format!("idempotency_key WHERE account_id = {}", number_of(&app));
    let all = count(&app, &rows).await;
    app.advance(DAY + Duration::from_millis(1));
    app.settle().await;
    assert_eq!(prune(&app).await.idempotency_keys, 7);
    assert_eq!(prune(&app).await.idempotency_keys, 0, "each of them once");
    assert_eq!(count(&app, &rows).await, all, "the rows stay");
    let before = seen(&app).await;
    for request in &requests {
        for refused in [request.send().await, request.send_other().await] {
            let error = &refused["userErrors"][0];
            assert_eq!(
                code(&refused),
                "IDEMPOTENCY_KEY_EXPIRED",
                "{}: {refused}",
                request.mutation
            );
            assert_eq!(error["field"], json!(["idempotencyKey"]));
        }
    }
    app.settle().await;
    assert_eq!(seen(&app).await, before, "nothing was done");
    assert!(verified(&app).await.is_clean());

    // A key that was used later still has its result, and a new one does something new.
    let again = app.platform.mutate("grantCredits", "entry { id }", late).await;
    assert_eq!(again, later);
    let new = gift(&app, "new gift");
    let granted = app.platform.apply("grantCredits", "entry { amount }", new).await;
    assert_eq!(granted["entry"]["amount"], "11.1");
}

#[tokio::test]
async fn the_refusal_contains_the_day_of_the_first_use_in_the_callers_language() {
    let app = TestApp::start_with(KEYS).await;
    app.top_up(9).await;
    let booking = app.booking("4.7", "lesson", 10..55);
    app.book(booking.clone()).await;
    app.advance(38 * DAY);
    assert_eq!(prune(&app).await.idempotency_keys, 1);
    let mut texts = Vec::new();
    for language in ["en", "de"] {
        let document = "mutation ($input: BookSessionInput!) { bookSession(input: $input) { userErrors { message } } }";
        let request = app.platform.post("/graphql").header("accept-language", language);
        let request = request.json(&json!({ "query": document, "variables": { "input": booking } }));
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let message = &answer["data"]["bookSession"]["userErrors"][0]["message"];
        texts.push(message.as_str().expect("a text").to_owned());
    }
    let day = &crate::harness::BEGIN.to_string()[..10];
    assert!(
        texts[0].starts_with(&format!("this idempotencyKey was used on {day}, ")),
        "{texts:?}"
    );
    assert!(
        texts[1].starts_with(&format!("Dieser idempotencyKey wurde am {day} verwendet")),
        "{texts:?}"
    );
}

#[tokio::test]
async fn keys_of_open_top_ups_and_of_ledgerbell_itself_do_not_expire() {
    let app = TestApp::start_with(KEYS).await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "23").await;
    app.top_up(4).await;
    let refund =
        json!({ "topUpId": paid["id"], "credits": "2.3", "reason": "Too many", "idempotencyKey": "money back" });
    buyer.accept("refundTopUp", "topUp { id }", refund.clone()).await;
    // Neither the refund nor this one has come to the gateway yet.
    let open = buyer.create("17", "open").await;
    let system = whole_keys(&app, "SYSTEM").await;
    assert_eq!(system, 2);

    app.advance(400 * DAY);
    assert_eq!(prune(&app).await.idempotency_keys, 0);
    assert_eq!(buyer.create("17", "open").await["id"], open["id"]);
    assert_eq!(buyer.create("23", "card_ok").await["id"], paid["id"]);
    buyer.accept("refundTopUp", "topUp { id }", refund.clone()).await;

    app.settle().await;
    assert_eq!(buyer.top_up(&open["id"]).await["status"], "SUCCEEDED");
    assert_eq!(
        prune(&app).await.idempotency_keys,
        3,
        "the gateway has decided on everything"
    );
    assert_eq!(whole_keys(&app, "SYSTEM").await, system + 1);
    let (before, charges) = (seen(&app).await, buyer.charges());
    for credits in ["17", "18"] {
        let input = json!({ "credits": credits, "idempotencyKey": "open" });
        assert_eq!(
            buyer.refuse("createTopUp", "topUp { id }", input).await.0,
            "IDEMPOTENCY_KEY_EXPIRED"
        );
    }
    assert_eq!(
        buyer.refuse("refundTopUp", "topUp { id }", refund).await.0,
        "IDEMPOTENCY_KEY_EXPIRED"
    );
    app.settle().await;
    assert_eq!((seen(&app).await, buyer.charges()), (before, charges));
    app.finish().await;
}

/// A payment that waits for its cardholder, and one that is tried again later, keep their keys too.
#[tokio::test]
async fn keys_of_payments_that_wait_do_not_expire() {
    let app = TestApp::start_with(KEYS).await;
    app.top_up(9).await;
    let account = number_of(&app);
    let buyer = Buyer::of(&app);
    let failed = buyer.buy_with("card_declined", "13").await;
    assert_eq!(failed["status"], "FAILED");
    app.advance(41 * DAY);
    // The statuses are written here, since the gateway ends such waiting within days.
    let wait = |set: &str| format!("UPDATE top_up SET {set} WHERE account_id = {account} AND status <> 'SUCCEEDED'");
    for (waits, ended) in [
        ("status = 'REQUIRES_ACTION'", "status = 'FAILED'"),
        ("next_attempt_at = 1", "next_attempt_at = NULL"),
    ] {
        execute(&app, &wait(waits)).await;
        assert_eq!(prune(&app).await.idempotency_keys, 0, "{waits}");
        execute(&app, &wait(ended)).await;
    }
    assert_eq!(prune(&app).await.idempotency_keys, 1);
}

/// Inserts old keys of an account, numbered from 1.
fn insert_keys(backend: DbBackend, account: i64, origin: &str, keys: i64) -> String {
    let (series, digest) = match backend {
        DbBackend::Sqlite => (
            format!(
                "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {keys}) SELECT n FROM s) AS s"
            ),
            "zeroblob(32)",
        ),
        _ => (
            format!("generate_series(CAST(1 AS BIGINT), {keys}) AS s(n)"),
            "decode(repeat('00', 32), 'hex')",
        ),
    };
    format!(
        "INSERT INTO idempotency_key (account_id, origin, key, digest, operation, created_at) \
         SELECT {account}, '{origin}', 'key ' || n, {digest}, 'grantCredits', 5 * n FROM {series}"
    )
}

#[tokio::test]
async fn a_round_goes_through_all_keys_of_all_accounts_in_steps() {
    let app = TestApp::start_with(KEYS).await;
    let other = app.another_team("other").await.account.id.number();
    let backend = app.app().database().backend();
    // More than one turn reads.
    execute(&app, &insert_keys(backend, number_of(&app), "PLATFORM", 50_617)).await;
    execute(&app, &insert_keys(backend, number_of(&app), "SYSTEM", 709)).await;
    execute(&app, &insert_keys(backend, number_of(&app), "TEAM", 1_237)).await;
    execute(&app, &insert_keys(backend, other, "TEAM", 500)).await;
    let turn = app.services().retention.turn(None).await.expect("works");
    assert!(turn.next.is_some());
    let expired = turn.pruned.idempotency_keys;
    assert_eq!(expired, 50_000, "a turn is bounded");
    assert_eq!(
        prune(&app).await.idempotency_keys,
        50_617 + 1_237 + 500 - expired,
        "the next round goes on with what is left"
    );
    assert_eq!(whole_keys(&app, "SYSTEM").await, 709);
}

#[tokio::test]
async fn keys_are_found_by_their_primary_key() {
    for ground in Ground::each_with_plans().await {
        let (account, other) = (AccountId::from_number(7), AccountId::from_number(8));
        let insert = |id: AccountId| insert_keys(ground.backend(), id.number(), "PLATFORM", 20_011);
        let analyze = "ANALYZE idempotency_key".to_owned();
        ground.load(&[insert(account), insert(other), analyze]).await;
        let clock = Clock::system();
        let settings = RetentionSettings {
            idempotency_keys: Some(37),
            ..RetentionSettings::default()
        };
        let ledger = ground.ledger(&clock, Credits::ZERO);
        let states = (ledger.clone(), clock.now());
        let created = ground.database.transaction(move |tx| {
            let (ledger, now) = states.clone();
            Box::pin(async move {
                for id in [account, other] {
                    ledger.create_state(tx, id, 1_000, now).await?;
                }
                Ok::<(), Fault>(())
            })
        });
        created.await.expect("created");
        let retention = Retention::new((ground.database.clone(), clock), ledger, settings);
        ground.take_asked();
        let turn = retention.turn(None).await.expect("works");
        assert_eq!(turn.pruned.idempotency_keys, 2 * 20_011);
        let asked = ground.take_asked().into_iter();
        let (reads, updates): (Vec<_>, Vec<_>) = asked
            .filter(|statement| statement.sql.contains("idempotency_key"))
            .partition(|statement| statement.sql.starts_with("SELECT"));
        assert_eq!((reads.len(), updates.len()), (82, 82), "41 pages of each account");
        for statement in [&reads[3], &updates[3]] {
            let plan = plan(&ground, statement).await;
            let wanted = match ground.backend() {
                DbBackend::Sqlite => "SEARCH idempotency_key USING PRIMARY KEY (account_id=? AND (origin,key)>(?,?)",
                _ => "Index Cond: ((account_id = ",
            };
            assert!(plan.contains(wanted), "{}: {plan}", statement.sql);
            assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
            if ground.backend() == DbBackend::Postgres {
                assert!(plan.contains("(ROW(origin, key) > ROW("), "{plan}");
            }
        }
    }
}

async fn plan(ground: &Ground, statement: &Statement) -> String {
    let (how, column) = match ground.backend() {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        _ => ("EXPLAIN", "QUERY PLAN"),
    };
    let mut explained = statement.clone();
    explained.sql = format!("{how} {}", statement.sql);
    let rows = ground.database.read().query_all_raw(explained).await.expect("explains");
    let steps: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", column).expect("a step"))
        .collect();
    steps.join("\n")
}
