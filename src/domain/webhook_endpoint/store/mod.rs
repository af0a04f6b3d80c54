//! Rows of endpoints, messages and attempts, and checkpoints.

mod checkpoints;
mod endpoints;
mod entry_filter;
mod messages;
mod outbox;

pub(super) use checkpoints::{
    Stream, checkpoint, last_before, last_message, move_checkpoint, next_accounts, next_hooked, streams,
};
pub(in crate::domain) use endpoints::broken_of;
pub(super) use endpoints::{
    disable, enabled_of, enabled_since, endpoint, endpoints, endpoints_by_id, locked_endpoint, note_failure,
    note_success, save_endpoint,
};
pub(super) use messages::{
    NewMessage, attempts_of, delete_ended, insert, insert_or_requeue, message, messages_by_id, messages_keyset, requeue,
};
pub(super) use outbox::{claim, discard, due, end_attempt};

use crate::domain::fault::Fault;

/// A value that no use case has written.
fn unreadable(what: &str, value: &str) -> Fault {
    Fault::Internal(format!("a row holds {value:?}, which is no {what}"))
}
