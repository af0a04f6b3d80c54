//! `ledgerbell healthcheck`: for containers that have no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{Ending, SettingsFlags, say};

/// Check whether a running server is ready.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// The server, such as <http://127.0.0.1:8080>; the one that these settings start when left out.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) async fn run(command: &Healthcheck, given: &SettingsFlags) -> Ending {
    let url = match &command.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", reachable(given.load()?.listen)),
    };
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .no_proxy()
        .build()?;
    let answer = client.get(format!("{url}/health/ready")).send().await?;
    if answer.status().is_success() {
        say("ready")?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("{url} is not ready: it answers {}", answer.status()).into())
}

/// Returns an address of this machine for a server that listens on all addresses.
pub(super) fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}
