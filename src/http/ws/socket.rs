//! Runs one socket in one task: carries out the actions of the protocol.
//!
//! Memory is what limits ten thousand sockets, most of them idle. So buffers are small, there is one boxed alarm, and rare
//! parts take no more than a pointer.
//!
//! While the client does not accept data, nothing is read, and each operation stops at its next result. So a slow reader costs
//! only its buffers. Its events wait in the shared buffers.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Sink, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::frames::FrameMeter;
use super::operations::{OperationOutput, Operations};
use super::protocol::{Close, Effect, Now, Protocol, SocketLimits};
use crate::graphql::{Caller, ErrorCode, Parameters, refused_request};
use crate::http::SharedHttpState;
use crate::http::answer::{Rejection, errors_to_json};
use crate::http::auth::{self, Refused};
use crate::http::live_connections::LiveConnection;
use crate::http::operation::Running;
use crate::http::parameters;
use crate::http::server::ConnectionSlot;
use crate::http::ws::message;
use crate::primitives::clock::Alarm;

/// The size of the read buffer, in bytes. All of it is written before each read, so it is memory of each idle socket. Most messages of clients
/// are shorter; the buffer grows with a longer one.
const READ_BUFFER: usize = 1_024;
/// Messages are written once they have this length together, in bytes.
const WRITE_BUFFER: usize = 4 * 1024;
/// A longer message is sent in fragments of this size, so that the socket's buffer stays small.
const PIECE: usize = 16 * 1024;
/// The number of steps before a socket lets other tasks run.
const STEPS: usize = 64;
/// The longest time that an alarm is set for.
const LONGEST_REST: Duration = Duration::from_hours(1);

type Frames = WebSocketStream<FrameMeter<TokioIo<Upgraded>>>;
type SigningIn = BoxFuture<'static, Result<Caller, Refused>>;

/// Runs a socket to its end.
pub(super) async fn run(upgraded: Upgraded, opened: Opened) {
    let message_bytes = opened.limits.message_bytes;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(4 * PIECE)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes));
    let metered = FrameMeter::new(TokioIo::new(upgraded));
    let stream = WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await;
    let mut socket = Socket::new(stream, opened);
    std::future::poll_fn(|context| socket.poll(context)).await;
}

/// The initial parts of a socket.
pub(super) struct Opened {
    pub(super) state: SharedHttpState,
    pub(super) limits: SocketLimits,
    pub(super) live_connection: LiveConnection,
    /// The connection's slot in the server, held for as long as the socket lives.
    pub(super) slot: Option<ConnectionSlot>,
    /// The credential in the header of the upgrade, for clients that send none in `connection_init`.
    pub(super) credential: Option<String>,
    /// The address of the client.
    pub(super) remote: IpAddr,
    /// Created before the response to the upgrade is sent. So the time limits do not start later than the
    /// client assumes.
    pub(super) protocol: Protocol,
    /// Why the socket is closed at once; `None` if it is accepted.
    pub(super) refused: Option<Close>,
}

struct Socket {
    stream: Frames,
    state: SharedHttpState,
    limits: SocketLimits,
    live_connection: LiveConnection,
    _slot: Option<ConnectionSlot>,
    remote: IpAddr,
    protocol: Protocol,
    operations: Operations,
    refused: Option<Close>,
    signing_in: Option<SigningIn>,
    credential: Option<Arc<str>>,
    /// The rest of a message that is sent in fragments.
    rest: Option<Bytes>,
    alarm: Alarm,
    alarm_at: Duration,
    drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    signed_out: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    is_blocked: bool,
    /// Frames can no longer be parsed: further input is discarded.
    is_broken: bool,
    reads_next: bool,
}

/// The result of polling a socket once.
enum SocketProgress {
    /// Something was done, and more may be possible.
    Worked,
    /// Nothing can be done before an event.
    Idle,
    /// The connection has ended.
    Over,
}

impl Socket {
    fn new(stream: Frames, opened: Opened) -> Self {
        let clock = &opened.state.services.clock;
        let alarm_at = clock.elapsed();
        Self {
            stream,
            limits: opened.limits,
            live_connection: opened.live_connection,
            _slot: opened.slot,
            remote: opened.remote,
            protocol: opened.protocol,
            operations: Operations::default(),
            refused: opened.refused,
            signing_in: None,
            credential: opened.credential.map(Into::into),
            rest: None,
            alarm: clock.alarm(alarm_at),
            alarm_at,
            drain: Some(Box::pin(opened.state.drain.clone().cancelled_owned())),
            signed_out: None,
            is_blocked: false,
            is_broken: false,
            reads_next: true,
            state: opened.state,
        }
    }

    fn now(&self) -> Now {
        Now::of(&self.state.services.clock)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..STEPS {
            match self.poll_once(context) {
                SocketProgress::Idle if self.is_armed(context) => return Poll::Pending,
                SocketProgress::Idle | SocketProgress::Worked => {}
                SocketProgress::Over => return Poll::Ready(()),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sets the alarm to the time of the next action. Returns whether the socket must wait; otherwise the alarm has already
    /// fired.
    ///
    /// An alarm that fires too early costs a check, and a new alarm costs an allocation. So the alarm is only ever set to an
    /// earlier time.
    fn is_armed(&mut self, context: &mut Context<'_>) -> bool {
        let now = self.now();
        let due = self.protocol.next_tick(now).min(now.elapsed + LONGEST_REST);
        if due < self.alarm_at || self.alarm_at <= now.elapsed {
            self.alarm = self.state.services.clock.alarm(due);
            self.alarm_at = due;
        }
        self.alarm.poll_unpin(context).is_pending()
    }

    fn poll_once(&mut self, context: &mut Context<'_>) -> SocketProgress {
        if let Some(progress) = self.poll_time(context) {
            return progress;
        }
        if self.is_blocked && self.flush(context).is_pending() {
            self.operations.poll_ahead(context);
            return SocketProgress::Idle;
        }
        if self.protocol.is_closing() {
            return self.poll_closing(context);
        }
        if let Some(rest) = self.rest.take() {
            return self.send_piece(rest, OpCode::Data(Data::Continue));
        }
        if let Some(progress) = self.poll_signing_in(context) {
            return progress;
        }
        // Reading and sending alternate, so that a busy client and a busy subscription both make progress.
        self.reads_next = !self.reads_next;
        let progress = if self.reads_next {
            self.poll_reading(context).or_else(|| self.poll_operations(context))
        } else {
            self.poll_operations(context).or_else(|| self.poll_reading(context))
        };
        progress.unwrap_or_else(|| match self.flush(context) {
            Poll::Ready(Err(())) => SocketProgress::Over,
            Poll::Ready(Ok(())) | Poll::Pending => SocketProgress::Idle,
        })
    }

    fn poll_time(&mut self, context: &mut Context<'_>) -> Option<SocketProgress> {
        if let Some(close) = self.refused.take() {
            let action = self.protocol.close(close, self.now());
            return Some(self.act(action));
        }
        if self
            .drain
            .as_mut()
            .is_some_and(|drain| drain.as_mut().poll(context).is_ready())
        {
            self.drain = None;
            let after = self.state.settings.http.drain.mul_f64(self.live_connection.turn());
            self.protocol.drain(after, self.now());
        }
        if self
            .signed_out
            .as_mut()
            .is_some_and(|out| out.as_mut().poll(context).is_ready())
        {
            self.signed_out = None;
            let action = self.protocol.close(Close::signed_out(), self.now());
            return Some(self.act(action));
        }
        if self.alarm_at > self.state.services.clock.elapsed() {
            return None;
        }
        match self.protocol.tick(self.now()) {
            Effect::Rest => None,
            action => Some(self.act(action)),
        }
    }

    /// Waits for the client to answer the close frame. The client can read the frame only while its own data is still
    /// read here.
    fn poll_closing(&mut self, context: &mut Context<'_>) -> SocketProgress {
        if self.is_broken {
            return self.discard(context);
        }
        match self.stream.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(_))) => SocketProgress::Worked,
            Poll::Ready(Some(Err(Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_)))) => {
                self.is_broken = true;
                SocketProgress::Worked
            }
            Poll::Ready(Some(Err(_)) | None) => SocketProgress::Over,
            // Fragments of messages that get no answer are not even combined.
            Poll::Pending if self.stream.get_mut().take_pieces() > 0 => {
                self.is_broken = true;
                SocketProgress::Worked
            }
            Poll::Pending => match self.flush(context) {
                Poll::Ready(Err(())) => SocketProgress::Over,
                Poll::Ready(Ok(())) | Poll::Pending => SocketProgress::Idle,
            },
        }
    }

    fn discard(&mut self, context: &mut Context<'_>) -> SocketProgress {
        // Waiting frames are sent, although none is read.
        if let Poll::Ready(Err(())) = self.flush(context) {
            return SocketProgress::Over;
        }
        self.stream.get_mut().take_pieces();
        let mut scratch = [std::mem::MaybeUninit::uninit(); 1024];
        let mut scratch = ReadBuf::uninit(&mut scratch);
        match Pin::new(self.stream.get_mut()).poll_read(context, &mut scratch) {
            Poll::Ready(Ok(())) if !scratch.filled().is_empty() => SocketProgress::Worked,
            Poll::Ready(_) => SocketProgress::Over,
            Poll::Pending => SocketProgress::Idle,
        }
    }

    fn poll_signing_in(&mut self, context: &mut Context<'_>) -> Option<SocketProgress> {
        let Poll::Ready(signed_in) = self.signing_in.as_mut()?.as_mut().poll(context) else {
            return None;
        };
        self.signing_in = None;
        let now = self.now();
        let action = match signed_in {
            Ok(caller) => match self.live_connection.hold(&caller.actor) {
                Ok(()) => {
                    self.signed_out = Some(Box::pin(self.live_connection.signed_out()));
                    self.protocol.signed_in(caller.expires_at, now)
                }
                Err(refusal) => self.protocol.close(Close::overload(refusal.to_string()), now),
            },
            // The address pays for each guess at credentials.
            Err(Refused::Unauthenticated(message)) => match self.state.charge_guess(self.remote, 0) {
                Ok(()) => self.protocol.close(Close::forbidden(message), now),
                Err(_) => self.protocol.close(Close::guesses(), now),
            },
            Err(Refused::Fault(fault)) => {
                tracing::warn!(%fault, "a socket could not be signed in");
                let reason = "The service is not available at the moment: try again later";
                self.protocol.close(Close::overload(reason), now)
            }
        };
        Some(self.act(action))
    }

    fn poll_reading(&mut self, context: &mut Context<'_>) -> Option<SocketProgress> {
        let now = self.now();
        let Poll::Ready(message) = self.stream.poll_next_unpin(context) else {
            let pieces = self.stream.get_mut().take_pieces();
            return (pieces > 0).then(|| {
                let action = self.protocol.pieces(pieces, now);
                self.act(action)
            });
        };
        let action = match message {
            None
            | Some(Err(
                Error::Io(_)
                | Error::ConnectionClosed
                | Error::AlreadyClosed
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            )) => return Some(SocketProgress::Over),
            Some(Ok(Message::Text(text))) => self.protocol.receive(&text, &self.operations, now),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => self.protocol.hear(now),
            Some(Ok(Message::Binary(_))) => {
                let close = Close::malformed("Messages are text, not binary");
                self.protocol.close(close, now)
            }
            Some(Ok(Message::Close(_))) => {
                // The close frame is already being sent.
                let _answered = self.protocol.close(Close::drain(), now);
                self.end_operations();
                Effect::Rest
            }
            Some(Err(error)) => {
                self.is_broken = true;
                self.protocol.close(close_of(&error), now)
            }
        };
        Some(self.act(action))
    }

    fn poll_operations(&mut self, context: &mut Context<'_>) -> Option<SocketProgress> {
        match self.operations.poll_output(context) {
            Poll::Ready(OperationOutput::Send(text, known_since)) => {
                let progress = self.send(text);
                if let Some(known_since) = known_since {
                    self.state.traffic.delivered(known_since.elapsed());
                }
                Some(progress)
            }
            Poll::Ready(OperationOutput::SignedOut) => {
                let action = self.protocol.close(Close::signed_out(), self.now());
                Some(self.act(action))
            }
            Poll::Pending => None,
        }
    }

    fn act(&mut self, action: Effect) -> SocketProgress {
        match action {
            Effect::Rest => SocketProgress::Worked,
            Effect::Send(text) => self.send(text),
            Effect::Ping => self.write(Message::Ping(Bytes::new())),
            Effect::SignIn(credential) => self.sign_in(credential),
            Effect::Start {
                id,
                payload,
                altered_number,
            } => self.start(id, payload, altered_number),
            Effect::Stop(id) => {
                self.operations.remove(&id);
                SocketProgress::Worked
            }
            Effect::Close(close) => {
                self.end_operations();
                let code = close.code.into();
                let reason = close.reason.into_owned().into();
                self.write(Message::Close(Some(CloseFrame { code, reason })))
            }
            Effect::HangUp => SocketProgress::Over,
        }
    }

    fn end_operations(&mut self) {
        self.operations.clear();
        self.signing_in = None;
        self.rest = None;
    }

    fn sign_in(&mut self, credential: Option<String>) -> SocketProgress {
        let Some(credential) = credential.map(Arc::from).or_else(|| self.credential.take()) else {
            let close = Close::forbidden(
                "Send a token or an API key as authorization in the payload of connection_init, or as the header Authorization",
            );
            let action = self.protocol.close(close, self.now());
            return self.act(action);
        };
        self.credential = Some(Arc::clone(&credential));
        let sign_in = self.state.services.sign_in.clone();
        self.signing_in = Some(async move { auth::sign_in(&credential, &sign_in).await }.boxed());
        SocketProgress::Worked
    }

    fn start(&mut self, id: String, payload: serde_json::Value, altered_number: Option<String>) -> SocketProgress {
        let Some(credential) = self.credential.clone() else {
            return SocketProgress::Worked;
        };
        if self.operations.len() >= self.limits.operations {
            let reason = format!(
                "this socket runs the maximum of {} operations: complete one first",
                self.limits.operations
            );
            let refused = refused_request(ErrorCode::RateLimited, reason);
            return self.send(message::error(&id, &errors_to_json(&refused)));
        }
        let parameters = match parameters::from_json(payload) {
            Ok(parameters) if parameters.names_a_document() => Parameters {
                altered_number,
                ..parameters
            },
            rejected => {
                let reason = match rejected {
                    Err(Rejection::Malformed(reason)) => reason,
                    _ => "the payload of subscribe must have a query".to_owned(),
                };
                let action = self.protocol.close(Close::malformed(reason), self.now());
                return self.act(action);
            }
        };
        match self.state.schema.check(parameters) {
            Ok(operation) => {
                let sign_in = self.state.services.sign_in.clone();
                let signing_in = async move { auth::sign_in(&credential, &sign_in).await };
                let running = Running::begin(&self.state, signing_in, self.remote, operation, None);
                self.operations.add(id, running);
                SocketProgress::Worked
            }
            Err(refused) => self.send(message::error(&id, &errors_to_json(&refused))),
        }
    }

    fn send(&mut self, text: String) -> SocketProgress {
        if text.len() > PIECE {
            return self.send_piece(text.into(), OpCode::Data(Data::Text));
        }
        self.write(Message::Text(text.into()))
    }

    fn send_piece(&mut self, mut text: Bytes, opcode: OpCode) -> SocketProgress {
        let piece = text.split_to(text.len().min(PIECE));
        let is_last = text.is_empty();
        self.rest = (!is_last).then_some(text);
        self.write(Message::Frame(Frame::message(piece, opcode, is_last)))
    }

    fn write(&mut self, message: Message) -> SocketProgress {
        // The buffer was empty before each write, or the socket has accepted its content. So there is space.
        match Pin::new(&mut self.stream).start_send(message) {
            Ok(()) => SocketProgress::Worked,
            Err(_) => SocketProgress::Over,
        }
    }

    fn flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.is_blocked = flushed.is_pending();
        if self.is_blocked {
            self.protocol.blocked(self.now());
        } else {
            self.protocol.unblocked();
        }
        flushed.map_err(|_| ())
    }
}

/// Returns the close code for frames that are not valid.
fn close_of(error: &Error) -> Close {
    match error {
        Error::Capacity(_) => Close::too_large(),
        Error::Utf8(_) => Close::malformed("Messages are text in UTF-8"),
        _ => Close::frames(),
    }
}
