//! The protocol as a machine without a socket: what has happened, and the time, go in; what to do comes out.
//!
//! Follows PROTOCOL.md of the npm package graphql-ws. The codes matter: its client takes most of them as the end, and connects
//! again after 4403 (with a new token), 4408, 1012 and 1013.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use super::message::{self, Incoming};
use crate::primitives::clock::{Clock, Timestamp};

/// The longest reason that a close frame holds, in bytes (RFC 6455, 5.5).
const LONGEST_REASON: usize = 123;

/// What a socket may do, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    /// Time for `connection_init` to come and be answered.
    pub init_timeout: Duration,
    /// How long nothing may be heard of the client before it is pinged.
    pub ping_interval: Duration,
    /// Time for the answer to a ping.
    pub pong_timeout: Duration,
    /// Time in which the client must take what is sent.
    pub write_timeout: Duration,
    /// Operations at a time.
    pub operations: usize,
    /// Messages a second, over some seconds.
    pub messages_per_second: u32,
    /// Bytes a message.
    pub message_bytes: usize,
}

/// So many seconds' worth of messages may come at once.
const BURST_SECONDS: u32 = 4;
/// Time for the client to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The time by both of its measures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For time-outs.
    pub(super) elapsed: Duration,
    /// For the end of tokens.
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

/// Why a socket is closed: a code and a reason for people.
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
        Self::forbidden("You are not signed in any more")
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
        Self::overload("Too many credentials of this address were refused: try again later")
    }

    pub(super) fn frames() -> Self {
        Self::new(1002, "The frames are not those of RFC 6455")
    }

    pub(super) fn too_large() -> Self {
        Self::new(1009, "The message is too large")
    }
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// Nothing.
    Rest,
    /// Send this text.
    Send(String),
    /// Send a ping frame.
    Ping,
    /// Find out whose credential this is, and tell [`Protocol::signed_in`] or close with [`Close::forbidden`].
    SignIn(Option<String>),
    /// Run this operation.
    Start {
        /// The client's name for it.
        id: String,
        /// As in a request over HTTP.
        payload: Value,
        /// Where its variables have a number that was altered when it was read.
        altered_number: Option<String>,
    },
    /// Drop the operation, if it still runs.
    Stop(String),
    /// Send a close frame.
    Close(Close),
    /// Let go of the connection.
    HangUp,
}

/// The operations that run, as far as the protocol has to know.
pub(super) trait Ids {
    fn has(&self, id: &str) -> bool;
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    Opened,
    /// Somebody finds out who it is.
    SigningIn,
    /// Acknowledged.
    Ready,
    /// A close frame is on its way.
    Closing,
}

/// The state of one socket.
#[derive(Debug)]
pub(super) struct Protocol {
    limits: SocketLimits,
    phase: Phase,
    /// When the present phase ends by itself.
    phase_ends: Option<Duration>,
    /// When the credential ends.
    expires_at: Option<Timestamp>,
    /// When anything of the client was heard last.
    heard: Duration,
    pinged: Option<Duration>,
    /// Since when the client has not taken what was written.
    blocked: Option<Duration>,
    /// When the socket is closed because the process ends.
    drained: Option<Duration>,
    /// Messages that may still come now, and when that was counted.
    allowance: u32,
    counted: Duration,
}

impl Protocol {
    /// A socket that was opened now.
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

    /// A text message came.
    pub(super) fn receive(&mut self, text: &str, running: &impl Ids, now: Now) -> Action {
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
                Action::SignIn(credential(&payload))
            }
            Incoming::ConnectionInit(_) => self.close(Close::second_init(), now),
            Incoming::Ping(payload) => Action::Send(message::pong(payload.as_ref())),
            Incoming::Pong => Action::Rest,
            Incoming::Complete(id) => Action::Stop(id),
            Incoming::Subscribe { .. } if self.phase != Phase::Ready => self.close(Close::before_ack(), now),
            Incoming::Subscribe { id, .. } if running.has(&id) => self.close(Close::duplicate(&id), now),
            Incoming::Subscribe {
                id,
                payload,
                altered_number,
            } => Action::Start {
                id,
                payload,
                altered_number,
            },
        }
    }

    /// A ping or pong frame came, which is no message of the protocol but a sign of life.
    pub(super) fn hear(&mut self, now: Now) -> Action {
        self.count(1, now).unwrap_or(Action::Rest)
    }

    /// Pieces of a message came, each in a frame of its own: each counts as a message.
    pub(super) fn pieces(&mut self, count: u32, now: Now) -> Action {
        self.count(count, now).unwrap_or(Action::Rest)
    }

    /// The credential of `connection_init` is good until then.
    pub(super) fn signed_in(&mut self, expires_at: Option<Timestamp>, now: Now) -> Action {
        if self.phase != Phase::SigningIn {
            return Action::Rest;
        }
        self.phase = Phase::Ready;
        self.phase_ends = None;
        self.expires_at = expires_at;
        match self.expiry(now) {
            Some(close) => close,
            None => Action::Send(message::connection_ack()),
        }
    }

    /// The client takes nothing: what was written still waits.
    pub(super) fn blocked(&mut self, now: Now) {
        self.blocked.get_or_insert(now.elapsed);
    }

    /// All that was written is gone.
    pub(super) fn unblocked(&mut self) {
        self.blocked = None;
    }

    /// The process ends: close the socket when `after` has passed.
    pub(super) fn drain(&mut self, after: Duration, now: Now) {
        self.drained.get_or_insert(now.elapsed + after);
    }

    /// Closes for this reason, unless it is being closed already.
    pub(super) fn close(&mut self, close: Close, now: Now) -> Action {
        if self.phase == Phase::Closing {
            return Action::Rest;
        }
        self.phase = Phase::Closing;
        self.phase_ends = Some(now.elapsed + CLOSE_TIMEOUT);
        Action::Close(close)
    }

    /// Whether a close frame is on its way.
    pub(super) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Looks whether something is due.
    pub(super) fn tick(&mut self, now: Now) -> Action {
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now.elapsed);
        if is_due(self.phase_ends) {
            if self.phase == Phase::Closing {
                return Action::HangUp;
            }
            return self.close(Close::init_timeout(), now);
        }
        if self.phase == Phase::Closing {
            return Action::Rest;
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
            return Action::Ping;
        }
        Action::Rest
    }

    /// When [`Self::tick`] is next to be called.
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

    fn expiry(&mut self, now: Now) -> Option<Action> {
        let expired = self.expires_at.is_some_and(|at| at <= now.instant);
        expired.then(|| {
            self.close(
                Close::forbidden("The token has expired: connect again with a new one"),
                now,
            )
        })
    }

    /// Counts messages. More than may come close the socket.
    fn count(&mut self, messages: u32, now: Now) -> Option<Action> {
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
            None => Some(self.close(Close::overload("Too many messages: send fewer a second"), now)),
        }
    }
}

/// The credential in the payload of `connection_init`, as in the header of the same name, with or without `Bearer`.
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
