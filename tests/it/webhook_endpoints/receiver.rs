//! A receiver of webhooks. It verifies signatures without any code of Ledgerbell.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::until;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) at: std::time::Instant,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a text")
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The number of signatures, and of those that this secret has made.
    pub(crate) fn signatures(&self, secret: &str) -> (usize, usize) {
        let key = BASE64.decode(secret.strip_prefix("whsec_").expect("a secret").as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key.expect("base64"));
        let signed = format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.body);
        let all: Vec<&str> = self.header("webhook-signature").split(' ').collect();
        let own = all.iter().filter(|signature| {
            let tag = signature.strip_prefix("v1,").expect("version 1");
            let tag = BASE64.decode(tag.as_bytes()).expect("base64");
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        });
        (all.len(), own.count())
    }
}

/// How a path answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Status(u16),
    With(u16, &'static str, String),
    /// Never, until the receiver is dropped.
    Hang,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    answers: Mutex<HashMap<String, Answer>>,
    ended: watch::Receiver<bool>,
    hanging: AtomicUsize,
    most_hanging: AtomicUsize,
}

/// A request that is not answered. It ends when its client gives up.
struct Hanging(Arc<Shared>);

impl Hanging {
    fn new(shared: &Arc<Shared>) -> Self {
        let now = shared.hanging.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_hanging.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.hanging.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The receiver. Every path answers 204 unless told otherwise.
pub(crate) struct Receiver {
    base: String,
    shared: Arc<Shared>,
    _end: watch::Sender<bool>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (end, ended) = watch::channel(false);
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            answers: Mutex::default(),
            ended,
            hanging: AtomicUsize::new(0),
            most_hanging: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            base,
            shared,
            _end: end,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        let mut answers = self.shared.answers.lock().expect("not poisoned");
        answers.insert(path.to_owned(), answer);
    }

    /// The requests to a path so far.
    pub(crate) fn received(&self, path: &str) -> Vec<Received> {
        let received = self.shared.received.lock().expect("not poisoned");
        received.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// The maximum number of requests that hung at one time.
    pub(crate) fn most_hanging(&self) -> usize {
        self.shared.most_hanging.load(Ordering::SeqCst)
    }

    /// Waits until a path has this number of requests.
    pub(crate) async fn until(&self, path: &str, count: usize) -> Vec<Received> {
        until(|| self.received(path).len() >= count).await;
        self.received(path)
    }
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path().to_owned();
    shared.received.lock().expect("not poisoned").push(Received {
        path: path.clone(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
        at: std::time::Instant::now(),
    });
    let answer = shared.answers.lock().expect("not poisoned").get(&path).cloned();
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    match answer.unwrap_or(Answer::Status(204)) {
        Answer::Status(code) => status(code).into_response(),
        Answer::With(code, name, value) => (status(code), [(name, value)]).into_response(),
        Answer::Hang => {
            let _hanging = Hanging::new(&shared);
            let mut ended = shared.ended.clone();
            // Fails when the receiver is dropped.
            let _ = ended.wait_for(|ended| *ended).await;
            status(500).into_response()
        }
    }
}
