//! `ledgerbell top-up`, `webhooks` and `reconcile`: what an operator does about payments that need a human decision.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::config::Settings;
use crate::primitives::actor::Actor;
use crate::primitives::clock::{Clock, DAY};
use crate::primitives::ids::{GlobalId, IdKind, TopUpId};

use super::{Ending, Failure, say, start_logging};

/// Settle top-ups whose outcome can no longer be found out automatically.
#[derive(Debug, Args)]
pub(super) struct TopUp {
    #[command(subcommand)]
    subcommand: TopUpSubcommand,
}

#[derive(Debug, Subcommand)]
enum TopUpSubcommand {
    /// Record whether a top-up was charged, as the payment gateway's own pages show it.
    Settle(Settle),
}

#[derive(Debug, Args)]
struct Settle {
    /// The top-up's id.
    id: String,
    /// The card was charged: the top-up is credited.
    #[arg(long, conflicts_with = "not_charged", required_unless_present = "not_charged")]
    charged: bool,
    /// The card was not charged: the top-up fails.
    #[arg(long)]
    not_charged: bool,
    /// How you know. It is stored in the log.
    #[arg(long)]
    reason: String,
}

/// Messages of the payment gateway.
#[derive(Debug, Args)]
pub(super) struct Webhooks {
    #[command(subcommand)]
    subcommand: WebhooksSubcommand,
}

#[derive(Debug, Subcommand)]
enum WebhooksSubcommand {
    /// Process again those that were given up.
    Replay,
}

/// Compare top-ups with what the payment gateway has, and correct what can be proven. Exits 1 if something needs a human
/// decision.
#[derive(Debug, Args)]
pub(super) struct Reconcile {
    /// The number of days to look back.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=365))]
    days: u16,
}

pub(super) async fn run_top_up(command: &TopUp, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let TopUpSubcommand::Settle(settle) = &command.subcommand;
    let id: GlobalId = settle.id.parse()?;
    if id.kind != IdKind::TopUp {
        return Err(format!("{} is not the id of a top-up", settle.id).into());
    }
    let app = App::open(settings, Clock::system()).await?;
    let top_up_id = TopUpId::from_uuid(id.uuid);
    let reconciler = &app.services().reconciler;
    let settled = reconciler
        .settle_by_hand(
            &Actor::System,
            id.account_id,
            (top_up_id, settle.charged),
            settle.reason.clone(),
        )
        .await;
    app.close().await?;
    let (top_up, _) = settled?;
    say(&format!("{} is {}", settle.id, top_up.status.as_str()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run_webhooks(command: &Webhooks, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let WebhooksSubcommand::Replay = &command.subcommand;
    let app = App::open(settings, Clock::system()).await?;
    let replayed = replay(&app).await;
    app.close().await?;
    say(&format!("{} webhooks were processed again", replayed?))?;
    Ok(ExitCode::SUCCESS)
}

async fn replay(app: &App) -> Result<usize, Failure> {
    let webhooks = &app.services().webhooks;
    let found = webhooks.replay().await?;
    while webhooks.turn(100).await? > 0 {}
    Ok(found)
}

pub(super) async fn run_reconcile(command: &Reconcile, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let app = App::open(settings, Clock::system()).await?;
    let since = app.services().clock.now().plus_millis(-i64::from(command.days) * DAY);
    let compared = app.services().reconciler.reconcile(since).await;
    app.close().await?;
    let report = compared?;
    for repaired in &report.repaired {
        say(&format!("repaired: {repaired}"))?;
    }
    for raised in &report.raised {
        say(&format!("check: {raised}"))?;
    }
    let (compared, repaired, raised) = (report.compared, report.repaired.len(), report.raised.len());
    say(&format!(
        "{compared} charges compared, {repaired} repaired, {raised} to check"
    ))?;
    Ok(if raised == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
