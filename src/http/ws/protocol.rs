//! The protocol as a state machine without a socket. Its inputs are events and the time; its outputs are actions.
//!
//! Follows PROTOCOL.md of the npm package graphql-ws. The close codes matter: its client treats most of them as final. It
//! reconnects after 4403 (with a new token), 4408, 1012 and 1013.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::message::{self, Incoming};
use crate::primitives::clock::{Clock, Timestamp};

/// The maximum length of the reason in a close frame, in bytes (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;

/// Limits of a socket.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct SocketLimits {
    /// The time limit for `connection_init` to arrive and to be answered.
    #[serde(rename = "init_timeout_ms")]
    pub init_timeout: Duration,
    /// The silence of a client after which it is pinged.
    #[serde(rename = "ping_interval_ms")]
    pub ping_interval: Duration,
    /// The time limit for the answer to a ping.
    #[serde(rename = "pong_timeout_ms")]
    pub pong_timeout: Duration,
    /// The time limit for the client to accept sent data.
    #[serde(rename = "write_timeout_ms")]
    pub write_timeout: Duration,
    /// The maximum number of concurrent operations.
    pub operations: usize,
    /// The maximum number of messages per second, averaged over some seconds.
    pub messages_per_second: u32,
    /// The maximum size of a message, in bytes.
    pub message_bytes: usize,
}

/// Messages of this number of seconds may arrive at once.
const BURST_SECONDS: u32 = 4;
/// The time limit for the client to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The current time by two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// The monotonic time, for time limits.
    pub(super) elapsed: Duration,
    /// The wall-clock time, for the expiry of tokens.
    pub(super) instant: Timestamp,
}

impl Now {
    pub(super) fn of(clock: &Clock) -> Self {
        Self {
            elapsed: clock.elapsed(),
            instant: clock.now(),
        }
    }
}

/// Why a socket is closed: a code and a human-readable reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > LONGEST_REASON {
            let end = reason.floor_char_boundary(LONGEST_REASON);
            reason = reason[..end].to_owned().into();
        }
        Self { code, reason }
    }

    pub(super) fn malformed(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(4400, reason)
    }

    fn before_ack() -> Self {
        Self::new(
            4401,
            "Unauthorized: send connection_init and wait for connection_ack first",
        )
    }

    pub(super) fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(4403, reason)
    }

    pub(super) fn signed_out() -> Self {
        Self::forbidden("You are no longer signed in")
    }

    pub(super) fn subprotocol() -> Self {
        Self::new(4406, "Subprotocol not acceptable: offer graphql-transport-ws")
    }

    fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    fn duplicate(id: &str) -> Self {
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    fn second_init() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }

    pub(super) fn drain() -> Self {
        Self::new(1012, "The server restarts: connect again")
    }

    pub(super) fn overload(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(1013, reason)
    }

    pub(super) fn guesses() -> Self {
        Self::overload("Too many invalid credentials came from this address: try again later")
    }

    pub(super) fn frames() -> Self {
        Self::new(1002, "The frames are not those of RFC 6455")
    }

    pub(super) fn too_large() -> Self {
        Self::new(1009, "The message is too large")
    }
}

/// What the socket must do.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// Nothing.
    Rest,
    /// Send this text.
    Send(String),
    /// Send a ping frame.
    Ping,
    /// Find the caller of this credential. Then call [`Protocol::signed_in`], or close with
    /// [`Close::forbidden`].
    SignIn(Option<String>),
    /// Run this operation.
    Start {
        /// The client's id of the operation.
        id: String,
        /// The operation, as in a request over HTTP.
        payload: Value,
        /// The path of a variable with a number that parsing changed.
        altered_number: Option<String>,
    },
    /// Drop the operation if it still runs.
    Stop(String),
    /// Send a close frame.
    Close(Close),
    /// Drop the connection.
    HangUp,
}

/// The running operations, as far as the protocol needs to know them.
pub(super) trait Ids {
    fn has(&self, id: &str) -> bool;
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// No message has arrived.
    Opened,
    /// The credential is being checked.
    SigningIn,
    /// The connection is acknowledged.
    Ready,
    /// A close frame is being sent.
    Closing,
}

/// The state of one socket.
#[derive(Debug)]
pub(super) struct Protocol {
    limits: SocketLimits,
    phase: Phase,
    /// When the current phase ends without an event.
    phase_ends: Option<Duration>,
    /// When the credential expires.
    expires_at: Option<Timestamp>,
    /// When the client last sent anything.
    heard: Duration,
    pinged: Option<Duration>,
    /// Since when the client has not accepted sent data.
    blocked: Option<Duration>,
    /// When the socket is closed because the process ends.
    drained: Option<Duration>,
    /// The number of messages that may still arrive now, and the time of that count.
    allowance: u32,
    counted: Duration,
}

impl Protocol {
    /// Creates the state of a socket that was opened at `now`.
    pub(super) fn new(limits: SocketLimits, now: Now) -> Self {
        Self {
            limits,
            phase: Phase::Opened,
            phase_ends: Some(now.elapsed + limits.init_timeout),
            expires_at: None,
            heard: now.elapsed,
            pinged: None,
            blocked: None,
            drained: None,
            allowance: limits.messages_per_second.saturating_mul(BURST_SECONDS),
            counted: now.elapsed,
        }
    }

    /// Handles a text message.
    pub(super) fn receive(&mut self, text: &str, running: &impl Ids, now: Now) -> Effect {
        if let Some(close) = self.count(1, now) {
            return close;
        }
        let message = match Incoming::read(text) {
            Ok(message) => message,
            Err(reason) => return self.close(Close::malformed(reason), now),
        };
        match message {
            Incoming::ConnectionInit(payload) if self.phase == Phase::Opened => {
                self.phase = Phase::SigningIn;
                Effect::SignIn(credential(&payload))
            }
            Incoming::ConnectionInit(_) => self.close(Close::second_init(), now),
            Incoming::Ping(payload) => Effect::Send(message::pong(payload.as_ref())),
            Incoming::Pong => Effect::Rest,
            Incoming::Complete(id) => Effect::Stop(id),
            Incoming::Subscribe { .. } if self.phase != Phase::Ready => self.close(Close::before_ack(), now),
            Incoming::Subscribe { id, .. } if running.has(&id) => self.close(Close::duplicate(&id), now),
            Incoming::Subscribe {
                id,
                payload,
                altered_number,
            } => Effect::Start {
                id,
                payload,
                altered_number,
            },
        }
    }

    /// Handles a ping or pong frame. It is no message of the protocol, but shows that the client is
    /// connected.
    pub(super) fn hear(&mut self, now: Now) -> Effect {
        self.count(1, now).unwrap_or(Effect::Rest)
    }

    /// Handles fragments of a message. Each counts as a message.
    pub(super) fn pieces(&mut self, count: u32, now: Now) -> Effect {
        self.count(count, now).unwrap_or(Effect::Rest)
    }

    /// Handles a successful sign-in. The credential of `connection_init` is valid until `expires_at`.
    pub(super) fn signed_in(&mut self, expires_at: Option<Timestamp>, now: Now) -> Effect {
        if self.phase != Phase::SigningIn {
            return Effect::Rest;
        }
        self.phase = Phase::Ready;
        self.phase_ends = None;
        self.expires_at = expires_at;
        match self.expiry(now) {
            Some(close) => close,
            None => Effect::Send(message::connection_ack()),
        }
    }

    /// Handles that the client does not accept sent data.
    pub(super) fn blocked(&mut self, now: Now) {
        self.blocked.get_or_insert(now.elapsed);
    }

    /// Handles that all data was sent.
    pub(super) fn unblocked(&mut self) {
        self.blocked = None;
    }

    /// Handles the end of the process: the socket closes after `after`.
    pub(super) fn drain(&mut self, after: Duration, now: Now) {
        self.drained.get_or_insert(now.elapsed + after);
    }

    /// Closes the socket for this reason, unless it is already closing.
    pub(super) fn close(&mut self, close: Close, now: Now) -> Effect {
        if self.phase == Phase::Closing {
            return Effect::Rest;
        }
        self.phase = Phase::Closing;
        self.phase_ends = Some(now.elapsed + CLOSE_TIMEOUT);
        Effect::Close(close)
    }

    /// Returns whether a close frame is being sent.
    pub(super) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Returns what must be done because of the time.
    pub(super) fn tick(&mut self, now: Now) -> Effect {
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now.elapsed);
        if is_due(self.phase_ends) {
            if self.phase == Phase::Closing {
                return Effect::HangUp;
            }
            return self.close(Close::init_timeout(), now);
        }
        if self.phase == Phase::Closing {
            return Effect::Rest;
        }
        if let Some(close) = self.expiry(now) {
            return close;
        }
        if is_due(self.drained) {
            return self.close(Close::drain(), now);
        }
        if is_due(self.write_ends()) {
            return self.close(Close::overload("The client takes too long to read"), now);
        }
        if self.pinged.is_some() && is_due(Some(self.ping_due())) {
            return self.close(Close::overload("The client did not answer a ping"), now);
        }
        if self.pinged.is_none() && is_due(Some(self.ping_due())) {
            self.pinged = Some(now.elapsed);
            return Effect::Ping;
        }
        Effect::Rest
    }

    /// Returns when [`Self::tick`] must be called next.
    pub(super) fn next_tick(&self, now: Now) -> Duration {
        if self.phase == Phase::Closing {
            return self.phase_ends.unwrap_or(now.elapsed);
        }
        let left = |at: Timestamp| u64::try_from(at.millis().saturating_sub(now.instant.millis())).unwrap_or_default();
        let expiry = self
            .expires_at
            .map(|at| now.elapsed.saturating_add(Duration::from_millis(left(at))));
        let dues = [self.phase_ends, expiry, self.drained, self.write_ends()];
        dues.into_iter().flatten().fold(self.ping_due(), Duration::min)
    }

    fn ping_due(&self) -> Duration {
        match self.pinged {
            Some(pinged) => pinged + self.limits.pong_timeout,
            None => self.heard + self.limits.ping_interval,
        }
    }

    fn write_ends(&self) -> Option<Duration> {
        self.blocked.map(|since| since + self.limits.write_timeout)
    }

    fn expiry(&mut self, now: Now) -> Option<Effect> {
        let expired = self.expires_at.is_some_and(|at| at <= now.instant);
        expired.then(|| {
            self.close(
                Close::forbidden("The token has expired: connect again with a new one"),
                now,
            )
        })
    }

    /// Counts messages. A number above the limit closes the socket.
    fn count(&mut self, messages: u32, now: Now) -> Option<Effect> {
        self.heard = now.elapsed;
        self.pinged = None;
        let rate = self.limits.messages_per_second;
        let most = rate.saturating_mul(BURST_SECONDS);
        let passed = now.elapsed.saturating_sub(self.counted).as_millis();
        let earned = u32::try_from(passed.saturating_mul(u128::from(rate)) / 1_000).unwrap_or(u32::MAX);
        if earned > 0 {
            self.allowance = self.allowance.saturating_add(earned).min(most);
            self.counted = now.elapsed;
        }
        match self.allowance.checked_sub(messages) {
            Some(left) => {
                self.allowance = left;
                None
            }
            None => Some(self.close(Close::overload("Too many messages: send fewer per second"), now)),
        }
    }
}

/// Returns the credential in the payload of `connection_init`: like the header of the same name, with or without
/// `Bearer`.
fn credential(payload: &Map<String, Value>) -> Option<String> {
    let given = payload
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let text = given?.1.as_str()?.trim_start();
    let credential = match text.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => credential,
        _ => text,
    };
    let credential = credential.trim();
    (!credential.is_empty()).then(|| credential.to_owned())
}

#[cfg(test)]
mod tests;
