//! The operations of one socket. They are polled in turn, so that each makes progress.

use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::{Stream, StreamExt};

use super::message;
use super::protocol::Ids;
use crate::http::answer::errors_to_json;
use crate::http::operation::{Outcome, Running};

/// What the socket must do for an operation.
pub(super) enum OperationOutput {
    /// Send this text. It is about an event that this process knew of since then.
    Send(String, Option<Instant>),
    /// The caller is no longer signed in.
    SignedOut,
}

/// The running operations.
pub(super) struct Operations<O = Running> {
    named: Vec<Named<O>>,
    /// The index of the operation that is polled next.
    turn: usize,
}

struct Named<O> {
    /// The client's id of the operation.
    id: Box<str>,
    operation: O,
    /// A result that was not sent yet.
    ahead: Poll<Option<Outcome>>,
}

impl<O: Stream<Item = Outcome> + Unpin> Named<O> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        match std::mem::replace(&mut self.ahead, Poll::Pending) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => self.operation.poll_next_unpin(context),
        }
    }
}

impl<O> Default for Operations<O> {
    fn default() -> Self {
        Self {
            named: Vec::new(),
            turn: 0,
        }
    }
}

impl<O: Stream<Item = Outcome> + Unpin> Operations<O> {
    pub(super) fn len(&self) -> usize {
        self.named.len()
    }

    pub(super) fn add(&mut self, id: String, operation: O) {
        self.named.push(Named {
            id: id.into_boxed_str(),
            operation,
            ahead: Poll::Pending,
        });
    }

    /// Drops the operation if it still runs.
    pub(super) fn remove(&mut self, id: &str) {
        self.named.retain(|named| *named.id != *id);
    }

    pub(super) fn clear(&mut self) {
        self.named = Vec::new();
    }

    /// Returns the next step of the first operation that has one. The search starts after the operation that
    /// had the last one.
    pub(super) fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<OperationOutput> {
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
                Some(Outcome::Next {
                    result, known_since, ..
                }) => (OperationOutput::Send(message::next(id, &result), known_since), false),
                Some(Outcome::Failed(response)) => (
                    OperationOutput::Send(message::error(id, &errors_to_json(&response)), None),
                    true,
                ),
                Some(Outcome::SignedOut) => (OperationOutput::SignedOut, true),
                None => (OperationOutput::Send(message::complete(id), None), true),
            };
            if is_over {
                self.named.swap_remove(at);
                // Another operation has taken its index, and must not be skipped.
                self.turn = at;
            }
            return Poll::Ready(step);
        }
        Poll::Pending
    }

    /// Polls each operation until it has a result, while nothing can be sent. A waiting operation may hold what other operations
    /// need. So a client that does not read must not stop it there.
    pub(super) fn poll_ahead(&mut self, context: &mut Context<'_>) {
        for named in &mut self.named {
            if named.ahead.is_pending() {
                named.ahead = named.operation.poll_next_unpin(context);
            }
        }
    }
}

impl<O> Ids for Operations<O> {
    fn has(&self, id: &str) -> bool {
        self.named.iter().any(|named| *named.id == *id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream;

    use super::*;

    /// Returns the ids of the operations that get the next steps.
    fn turns<O: Stream<Item = Outcome> + Unpin>(operations: &mut Operations<O>, count: usize) -> Vec<String> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut turn = || match operations.poll_output(&mut context) {
            Poll::Ready(OperationOutput::Send(text, _)) => {
                let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                message["id"].as_str().expect("an id").to_owned()
            }
            Poll::Ready(OperationOutput::SignedOut) => "signed out".to_owned(),
            Poll::Pending => "none".to_owned(),
        };
        (0..count).map(|_| turn()).collect()
    }

    #[test]
    fn those_that_have_something_have_their_turns_and_none_waits_for_the_others() {
        let result = || Outcome::Next {
            result: Arc::from("{}"),
            cursor: None,
            known_since: None,
        };
        let always = move || stream::repeat_with(result).boxed();
        let mut operations = Operations::default();
        operations.add("a".to_owned(), always());
        operations.add("waits".to_owned(), stream::pending().boxed());
        operations.add("b".to_owned(), always());
        assert_eq!(turns(&mut operations, 5), ["a", "b", "a", "b", "a"]);
        operations.add("ends".to_owned(), stream::empty().boxed());
        assert_eq!(turns(&mut operations, 5), ["b", "ends", "a", "b", "a"]);
        operations.remove("a");
        assert_eq!(turns(&mut operations, 2), ["b", "b"]);
        operations.clear();
        assert_eq!(turns(&mut operations, 1), ["none"]);
    }
}
