//! `ledgerbell demo`: the whole service on one machine, with an example team.
//!
//! Also called when no command is named. It always runs in development mode. Invariants:
//! - With `--json`, exactly one line goes to standard output, when the server responds.
//! - Without it, the output ends with one link, which contains no token. The log has warnings and errors alone, unless a level is set.
//! - Its clock goes as the machine's, or ahead of it: signed-in people may move it forward, and it never goes back.
//! - An existing team is reused and never changed.
//! - The printed key works.

mod browser;
mod seed;
mod story;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::adapters::{database, private_files};
use crate::app::{self, App, DEMO_KEY_FILE, DEMO_TIME_FILE};
use crate::config::Settings;
use crate::domain::Services;
use crate::domain::database::Database;
use crate::domain::member::{Account, AccountFilter, AccountOrder};
use crate::http::{DemoCredential, DemoPerson, SignIns};
use crate::primitives::actor::{Actor, Permissions};
use crate::primitives::clock::Clock;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::page::PageRequest;

use super::serve::Server;
use super::{Ending, Failure, say, start_logging};

/// The lifetime of the sign-ins that it prints.
const SIGN_IN_LASTS: Duration = Duration::from_hours(30 * 24);

/// Serve a demo team from a separate database.
#[derive(Debug, Default, Args)]
pub(super) struct Demo {
    /// Print one line of JSON when ready, and nothing else: url, accountId, ownerToken, memberToken, apiKey, consoleLink.
    #[arg(long)]
    json: bool,
    /// Do not open a browser.
    #[arg(long)]
    no_browser: bool,
}

/// What a visitor needs to use the demo.
struct Invitation {
    account: Account,
    owner: Guest,
    member: Guest,
    api_key: String,
}

/// A person of the team.
struct Guest {
    id: MemberId,
    name: String,
    token: String,
}

pub(super) async fn run(command: &Demo, settings: &Settings) -> Ending {
    let settings = &with_quiet_log(settings);
    let _collector = start_logging(settings)?;
    let settings = &super::within_open_files(settings);
    let server = Server::bind(settings).await?;
    let _lock = app::lock(settings)?;
    let database = app::open_database(settings).await?;
    database::migrate(&database).await?;
    let clock = movable_clock(settings)?;
    let fresh_key = Box::pin(seed_if_empty(&database, settings, &clock)).await?;
    let app = App::start(database, settings, clock.clone()).await?;
    let invitation = invite(app.services(), settings, fresh_key).await;
    let (invitation, sign_ins, code) = match invitation.and_then(with_sign_ins) {
        Ok(invited) => invited,
        Err(failure) => {
            app.close().await?;
            return Err(failure);
        }
    };
    let file = settings.data_dir.join(DEMO_TIME_FILE);
    let sign_ins = sign_ins.moving(clock, move |ahead| {
        private_files::write(&file, ahead.to_string().as_bytes())
    });
    let app = app.with_sign_ins(Arc::new(sign_ins));
    let base = settings.public_url.as_deref().unwrap_or(server.url()).to_owned();
    // After the "#": browsers send this part to no server, so no log and no other site gets the code.
    let link = app.console_is_built(settings).then(|| format!("{base}/#code={code}"));
    let text = if command.json {
        invitation.to_json(server.url(), link.as_deref())
    } else {
        invitation.to_banner(&base, link.as_deref(), settings)
    };
    let opens = !command.json && !command.no_browser && browser::is_wanted();
    let ready = || {
        say(&text)?;
        if let Some(link) = link.as_deref().filter(|_| opens) {
            browser::open(link);
        }
        Ok(())
    };
    server.run(&app, settings, ready).await?;
    Ok(ExitCode::SUCCESS)
}

/// Logs warnings and errors alone, unless a log level is set: a visitor reads the link.
fn with_quiet_log(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    if settings.has_default("log.level") {
        "warn".clone_into(&mut settings.log_level);
    }
    settings
}

/// Returns the clock of the demo, as far ahead as it was when the demo last ran. Otherwise its accounts would stand still until the
/// machine's clock shows that time.
fn movable_clock(settings: &Settings) -> Result<Clock, Failure> {
    let file = settings.data_dir.join(DEMO_TIME_FILE);
    let ahead = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().map_err(|_| {
            format!(
                "{} must contain milliseconds; remove the data directory and start again",
                file.display()
            )
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(Clock::ahead(ahead))
}

/// Adds the console's sign-ins of the invited people, and the code of the link.
fn with_sign_ins(invitation: Invitation) -> Result<(Invitation, SignIns, String), Failure> {
    let account_id = invitation.account.id;
    let person = |role, guest: &Guest| DemoPerson {
        role,
        name: guest.name.clone(),
        credential: DemoCredential::Member(account_id, guest.id),
    };
    let operator = DemoPerson {
        role: "operator",
        name: "Platform".to_owned(),
        credential: DemoCredential::ApiKey(invitation.api_key.clone()),
    };
    let people = vec![
        person("owner", &invitation.owner),
        person("member", &invitation.member),
        operator,
    ];
    let sign_ins = SignIns::new(account_id, people, Clock::system());
    let code = sign_ins.make_code()?;
    Ok((invitation, sign_ins, code))
}

/// Creates the demo's history if there are no accounts. Returns the key that was created with it.
async fn seed_if_empty(database: &Database, settings: &Settings, clock: &Clock) -> Result<Option<String>, Failure> {
    let now = clock.now();
    let app = App::start(database.clone(), settings, Clock::manual(story::begins_at(now))).await?;
    let services = app.services();
    let system = Actor::System;
    let first = PageRequest::new(Some(1), None, None, None)?;
    let accounts = services
        .accounts
        .page(&system, &AccountFilter::default(), AccountOrder::OldestFirst, &first)
        .await?;
    let unfinished = services.accounts.find_by_external_id(&system, seed::UNFINISHED).await?;
    let key = if unfinished.is_some() {
        Err("the last start did not finish the demo team: remove the data directory (or empty the database) and start again".into())
    } else if accounts.items.is_empty() {
        tracing::info!("creating a demo team and 90 days of its history");
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

/// Returns a person of the team, with a token that signs them in.
async fn sign_in(services: &Services, account: &Account, at: usize) -> Result<Guest, Failure> {
    let (external_id, name, _) = story::TEAM[at];
    let members = &services.members;
    let member = members
        .find_by_external_id(&Actor::System, account.id, external_id)
        .await?;
    let member = member.ok_or_else(|| format!("{name} is no longer in the demo team"))?;
    let token = services.sign_in.issue_token(account.id, member.id, SIGN_IN_LASTS)?;
    Ok(Guest {
        id: member.id,
        name: member.name,
        token,
    })
}

/// Returns the key that was created with the team; otherwise the stored one if it still works; otherwise a
/// new one.
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
    fn to_json(&self, url: &str, link: Option<&str>) -> String {
        json!({
            "url": url,
            "accountId": self.account.id.to_string(),
            "ownerToken": self.owner.token,
            "memberToken": self.member.token,
            "apiKey": self.api_key,
            "consoleLink": link,
        })
        .to_string()
    }

    fn to_banner(&self, url: &str, link: Option<&str>, settings: &Settings) -> String {
        let mail = match settings.mail.smtp_url {
            Some(_) => "sent by SMTP".to_owned(),
            None => settings.data_dir.join("mail").display().to_string(),
        };
        let console = match link {
            Some(link) => format!(
                "Open the console, signed in as {owner} (works once, for 10 minutes; later: {url}):\n\n  {link}",
                owner = self.owner.name,
            ),
            None if settings.pages.console => format!(
                "The API is at {url}/graphql. The console is not built: install Node.js 20 with npm, then make run.\n\
                 Tokens for the API: ledgerbell demo --json"
            ),
            None => format!("The API is at {url}/graphql. Tokens for it: ledgerbell demo --json"),
        };
        format!(
            "
  demo team   {name}  {id}
  database    {database}
  mail        {mail}
  stop        Ctrl-C; the data is kept for the next start

{console}
",
            name = self.account.name,
            id = self.account.id,
            database = settings.database_shown(),
        )
    }
}
