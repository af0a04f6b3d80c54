//! What the product means. No HTTP, no GraphQL, no vendor.
//!
//! One room a domain; in each, only `mod.rs` is public. The shells (graphql, http, workers, commands) call use cases here and
//! nothing below them.

pub mod backlog;
pub mod database;
pub mod event;
pub mod fault;
pub mod forecast;
pub mod ledger;
pub mod member;
pub mod notification;
pub mod pulse;
pub mod quota;
pub mod top_up;
pub mod troubleshooting;

use crate::primitives::clock::Clock;

/// The use cases of every room: what shells hold. Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Services {
    /// The time that everything goes by.
    pub clock: Clock,
    /// Whether the database takes writes.
    pub database: database::Health,
    /// How often things were done that are bounded.
    pub quotas: quota::Quotas,
    /// Signs of life of the loops of this process.
    pub pulse: pulse::Pulse,
    /// Changes credits: sessions, grants, corrections, freezing; and balances.
    pub ledger: ledger::Ledger,
    /// What happened in accounts, in order, and who listens.
    pub events: event::Events,
    /// Reads the credit log.
    pub credit_log: ledger::credit_log::CreditLog,
    /// Reads sessions.
    pub sessions: ledger::sessions::Sessions,
    /// Reads lots.
    pub lots: ledger::lots::Lots,
    /// Purchases of credits.
    pub top_ups: top_up::TopUps,
    /// Cards.
    pub payment_methods: top_up::PaymentMethods,
    /// The rules by which accounts top themselves up.
    pub auto_top_ups: top_up::AutoTopUps,
    /// How long credits last, and what other settings of those rules would have done.
    pub forecasts: forecast::Forecasts,
    /// Charges top-ups.
    pub charging: top_up::Charging,
    /// Gives money back.
    pub refunding: top_up::Refunding,
    /// What the payment gateway tells of its own accord.
    pub webhooks: top_up::Webhooks,
    /// Compares top-ups with what the payment gateway has.
    pub reconciler: top_up::Reconciler,
    /// Accounts but for their figures.
    pub accounts: member::Accounts,
    /// The people of accounts.
    pub members: member::Members,
    /// How members are reached.
    pub contacts: member::Contacts,
    /// What members want to be told of.
    pub notification_settings: notification::Settings,
    /// What members are told.
    pub alerts: notification::Alerts,
    /// What became of alerts on their way.
    pub deliveries: notification::Deliveries,
    /// Codes that show that mail arrives.
    pub verification: notification::Verification,
    /// Mail on its way.
    pub outbox: notification::Outbox,
    /// Switches mail off by the links of mails.
    pub unsubscribing: notification::Unsubscribing,
    /// Confirms addresses by the links of mails.
    pub confirming: notification::Confirming,
    /// Addresses that get alerts and are no member's.
    pub notification_addresses: notification::Addresses,
    /// What mail systems tell of mail later on.
    pub mail_reports: notification::MailReports,
    /// Puts alerts into words.
    pub wording: std::sync::Arc<dyn notification::Wording>,
    /// What work is owed.
    pub backlog: backlog::Backlog,
    /// What is wrong in accounts.
    pub troubleshooting: troubleshooting::Troubleshooting,
    /// Puts that into words.
    pub explaining: std::sync::Arc<dyn troubleshooting::Explaining>,
    /// Where alerts lead.
    pub links: notification::Links,
    /// Keys of integrations.
    pub api_keys: member::ApiKeys,
    /// From credentials to actors.
    pub sign_in: member::SignIn,
    /// What callers who stay may do by now.
    pub standing: member::Standing,
}
