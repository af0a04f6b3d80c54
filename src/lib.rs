//! Ledgerbell: the credit ledger that rings.
//!
//! The map of the code. `primitives` are values that depend on nothing. `domain` contains the business rules: the ledger with
//! its pure core and posting engine, members and accounts, events. `adapters` implement the domain's ports. `graphql` and
//! `http` are the API and its HTTP server. `workers` are loops with a clock. `commands` are the roles of the one executable.
//! `app` joins them. ARCHITECTURE.md defines which module may import which.

pub mod adapters;
pub mod app;
pub mod commands;
pub mod config;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod primitives;
pub mod workers;
