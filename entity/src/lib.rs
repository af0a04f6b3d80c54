//! The rows of Ledgerbell's tables: one file a table, no logic.
//!
//! Instants are milliseconds since 1970, amounts of credits are units of 1/10,000, closed vocabularies are kept as text by the
//! name that the contract gives them. Only `store` files of the domain name these types.

// The columns and keys that the derive makes are named after the fields, which are documented.
#![allow(missing_docs)]

pub mod account;
pub mod account_directory;
pub mod account_state;
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
pub mod webhook_inbox;
