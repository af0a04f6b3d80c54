//! What the console and the explorer need from this server besides GraphQL: the ways to sign in, and the credentials of the demo's
//! people.
//!
//! A credential is in the body of a response and in the page's memory, never in an address or a cookie. The cookie of a session is
//! `HttpOnly` and limited to these paths. It is accepted only from the server's own pages, and GraphQL never reads it.
//!
//! A sign-in by a click works only on this machine, under one of its own names. So neither another machine nor another site whose name
//! resolves to this server can sign in.
//!
//! Signed-in people of the demo may move its clock ahead. No other server has this control: only the demo has sign-ins.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::body::{self, Unread};
use super::origin::{Origins, host_is_local};
use super::parameters::is_json;
use super::sign_ins::{Credential, SignIns};
use super::{HttpState, SharedHttpState};

/// The maximum size of a body, in bytes.
const LARGEST_BODY: usize = 1_024;
/// The most hours by which one request moves the clock: 31 days.
const MOST_HOURS: u32 = 31 * 24;
/// The name of the cookie of a session.
const COOKIE: &str = "ledgerbell_console";

/// How members sign in to the console at an issuer.
#[derive(Clone, Debug, Deserialize)]
pub struct Oidc {
    /// The issuer's URL.
    #[serde(skip)]
    pub issuer: String,
    /// The client id of the console at the issuer.
    #[serde(rename = "oidc_client_id", default)]
    pub client_id: String,
    /// The scope that the console requests.
    #[serde(rename = "oidc_scope")]
    pub scope: String,
    /// Whether the credential is the ID token instead of the access token.
    #[serde(rename = "oidc_token")]
    pub uses_id_token: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, untagged)]
enum Asked {
    /// Signs in by the code of a link.
    Code { code: String },
    /// Signs in by a click, as the person with this role.
    Click { role: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    hours: u32,
}

/// Returns what pages need before sign-in, and whether this browser has a session. None of it is secret.
pub(super) async fn settings(State(state): State<SharedHttpState>, headers: HeaderMap) -> Response {
    let demo = state.sign_ins.as_ref().map(|sign_ins| {
        let people = sign_ins.people().iter();
        let people: Vec<Value> = people
            .map(|person| json!({ "role": person.role, "name": person.name }))
            .collect();
        let is_signed_in = session(&headers).is_some_and(|session| sign_ins.has(session));
        json!({ "accountId": sign_ins.account_id().to_string(), "people": people, "isSignedIn": is_signed_in,
            "now": sign_ins.time().map(|now| now.to_string()) })
    });
    let oidc = state.settings.oidc.as_ref().map(|oidc| {
        let token = if oidc.uses_id_token { "id" } else { "access" };
        json!({ "issuer": oidc.issuer, "clientId": oidc.client_id, "scope": oidc.scope, "token": token })
    });
    no_store(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "demo": demo,
        "oidc": oidc,
        "explorer": state.settings.pages.explorer.as_ref().is_some_and(super::Site::is_built),
    })))
}

/// Starts a session by a code or a click, and returns its first credential.
pub(super) async fn sign_in(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let sign_ins = match own_page(&state, &headers) {
        Ok(sign_ins) => sign_ins,
        Err(refused) => return *refused,
    };
    let asked = match read(&state, &headers, body, "Send {\"code\": …} or {\"role\": …}.").await {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let session = match &asked {
        Asked::Code { code } => sign_ins.exchange(code),
        Asked::Click { .. } if !remote.ip().is_loopback() || !is_local(&state, &headers) => {
            return refuse(
                StatusCode::FORBIDDEN,
                "This works only on the machine itself. Elsewhere, use the link that the demo printed.",
            );
        }
        Asked::Click { role } => sign_ins.sign_in(role),
    };
    match session {
        Ok(Some(session)) => answer(&state, sign_ins, &session, true),
        Ok(None) if state.charge_guess(remote.ip(), 0).is_err() => refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many invalid codes came from this address. Try again later.",
        ),
        Ok(None) => refuse(
            StatusCode::FORBIDDEN,
            "This link was used before, or is more than 10 minutes old. Start the demo again for another one.",
        ),
        Err(fault) => failed(&fault),
    }
}

/// Returns the next credential of a session.
pub(super) async fn token(State(state): State<SharedHttpState>, headers: HeaderMap) -> Response {
    let sign_ins = match own_page(&state, &headers) {
        Ok(sign_ins) => sign_ins,
        Err(refused) => return *refused,
    };
    match session(&headers) {
        Some(session) => answer(&state, sign_ins, session, false),
        None => not_signed_in(),
    }
}

/// Ends a session.
pub(super) async fn sign_out(State(state): State<SharedHttpState>, headers: HeaderMap) -> Response {
    let sign_ins = match own_page(&state, &headers) {
        Ok(sign_ins) => sign_ins,
        Err(refused) => return *refused,
    };
    if let Some(session) = session(&headers) {
        sign_ins.end(session);
    }
    let mut response = no_store(StatusCode::NO_CONTENT);
    set_cookie(&mut response, &state, "", 0);
    response
}

/// Moves the clock of the demo ahead by whole hours, for a person who is signed in. Workers then do what has become due. A member's token
/// may expire by that: the page requests another one.
pub(super) async fn move_clock(State(state): State<SharedHttpState>, headers: HeaderMap, body: Body) -> Response {
    let sign_ins = match own_page(&state, &headers) {
        Ok(sign_ins) => sign_ins,
        Err(refused) => return *refused,
    };
    if !session(&headers).is_some_and(|session| sign_ins.has(session)) {
        return not_signed_in();
    }
    let expected = "Send {\"hours\": …}, from 1 to 744.";
    let moved: Moved = match read(&state, &headers, body, expected).await {
        Ok(moved) => moved,
        Err(refused) => return refused,
    };
    if moved.hours == 0 || moved.hours > MOST_HOURS {
        return refuse(StatusCode::BAD_REQUEST, expected);
    }
    match sign_ins.move_clock(Duration::from_secs(u64::from(moved.hours) * 60 * 60)) {
        Ok(Some(now)) => {
            state.services.wake.wake();
            no_store(Json(json!({ "now": now.to_string() })))
        }
        Ok(None) => refuse(StatusCode::NOT_FOUND, "The clock of this server cannot be moved."),
        Err(error) => {
            tracing::warn!(%error, "the time of the demo was moved and could not be stored for the next start");
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "The time could not be stored. Try again later.",
            )
        }
    }
}

/// Returns the sign-ins if one of the server's own pages sent the request.
fn own_page<'a>(state: &'a HttpState, headers: &HeaderMap) -> Result<&'a SignIns, Box<Response>> {
    let Some(sign_ins) = &state.sign_ins else {
        return Err(Box::new(refuse(
            StatusCode::NOT_FOUND,
            "Sign-in is available in the demo only.",
        )));
    };
    let site = headers.get("sec-fetch-site");
    let is_same_site = site.is_none_or(|site| site == "same-origin");
    if !is_same_site || !Origins::default().may_connect(headers, state.settings.public_url.as_deref()) {
        return Err(Box::new(refuse(
            StatusCode::FORBIDDEN,
            "Another site sent this request.",
        )));
    }
    Ok(sign_ins)
}

/// Returns whether the request names this machine by one of its local names, or by the public URL that the operator has set.
fn is_local(state: &HttpState, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return false;
    };
    let public = state.settings.public_url.as_deref();
    let public = public.and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    host_is_local(host) || public.is_some_and(|public| public.split('/').next() == Some(host))
}

async fn read<T: DeserializeOwned>(
    state: &HttpState,
    headers: &HeaderMap,
    body: Body,
    expected: &str,
) -> Result<T, Response> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send JSON."));
    }
    let bytes = body::read(body, LARGEST_BODY, state.settings.http.body_timeout).await;
    let bytes = bytes.map_err(|unread| match unread {
        Unread::TooLarge => refuse(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long."),
        Unread::TooSlow => refuse(StatusCode::REQUEST_TIMEOUT, "The body was not received in time."),
        Unread::Broken => refuse(StatusCode::BAD_REQUEST, "The body is incomplete."),
    })?;
    serde_json::from_slice(&bytes).map_err(|_| refuse(StatusCode::BAD_REQUEST, expected))
}

fn not_signed_in() -> Response {
    refuse(StatusCode::UNAUTHORIZED, "You are not signed in.")
}

/// Returns a session's credential; with the cookie if the session has just started.
fn answer(state: &HttpState, sign_ins: &SignIns, session: &str, is_new: bool) -> Response {
    let credential = match sign_ins.credential(session, &state.services.sign_in) {
        Ok(Some(credential)) => credential,
        Ok(None) => return not_signed_in(),
        Err(error) => return failed(&error),
    };
    let Credential {
        token,
        expires_at,
        person,
    } = credential;
    let mut response = no_store(Json(json!({
        "token": token,
        "expiresAt": expires_at.map(|instant| instant.to_string()),
        "role": person.role,
        "name": person.name,
    })));
    if is_new {
        set_cookie(&mut response, state, session, 12 * 60 * 60);
    }
    response
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

fn set_cookie(response: &mut Response, state: &HttpState, value: &str, seconds: u32) {
    let is_https = state
        .settings
        .public_url
        .as_deref()
        .is_some_and(|url| url.starts_with("https://"));
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

fn no_store(response: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], response).into_response()
}

fn refuse(status: StatusCode, message: &str) -> Response {
    no_store((status, Json(json!({ "message": message }))))
}

fn failed(reason: &dyn std::fmt::Display) -> Response {
    tracing::warn!(%reason, "a person of the demo could not sign in");
    refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        "Sign-in is not available at the moment. Try again later.",
    )
}
