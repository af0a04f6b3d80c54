//! A client of `graphql-transport-ws` without automatic behavior: it can break every rule.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Longer than any expected event takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open socket. It reads, and answers a ping, only when a test reads from it.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// What was received on a socket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    Message(Value),
    /// A ping frame; the next read answers it.
    Ping,
    /// The end with its code and reason; 1006 if the connection was lost.
    Close(u16, String),
}

/// The server's response to a refused handshake.
pub(crate) type NoUpgrade = Response<Option<Vec<u8>>>;

impl Socket {
    /// Performs the handshake at `base` with these additional headers.
    pub(crate) async fn open(base: &str, headers: &[(&'static str, &str)]) -> Result<Self, Box<NoUpgrade>> {
        let address = base.trim_start_matches("http://");
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let tcp = TcpStream::connect(address).await.expect("the server listens");
        let shaken = tokio_tungstenite::client_async(request, tcp);
        match tokio::time::timeout(PATIENCE, shaken).await.expect("an answer") {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(response)) => Err(response),
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// Like [`Self::ready`], for a server that may be gone.
    pub(crate) async fn try_ready(base: &str, credential: &str) -> Option<Self> {
        let address = base.trim_start_matches("http://");
        let mut request = format!("ws://{address}/graphql").into_client_request().ok()?;
        let subprotocol = "graphql-transport-ws".parse().ok()?;
        request.headers_mut().insert("sec-websocket-protocol", subprotocol);
        let tcp = TcpStream::connect(address).await.ok()?;
        let (stream, _) = tokio_tungstenite::client_async(request, tcp).await.ok()?;
        let mut socket = Self { stream };
        socket.init(credential).await;
        let ack = Frame::Message(json!({"type": "connection_ack"}));
        (socket.frame().await == ack).then_some(socket)
    }

    /// Creates a socket without a handshake, for responses that a client would not accept.
    pub(crate) async fn over(tcp: TcpStream) -> Self {
        Self {
            stream: WebSocketStream::from_raw_socket(tcp, Role::Client, None).await,
        }
    }

    /// Performs the handshake and offers the protocol.
    pub(crate) async fn connect(base: &str) -> Self {
        let offered = [("sec-websocket-protocol", "graphql-transport-ws")];
        Self::open(base, &offered).await.expect("a socket")
    }

    /// Performs the handshake and signs in.
    pub(crate) async fn ready(base: &str, credential: &str) -> Self {
        let mut socket = Self::connect(base).await;
        socket.init(credential).await;
        assert_eq!(socket.message().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) async fn init(&mut self, credential: &str) {
        self.send(&json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {credential}")}}))
            .await;
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_frame(Message::text(message.to_string())).await;
    }

    /// Sends any frame. An error is left to the next read.
    pub(crate) async fn send_frame(&mut self, frame: Message) {
        let _ = tokio::time::timeout(PATIENCE, self.stream.send(frame))
            .await
            .expect("the server reads");
    }

    /// Like [`Self::send_frame`], without waiting for the server to accept it.
    pub(crate) async fn feed(&mut self, frame: Message) -> Result<(), Error> {
        self.stream.feed(frame).await
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.send(&json!({"id": id, "type": "subscribe", "payload": payload}))
            .await;
    }

    /// Ends an operation.
    pub(crate) async fn complete(&mut self, id: &str) {
        self.send(&json!({"id": id, "type": "complete"})).await;
    }

    pub(crate) async fn frame(&mut self) -> Frame {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            match next.expect("something comes") {
                Some(Ok(Message::Text(text))) => {
                    return Frame::Message(serde_json::from_str(&text).expect("messages are JSON"));
                }
                Some(Ok(Message::Ping(_))) => return Frame::Ping,
                Some(Ok(Message::Close(Some(close)))) => {
                    return Frame::Close(close.code.into(), close.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return Frame::Close(1005, String::new()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Frame::Close(1006, String::new()),
            }
        }
    }

    /// Returns the next message; a close fails the test.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            match self.frame().await {
                Frame::Message(message) => return message,
                Frame::Ping => {}
                Frame::Close(code, reason) => panic!("closed with {code}: {reason}"),
            }
        }
    }

    /// Returns the code with which the socket is closed, and ignores everything before. Answers the close frame, and
    /// disconnects.
    pub(crate) async fn closed(&mut self) -> u16 {
        let code = loop {
            if let Frame::Close(code, _) = self.frame().await {
                break code;
            }
        };
        let _ = self.stream.flush().await;
        let _ = self.stream.get_mut().shutdown().await;
        code
    }

    /// Returns the payload of the next message, which must be a `next` of this operation.
    pub(crate) async fn next(&mut self, id: &str) -> Value {
        let mut message = self.message().await;
        assert_eq!(
            (&message["type"], &message["id"]),
            (&json!("next"), &json!(id)),
            "{message}"
        );
        message["payload"].take()
    }
}
