//! Rows of settings, alerts and deliveries.

mod address_notices;
mod addresses;
mod alerts;
mod checkpoints;
mod deliveries;
mod due;
mod outbox;
mod people;
mod recipients;
mod reports;
mod settings;

pub(super) use address_notices::{AddressNotice, claim_address_notices, end_address_notice, is_address_notice_due};
pub(super) use addresses::{address, addresses, addresses_by_id, addresses_of, label_of, save_address, timezone_of};
pub(super) use alerts::{
    OpenEdge, alerts_by_id, alerts_keyset, close_edge, edges, end_for, insert_alerts, open_edge, open_of_top_up,
    resolve_alert, unresolved_sessions,
};
pub(super) use checkpoints::{
    AlertSnapshot, Checked, check_prepared, checkpoint, move_checkpoints, save_checkpoints, snapshots,
};
pub(super) use deliveries::{
    AlertSelection, InboxRow, deliveries_by_id, deliveries_keyset, delivery_by_id, in_inbox, inbox_keyset,
    insert_deliveries, mark, marked_in, marks, raised_at, unread,
};
pub(super) use due::{StandingAlert, are_credits_expiring, due, due_accounts, save_due, standing};
pub(super) use outbox::{
    Addressee, Claimed, Ended, about, addressee, claim, end_attempts, ended_deliveries, give_back, is_mail_due,
    last_sent, release_mail, requeue,
};
pub(super) use people::{Addressed, Recipient, Recipients, read_recipients, recipients};
pub(super) use recipients::{reached, unsent};
pub(super) use reports::{Kept, Mailed, StoreResult, apply_effect, has_arrived, keep_report, mailed, standing_of};
pub(super) use settings::{defaults_of, save_defaults, save_settings, settings};

use crate::domain::fault::Fault;

/// A value that no use case has written.
fn unreadable(what: &str, value: &str) -> Fault {
    Fault::Internal(format!("a row holds {value:?}, which is no {what}"))
}
