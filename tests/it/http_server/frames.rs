//! Floods on sockets: every frame counts as a message, whatever it contains.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Socket, TestApp};

async fn socket(app: &TestApp) -> Socket {
    Socket::ready(app.base(), app.team.member.client.credential().expect("a token")).await
}

fn piece(opcode: Data, text: &'static str, is_last: bool) -> Message {
    Message::Frame(Frame::message(text, OpCode::Data(opcode), is_last))
}

#[tokio::test]
async fn empty_continuation_frames_count_as_messages() {
    let app = TestApp::start_with(&[("live.messages_per_second", "5")]).await;
    let mut flood = socket(&app).await;
    flood.send_frame(piece(Data::Text, "{\"type\":", false)).await;
    for _ in 0..60 {
        flood.send_frame(piece(Data::Continue, "", false)).await;
    }
    assert_eq!(flood.closed().await, 1013);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_message_in_a_few_frames_is_answered() {
    let app = TestApp::start_with(&[("live.messages_per_second", "5")]).await;
    let mut socket = socket(&app).await;
    for (opcode, text, is_last) in [
        (Data::Text, "{\"type\":", false),
        (Data::Continue, "", false),
        (Data::Continue, "\"ping\"", false),
        (Data::Continue, "}", true),
    ] {
        socket.send_frame(piece(opcode, text, is_last)).await;
    }
    assert_eq!(socket.message().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn every_kind_of_flood_is_closed() {
    let app = TestApp::start_with(&[("live.messages_per_second", "5")]).await;
    let subscribe = json!({"id": "a", "type": "subscribe", "payload": {"query": "{ viewer { kind } }"}});
    let complete = json!({"id": "a", "type": "complete"});
    for kind in [
        Message::text(json!({"type": "ping"}).to_string()),
        Message::text(json!({"type": "pong"}).to_string()),
        Message::text(complete.to_string()),
        Message::Ping(Vec::new().into()),
        Message::Pong(Vec::new().into()),
    ] {
        let mut flood = socket(&app).await;
        for _ in 0..30 {
            flood.send_frame(kind.clone()).await;
        }
        assert_eq!(flood.closed().await, 1013, "{kind:?}");
    }
    let mut storm = socket(&app).await;
    for _ in 0..15 {
        storm.send(&subscribe).await;
        storm.send(&complete).await;
    }
    assert_eq!(storm.closed().await, 1013);
    for malformed in ["", "{}", "{\"type\":\"nothing\"}"] {
        let mut socket = socket(&app).await;
        socket.send_frame(Message::text(malformed)).await;
        assert_eq!(socket.closed().await, 4400, "{malformed:?}");
    }
}
