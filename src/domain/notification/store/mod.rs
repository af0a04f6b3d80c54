//! Rows of settings, alerts and deliveries.

mod alerts;
mod deliveries;
mod due;
mod outbox;
mod people;
mod settings;

pub(super) use alerts::{
    alert, alerts_by_id, alerts_keyset, behind, close_edge, edges, insert_alert, open_edge, open_of_top_up, place,
    resolve_alert, save_place,
};
pub(super) use deliveries::{
    Mark, Meant, deliveries_keyset, delivery, delivery_by_id, in_inbox, inbox_keyset, inbox_mark, insert_deliveries,
    mark, marked_in, marks, raised_at, unread,
};
pub(super) use due::{StandingAlert, due, due_accounts, save_due, standing};
pub(super) use outbox::{Addressee, Claimed, Ended, addressee, claim, end_attempt, is_mail_due, requeue};
pub(super) use people::{Recipient, last_mails, recipients};
pub(super) use settings::{save_settings, settings};

use crate::domain::fault::Fault;

/// A value that no use case has written.
fn unreadable(what: &str, value: &str) -> Fault {
    Fault::Internal(format!("a row holds {value:?}, which is no {what}"))
}
