//! The rows of Ledgerbell's tables: one file for each table, without logic.
//!
//! Instants are milliseconds since 1970. Amounts of credits are in units of 1/10,000. Closed vocabularies are stored as text
//! by their name in the contract. No entity has relations: rows of other tables are found by explicit statements. Only `store`
//! files of the domain name these types.

// The derive makes columns and keys without comments. A field has one only where its name does not say all.
#![allow(missing_docs)]

pub mod account;
pub mod account_directory;
pub mod account_finding;
pub mod account_state;
pub mod account_word;
pub mod address_notice;
pub mod alert;
pub mod alert_due;
pub mod alert_edge;
pub mod alert_place;
pub mod api_key;
pub mod api_key_use;
pub mod auto_top_up;
pub mod card_trial;
pub mod contact;
pub mod contact_verification;
pub mod credit_entry;
pub mod credit_lot;
pub mod delivery;
pub mod event;
pub mod gateway_object;
pub mod hold_movement;
pub mod idempotency_key;
pub mod installation;
pub mod lot_movement;
pub mod mail_report;
pub mod member;
pub mod notification_address;
pub mod notification_defaults;
pub mod notification_settings;
pub mod payment_customer;
pub mod payment_method;
pub mod quota;
pub mod session;
pub mod session_hold;
pub mod top_up;
pub mod top_up_attempt;
pub mod top_up_decision;
pub mod top_up_hold;
pub mod top_up_refund;
pub mod troubleshooting_place;
pub mod webhook_attempt;
pub mod webhook_checkpoint;
pub mod webhook_endpoint;
pub mod webhook_inbox;
pub mod webhook_message;
