//! The rules about alerts: pure functions, so that tables of cases can test them.
//!
//! Only the use cases of the notification module call them. Nothing here performs I/O or reads the clock.

mod address;
mod alert;
mod balance;
mod failure;
mod kind;
mod recipients;
mod reminders;
mod report;
mod resolver;
mod retry;
mod settings;

#[cfg(test)]
mod tests;

pub use address::{AddressPatch, AddressWishes, MOST_ADDRESSES, NewAddress, NotificationAddress, Wishes};
pub use alert::{Alert, Delivery, DeliveryStatus, Facts, InboxItem};
pub use balance::{Crossing, OpenEdges, cross, is_calm};
pub use failure::MailFailure;
pub use kind::{AlertKind, Audience, Channel, Group, NextStep, Pace, Reversal, Rule, Severity};
pub use recipients::{AddressRecipient, MemberRecipient, RecipientSnapshot};
pub use reminders::{Due, Expiring, FIRST_REMINDER_MILLIS, LAST_REMINDER_MILLIS, earliest};
pub use report::{Report, ReportEffect, ReportKind, Reported, fate};
pub use resolver::{
    COOLDOWN_MILLIS, Case, LEAST_INTERVAL_MILLIS, LastMail, Party, SuppressionReason, Verdict, resolve,
};
pub use retry::next_try;

pub use settings::{
    DefaultsPatch, NotificationDefaults, NotificationSettings, PreferenceSource, Preferences, QuietHours, Resolved,
    SettingsPatch, Wish, first_locked,
};
