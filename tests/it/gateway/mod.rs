//! The contract of every payment gateway: one test suite of the port, run against each adapter.
//!
//! The embedded simulated gateway is called directly. The client of Stripe is run against the HTTP interface of the simulated
//! gateway, through real connections; the whole service is run on that too. `localstripe` tests the few things that an
//! independent stand-in of Stripe supports.

mod bench;
mod charging;
mod dialect;
mod localstripe;
mod returning;
mod service;

/// Runs each of these tests with each adapter.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::gateway::bench::Bench::embedded().await).await;
            })*
        }
        mod stripe_over_http {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::gateway::bench::Bench::stripe_over_http().await).await;
            })*
        }
    };
}
use contract;
