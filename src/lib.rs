//! Ledgerbell: the credit ledger that rings.
//!
//! The map of the code. `primitives` are values that know nobody. `domain` is what the product means: the ledger with its pure
//! core and posting engine, members and accounts, events. `adapters` are the outside world behind the domain's ports. `graphql`
//! and `http` are the public language and the door; `workers` are loops that own a clock; `commands` are the roles of the one
//! executable; `app` joins them. ARCHITECTURE.md says who may import whom.

pub mod adapters;
pub mod app;
pub mod commands;
pub mod config;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod primitives;
pub mod workers;

pub(crate) use ledgerbell_core::text_enum;
