//! The schema of Ledgerbell's database and its history.
//!
//! One migration for each small group of tables, written once in SQL for both databases. [`ddl`] replaces the few words in which they
//! differ. `adapters::database::migrate` calls it and holds a lock, so that several instances can start together.
//!
//! Invariant, checked by a test against the catalog: every key and every unique index begins with `account_id`, so that the
//! tables can be distributed over several servers. The exceptions are the few global tables: `installation`,
//! `account_directory`, `api_key`, `gateway_object`, `webhook_inbox`, `quota`.

mod ddl;
mod m20261123_063000_create_installation;
mod m20261123_063100_create_api_key;
mod m20261123_063200_create_account;
mod m20261123_063300_create_member;
mod m20261123_063400_create_credit_entry;
mod m20261123_063500_create_credit_lot;
mod m20261123_063600_create_session;
mod m20261123_063700_create_top_up;
mod m20261123_063800_create_event;
mod m20261123_063900_create_idempotency_key;
mod m20261124_083000_add_low_mark_to_account_state;
mod m20261124_083100_add_charging_to_top_up;
mod m20261124_083200_create_payment_method;
mod m20261124_083300_create_top_up_attempt;
mod m20261124_083400_create_auto_top_up;
mod m20261124_083500_create_top_up_refund;
mod m20261124_083600_create_webhook_inbox;
mod m20261124_090000_create_notification_settings;
mod m20261124_090100_create_alert;
mod m20261124_113000_add_came_back_to_top_up;
mod m20261124_113000_create_alert_due;
mod m20261124_113000_create_hold_movement;
mod m20261124_113000_create_mail_report;
mod m20261124_120000_add_returned_at_to_member;
mod m20261124_120000_add_troubleshooting;
mod m20261124_120100_create_troubleshooting_place;
mod m20261124_150000_add_came_back_at_to_top_up;
mod m20261129_090000_add_side_to_api_key;
mod m20261129_090000_create_quota;
mod m20261129_090000_hold_credits_of_refunds;
mod m20261129_091000_create_address_notice;
mod m20261129_091000_create_card_trial;
mod m20261129_091000_split_idempotency_keys_by_side;
mod m20261129_091100_create_export_use;
mod m20261129_092000_add_maker_to_api_key;
mod m20261129_092500_generalize_mail_errors;
mod m20261129_093000_add_index_of_last_mails;
mod m20261129_100500_add_search_form_to_installation;
mod m20261129_130500_add_voucher_to_contact;
mod m20261129_131500_add_unread_since_to_account_state;
mod m20261129_131500_count_export_links_in_quota;
mod m20261129_133500_create_notification_defaults;
mod m20261129_204500_create_notification_address;
mod m20261129_211500_add_unchecked_since_to_account_state;
mod m20261130_021500_add_account_lists;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_063000_create_installation::Migration),
            Box::new(m20261123_063100_create_api_key::Migration),
            Box::new(m20261123_063200_create_account::Migration),
            Box::new(m20261123_063300_create_member::Migration),
            Box::new(m20261123_063400_create_credit_entry::Migration),
            Box::new(m20261123_063500_create_credit_lot::Migration),
            Box::new(m20261123_063600_create_session::Migration),
            Box::new(m20261123_063700_create_top_up::Migration),
            Box::new(m20261123_063800_create_event::Migration),
            Box::new(m20261123_063900_create_idempotency_key::Migration),
            Box::new(m20261124_083000_add_low_mark_to_account_state::Migration),
            Box::new(m20261124_083100_add_charging_to_top_up::Migration),
            Box::new(m20261124_083200_create_payment_method::Migration),
            Box::new(m20261124_083300_create_top_up_attempt::Migration),
            Box::new(m20261124_083400_create_auto_top_up::Migration),
            Box::new(m20261124_083500_create_top_up_refund::Migration),
            Box::new(m20261124_083600_create_webhook_inbox::Migration),
            Box::new(m20261124_090000_create_notification_settings::Migration),
            Box::new(m20261124_090100_create_alert::Migration),
            Box::new(m20261124_113000_add_came_back_to_top_up::Migration),
            Box::new(m20261124_113000_create_alert_due::Migration),
            Box::new(m20261124_113000_create_hold_movement::Migration),
            Box::new(m20261124_113000_create_mail_report::Migration),
            Box::new(m20261124_120000_add_returned_at_to_member::Migration),
            Box::new(m20261124_120000_add_troubleshooting::Migration),
            Box::new(m20261124_120100_create_troubleshooting_place::Migration),
            Box::new(m20261124_150000_add_came_back_at_to_top_up::Migration),
            Box::new(m20261129_090000_add_side_to_api_key::Migration),
            Box::new(m20261129_091000_split_idempotency_keys_by_side::Migration),
            Box::new(m20261129_092000_add_maker_to_api_key::Migration),
            Box::new(m20261129_091000_create_address_notice::Migration),
            Box::new(m20261129_090000_create_quota::Migration),
            Box::new(m20261129_091000_create_card_trial::Migration),
            Box::new(m20261129_091100_create_export_use::Migration),
            Box::new(m20261129_092500_generalize_mail_errors::Migration),
            Box::new(m20261129_093000_add_index_of_last_mails::Migration),
            Box::new(m20261129_090000_hold_credits_of_refunds::Migration),
            Box::new(m20261129_100500_add_search_form_to_installation::Migration),
            Box::new(m20261129_130500_add_voucher_to_contact::Migration),
            Box::new(m20261129_131500_add_unread_since_to_account_state::Migration),
            Box::new(m20261129_131500_count_export_links_in_quota::Migration),
            Box::new(m20261129_133500_create_notification_defaults::Migration),
            Box::new(m20261129_204500_create_notification_address::Migration),
            Box::new(m20261129_211500_add_unchecked_since_to_account_state::Migration),
            Box::new(m20261130_021500_add_account_lists::Migration),
        ]
    }
}
