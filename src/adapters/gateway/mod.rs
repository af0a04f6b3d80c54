//! Payment gateways: implementations of the port in `domain::top_up::gateway`.
//!
//! `simulated` is embedded and moves no money: it is for the demo, for development and for tests. It has the same objects and
//! signed messages as Stripe, so `webhook` reads the messages of both.

mod none;
pub mod simulated;
pub mod stripe;
pub mod webhook;

pub use none::NoGateway;
