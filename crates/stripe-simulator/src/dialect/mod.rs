//! The HTTP interface of the simulated gateway: the part of Stripe's API that is needed to charge cards.
//!
//! Requests are forms with nested keys; responses are objects and errors. Idempotency keys are stored for a day and bound to
//! the parameters of the request. Lists have pages; fields can be expanded. So our own Stripe client, and any SDK, can run
//! against it. This module contains no server: it turns a [`Call`] into a [`Reply`], and the server carries out the reply.
//!
//! Invariants:
//! - An unknown parameter is refused with its name, as Stripe does. It is never ignored.
//! - Once a request has begun to change something, its key is stored with the response, also with a decline. A request that
//!   changed nothing stores no key.

mod cards;
mod charges;
mod form;
mod intents;
mod pages;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use ledgerbell_core::primitives::timestamp::{DAY, Timestamp};

use super::chaos::Trouble;
use super::state::State;
use super::{SimulatedGateway, objects};
use form::Form;

/// The Stripe API version of the objects.
pub(super) const VERSION: &str = "2024-06-20";
/// How long idempotency keys are stored: a day, in milliseconds.
const KEYS_FOR: i64 = DAY;
/// The maximum number of stored idempotency keys.
const MOST_KEYS: usize = 10_000;

/// An HTTP request to the simulated gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    /// `GET`, `POST` or `DELETE`.
    pub(crate) method: String,
    /// From `/v1` on.
    pub(crate) path: String,
    /// After the question mark, as it came.
    pub(crate) query: String,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// The `Idempotency-Key` header.
    pub(crate) idempotency_key: Option<String>,
    /// The body, as it came.
    pub(crate) body: String,
}

/// What the server does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is answered.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body, as JSON.
        body: String,
        /// Whether this repeats the response to an earlier request with the same key.
        is_replay: bool,
    },
    /// The server never responds.
    Silence,
    /// The server closes the connection without a response.
    Lost,
}

/// A response that is stored under an idempotency key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The digest of the parameters.
    digest: Vec<u8>,
    status: u16,
    body: String,
    at: i64,
}

/// Why a request returns no object.
enum Stop {
    /// An error response. `is_begun` is true if something was changed before: then the idempotency key is stored.
    Refused { status: u16, error: Value, is_begun: bool },
    /// No response is sent, and nothing was changed.
    Silence,
    /// The change was made, and the connection is closed without a response.
    Lost(Value),
}

type Done = Result<Value, Stop>;

/// A parsed request and the state that it is applied to.
struct Request<'a> {
    state: &'a mut State,
    form: Form,
    now: Timestamp,
    /// The idempotency key of what this request creates: the request creates it once.
    key: String,
}

fn refuse(status: u16, error: Value, is_begun: bool) -> Stop {
    Stop::Refused {
        status,
        error,
        is_begun,
    }
}

/// Returns an error for an invalid parameter.
fn invalid(param: &str, code: Option<&str>, message: impl Into<String>) -> Stop {
    let mut error = json!({ "type": "invalid_request_error", "message": message.into(), "param": param });
    if let Some(code) = code {
        error["code"] = code.into();
    }
    refuse(400, error, false)
}

/// Returns an error for an unknown id: 404 if the path contained the id, 400 if a parameter did.
fn no_such(what: &str, id: &str, param: Option<&str>) -> Stop {
    let status = if param.is_some() { 400 } else { 404 };
    let error = json!({
        "type": "invalid_request_error", "code": "resource_missing", "message": format!("No such {what}: '{id}'"),
        "param": param.unwrap_or("id"),
    });
    refuse(status, error, false)
}

impl SimulatedGateway {
    /// Answers a request as Stripe would.
    pub(crate) fn answer(&self, call: &Call) -> Reply {
        let trouble = self.shared().trouble();
        if trouble == Some(Trouble::LostBefore) {
            return Reply::Lost;
        }
        let page = self.page();
        let reply = self.change(|state, now| {
            state.page = page;
            answer(state, call, now)
        });
        match trouble {
            Some(_) => Reply::Lost,
            None => reply,
        }
    }
}

fn answer(state: &mut State, call: &Call, now: Timestamp) -> Reply {
    let digest = Sha256::digest(format!("{}\n{}\n{}", call.method, call.path, call.body)).to_vec();
    let key = call.idempotency_key.as_ref().filter(|_| call.method == "POST");
    let is_fresh = |known: &Remembered| now.millis() - known.at < KEYS_FOR;
    if let Some(known) = key
        .and_then(|key| state.responses.get(key))
        .filter(|known| is_fresh(known))
    {
        return replay(known, &digest, key);
    }
    let (reply, is_begun) = match carry_out(state, call, now) {
        Ok(object) => (success(&object), true),
        Err(Stop::Refused {
            status,
            error,
            is_begun,
        }) => (failure(status, &error), is_begun),
        Err(Stop::Silence) => return Reply::Silence,
        Err(Stop::Lost(object)) => {
            remember(state, key, digest, &success(&object), now);
            return Reply::Lost;
        }
    };
    if is_begun {
        remember(state, key, digest, &reply, now);
    }
    reply
}

fn success(object: &Value) -> Reply {
    Reply::Answer {
        status: 200,
        body: object.to_string(),
        is_replay: false,
    }
}

fn failure(status: u16, error: &Value) -> Reply {
    Reply::Answer {
        status,
        body: json!({ "error": error }).to_string(),
        is_replay: false,
    }
}

fn replay(known: &Remembered, digest: &[u8], key: Option<&String>) -> Reply {
    if known.digest == digest {
        return Reply::Answer {
            status: known.status,
            body: known.body.clone(),
            is_replay: true,
        };
    }
    let message = format!(
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key \
         other than '{}' if you meant to execute a different request.",
        key.map_or("", String::as_str)
    );
    failure(400, &json!({ "type": "idempotency_error", "message": message }))
}

fn remember(state: &mut State, key: Option<&String>, digest: Vec<u8>, reply: &Reply, now: Timestamp) {
    let (Some(key), Reply::Answer { status, body, .. }) = (key, reply) else {
        return;
    };
    if state.responses.len() >= MOST_KEYS {
        let oldest_kept = now.millis() - KEYS_FOR;
        state.responses.retain(|_, known| known.at > oldest_kept);
        let oldest = state.responses.iter().min_by_key(|(_, known)| known.at);
        if let Some(oldest) = oldest
            .map(|(key, _)| key.clone())
            .filter(|_| state.responses.len() >= MOST_KEYS)
        {
            state.responses.remove(&oldest);
        }
    }
    let known = Remembered {
        digest,
        status: *status,
        body: body.clone(),
        at: now.millis(),
    };
    state.responses.insert(key.clone(), known);
}

/// Who makes a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// A server, with a secret key.
    Server,
    /// A browser, with the publishable key and the client secret of one object.
    Browser,
}

fn caller(call: &Call) -> Result<Caller, Stop> {
    let refused = |message: &str| {
        refuse(
            401,
            json!({ "type": "invalid_request_error", "message": message }),
            false,
        )
    };
    let given = call.authorization.as_deref().unwrap_or_default();
    let key = match given.split_once(' ') {
        Some(("Bearer", key)) => key.trim().to_owned(),
        // The key is the user name; there is no password.
        Some(("Basic", encoded)) => data_encoding::BASE64
            .decode(encoded.trim().as_bytes())
            .ok()
            .and_then(|decoded| String::from_utf8(decoded).ok())
            .map(|pair| pair.trim_end_matches(':').to_owned())
            .unwrap_or_default(),
        _ => String::new(),
    };
    if key.starts_with("sk_test") || key.starts_with("rk_test") {
        Ok(Caller::Server)
    } else if key.starts_with("pk_") && !key.starts_with("pk_live") {
        Ok(Caller::Browser)
    } else if key.is_empty() {
        Err(refused(
            "You did not provide an API key: send it as a bearer token, as in 'Authorization: Bearer sk_test_…'.",
        ))
    } else {
        Err(refused(
            "Invalid API Key provided: no money moves here, so only keys of test mode are taken.",
        ))
    }
}

fn carry_out(state: &mut State, call: &Call, now: Timestamp) -> Done {
    let caller = caller(call)?;
    let form = Form::read(&call.query, &call.body)?;
    let expand = form.list("expand");
    if expand.iter().any(|path| path.split('.').count() > 4) {
        return Err(invalid(
            "expand",
            None,
            "You cannot expand more than 4 levels of a property",
        ));
    }
    let key = state.next_id("req");
    let segments: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    if caller == Caller::Browser {
        check_browser(call, &segments, &form)?;
    }
    let mut request = Request { state, form, now, key };
    let mut done = route(&mut request, &call.method, &segments);
    let (Ok(object) | Err(Stop::Lost(object))) = &mut done else {
        return done;
    };
    for path in expand {
        objects::expand(request.state, object, &path);
    }
    done
}

/// Restricts a browser to a few operations on the object whose client secret it sends.
fn check_browser(call: &Call, segments: &[&str], form: &Form) -> Result<(), Stop> {
    let is_theirs = |id: &str| form.text("client_secret") == Some(objects::client_secret(id).as_str());
    let may = match (call.method.as_str(), segments) {
        ("POST", ["v1", "payment_methods"]) => true,
        ("GET", ["v1", "setup_intents" | "payment_intents", id])
        | ("POST", ["v1", "setup_intents" | "payment_intents", id, "confirm"]) => is_theirs(id),
        _ => false,
    };
    if may {
        return Ok(());
    }
    let message = "This API call cannot be made with a publishable API key, or its client_secret does not fit.";
    Err(refuse(
        401,
        json!({ "type": "invalid_request_error", "message": message }),
        false,
    ))
}

fn route(request: &mut Request<'_>, method: &str, segments: &[&str]) -> Done {
    match (method, segments) {
        ("POST", ["v1", "customers"]) => request.make_customer(),
        ("GET", ["v1", "customers", id]) => request.customer(id),
        ("GET", ["v1", "customers", id, "payment_methods"]) => request.cards_of(id),
        ("POST", ["v1", "setup_intents"]) => request.make_setup(),
        ("GET", ["v1", "setup_intents", id]) => request.setup(id),
        ("POST", ["v1", "setup_intents", id, "confirm"]) => request.confirm_setup(id),
        ("POST", ["v1", "setup_intents", id, "cancel"]) => request.cancel_setup(id),
        ("POST", ["v1", "payment_methods"]) => request.make_card(),
        ("GET", ["v1", "payment_methods"]) => request.cards(),
        ("GET", ["v1", "payment_methods", id]) => request.card(id),
        ("POST", ["v1", "payment_methods", id, "attach"]) => request.attach(id),
        ("POST", ["v1", "payment_methods", id, "detach"]) => request.detach(id),
        ("POST", ["v1", "payment_intents"]) => request.make_intent(),
        ("GET", ["v1", "payment_intents"]) => request.intents(),
        ("GET", ["v1", "payment_intents", id]) => request.intent(id),
        ("POST", ["v1", "payment_intents", id, "confirm"]) => request.confirm(id),
        ("POST", ["v1", "payment_intents", id, "cancel"]) => request.cancel(id),
        ("GET", ["v1", "charges", id]) => request.charge(id),
        ("GET", ["v1", "charges", id, "refunds"]) => request.refunds_of(id),
        ("POST", ["v1", "refunds"]) => request.refund(),
        ("GET", ["v1", "refunds"]) => request.refunds(),
        ("GET", ["v1", "refunds", id]) => request.one_refund(id),
        _ => {
            let message = format!("Unrecognized request URL ({method}: /{}).", segments.join("/"));
            let error = json!({ "type": "invalid_request_error", "message": message });
            Err(refuse(404, error, false))
        }
    }
}
