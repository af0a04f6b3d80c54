//! The business rules of the product. No HTTP, no GraphQL, no vendor.
//!
//! Each module is one domain, and only its `mod.rs` is public. The shells (graphql, http, workers, commands) call the use cases
//! here and nothing below them.

pub mod backlog;
pub mod database;
pub mod event;
pub mod fault;
pub mod filter;
pub mod forecast;
pub mod ledger;
pub mod member;
pub mod notification;
pub mod pulse;
pub mod quota;
pub mod retention;
pub mod top_up;
pub mod troubleshooting;
pub mod wake;
pub mod webhook_endpoint;

use crate::primitives::clock::Clock;

/// The use cases of all modules, as the shells hold them. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Services {
    /// The clock of all use cases.
    pub clock: Clock,
    /// Whether the database accepts writes.
    pub database: database::Health,
    /// Counts of actions that have a limit.
    pub quotas: quota::Quotas,
    /// Deletes old rows.
    pub retention: retention::Retention,
    /// Liveness of the workers of this process.
    pub pulse: pulse::Pulse,
    /// Wakes the workers of this process.
    pub wake: wake::Wake,
    /// Changes credits: sessions, grants, corrections, freezing; reads balances.
    pub ledger: ledger::Ledger,
    /// The ordered events of accounts, and their subscribers.
    pub events: event::Events,
    /// Reads the credit log.
    pub credit_log: ledger::credit_log::CreditLog,
    /// Reads sessions.
    pub sessions: ledger::sessions::Sessions,
    /// Reads lots.
    pub lots: ledger::lots::Lots,
    /// Purchases of credits.
    pub top_ups: top_up::TopUps,
    /// Cards of accounts.
    pub payment_methods: top_up::PaymentMethods,
    /// The rules by which accounts buy credits automatically.
    pub auto_top_ups: top_up::AutoTopUps,
    /// Forecasts of how long credits last, and simulations of auto top-up settings.
    pub forecasts: forecast::Forecasts,
    /// Charges top-ups.
    pub charging: top_up::Charging,
    /// Refunds money.
    pub refunding: top_up::Refunding,
    /// Receives and processes webhooks of the payment gateway.
    pub webhooks: top_up::Webhooks,
    /// Compares top-ups with the objects of the payment gateway.
    pub reconciler: top_up::Reconciler,
    /// Accounts without their balances.
    pub accounts: member::Accounts,
    /// The members of accounts.
    pub members: member::Members,
    /// The contacts of members.
    pub contacts: member::Contacts,
    /// Which alerts members receive, and how.
    pub notification_settings: notification::Settings,
    /// Alerts to members.
    pub alerts: notification::Alerts,
    /// The deliveries of alerts.
    pub deliveries: notification::Deliveries,
    /// Codes that verify addresses.
    pub verification: notification::Verification,
    /// Mail to send.
    pub outbox: notification::Outbox,
    /// Disables mail through links in mails.
    pub unsubscribing: notification::Unsubscribing,
    /// Confirms addresses by the links of mails.
    pub confirming: notification::Confirming,
    /// Addresses that get alerts and are no member's.
    pub notification_addresses: notification::Addresses,
    /// What mail systems tell of mail later on.
    pub mail_reports: notification::MailReports,
    /// Writes the texts of alerts.
    pub wording: std::sync::Arc<dyn notification::Wording>,
    /// Metrics of pending work.
    pub backlog: backlog::Backlog,
    /// Findings: what is wrong in accounts.
    pub troubleshooting: troubleshooting::Troubleshooting,
    /// Writes the texts of findings.
    pub explaining: std::sync::Arc<dyn troubleshooting::Explaining>,
    /// The targets of links in alerts.
    pub links: notification::Links,
    /// Keys of integrations.
    pub api_keys: member::ApiKeys,
    /// Converts credentials to actors.
    pub sign_in: member::SignIn,
    /// The current rights of callers with long-lived connections.
    pub current_rights: member::CurrentRights,
    /// Endpoints that get messages about events.
    pub webhook_endpoints: webhook_endpoint::Endpoints,
    /// The messages to these endpoints.
    pub webhook_messages: webhook_endpoint::Messages,
    /// Writes these messages from events.
    pub webhook_collecting: webhook_endpoint::Collecting,
    /// Sends these messages.
    pub webhook_sending: webhook_endpoint::Sending,
}
