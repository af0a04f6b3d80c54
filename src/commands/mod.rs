//! The commands of the executable, one file each.
//!
//! Called by `main` alone. Each command reads its settings, opens the application and drives it. Invariants:
//! - The result of a command goes to standard output. Everything else, logs included, goes to standard error.
//! - A command that fails prints the reason in one line and exits with 1.
//! - Ctrl-C and SIGTERM shut servers down in order.

mod api_key;
mod backup;
mod config;
mod copy;
mod demo;
mod doctor;
mod gateway;
mod healthcheck;
mod logging;
mod mail;
mod meter;
mod metrics;
mod migrate;
mod prune;
mod schema;
mod serve;
mod token;
mod top_up;
mod verify;
mod worker;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::adapters::{database, open_files};
use crate::config::{Flags, Settings};
use crate::domain::database::Database;
use crate::primitives::clock::{Clock, MINUTE};

use logging::start_logging;

/// The time that a server's shutdown may take in addition to its drain.
const GRACE: Duration = Duration::from_secs(2);
/// The interval at which the runtime is woken from outside.
const WAKE: Duration = Duration::from_millis(500);
/// The time for threads that still run when a command has ended.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// The server does not start if this machine's clock is ahead of the database's by more than this, in
/// milliseconds.
const MOST_AHEAD: i64 = 5 * MINUTE;

/// Why a command failed. Human-readable.
type Failure = Box<dyn Error + Send + Sync>;

/// The result of a command: its exit code, or why it failed.
type Ending = Result<ExitCode, Failure>;

/// Fails if this machine's clock is minutes ahead of the database's. The time of an account's log never goes back. So one entry
/// would fix it in the future until the clocks reach that time.
async fn check_clock(database: &Database) -> Result<(), Failure> {
    let Some(millis) = database::time(database).await? else {
        return Ok(());
    };
    let ahead = Clock::system().now().millis() - millis;
    if ahead > MOST_AHEAD {
        let seconds = ahead / 1_000;
        let text = format!(
            "this machine's clock is {seconds} s ahead of the database's: correct the wrong clock (NTP), and start again"
        );
        return Err(text.into());
    }
    Clock::refer_to(millis);
    Ok(())
}

#[derive(Debug, Parser)]
#[command(name = "ledgerbell", version, about)]
struct CommandLine {
    #[command(flatten)]
    given: SettingsFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a demo team from a separate database. Also runs when no command is named.
    Demo(demo::Demo),
    /// Serve the API, and run the workers.
    Serve(serve::Serve),
    /// Run the workers without serving the API.
    Worker(worker::Worker),
    /// Bring the schema of the database up to date.
    Migrate(migrate::Migrate),
    /// Copy the SQLite database into one file, while it is in use, and verify the copy. Exits 1 if it does not verify.
    Backup(backup::Backup),
    /// Verify a copy and put it into the place of the SQLite database, which must not exist. No server may run there.
    Restore(backup::Restore),
    /// Copy a SQLite database into an empty Postgres database, compare all rows, and verify the copy. Run it again to continue a copy
    /// that was interrupted. No server may run on either.
    Copy(copy::Copy),
    /// Recompute every account's sums, chains, hashes, lots and holds. Exits 1 if anything does not match.
    Verify(verify::Verify),
    /// Delete the rows that are older than the settings of `retention` allow: read events, processed webhooks and results of
    /// idempotency keys.
    Prune(prune::Prune),
    /// Check everything that this installation depends on, and print what to do. Changes nothing.
    Doctor(doctor::Doctor),
    /// Settle top-ups whose outcome can no longer be found out automatically.
    TopUp(top_up::TopUp),
    /// Process again the webhooks that were given up.
    Webhooks(top_up::Webhooks),
    /// Compare top-ups with what the payment gateway has.
    Reconcile(top_up::Reconcile),
    /// Serve the simulated payment gateway as if it were Stripe. In development only.
    Gateway(gateway::Gateway),
    /// Create, list or revoke API keys.
    ApiKey(api_key::ApiKey),
    /// Print a token that signs a member in. In development only.
    Token(token::Token),
    /// Print the GraphQL schema.
    Schema(schema::Schema),
    /// Print settings.
    Config(config::Config),
    /// Show examples of mail.
    Mail(mail::MailCommand),
    /// Check whether a running server is ready.
    Healthcheck(healthcheck::Healthcheck),
}

/// Settings that every command accepts.
#[derive(Debug, Args)]
struct SettingsFlags {
    /// Settings file (TOML).
    #[arg(long, global = true, env = "LEDGERBELL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// development or production.
    #[arg(long, global = true, value_name = "MODE")]
    mode: Option<String>,
    /// The address that the HTTP server listens on, such as 127.0.0.1:8080.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The directory of the SQLite database.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// postgres://… or sqlite://…
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// What is logged, such as info or debug.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// text or json.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl SettingsFlags {
    fn load(&self) -> Result<Settings, Failure> {
        self.load_for(self.mode.as_deref())
    }

    /// Like [`Self::load`], but in this mode, regardless of the other sources.
    fn load_for(&self, mode: Option<&str>) -> Result<Settings, Failure> {
        let flags: Flags = vec![
            ("mode", mode.map(str::to_owned)),
            ("listen", self.listen.clone()),
            ("data_dir", self.data_dir.clone()),
            ("database.url", self.database_url.clone()),
            ("log.level", self.log_level.clone()),
            ("log.format", self.log_format.clone()),
        ];
        // No setting has a name or value that is not valid Unicode.
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Settings::load(self.config.as_deref(), environment, flags)?)
    }
}

/// Runs the command that the arguments name; the demo if they name none.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    let ending = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| {
            wake_now_and_then(runtime.handle().clone());
            let ending = runtime.block_on(run(&line));
            // Hanging threads do not keep the process alive.
            runtime.shutdown_timeout(LAST_BREATH);
            ending
        });
    ending.unwrap_or_else(|failure| {
        // The reader of standard output has closed it. That is no failure.
        if let Some(error) = failure.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        let mut text = failure.to_string();
        let mut source = failure.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        eprintln!("error: {text}");
        ExitCode::FAILURE
    })
}

/// Wakes the runtime from outside, for as long as the process runs. One thread of the runtime at a time waits for the network and for
/// timers. If a task blocks that thread, no other thread takes over before something wakes it. Then probes and signals would get no
/// response.
fn wake_now_and_then(runtime: tokio::runtime::Handle) {
    let wake = move || {
        loop {
            std::thread::sleep(WAKE);
            drop(runtime.spawn(async {}));
        }
    };
    // Without it, the process works as long as no thread hangs.
    if let Err(error) = std::thread::Builder::new().name("waker".to_owned()).spawn(wake) {
        tracing::warn!(%error, "the thread that wakes the others cannot be started");
    }
}

async fn run(line: &CommandLine) -> Ending {
    let given = &line.given;
    let default = Command::Demo(demo::Demo::default());
    match line.command.as_ref().unwrap_or(&default) {
        Command::Demo(command) => Box::pin(demo::run(command, &given.load_for(Some("development"))?)).await,
        Command::Serve(command) => Box::pin(serve::run(command, &given.load()?)).await,
        Command::Worker(command) => Box::pin(worker::run(command, &given.load()?)).await,
        Command::Migrate(command) => Box::pin(migrate::run(command, &given.load()?)).await,
        Command::Backup(command) => Box::pin(backup::run_backup(command, &given.load()?)).await,
        Command::Restore(command) => Box::pin(backup::run_restore(command, &given.load()?)).await,
        Command::Copy(command) => Box::pin(copy::run(command, &given.load()?)).await,
        Command::Verify(command) => Box::pin(verify::run(command, &given.load()?)).await,
        Command::Prune(command) => Box::pin(prune::run(command, &given.load()?)).await,
        Command::Doctor(command) => Box::pin(doctor::run(command, given)).await,
        Command::TopUp(command) => Box::pin(top_up::run_top_up(command, &given.load()?)).await,
        Command::Webhooks(command) => Box::pin(top_up::run_webhooks(command, &given.load()?)).await,
        Command::Reconcile(command) => Box::pin(top_up::run_reconcile(command, &given.load()?)).await,
        Command::Gateway(command) => Box::pin(gateway::run(command, &given.load()?)).await,
        Command::ApiKey(command) => Box::pin(api_key::run(command, &given.load()?)).await,
        Command::Token(command) => Box::pin(token::run(command, &given.load()?)).await,
        Command::Schema(command) => schema::run(command),
        Command::Config(command) => config::run(command, given),
        Command::Mail(command) => mail::run(command, given),
        Command::Healthcheck(command) => healthcheck::run(command, given).await,
    }
}

/// Resolves when the process must stop.
type StopSignal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Ends what a server has started within a time limit, even if something hangs. A process that an
/// orchestrator must kill logs no reason.
async fn end_in_time(settings: &Settings, ending: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // The server's own drain takes a quarter more than the setting, and a second for the last sockets.
    let time = settings.http.drain.mul_f64(1.25) + Duration::from_secs(1) + GRACE;
    match tokio::time::timeout(time, ending).await {
        Ok(ended) => ended,
        Err(_) => Err(format!(
            "some work did not end within {} seconds; acknowledged commands are committed, and the next start resumes the rest",
            time.as_secs_f64()
        )
        .into()),
    }
}

/// Returns the settings with at most as many connections as the system's limit of open files allows, minus a
/// reserve.
fn within_open_files(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    let Some(limit) = open_files::raise() else {
        return settings;
    };
    let own = open_files::RESERVE + 2 * u64::from(settings.database.max_connections);
    let room = usize::try_from(limit.saturating_sub(own)).unwrap_or(usize::MAX).max(8);
    if room < settings.http.max_connections {
        tracing::warn!(
            open_files = limit,
            max_connections = room,
            setting = settings.http.max_connections,
            "the system allows fewer open files than http.max_connections needs: raise it (ulimit -n)"
        );
        settings.http.max_connections = room;
    }
    settings
}

/// Logs one line about the start, without secrets.
fn log_start(role: &'static str, settings: &Settings) {
    tracing::info!(
        role,
        version = env!("CARGO_PKG_VERSION"),
        mode = ?settings.mode,
        database = %settings.database_shown(),
        gateway = ?settings.gateway.kind,
        "starting"
    );
}

/// Listens for Ctrl-C, SIGTERM and SIGHUP from this call on. So an early signal is not lost, and does not kill the process in the
/// middle of its work.
fn stop_signal() -> std::io::Result<StopSignal> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hung_up = signal(SignalKind::hangup())?;
        Ok(Box::pin(async move {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
                _ = hung_up.recv() => {}
            }
        }))
    }
    #[cfg(windows)]
    {
        let mut interrupted = tokio::signal::windows::ctrl_c()?;
        Ok(Box::pin(async move {
            interrupted.recv().await;
        }))
    }
}

/// Prints a line to standard output. A closed output is an error, not a panic.
fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
