//! Implementations of the domain's ports. `app` and the commands build them; the domain names nothing in this module.

pub mod bus;
pub mod database;
pub mod disk;
pub mod gateway;
pub mod key_set;
pub mod lock_file;
pub mod mailer;
pub mod open_files;
pub mod otlp;
pub mod pages;
pub mod private_files;
pub mod webhook_transport;
pub mod wording;

pub use ledgerbell_core::primitives::signature;

/// Returns whether the host of a URL is this machine, so that no other machine can see what is sent.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
