//! The operations of one socket: polled in turn, so that none starves the others.

use std::task::{Context, Poll};

use futures_util::StreamExt;

use super::message;
use super::protocol::Ids;
use crate::http::answer::errors_to_json;
use crate::http::operation::{Outcome, Running};

/// What an operation wants done.
pub(super) enum Step {
    /// Send this text.
    Send(String),
    /// The caller is not signed in any more.
    SignedOut,
}

/// Those that run.
#[derive(Default)]
pub(super) struct Operations {
    named: Vec<Named>,
    /// Whose turn it is.
    turn: usize,
}

struct Named {
    /// The client's name for it.
    id: Box<str>,
    operation: Running,
    /// What it has given that was not sent yet.
    ahead: Poll<Option<Outcome>>,
}

impl Named {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match std::mem::replace(&mut self.ahead, Poll::Pending) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => self.operation.poll_next_unpin(context),
        }
    }
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.named.len()
    }

    pub(super) fn add(&mut self, id: String, operation: Running) {
        self.named.push(Named {
            id: id.into_boxed_str(),
            operation,
            ahead: Poll::Pending,
        });
    }

    /// Drops the operation, if it still runs.
    pub(super) fn remove(&mut self, id: &str) {
        self.named.retain(|named| *named.id != *id);
    }

    pub(super) fn clear(&mut self) {
        self.named = Vec::new();
    }

    /// The next step of whichever operation has one, looking first at the one after the last that had.
    pub(super) fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        let count = self.named.len();
        for further in 0..count {
            let at = (self.turn + further) % count;
            let Some(named) = self.named.get_mut(at) else {
                continue;
            };
            let Poll::Ready(outcome) = named.poll(context) else {
                continue;
            };
            self.turn = at + 1;
            let id = &named.id;
            let (step, is_over) = match outcome {
                Some(Outcome::Next { result, .. }) => (Step::Send(message::next(id, &result)), false),
                Some(Outcome::Failed(response)) => (Step::Send(message::error(id, &errors_to_json(&response))), true),
                Some(Outcome::SignedOut) => (Step::SignedOut, true),
                None => (Step::Send(message::complete(id)), true),
            };
            if is_over {
                self.named.swap_remove(at);
            }
            return Poll::Ready(step);
        }
        Poll::Pending
    }

    /// Lets each operation go on until it has something, while nothing can be sent. One that waits in the middle of its work may
    /// hold what others wait for: a client that does not read must not stop it there.
    pub(super) fn poll_ahead(&mut self, context: &mut Context<'_>) {
        for named in &mut self.named {
            if named.ahead.is_pending() {
                named.ahead = named.operation.poll_next_unpin(context);
            }
        }
    }
}

impl Ids for Operations {
    fn has(&self, id: &str) -> bool {
        self.named.iter().any(|named| *named.id == *id)
    }
}
