//! The HTTP server: what it refuses before any work, and the headers of responses.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

const VIEWER: &str = "{ viewer { kind } }";

async fn post(
    client: &Client,
    headers: &[(&'static str, &'static str)],
    body: impl Into<reqwest::Body>,
) -> (StatusCode, HeaderMap, Value) {
    let mut request = client.post("/graphql").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a body");
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::Null))
}

const JSON: (&str, &str) = ("content-type", "application/json");
const NEW: (&str, &str) = ("accept", "application/graphql-response+json");

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

fn asking(query: &str) -> String {
    json!({ "query": query }).to_string()
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_unread() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let large = json!({ "query": VIEWER, "variables": { "filler": "x".repeat(70_000) } }).to_string();
    let cases = vec![
        (
            "no content type",
            vec![],
            asking(VIEWER),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "text",
            vec![("content-type", "text/plain")],
            asking(VIEWER),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "multipart",
            vec![("content-type", "multipart/form-data; boundary=x")],
            asking(VIEWER),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("too large", vec![JSON], large, StatusCode::PAYLOAD_TOO_LARGE),
        (
            "a million words",
            vec![JSON],
            asking(&"a ".repeat(1_000_000)),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            "compressed",
            vec![JSON, ("content-encoding", "gzip")],
            asking(VIEWER),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("broken", vec![JSON], "{".to_owned(), StatusCode::BAD_REQUEST),
        (
            "a batch",
            vec![JSON],
            format!("[{}]", asking(VIEWER)),
            StatusCode::BAD_REQUEST,
        ),
        (
            "a text with a NUL",
            vec![JSON],
            json!({ "query": "{ account(externalId: \"\\u0000\") { id } }" }).to_string(),
            StatusCode::BAD_REQUEST,
        ),
        ("no query", vec![JSON], "{}".to_owned(), StatusCode::BAD_REQUEST),
    ];
    for (what, headers, body, expected) in cases {
        let (status, _, body) = post(client, &headers, body).await;
        assert_eq!(status, expected, "{what}");
        assert_eq!(code(&body), "BAD_REQUEST", "{what}");
        assert!(body.get("data").is_none(), "{what}");
    }
}

#[tokio::test]
async fn statuses_and_types_follow_what_is_accepted() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let (status, headers, body) = post(client, &[JSON, NEW], asking(VIEWER)).await;
    assert_eq!(
        (status, body["data"]["viewer"]["kind"].as_str()),
        (StatusCode::OK, Some("MEMBER"))
    );
    assert!(
        headers[CONTENT_TYPE]
            .to_str()
            .expect("text")
            .starts_with("application/graphql-response+json")
    );
    assert!(headers.contains_key("x-request-id"));
    for (what, query) in [
        ("syntax", "{"),
        ("unknown field", "{ nothing }"),
        (
            "two operations",
            "query A { viewer { kind } } query B { viewer { kind } }",
        ),
    ] {
        let (status, _, body) = post(client, &[JSON, NEW], asking(query)).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            "{what}"
        );
        assert!(body.get("data").is_none(), "{what}");
        let (status, headers, _) = post(client, &[JSON, ("accept", "application/json")], asking(query)).await;
        assert_eq!(status, StatusCode::OK, "{what}");
        assert!(
            headers[CONTENT_TYPE]
                .to_str()
                .expect("text")
                .starts_with("application/json")
        );
    }
    let wrong_everywhere = format!("{{ viewer {{ {} }} }}", "nothing ".repeat(500));
    let (_, _, body) = post(client, &[JSON, NEW], asking(&wrong_everywhere)).await;
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(20));
    let (status, _, _) = post(client, &[JSON, ("accept", "text/html")], asking(VIEWER)).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn nobody_in_particular_sees_the_schema_and_nothing_else() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    let (status, _, body) = post(&anonymous, &[JSON], asking("{ __schema { queryType { name } } }")).await;
    assert_eq!(
        (status, body["data"]["__schema"]["queryType"]["name"].as_str()),
        (StatusCode::OK, Some("Query"))
    );
    for query in [
        VIEWER,
        "mutation { createApiKey(input: { name: \"x\", permissions: [] }) { secret } }",
        "{ __typename ...A } fragment A on Query { viewer { kind } }",
    ] {
        let (status, _, body) = post(&anonymous, &[JSON, NEW], asking(query)).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            "{query}"
        );
    }
    for credential in ["nonsense", "lb_nothing_nothing", "eyJhbGciOiJub25lIn0.e30."] {
        let (status, _, body) = post(
            &anonymous.with_credential(credential),
            &[JSON],
            asking("{ __typename }"),
        )
        .await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            "{credential}"
        );
    }
}

#[tokio::test]
async fn get_asks_and_never_changes() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let response = client
        .get("/graphql?query=%7Bviewer%7Bkind%7D%7D")
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    for broken in [
        "/graphql",
        "/graphql?query=%ff",
        "/graphql?query=%7B__typename%7D&variables=%7B",
    ] {
        let request = client.get(broken).header(ACCEPT, "application/graphql-response+json");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{broken}");
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(code(&body), "BAD_REQUEST", "{broken}");
    }
    let mutation =
        "/graphql?query=mutation%7BremoveMember(input%3A%7BmemberId%3A%22x%22%7D)%7BuserErrors%7Bcode%7D%7D%7D";
    let response = client
        .get(mutation)
        .header(ACCEPT, "application/json")
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[ALLOW], "POST");
}

#[tokio::test]
async fn queries_that_ask_too_much_are_refused_before_any_work() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let deep = format!(
        "{{ account {{ {} name {} }} }}",
        "member(externalId: \"olga\") { account { ".repeat(10),
        "} }".repeat(10)
    );
    let many = format!("{{ account {{ {} }} }}", "name ".repeat(1_500));
    let aliases: Vec<String> = (0..150).map(|number| format!("a{number}: viewer {{ kind }}")).collect();
    let aliases = aliases.join(" ");
    let mut bomb = "{ account { ...F0 liveCursor } }".to_owned();
    for number in 0..28 {
        let next = number + 1;
        bomb += &[
            " fragment F",
            &number.to_string(),
            " on Account { ...F",
            &next.to_string(),
            " ...F",
            &next.to_string(),
            " }",
        ]
        .concat();
    }
    bomb.push_str(" fragment F28 on Account { name }");
    let introspection_bomb = bomb
        .replace("account {", "__schema {")
        .replace("liveCursor", "")
        .replace("on Account", "on __Schema");
    let circle = "{ account { ...A } } fragment A on Account { ...B ...B } fragment B on Account { ...A ...A }";
    let roots = "viewer { kind } ".repeat(21);
    let aliases_1000 = (0..1_000)
        .map(|number| format!("a{number}: kind"))
        .collect::<Vec<_>>()
        .join(" ");
    let cases = [
        (deep, "TOO_COMPLEX"),
        (many, "TOO_COMPLEX"),
        (format!("{{ {aliases} }}"), "TOO_COMPLEX"),
        (bomb, "TOO_COMPLEX"),
        (introspection_bomb, "TOO_COMPLEX"),
        (circle.to_owned(), "BAD_REQUEST"),
        (format!("{{ {roots} }}"), "TOO_COMPLEX"),
        (format!("{{ viewer {{ {aliases_1000} }} }}"), "TOO_COMPLEX"),
        (format!("{{ viewer {{ {} }} }}", "kind ".repeat(10_000)), "TOO_COMPLEX"),
        (
            format!("{{ viewer {{ kind {} }} }}", "@include(if: true) ".repeat(1_000)),
            "TOO_COMPLEX",
        ),
        ("a ".repeat(30_000), "TOO_COMPLEX"),
        (format!("{{ node(id: {}", "[".repeat(60_000)), "TOO_COMPLEX"),
        ("{ a ".repeat(100), "TOO_COMPLEX"),
    ];
    for client in [client, &app.anonymous()] {
        for (query, expected) in &cases {
            let start: String = query.chars().take(60).collect();
            let before = app.app().database().statements();
            let (status, _, body) = post(client, &[JSON, NEW], asking(query)).await;
            assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, *expected), "{start}");
            assert_eq!(
                app.app().database().statements(),
                before,
                "not even for signing in: {start}"
            );
        }
    }
}

#[tokio::test]
async fn the_usual_introspection_query_is_answered() {
    let app = TestApp::start().await;
    let answer = app.anonymous().run("introspection", json!({})).await;
    assert!(answer.at("/__schema/types").as_array().expect("types").len() > 50);
}

#[tokio::test]
async fn health_says_whether_the_database_answers() {
    let mut app = TestApp::start().await;
    let anonymous = app.anonymous();
    // The server checks once a second whether the database accepts writes, so a different server is queried first.
    let other = TestApp::start().await;
    let ready = other.anonymous().get("/health/ready").send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::OK);
    for path in ["/", "/health/live"] {
        let response = anonymous.get(path).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    app.do_not_verify();
    app.app().database().close().await.expect("closed");
    let ready = anonymous.get("/health/ready").send().await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (status, _, body) = post(&app.platform, &[JSON, NEW], asking("{ accounts { nodes { id } } }")).await;
    assert_eq!((status, code(&body)), (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"));
    assert!(body["errors"][0]["extensions"]["reference"].is_string());
}
