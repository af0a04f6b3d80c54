//! `ledgerbell demo`: everything on one machine, with a team to look at.
//!
//! Called when no command is named, too. It always runs in development mode. Invariants: with `--json` exactly one line goes to
//! standard output, when the server answers; an existing team is found again and never changed; the key it prints works.

mod seed;
mod story;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::adapters::{database, private_files};
use crate::app::{self, App, DEMO_KEY_FILE};
use crate::config::Settings;
use crate::domain::Services;
use crate::domain::database::Database;
use crate::domain::member::{Account, AccountFilter};
use crate::primitives::actor::{Actor, Permissions};
use crate::primitives::clock::Clock;
use crate::primitives::ids::AccountId;
use crate::primitives::page::PageRequest;

use super::serve::Server;
use super::{Ending, Failure, say, start_logging};

/// How long the sign-ins that it prints hold.
const SIGN_IN_LASTS: Duration = Duration::from_hours(30 * 24);

/// Serve a demo team from a database of its own.
#[derive(Debug, Default, Args)]
pub(super) struct Demo {
    /// Print one line of JSON when ready, and nothing else: url, accountId, ownerToken, memberToken, apiKey.
    #[arg(long)]
    json: bool,
}

/// What a visitor needs.
struct Invitation {
    account: Account,
    owner: (String, String),
    member: (String, String),
    api_key: String,
}

pub(super) async fn run(command: &Demo, settings: &Settings) -> Ending {
    start_logging(settings);
    let settings = &super::within_open_files(settings);
    let server = Server::bind(settings).await?;
    let _lock = app::lock(settings)?;
    let database = app::open_database(settings).await?;
    database::migrate(&database).await?;
    let fresh_key = seed_if_empty(&database, settings).await?;
    let app = App::start(database, settings, Clock::system()).await?;
    let invitation = invite(app.services(), settings, fresh_key).await;
    let invitation = match invitation {
        Ok(invitation) => invitation,
        Err(failure) => {
            app.close().await?;
            return Err(failure);
        }
    };
    let url = server.url().to_owned();
    let text = if command.json {
        invitation.to_json(&url)
    } else {
        invitation.to_banner(&url, settings)
    };
    server.run(&app, settings, || say(&text)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the story when there are no accounts. Gives the key that was made with it.
async fn seed_if_empty(database: &Database, settings: &Settings) -> Result<Option<String>, Failure> {
    let now = Clock::system().now();
    let app = App::start(database.clone(), settings, Clock::manual(story::begins_at(now))).await?;
    let services = app.services();
    let system = Actor::System;
    let first = PageRequest::new(Some(1), None, None, None)?;
    let accounts = services
        .accounts
        .list(&system, &AccountFilter::default(), first)
        .await?;
    let unfinished = services.accounts.find_by_external_id(&system, seed::UNFINISHED).await?;
    let key = if unfinished.is_some() {
        Err("the demo team was not finished the last time: remove the data directory (or empty the database) and start again".into())
    } else if accounts.items.is_empty() {
        tracing::info!("making a demo team and 90 days of its history");
        seed::seed(services, now).await.map(Some)
    } else {
        Ok(None)
    };
    app.end().await?;
    key
}

async fn invite(services: &Services, settings: &Settings, fresh_key: Option<String>) -> Result<Invitation, Failure> {
    let system = Actor::System;
    let account = services.accounts.find_by_external_id(&system, seed::ACCOUNT).await?;
    let account = account
        .ok_or("this database has accounts but no demo team: use `ledgerbell serve` for it, or another --data-dir")?;
    let owner = sign_in(services, &account, 0).await?;
    let member = sign_in(services, &account, story::PLAIN_MEMBER).await?;
    let api_key = api_key(services, &settings.data_dir.join(DEMO_KEY_FILE), fresh_key).await?;
    Ok(Invitation {
        account,
        owner,
        member,
        api_key,
    })
}

/// A name of the team, and a token that signs them in.
async fn sign_in(services: &Services, account: &Account, at: usize) -> Result<(String, String), Failure> {
    let (external_id, name, _) = story::TEAM[at];
    let members = &services.members;
    let member = members
        .find_by_external_id(&Actor::System, account.id, external_id)
        .await?;
    let member = member.ok_or_else(|| format!("{name} is no longer in the demo team"))?;
    let token = services.sign_in.issue_token(account.id, member.id, SIGN_IN_LASTS)?;
    Ok((member.name, token))
}

/// The key made with the team; else the one remembered, if it still works; else a new one.
async fn api_key(services: &Services, file: &Path, fresh: Option<String>) -> Result<String, Failure> {
    if fresh.is_none()
        && let Ok(remembered) = std::fs::read_to_string(file)
    {
        let remembered = remembered.trim();
        let signed_in = services.sign_in.authenticate(remembered).await;
        let is_ours = |actor: &Actor| {
            matches!(actor, Actor::ApiKey { account_id, permissions, .. }
                if *account_id == AccountId::PLATFORM && *permissions == Permissions::all())
        };
        if signed_in.is_ok_and(|signed_in| is_ours(&signed_in.actor)) {
            return Ok(remembered.to_owned());
        }
    }
    let key = match fresh {
        Some(key) => key,
        None => {
            services
                .api_keys
                .create(&Actor::System, seed::platform_key())
                .await?
                .secret
        }
    };
    private_files::write(file, format!("{key}\n").as_bytes())?;
    Ok(key)
}

impl Invitation {
    fn to_json(&self, url: &str) -> String {
        json!({
            "url": url,
            "accountId": self.account.id.to_string(),
            "ownerToken": self.owner.1,
            "memberToken": self.member.1,
            "apiKey": self.api_key,
        })
        .to_string()
    }

    fn to_banner(&self, url: &str, settings: &Settings) -> String {
        let query = "{ account { name balance { posted held available } creditLog(first: 5) { nodes { occurredAt kind amount balanceAfter description member { name } } totals { count net } } } }";
        let alerts = "{ account { alerts(first: 3) { unreadCount nodes { kind title body action { label nextStep } topUp { id canRetry } deliveries { nodes { recipient { name } channel status suppressedBecause } } } } } }";
        let mail = match settings.mail.smtp_url {
            Some(_) => "Mail is sent by SMTP.".to_owned(),
            None => format!("Mail lands in {}", settings.data_dir.join("mail").display()),
        };
        format!(
            "
Ledgerbell is ready: {url}/graphql
  database        {database}
  demo team       {name}  {id}

Sign-ins (Authorization: Bearer …, for 30 days)
  {owner} (owner)
    {owner_token}
  {member} (member: sees their own use only)
    {member_token}
API key (your server's: may do everything)
    {api_key}

The credit log:
  curl -s {url}/graphql -H 'content-type: application/json' \\
    -H 'authorization: Bearer {owner_token}' \\
    -d '{{\"query\":\"{query}\"}}'
The owner's alerts (a top-up has just failed, and can be retried), who was told by which way, and who was not and why:
  curl -s {url}/graphql -H 'content-type: application/json' \\
    -H 'authorization: Bearer {owner_token}' \\
    -d '{{\"query\":\"{alerts}\"}}'
{mail}

Ctrl-C stops it. What is in it stays for the next start.
",
            mail = mail,
            database = settings.database_shown(),
            name = self.account.name,
            id = self.account.id,
            owner = self.owner.0,
            owner_token = self.owner.1,
            member = self.member.0,
            member_token = self.member.1,
            api_key = self.api_key,
        )
    }
}
