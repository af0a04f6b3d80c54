//! One operation of a connection that stays open, for every protocol.
//!
//! It starts like a request over HTTP: its limits are checked, its caller is signed in with current rights, and its cost is
//! charged. It has no task of its own: its owner polls it. Dropping it ends it.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_graphql::Response;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tracing::Instrument;

use super::SharedHttpState;
use super::allowance::{CallerPurse, Payer};
use super::answer::{Executed, is_request_error};
use super::auth::Refused;
use super::live_connections::OpenCost;
use crate::graphql::{ApiError, Caller, ErrorCode, Live, LiveEnd, LiveItem, Operation, OperationKind, refused_request};
use crate::primitives::trace;

/// What an operation produces. The operation ends with its stream.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A result.
    Next {
        /// The result as JSON.
        result: Arc<str>,
        /// The cursor to continue from, for subscriptions.
        cursor: Option<Arc<str>>,
        /// When this process knew of the event that it is about.
        known_since: Option<Instant>,
    },
    /// It was never executed, or cannot continue. Nothing follows.
    Failed(Box<Response>),
    /// Its caller is no longer signed in. Nothing follows.
    SignedOut,
}

/// The state after a request has started.
enum Begun {
    Once(Outcome),
    Live(Live, OpenCost),
}

/// A running operation.
pub(super) struct Running(State);

enum State {
    /// Boxed separately, because it is far larger than the next state and short-lived.
    Beginning(BoxFuture<'static, Begun>),
    /// Holds its share of the cost that its caller may have open.
    Live(Live, #[expect(dead_code, reason = "held, not read")] OpenCost),
    Over,
}

impl Running {
    /// Starts a checked operation for the caller that signs in, after the cursor `after` if given.
    pub(super) fn begin(
        state: &SharedHttpState,
        signing_in: impl Future<Output = Result<Caller, Refused>> + Send + 'static,
        remote: IpAddr,
        operation: Operation,
        after: Option<String>,
    ) -> Self {
        let span = tracing::info_span!("operation", name = operation.name, cost = operation.cost);
        let mut timing = state.traffic.time();
        timing.set_kind(operation.kind);
        let begun = begin(Arc::clone(state), signing_in, remote, operation, after);
        let begun = async move {
            let begun = begun.await;
            drop(timing);
            begun
        };
        let begun = trace::logged(span, begun).in_current_span();
        Self(State::Beginning(begun.boxed()))
    }

    fn step(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        loop {
            match &mut self.0 {
                State::Beginning(beginning) => match ready!(beginning.as_mut().poll(context)) {
                    Begun::Once(outcome) => {
                        self.0 = State::Over;
                        return Poll::Ready(Some(outcome));
                    }
                    Begun::Live(live, open) => self.0 = State::Live(live, open),
                },
                State::Live(live, _) => {
                    let outcome = ready!(live.poll_next_unpin(context)).map(Outcome::of);
                    if !matches!(outcome, Some(Outcome::Next { .. })) {
                        self.0 = State::Over;
                    }
                    return Poll::Ready(outcome);
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Running {
    type Item = Outcome;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        // A panic ends its own operation, not the others on the connection. The panic hook has logged it.
        catch_unwind(AssertUnwindSafe(|| self.step(context))).unwrap_or_else(|_| {
            self.0 = State::Over;
            let response = refused_request(ErrorCode::Internal, "something went wrong on our side");
            Poll::Ready(Some(Outcome::Failed(Box::new(response))))
        })
    }
}

impl Outcome {
    /// When this process knew of the event that it is about.
    pub(super) fn known_since(&self) -> Option<Instant> {
        match self {
            Self::Next { known_since, .. } => *known_since,
            Self::Failed(_) | Self::SignedOut => None,
        }
    }

    fn of(item: Result<LiveItem, LiveEnd>) -> Self {
        match item {
            Ok(item) => Self::Next {
                result: item.payload,
                cursor: Some(item.cursor),
                known_since: item.known_since,
            },
            Err(LiveEnd::Failed(response)) => Self::Failed(response),
            Err(LiveEnd::Revoked) => Self::SignedOut,
        }
    }
}

async fn begin(
    state: SharedHttpState,
    signing_in: impl Future<Output = Result<Caller, Refused>>,
    remote: IpAddr,
    operation: Operation,
    after: Option<String>,
) -> Begun {
    let failed = |response| Begun::Once(Outcome::Failed(response));
    let caller = match signing_in.await {
        Ok(caller) => caller,
        Err(Refused::Unauthenticated(_)) => return Begun::Once(Outcome::SignedOut),
        Err(Refused::Fault(fault)) => return failed(Box::new(ApiError::from(fault).into_response())),
    };
    let payer = Payer::of(Some(&caller), remote);
    if operation.kind == OperationKind::Subscription {
        let open = match state.live_connections.open(&caller.actor, operation.cost) {
            Ok(open) => open,
            Err(too_much) => return failed(Box::new(refused_request(ErrorCode::RateLimited, too_much.to_string()))),
        };
        if let Err(refused) = state.charge(&payer, operation.cost) {
            return failed(refused);
        }
        let schema = state.schema.clone();
        let purse = Arc::new(CallerPurse { state, payer });
        let span = trace::operation(operation.kind, operation.name.as_deref());
        let resumed = schema
            .resume(operation, caller, after.as_deref(), purse)
            .instrument(span);
        return match resumed.await {
            Ok(live) => Begun::Live(live, open),
            Err(response) => failed(response),
        };
    }
    let executed = match state.execute(operation, Some(caller), &payer).await {
        Executed::Made(response) if is_request_error(&response) => return failed(Box::new(response)),
        executed => executed,
    };
    Begun::Once(Outcome::Next {
        result: executed.to_json().into(),
        cursor: None,
        known_since: None,
    })
}
