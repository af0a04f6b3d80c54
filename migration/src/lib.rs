//! The schema of Ledgerbell's database and its history.
//!
//! One migration creates each table, and each later change is a migration of its own. They are written once in SQL for both
//! databases; [`ddl`] replaces the few words in which these differ. `adapters::database::migrate` calls it and holds a lock, so that several instances can start together.
//!
//! Invariant, checked by a test against the catalog: every key and every unique index begins with `account_id`, so that the
//! tables can be distributed over several servers (`adapters::database::Citus`). The exceptions are the few global tables: `installation`,
//! `account_directory`, `api_key`, `gateway_object`, `webhook_inbox`, `quota`.

mod ddl;
mod m20261130_100000_create_installation;
mod m20261130_100100_create_account_directory;
mod m20261130_100200_create_account;
mod m20261130_100300_create_account_state;
mod m20261130_100400_create_account_word;
mod m20261130_100500_create_account_finding;
mod m20261130_100600_create_member;
mod m20261130_100700_create_contact;
mod m20261130_100800_create_contact_verification;
mod m20261130_100900_create_api_key;
mod m20261130_101000_create_api_key_use;
mod m20261130_101100_create_credit_entry;
mod m20261130_101200_create_credit_lot;
mod m20261130_101300_create_lot_movement;
mod m20261130_101400_create_session;
mod m20261130_101500_create_session_hold;
mod m20261130_101600_create_hold_movement;
mod m20261130_101700_create_idempotency_key;
mod m20261130_101800_create_event;
mod m20261130_101900_create_top_up;
mod m20261130_102000_create_top_up_attempt;
mod m20261130_102100_create_top_up_refund;
mod m20261130_102200_create_top_up_hold;
mod m20261130_102300_create_gateway_object;
mod m20261130_102400_create_payment_customer;
mod m20261130_102500_create_payment_method;
mod m20261130_102600_create_card_trial;
mod m20261130_102700_create_auto_top_up;
mod m20261130_102800_create_top_up_decision;
mod m20261130_102900_create_webhook_inbox;
mod m20261130_103000_create_notification_settings;
mod m20261130_103100_create_notification_defaults;
mod m20261130_103200_create_notification_address;
mod m20261130_103300_create_alert;
mod m20261130_103400_create_alert_edge;
mod m20261130_103500_create_alert_due;
mod m20261130_103600_create_alert_place;
mod m20261130_103700_create_delivery;
mod m20261130_103800_create_mail_report;
mod m20261130_103900_create_address_notice;
mod m20261130_104000_create_quota;
mod m20261130_104100_create_troubleshooting_place;
mod m20261130_220000_add_running_sums;
mod m20261130_220100_add_events_deleted;
mod m20261130_220200_create_webhook_endpoint;
mod m20261130_220300_create_webhook_message;
mod m20261130_220400_create_webhook_attempt;
mod m20261130_220500_create_webhook_checkpoint;
mod m20261201_010000_add_entry_filter;
mod m20261201_010100_add_checked_sequence;
mod m20261201_014500_add_trace_context;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261130_100000_create_installation::MIGRATION),
            Box::new(m20261130_100100_create_account_directory::MIGRATION),
            Box::new(m20261130_100200_create_account::MIGRATION),
            Box::new(m20261130_100300_create_account_state::MIGRATION),
            Box::new(m20261130_100400_create_account_word::MIGRATION),
            Box::new(m20261130_100500_create_account_finding::MIGRATION),
            Box::new(m20261130_100600_create_member::MIGRATION),
            Box::new(m20261130_100700_create_contact::MIGRATION),
            Box::new(m20261130_100800_create_contact_verification::MIGRATION),
            Box::new(m20261130_100900_create_api_key::MIGRATION),
            Box::new(m20261130_101000_create_api_key_use::MIGRATION),
            Box::new(m20261130_101100_create_credit_entry::MIGRATION),
            Box::new(m20261130_101200_create_credit_lot::MIGRATION),
            Box::new(m20261130_101300_create_lot_movement::MIGRATION),
            Box::new(m20261130_101400_create_session::MIGRATION),
            Box::new(m20261130_101500_create_session_hold::MIGRATION),
            Box::new(m20261130_101600_create_hold_movement::MIGRATION),
            Box::new(m20261130_101700_create_idempotency_key::MIGRATION),
            Box::new(m20261130_101800_create_event::MIGRATION),
            Box::new(m20261130_101900_create_top_up::MIGRATION),
            Box::new(m20261130_102000_create_top_up_attempt::MIGRATION),
            Box::new(m20261130_102100_create_top_up_refund::MIGRATION),
            Box::new(m20261130_102200_create_top_up_hold::MIGRATION),
            Box::new(m20261130_102300_create_gateway_object::MIGRATION),
            Box::new(m20261130_102400_create_payment_customer::MIGRATION),
            Box::new(m20261130_102500_create_payment_method::MIGRATION),
            Box::new(m20261130_102600_create_card_trial::MIGRATION),
            Box::new(m20261130_102700_create_auto_top_up::MIGRATION),
            Box::new(m20261130_102800_create_top_up_decision::MIGRATION),
            Box::new(m20261130_102900_create_webhook_inbox::MIGRATION),
            Box::new(m20261130_103000_create_notification_settings::MIGRATION),
            Box::new(m20261130_103100_create_notification_defaults::MIGRATION),
            Box::new(m20261130_103200_create_notification_address::MIGRATION),
            Box::new(m20261130_103300_create_alert::MIGRATION),
            Box::new(m20261130_103400_create_alert_edge::MIGRATION),
            Box::new(m20261130_103500_create_alert_due::MIGRATION),
            Box::new(m20261130_103600_create_alert_place::MIGRATION),
            Box::new(m20261130_103700_create_delivery::MIGRATION),
            Box::new(m20261130_103800_create_mail_report::MIGRATION),
            Box::new(m20261130_103900_create_address_notice::MIGRATION),
            Box::new(m20261130_104000_create_quota::MIGRATION),
            Box::new(m20261130_104100_create_troubleshooting_place::MIGRATION),
            Box::new(m20261130_220000_add_running_sums::MIGRATION),
            Box::new(m20261130_220100_add_events_deleted::MIGRATION),
            Box::new(m20261130_220200_create_webhook_endpoint::MIGRATION),
            Box::new(m20261130_220300_create_webhook_message::MIGRATION),
            Box::new(m20261130_220400_create_webhook_attempt::MIGRATION),
            Box::new(m20261130_220500_create_webhook_checkpoint::MIGRATION),
            Box::new(m20261201_010000_add_entry_filter::MIGRATION),
            Box::new(m20261201_010100_add_checked_sequence::MIGRATION),
            Box::new(m20261201_014500_add_trace_context::MIGRATION),
        ]
    }
}
