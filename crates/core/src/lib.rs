//! The pure part of Ledgerbell: values, models, and the functions that decide.
//!
//! Called by the package `ledgerbell`, which re-exports each model where its module lives. Nothing here reads a clock, a file, a
//! database or the network, and nothing is async: the tests of a rule compile and run in seconds.

// The derived traits of `primitives::record` name this crate.
#[cfg(feature = "sea-orm")]
extern crate self as ledgerbell_core;

pub mod event;
pub mod forecast;
pub mod ledger;
pub mod member;
pub mod notification;
pub mod primitives;
pub mod top_up;
pub mod troubleshooting;
pub mod webhook_endpoint;
