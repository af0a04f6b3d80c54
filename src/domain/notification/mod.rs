//! What members and notification addresses are notified of, by which channel, and with what result.
//!
//! Causes append events. This module reacts to events, and no module below it depends on it. GraphQL, the workers and `app`
//! call it; `app` passes it the adapter that sends mail.
//!
//! Invariants:
//! - One resolver decides each (alert, recipient, channel). Its result is a stored delivery, also when it refuses.
//! - What is locked cannot be switched off: a critical alert keeps at least one channel that works.

mod address_notices;
mod addresses;
mod alerts;
mod balance;
mod bounces;
mod broken_endpoints;
mod causes;
mod confirming;
mod deliveries;
mod eligibility;
mod error;
mod evaluation;
mod handling;
mod links;
mod mail_links;
mod mailer;
mod new_alerts;
mod outbox;
mod recipients;
mod reminders;
mod reports;
mod rule;
mod settings;
mod store;
mod unsubscribing;
mod verification;
mod wording;

pub use addresses::Addresses;
pub use alerts::{AlertFilter, AlertPosition, Alerts, InboxMark, MOST_MARKED, Marked};
pub use confirming::{ConfirmOrder, Confirmation, ConfirmationState, Confirming};
pub use deliveries::{Deliveries, DeliveriesOf, DeliveryFilter, DeliveryPosition};
pub use error::{
    AddAddressRefusal, InvalidAddress, MarkRefusal, RemoveAddressRefusal, ResendRefusal, SendTestRefusal,
    SendVerificationRefusal, UpdateAddressRefusal, UpdateManyError, UpdateSettingsRefusal,
};
pub use evaluation::Progress;
pub use ledgerbell_core::notification as model;
pub use links::Links;
pub use mail_links::{LinkOrder, MailLinks};
pub use mailer::{InvalidReport, Mail, MailError, Mailer, ReportSource, Sending, Unsubscribe};
pub use outbox::{Outbox, Post};
pub(in crate::domain) use recipients::recipient_snapshot;
pub use reports::{MailReports, ReceiveReportError, ReportResult};
pub use settings::{MOST_MEMBERS, Settings};
pub use unsubscribing::{Offer, OfferState, UnsubscribeOrder, Unsubscribing};
pub use verification::Verification;
pub use wording::{AlertMail, CodeSent, Letter, Names, Reader, Refused, Wording, Words};
