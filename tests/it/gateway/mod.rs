//! What every payment gateway must do for us: one suite of the port, run against each adapter.
//!
//! The embedded simulated gateway is called as it is. The client of Stripe is run against the simulated gateway's face over HTTP, in
//! Stripe's dialect, through real connections; beside it the whole service is run on that. `localstripe` asks somebody else's stand-in of
//! Stripe the few things that it can do.

mod bench;
mod charging;
mod dialect;
mod localstripe;
mod returning;
mod service;

/// Runs each of these with each adapter.
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
