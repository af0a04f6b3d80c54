//! Payment gateways: adapters of the port in `domain::top_up::gateway`.
//!
//! `simulated` is that of crates/stripe-simulator, and moves no money. Both speak of the same things in the
//! same dialect, so that `webhook`, which believes signed messages, is one.

mod none;
pub mod simulated;
pub mod stripe;
pub mod webhook;

pub use none::NoGateway;
