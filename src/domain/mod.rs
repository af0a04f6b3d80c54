//! What the product means. No HTTP, no GraphQL, no vendor.
//!
//! One room a domain; in each, only `mod.rs` is public. The shells (graphql, http, workers, commands) call use cases here and
//! nothing below them.

pub mod database;
pub mod event;
pub mod fault;
pub mod ledger;
pub mod member;
pub mod top_up;
