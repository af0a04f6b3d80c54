//! Event streams, for networks that do not support sockets.

use std::time::Duration;

use ledgerbell::primitives::actor::Permission;
use serde_json::json;

use crate::harness::{EventStream, StreamEvent, TestApp, until};

const VIEWER: &str = "{ viewer { kind } }";
const ENTRIES: &str = "subscription ($after: LiveCursor) { creditEntryPosted(after: $after) {
    cursor signal entry { sequence } } }";

#[tokio::test]
async fn a_query_gives_its_result_and_completes() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let mut stream = EventStream::open(client, VIEWER, json!({})).await.expect("a stream");
    let (result, id) = stream.next().await;
    assert_eq!((&result["data"], id), (&json!({"viewer": {"kind": "MEMBER"}}), None));
    assert!(result["extensions"]["cost"]["requested"].is_u64(), "{result}");
    assert_eq!(stream.event().await, Some(StreamEvent::Complete));
    assert_eq!(stream.event().await, None);
    let by_get = client.get("/graphql?query=%7Bviewer%7Bkind%7D%7D");
    let mut stream = EventStream::of(by_get).await.expect("a stream");
    assert_eq!(stream.next().await.0["data"], result["data"]);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_subscription_goes_on_after_the_id_of_its_last_event() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let mut stream = EventStream::open(client, ENTRIES, json!({})).await.expect("a stream");
    let (caught_up, _) = stream.next().await;
    assert_eq!(caught_up["data"]["creditEntryPosted"]["signal"], "CAUGHT_UP");
    app.top_up(1).await;
    let (first, id) = stream.next().await;
    assert_eq!(first["data"]["creditEntryPosted"]["entry"]["sequence"], "1");
    let id = id.expect("an id");
    assert_eq!(first["data"]["creditEntryPosted"]["cursor"], *id);
    drop(stream);
    app.until_nobody_is_connected().await;
    until(|| app.services().events.hub().listeners() == 0).await;

    app.top_up(2).await;
    // Whatever the document contains: browsers repeat the same request.
    let body = json!({"query": ENTRIES, "variables": {"after": null}});
    let again = client.post("/graphql").json(&body).header("last-event-id", &id);
    let mut stream = EventStream::of(again).await.expect("a stream");
    let (second, _) = stream.next().await;
    assert_eq!(second["data"]["creditEntryPosted"]["entry"]["sequence"], "2");
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_is_told_in_the_stream() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    for query in [
        "{ viewer { kind }",
        "{ nothing }",
        "subscription { balanceChanged(accountId: \"x\") { cursor } }",
    ] {
        let mut stream = EventStream::open(client, query, json!({})).await.expect("a stream");
        let (result, _) = stream.next().await;
        assert_eq!(result["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{result}");
        assert_eq!(stream.event().await, Some(StreamEvent::Complete));
        assert_eq!(stream.event().await, None);
    }
    let body = json!({"query": ENTRIES});
    let broken = client.post("/graphql").json(&body).header("last-event-id", "nonsense");
    let (result, _) = EventStream::of(broken).await.expect("a stream").next().await;
    assert_eq!(result["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{result}");
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_by_its_status() {
    let app = TestApp::start_with(&[("live.per_caller", "1")]).await;
    let client = &app.team.owner.client;
    let status = async |request| EventStream::of(request).await.err().map(|status| status.as_u16());
    let body = json!({"query": VIEWER});
    assert_eq!(status(app.anonymous().post("/graphql").json(&body)).await, Some(401));
    assert_eq!(status(client.post("/graphql").body(body.to_string())).await, Some(415));
    assert_eq!(status(client.post("/graphql").json(&json!([body]))).await, Some(400));
    let mutation = "mutation%7BfreezeAccount(input:%7Breason:%22x%22%7D)%7BuserErrors%7Bcode%7D%7D%7D";
    assert_eq!(
        status(client.get(&format!("/graphql?query={mutation}"))).await,
        Some(405)
    );
    let _only = EventStream::open(client, ENTRIES, json!({})).await.expect("a stream");
    assert_eq!(status(client.post("/graphql").json(&body)).await, Some(429));
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let app = TestApp::start().await;
    let mut stream = EventStream::open(&app.team.owner.client, ENTRIES, json!({}))
        .await
        .expect("a stream");
    stream.next().await;
    let clock = &app.clock;
    // The timer is set when the last event is sent, which may be after the client has it.
    let ticking = async {
        loop {
            clock.advance(Duration::from_secs(25));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        event = stream.any() => assert_eq!(event, Some(StreamEvent::Comment)),
        () = ticking => {}
    }
}

#[tokio::test]
async fn a_stream_ends_unfinished_with_its_token_and_with_its_caller() {
    let app = TestApp::start().await;
    let member = &app.team.member.member;
    let sign_in = &app.services().sign_in;
    let token = sign_in
        .issue_token(member.account_id, member.id, Duration::from_secs(20))
        .expect("a token");
    let client = app.anonymous().with_credential(&token);
    let mut stream = EventStream::open(&client, ENTRIES, json!({})).await.expect("a stream");
    stream.next().await;
    app.advance(Duration::from_secs(20));
    assert_eq!(stream.event().await, None);

    let key = app.key(&[Permission::ReadCreditLog]).await;
    let mut stream = EventStream::open(&key, ENTRIES, json!({})).await.expect("a stream");
    stream.next().await;
    app.revoke_all_keys().await;
    app.advance(Duration::from_secs(1));
    assert_eq!(stream.event().await, None);
    app.until_nobody_is_connected().await;
}
