//! Requests of common clients, and what the specifications allow them.

use std::time::Duration;

use ledgerbell::primitives::ids::{AccountId, MemberId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{NEW, ask, code, send};
use crate::harness::{Client, Raw, Socket, TestApp};

const NAME: &str = "query Name { account { name } }";

fn digest(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

fn persisted(text: Option<&str>, sha256: &str) -> Value {
    let mut body =
        json!({ "operationName": "Name", "extensions": { "persistedQuery": { "version": 1, "sha256Hash": sha256 } } });
    if let Some(text) = text {
        body["query"] = json!(text);
    }
    body
}

async fn post(
    client: &Client,
    headers: &[(&'static str, &'static str)],
    body: impl Into<reqwest::Body>,
) -> (StatusCode, Value) {
    let mut request = client.post("/graphql").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    (response.status(), response.json().await.unwrap_or(Value::Null))
}

/// Automatic persisted queries, as the clients of Apollo and urql use them: first the digest, then once the text, then only the
/// digest.
#[tokio::test]
async fn a_document_that_is_not_known_by_its_digest_is_sent_once() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let sha256 = digest(NAME);
    let (status, _, unknown) = send(client, &persisted(None, &sha256)).await;
    assert_eq!((status, code(&unknown)), (StatusCode::OK, "PERSISTED_QUERY_NOT_FOUND"));
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    assert!(unknown.get("data").is_none());
    let (_, _, sent) = send(client, &persisted(Some(NAME), &sha256)).await;
    assert_eq!(sent["data"]["account"]["name"], "The team");
    let (_, _, known) = send(client, &persisted(None, &sha256)).await;
    assert_eq!(known["data"]["account"]["name"], "The team");
    let by_get = format!(
        "/graphql?operationName=Name&extensions={{\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"{sha256}\"}}}}"
    );
    let by_get = client
        .get(&by_get)
        .header("accept", NEW)
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        by_get.json::<Value>().await.expect("JSON")["data"]["account"]["name"],
        "The team"
    );
    // A text under a wrong digest would make one client execute the document of another.
    let wrong = digest("{ viewer { kind } }");
    let (status, _, refused) = send(client, &persisted(Some(NAME), &wrong)).await;
    assert_eq!((status, code(&refused)), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    let (_, _, unknown) = send(client, &persisted(None, &wrong)).await;
    assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND", "nothing was kept under it");
}

#[tokio::test]
async fn sockets_take_persisted_queries_too() {
    let app = TestApp::start().await;
    let mut socket = Socket::ready(app.base(), app.team.owner.client.credential().expect("a token")).await;
    let sha256 = digest(NAME);
    socket
        .send(&json!({ "id": "1", "type": "subscribe", "payload": persisted(None, &sha256) }))
        .await;
    let refused = socket.message().await;
    assert_eq!(refused["type"], "error");
    assert_eq!(refused["payload"][0]["message"], "PersistedQueryNotFound");
    socket
        .send(&json!({ "id": "2", "type": "subscribe", "payload": persisted(Some(NAME), &sha256) }))
        .await;
    assert_eq!(socket.next("2").await["data"]["account"]["name"], "The team");
}

#[tokio::test]
async fn requests_are_read_as_the_specifications_say() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let json = ("content-type", "application/json");
    let body = json!({ "query": NAME, "operationName": "" }).to_string();
    let (status, answer) = post(client, &[json, ("accept", NEW)], body.clone()).await;
    assert_eq!(
        (status, &answer["data"]["account"]["name"]),
        (StatusCode::OK, &json!("The team")),
        "an empty name is none"
    );
    let (status, _) = post(
        client,
        &[("content-type", "application/json; charset=utf8")],
        body.clone(),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = post(client, &[json], format!("\u{feff}{body}")).await;
    assert_eq!(status, StatusCode::OK, "a byte-order mark is ignored");
    let marked = json!({ "query": format!("\u{feff}{NAME}") }).to_string();
    assert_eq!(post(client, &[json], marked).await.0, StatusCode::OK);
    let (status, _) = post(client, &[json, ("accept", "application/json;q=0")], body.clone()).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    let (status, _) = post(
        client,
        &[json, ("accept", "text/event-stream;q=0, application/json")],
        body,
    )
    .await;
    assert_eq!(status, StatusCode::OK, "a stream that is refused is not sent");
}

#[tokio::test]
async fn characters_are_written_by_their_numbers_in_every_way() {
    let app = TestApp::start().await;
    let rename = |escaped: &str| {
        format!(
            "mutation {{ updateAccount(input: {{ accountId: \"{}\", name: \"{escaped}\" }}) {{ account {{ name }} userErrors {{ code }} }} }}",
            app.team.id()
        )
    };
    for (escaped, name) in [
        (r"Bell \ud83d\udd14", "Bell \u{1f514}"),
        (r"Bell \u{1F514}!", "Bell \u{1f514}!"),
        (r"Caf\u00e9 \u{22}One\u{22}", "Caf\u{e9} \"One\""),
        (r"A \\u0000 and \\u{0}", r"A \u0000 and \u{0}"),
    ] {
        let (_, _, answer) = ask(&app.platform, &rename(escaped), json!({})).await;
        assert_eq!(
            answer["data"]["updateAccount"]["account"]["name"], name,
            "{escaped}: {answer}"
        );
    }
    for escaped in [r"\u0000", r"\u{0}", r"\ud83d", r"\u{D83D}", r"\u{110000}"] {
        let (status, _, answer) = ask(&app.platform, &rename(escaped), json!({})).await;
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            "{escaped}"
        );
    }
    let named = "mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { account { name } userErrors { code } } }";
    let text = json!({ "input": { "accountId": app.team.id(), "name": "The text \\u0000" } });
    let (_, _, answer) = ask(&app.platform, named, text).await;
    assert_eq!(answer["data"]["updateAccount"]["account"]["name"], "The text \\u0000");
    let nul = json!({ "input": { "accountId": app.team.id(), "name": "\0" } });
    assert_eq!(ask(&app.platform, named, nul).await.0, StatusCode::BAD_REQUEST);
}

/// Python's gql 4 compares the subprotocol in the case in which it wrote the header.
#[tokio::test]
async fn a_socket_is_answered_in_the_case_in_which_it_was_asked_for() {
    let app = TestApp::start().await;
    for name in [
        "Sec-WebSocket-Protocol",
        "sec-websocket-protocol",
        "SEC-WebSocket-protocol",
    ] {
        let mut raw = Raw::connect(app.base()).await;
        let request = format!(
            "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{name}: graphql-transport-ws\r\n\r\n"
        );
        raw.send(request).await.expect("sent");
        let head = raw.head().await;
        assert!(
            head.contains(&format!("\r\n{name}: graphql-transport-ws\r\n")),
            "{name}: {head}"
        );
    }
}

/// Postman and apollo-kotlin send the credential with the upgrade.
#[tokio::test]
async fn the_credential_may_come_with_the_upgrade() {
    let app = TestApp::start().await;
    let token = app.team.member.client.credential().expect("a token");
    let bearer = format!("Bearer {token}");
    let offered = ("sec-websocket-protocol", "graphql-transport-ws");
    let mut socket = Socket::open(app.base(), &[offered, ("authorization", &bearer)])
        .await
        .expect("a socket");
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.message().await, json!({ "type": "connection_ack" }));
    let viewer = "{ viewer { member { name } } }";
    socket.subscribe("1", viewer, json!({})).await;
    assert_eq!(
        socket.next("1").await["data"]["viewer"]["member"]["name"],
        app.team.member.member.name
    );
    // The credential in the message takes precedence over the header.
    let mut socket = Socket::open(app.base(), &[offered, ("authorization", &bearer)])
        .await
        .expect("a socket");
    socket.init(app.team.owner.client.credential().expect("a token")).await;
    assert_eq!(socket.message().await, json!({ "type": "connection_ack" }));
    socket.subscribe("1", viewer, json!({})).await;
    assert_eq!(
        socket.next("1").await["data"]["viewer"]["member"]["name"],
        app.team.owner.member.name
    );
    let mut socket = Socket::open(app.base(), &[offered, ("authorization", "Bearer nonsense")])
        .await
        .expect("a socket");
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.closed().await, 4403);
}

/// In development a refusal says what is wrong with a token. The tests run in development; in production all texts are equal.
#[tokio::test]
async fn in_development_a_refused_token_says_what_is_wrong_with_it() {
    let app = TestApp::start().await;
    let (sign_in, team) = (&app.services().sign_in, &app.team);
    let issue = |account_id, member_id| {
        sign_in
            .issue_token(account_id, member_id, Duration::from_mins(1))
            .expect("issued")
    };
    let (account_id, member_id) = (team.account.id, team.member.member.id);
    let good = issue(account_id, member_id);
    let (head, signature) = good.rsplit_once('.').expect("a JWT");
    let nobody = MemberId::from_uuid(uuid::Uuid::from_u128(11));
    let removed = "mutation ($id: ID!) { removeMember(input: { memberId: $id }) { userErrors { code } } }";
    let admin = issue(account_id, team.admin.member.id);
    team.owner
        .client
        .query(removed, json!({ "id": team.admin.id() }))
        .await
        .data();
    for (token, reason) in [
        (
            format!("{head}.{}", signature.chars().rev().collect::<String>()),
            "is not signed with the secret",
        ),
        (
            issue(AccountId::from_number(987_654), member_id),
            "acct claim names no account",
        ),
        (issue(account_id, nobody), "sub claim names no member"),
        (admin, "was removed from the team"),
        ("lb_aaaaaaaaaaaaaaaa_".to_owned() + &"a".repeat(52), "no such API key"),
    ] {
        let answer = app
            .anonymous()
            .with_credential(&token)
            .query("{ viewer { kind } }", json!({}))
            .await;
        assert_eq!(answer.error_code(), "UNAUTHENTICATED");
        let message = answer.body["errors"][0]["message"].as_str().expect("text");
        assert!(message.contains(reason), "{message}");
        let mut socket = Socket::connect(app.base()).await;
        socket.init(&token).await;
        assert_eq!(socket.closed().await, 4403);
    }
    assert_eq!(
        app.anonymous()
            .with_credential(&good)
            .query("{ viewer { kind } }", json!({}))
            .await
            .at("/viewer/kind"),
        "MEMBER"
    );
}

/// As the specification requires: an enum value is a name in a document, and a string in variables, which are JSON.
#[tokio::test]
async fn a_string_in_a_document_is_no_value_of_an_enum() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    for (document, field) in [
        (
            r#"{ account { creditLog(order: "OLDEST_FIRST") { nodes { id } } } }"#,
            "order",
        ),
        (
            r#"{ account { creditLog(filter: { kinds: [TOP_UP, "GRANT"] }) { nodes { id } } } }"#,
            "filter",
        ),
        (
            r#"query ($order: SortOrder = "OLDEST_FIRST") { account { creditLog(order: $order) { nodes { id } } } }"#,
            "order",
        ),
        (
            r#"fragment F on Account { creditLog(order: "OLDEST_FIRST") { nodes { id } } } query { account { ...F } }"#,
            "order",
        ),
    ] {
        let refused = client.query(document, json!({})).await;
        assert_eq!(refused.error_code(), "BAD_REQUEST", "{document}");
        let error = &refused.body["errors"][0];
        assert_eq!(error["extensions"]["field"], field, "{document}: {error}");
    }
    let document =
        "query ($order: SortOrder!, $filter: CreditLogFilter) { account { creditLog(order: $order, filter: $filter) {
        nodes { id } } } }";
    let variables = json!({ "order": "OLDEST_FIRST", "filter": { "kinds": ["GRANT"] } });
    client.query(document, variables).await.data();
}
