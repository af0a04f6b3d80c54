//! What members are told, by which way, and what became of it.
//!
//! Causes write events; this room reacts to events, and nothing below it knows of it. Called by GraphQL, by the workers and by
//! `app`, which gives it a way to send mail.
//!
//! Invariants:
//! - One resolver decides each (alert, member, channel). Its answer is a stored delivery, also when the answer is no.
//! - What is locked cannot be switched off: a critical alert keeps at least one way that works.

mod alerts;
mod balance;
mod causes;
mod error;
pub mod model;
mod raise;
mod settings;
mod store;

pub use alerts::{AlertFilter, AlertPosition, Alerts, InboxMark, MOST_MARKED, Marked};
pub use error::{MarkError, SendTestError, UpdateSettingsError};
pub use settings::Settings;
