//! Sign-ins of a demo's console: by the code of its link, which works once, and by clicks on the machine itself.

use std::fs;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::cli::{Demo, ledgerbell};
use crate::harness::{Client, TestApp, TestDatabase};

/// A demo with a console to open.
struct Opened {
    demo: Demo,
    database: TestDatabase,
}

impl Opened {
    async fn start() -> Self {
        let database = TestDatabase::make_unused().await;
        let pages = database.directory.path().join("pages");
        fs::create_dir_all(pages.join("console")).expect("made");
        fs::write(pages.join("console/index.html"), "<title>console</title>").expect("written");
        let demo = Demo::start_with(ledgerbell(&database).env("LEDGERBELL_PAGES_FOLDER", pages));
        Self { demo, database }
    }

    fn anonymous(&self) -> Client {
        Client::new(&self.demo.text("url"), None)
    }

    fn code(&self) -> String {
        let link = self.demo.text("consoleLink");
        let (page, code) = link.split_once("#code=").expect("a code after the page");
        assert_eq!(page, format!("{}/", self.demo.text("url")));
        code.to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.anonymous().post(path).header("content-type", "application/json");
        request.header("sec-fetch-site", "same-origin").body(body.to_string())
    }

    fn end(self) {
        assert!(self.demo.stop().0.success());
        drop(self.database);
    }
}

async fn send(request: RequestBuilder) -> (StatusCode, HeaderMap, Value) {
    let response = request.send().await.expect("a response");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a text");
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The pair of a cookie that was set.
fn cookie(headers: &HeaderMap) -> String {
    let set = headers["set-cookie"].to_str().expect("text");
    for attribute in ["Path=/console", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(set.contains(attribute), "{set}");
    }
    set.split(';').next().expect("a pair").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_the_link_signs_the_owner_in_once() {
    let opened = Opened::start().await;
    let code = opened.code();
    assert!(
        !opened
            .demo
            .text("consoleLink")
            .contains(&opened.demo.text("ownerToken"))
    );

    let wrong = send(opened.post("/console/sign-in", &json!({ "code": "another" }))).await;
    assert_eq!(wrong.0, StatusCode::FORBIDDEN);
    let other_site = opened.post("/console/sign-in", &json!({ "code": code }));
    let other_site = other_site.header("origin", "https://elsewhere.example");
    assert_eq!(send(other_site).await.0, StatusCode::FORBIDDEN, "another site's page");

    let (status, headers, body) = send(opened.post("/console/sign-in", &json!({ "code": code }))).await;
    assert_eq!(
        status,
        StatusCode::OK,
        "what was refused before has not used it: {body}"
    );
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(body["role"], "owner");
    let signed_in = opened
        .anonymous()
        .with_credential(body["token"].as_str().expect("a token"));
    let viewer = signed_in.query("{ viewer { kind member { role } } }", json!({})).await;
    assert_eq!(*viewer.at("/viewer/member/role"), json!("OWNER"));

    let (status, headers, again) = send(opened.post("/console/sign-in", &json!({ "code": code }))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        headers.get("set-cookie").is_none() && again.get("token").is_none(),
        "{again}"
    );
    opened.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gives_its_page_credentials_and_is_nothing_to_graphql() {
    let opened = Opened::start().await;
    let (_, headers, first) = send(opened.post("/console/sign-in", &json!({ "role": "member" }))).await;
    let cookie = cookie(&headers);
    let renewed = opened.post("/console/token", &json!({})).header("cookie", &cookie);
    let (status, headers, next) = send(renewed).await;
    assert_eq!((status, &next["role"]), (StatusCode::OK, &json!("member")));
    assert!(headers.get("set-cookie").is_none());
    assert!(next["token"].is_string() && first["expiresAt"].is_string());

    for (cookie, is_signed_in) in [(cookie.as_str(), true), ("ledgerbell_console=another", false)] {
        let settings = send(opened.anonymous().get("/console/settings").header("cookie", cookie))
            .await
            .2;
        assert_eq!(settings["demo"]["isSignedIn"], json!(is_signed_in), "{cookie}");
    }

    let by_cookie = opened.post("/graphql", &json!({ "query": "{ viewer { kind } }" }));
    let by_cookie = by_cookie.header("cookie", &cookie);
    assert_eq!(send(by_cookie).await.0, StatusCode::UNAUTHORIZED);
    let cross_site = opened.anonymous().post("/console/token").header("cookie", &cookie);
    let cross_site = cross_site.header("sec-fetch-site", "cross-site");
    assert_eq!(send(cross_site).await.0, StatusCode::FORBIDDEN);

    let out = send(opened.post("/console/sign-out", &json!({})).header("cookie", &cookie)).await;
    assert_eq!(out.0, StatusCode::NO_CONTENT);
    let after = send(opened.post("/console/token", &json!({})).header("cookie", &cookie)).await;
    assert_eq!(after.0, StatusCode::UNAUTHORIZED);
    opened.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_sign_in_as_each_of_the_demo_but_not_by_another_name_of_this_machine() {
    let opened = Opened::start().await;
    let (_, _, settings) = send(opened.anonymous().get("/console/settings")).await;
    let people = settings["demo"]["people"].as_array().expect("people");
    assert_eq!(settings["demo"]["accountId"], opened.demo.ready["accountId"]);
    let roles: Vec<&str> = people.iter().filter_map(|person| person["role"].as_str()).collect();
    assert_eq!(roles, ["owner", "member", "operator"]);
    let told = settings.to_string();
    for secret in ["apiKey", "ownerToken", "memberToken"] {
        assert!(!told.contains(&opened.demo.text(secret)), "{secret} is in {told}");
    }
    for (role, kind) in [("owner", "MEMBER"), ("member", "MEMBER"), ("operator", "API_KEY")] {
        let (_, _, body) = send(opened.post("/console/sign-in", &json!({ "role": role }))).await;
        let signed_in = opened
            .anonymous()
            .with_credential(body["token"].as_str().expect("a token"));
        let viewer = signed_in.query("{ viewer { kind } }", json!({})).await;
        assert_eq!(*viewer.at("/viewer/kind"), json!(kind), "{role}");
    }
    let rebound = opened.post("/console/sign-in", &json!({ "role": "operator" }));
    let rebound = send(rebound.header("host", "rebound.example:8080")).await;
    assert_eq!(
        rebound.0,
        StatusCode::FORBIDDEN,
        "a name that leads here, of a site elsewhere"
    );
    for body in [json!({ "role": "nobody" }), json!({ "code": "" })] {
        let (status, headers, _) = send(opened.post("/console/sign-in", &body)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
        assert!(headers.get("set-cookie").is_none());
    }
    for body in [
        json!({}),
        json!({ "role": "owner", "code": "x" }),
        json!([]),
        json!("owner"),
    ] {
        let refused = send(opened.post("/console/sign-in", &body)).await;
        assert_eq!(refused.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let form = opened.anonymous().post("/console/sign-in").body("role=owner");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(form).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    opened.end();
}

#[tokio::test]
async fn only_the_demo_has_sign_ins() {
    let app = TestApp::start().await;
    let settings = send(app.anonymous().get("/console/settings")).await;
    assert_eq!((settings.0, &settings.2["demo"]), (StatusCode::OK, &Value::Null));
    for path in ["/console/sign-in", "/console/token", "/console/sign-out"] {
        let request = app.anonymous().post(path).header("content-type", "application/json");
        let refused = send(request.body(json!({ "role": "operator" }).to_string())).await;
        assert_eq!(refused.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_person_moves_the_clock_of_the_demo_forward_and_it_stays_there() {
    let opened = Opened::start().await;
    let (_, headers, _) = send(opened.post("/console/sign-in", &json!({ "role": "operator" }))).await;
    let cookie = cookie(&headers);
    let time = async |opened: &Opened| -> i64 {
        let settings = send(opened.anonymous().get("/console/settings")).await.2;
        let now = settings["demo"]["now"].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(now)
            .expect("an instant")
            .timestamp_millis()
    };
    let begun = time(&opened).await;
    let post = |body: Value| opened.post("/console/clock", &body).header("cookie", &cookie);
    let signed_out = send(opened.post("/console/clock", &json!({ "hours": 1 }))).await;
    assert_eq!(signed_out.0, StatusCode::UNAUTHORIZED);
    let other_site = post(json!({ "hours": 1 })).header("origin", "https://elsewhere.example");
    assert_eq!(send(other_site).await.0, StatusCode::FORBIDDEN);
    for body in [
        json!({}),
        json!({ "hours": 0 }),
        json!({ "hours": -1 }),
        json!({ "hours": 745 }),
        json!({ "hours": "1" }),
    ] {
        assert_eq!(send(post(body.clone())).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    let hour = 3_600_000;
    assert!(time(&opened).await - begun < hour, "nothing was moved");
    let (status, _, moved) = send(post(json!({ "hours": 48 }))).await;
    assert_eq!(status, StatusCode::OK, "{moved}");
    let ahead = time(&opened).await - begun;
    assert!((48 * hour..49 * hour).contains(&ahead), "{ahead}");
    // The session goes on, with a credential that works at that time.
    let (status, _, renewed) = send(opened.post("/console/token", &json!({})).header("cookie", &cookie)).await;
    assert_eq!(status, StatusCode::OK);
    let client = opened
        .anonymous()
        .with_credential(renewed["token"].as_str().expect("a token"));
    let viewer = client.query("{ viewer { kind } }", json!({})).await;
    assert_eq!(*viewer.at("/viewer/kind"), json!("API_KEY"));

    let Opened { demo, database } = opened;
    assert!(demo.stop().0.success());
    let demo = Demo::start_with(&mut ledgerbell(&database));
    let again = Opened { demo, database };
    let ahead = time(&again).await - begun;
    assert!((48 * hour..49 * hour).contains(&ahead), "{ahead} after a restart");
    again.end();
}

/// Only the demo has sign-ins, and it always runs in development mode. So no server with other settings has this control.
#[tokio::test]
async fn the_clock_of_a_server_that_is_not_the_demo_is_not_moved() {
    let app = TestApp::start().await;
    let before = app.clock.now();
    let request = app
        .anonymous()
        .post("/console/clock")
        .header("content-type", "application/json");
    let (status, _, body) = send(request.body(json!({ "hours": 1 }).to_string())).await;
    assert_eq!(
        (status, &body["message"]),
        (StatusCode::NOT_FOUND, &json!("Sign-in is available in the demo only."))
    );
    assert_eq!(app.clock.now(), before);
    app.finish().await;
}
