//! `ledgerbell gateway`: the simulated payment gateway as a separate server with Stripe's API.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::adapters::gateway::simulated::{self, PUBLISHABLE_KEY, SimulatedGateway, WEBHOOK_SECRET, WebhookSender};
use crate::adapters::private_files;
use crate::app::GATEWAY_SERVER_FILE;
use crate::config::{Mode, Settings};
use crate::primitives::clock::Clock;

use super::serve::{url_of, warn_of_network};
use super::{Ending, say, start_logging, stop_signal};

/// Serve the simulated payment gateway as if it were Stripe. In development only.
#[derive(Debug, Args)]
pub(super) struct Gateway {
    /// The address that it listens on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:12111")]
    api: SocketAddr,
    /// The address that it sends webhooks to, such as `http://127.0.0.1:8080/webhooks/stripe`.
    #[arg(long, value_name = "URL")]
    webhooks: Option<String>,
    /// Print one line of JSON when ready, and nothing else: url, secretKey, publishableKey, webhookSecret.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: &Gateway, settings: &Settings) -> Ending {
    if settings.mode != Mode::Development {
        return Err(
            "the simulated payment gateway moves no money: it is served in development only (--mode development)"
                .into(),
        );
    }
    let _collector = start_logging(settings)?;
    let address = command.api;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|reason| format!("cannot listen on {address}: {reason} (another address: --api 127.0.0.1:0)"))?;
    let told_to_stop = stop_signal()?;
    let bound = listener.local_addr()?;
    warn_of_network(settings, bound);
    let url = url_of(bound);
    let gateway = open(&settings.data_dir)?;
    gateway.send_customers_to(&url);
    let stop = CancellationToken::new();
    let sending = match &command.webhooks {
        Some(webhooks) => Some(tokio::spawn(
            WebhookSender::new(gateway.clone(), webhooks.clone())?.run(stop.clone()),
        )),
        None => None,
    };
    let serving =
        axum::serve(listener, simulated::router(gateway)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    say(&greeting(command, &url))?;
    told_to_stop.await;
    stop.cancel();
    // Clients that wait for a hanging card do not delay the end.
    serving.abort();
    if let Some(sending) = sending {
        sending.await?;
    }
    Ok(ExitCode::SUCCESS)
}

fn open(data_dir: &Path) -> std::io::Result<SimulatedGateway> {
    private_files::make_directory(data_dir)?;
    simulated::open(Clock::system(), data_dir.join(GATEWAY_SERVER_FILE))
}

fn greeting(command: &Gateway, url: &str) -> String {
    let secret_key = "sk_test_simulated";
    if command.json {
        let ready = json!({
            "url": url, "secretKey": secret_key, "publishableKey": PUBLISHABLE_KEY, "webhookSecret": WEBHOOK_SECRET,
        });
        return ready.to_string();
    }
    let webhooks = match &command.webhooks {
        Some(url) => format!("It sends webhooks to {url}."),
        None => "It sends no webhooks: set their address with --webhooks.".to_owned(),
    };
    format!(
        "The simulated payment gateway answers as Stripe does, at {url}, and moves no money. {webhooks}\n\
         To have Ledgerbell charge it:\n\n\
         \x20 export LEDGERBELL_GATEWAY_KIND=stripe LEDGERBELL_GATEWAY_STRIPE_URL={url}\n\
         \x20 export LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY={secret_key} LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY={PUBLISHABLE_KEY}\n\
         \x20 export LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET={WEBHOOK_SECRET} LEDGERBELL_GATEWAY_RETURN_URL=http://127.0.0.1:8080/\n"
    )
}
