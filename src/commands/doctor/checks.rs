//! The checks, one function each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::adapters::bus::{self, BusSettings};
use crate::adapters::database::{self, SchemaError};
use crate::adapters::disk::{self, Room};
use crate::adapters::key_set::HttpKeySet;
use crate::adapters::mailer::{Sender, SmtpMailer};
use crate::adapters::private_files;
use crate::app;
use crate::config::{DEMO_SECRET, GatewayKind, Mode, Secret, Settings};
use crate::domain::backlog::{Backlog, MOST_COUNTED, Queue};
use crate::domain::database::{Database, Trouble};
use crate::domain::fault::Fault;
use crate::domain::member::KeySetSource as _;
use crate::domain::top_up::gateway::{GatewayError, PaymentGateway as _};
use crate::primitives::clock::{Clock, Timestamp};

use super::gave_up;
use super::report::Check;

/// The age of pending work that is a warning, and the age that is a failure, in milliseconds.
const LATE: (i64, i64) = (60_000, 600_000);
/// The clock error that is a warning, and the error that breaks tokens and signatures, in milliseconds.
const SKEWED: (i64, i64) = (1_000, 30_000);
/// The time limit for a server to report whether it is ready.
const SERVER_ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// The free disk space below which there is a warning, and below which the check fails, in bytes.
const CRAMPED: (u64, u64) = (1 << 30, 100 << 20);
/// The write-ahead log that a replica may lack, in bytes, before there is a warning.
const FAR_BEHIND: i64 = 16 << 20;

pub(super) fn settings(settings: &Settings) -> Check {
    if let Err(missing) = settings.secret() {
        return Check::failed("settings", missing.to_string(), "set it: no server starts without it");
    }
    match settings.mode {
        Mode::Production => Check::ok("settings", "production"),
        Mode::Development => Check::warned(
            "settings",
            "development mode: `ledgerbell token` signs in as any member",
            "set mode = \"production\" if others use this installation",
        ),
    }
}

/// Checks which secrets are in use, without printing any of them.
pub(super) fn secrets(settings: &Settings) -> Check {
    let is_demo = |secret: &Secret| secret.reveal() == DEMO_SECRET;
    let jwt = settings.auth.jwt_secret.as_ref();
    let mut wrong = Vec::new();
    let secret = settings.secret().ok();
    if secret.is_some_and(is_demo) {
        wrong.push("secret is the published demo secret");
    }
    let previous = settings.auth.jwt_secret_previous.as_ref();
    if jwt.is_some_and(is_demo) || previous.is_some_and(is_demo) {
        wrong.push("auth.jwt_secret or auth.jwt_secret_previous is the published demo secret: anyone can sign in as any member");
    } else if jwt.is_some() && jwt == secret {
        wrong.push("secret and auth.jwt_secret are the same: a leak of one reveals both");
    }
    let stripe = settings.gateway.stripe.as_ref();
    let is_test = stripe.is_some_and(|stripe| stripe.secret_key.reveal().contains("_test_"));
    if is_test && settings.mode == Mode::Production {
        wrong.push("the Stripe secret key is a test key: no card is charged");
    }
    if wrong.is_empty() {
        let sign_in = match (jwt, &settings.auth.jwks_url) {
            (Some(_), Some(_)) => "members sign in by a shared secret or the issuer's keys",
            (Some(_), None) => "members sign in by a shared secret",
            (None, _) => "members sign in by the issuer's keys",
        };
        let rotation = match previous {
            Some(_) => {
                "; tokens signed with auth.jwt_secret_previous are also accepted: remove it when the last of them has expired"
            }
            None => "",
        };
        return Check::ok("secrets", format!("not the demo secrets; {sign_in}{rotation}"));
    }
    Check::warned(
        "secrets",
        wrong.join("; "),
        "set your own secrets, for example from `openssl rand -hex 32`",
    )
}

/// Checks whether stored data crosses the network unencrypted.
pub(super) fn encryption(settings: &Settings) -> Check {
    let replica = settings.database.replica_url.as_ref();
    let urls = [(Some(&settings.database.url), "database"), (replica, "replica")];
    for (url, what) in urls {
        if url.is_some_and(|url| database::may_be_plain_over_network(url.reveal())) {
            let setting = if what == "database" {
                "database.url"
            } else {
                "database.replica_url"
            };
            return Check::warned(
                "encryption",
                format!("the {what} is on another machine, and the connection to it may not be encrypted"),
                format!("add ?sslmode=verify-full to {setting}, or sslmode=require"),
            );
        }
    }
    Check::ok(
        "encryption",
        "connections to the database stay on this machine or are encrypted",
    )
}

/// Checks whether the database responds, and how fast.
pub(super) async fn database(database: &Database) -> Check {
    let began = Instant::now();
    match database::ping(database).await {
        Ok(kind) => Check::ok(
            "database",
            format!("{kind} answers in {} ms", began.elapsed().as_millis()),
        ),
        Err(fault) => {
            let trouble = database.trouble();
            let advice = trouble.map_or("check the database", |(trouble, _)| trouble.advice());
            fault_of("database", &fault, advice)
        }
    }
}

/// Checks whether the database accepts writes, and keeps what it has acknowledged.
pub(super) async fn durability(database: &Database) -> Check {
    match database::weaknesses(database).await {
        Ok(weak) if weak.is_empty() => Check::ok("durability", "acknowledged commands survive a crash"),
        Ok(weak) => Check::warned(
            "durability",
            weak.join("; "),
            "connect to the primary, and set fsync, full_page_writes and synchronous_commit to on",
        ),
        Err(fault) => fault_of("durability", &fault, "check the database"),
    }
}

/// Checks whether the replica can answer queries of the credit log.
pub(super) async fn replica(database: &Database, url: &Secret, settings: &Settings) -> Check {
    let began = Instant::now();
    let shown = settings.replica_shown().unwrap_or_default();
    let state = match database::examine_replica(database, url.reveal()).await {
        Ok(state) => state,
        Err(error) => {
            let advice = "check database.replica_url and the server; until then the primary answers everything";
            return Check::failed("replica", format!("{shown}: {error}"), advice);
        }
    };
    if !state.is_same_installation {
        let advice = "set database.replica_url to a replica of database.url; until then the primary answers everything";
        return Check::failed("replica", format!("{shown} belongs to another installation"), advice);
    }
    if !state.is_standby {
        let advice = "make it a replica of database.url again, or remove database.replica_url";
        return Check::warned("replica", format!("{shown} repeats no other server's commits"), advice);
    }
    let behind = state
        .bytes_behind
        .map_or_else(String::new, |bytes| format!(", {bytes} bytes of log behind"));
    let message = format!("the replica answers in {} ms{behind}", began.elapsed().as_millis());
    match state.bytes_behind {
        Some(bytes) if bytes > FAR_BEHIND => {
            let advice = "check the replica's log and its network: while it is behind, the primary answers";
            Check::warned("replica", message, advice)
        }
        _ => Check::ok("replica", message),
    }
}

/// Checks the server that these settings start, if it runs on this machine.
pub(super) async fn server(settings: &Settings) -> Check {
    let url = format!(
        "http://{}/health/ready",
        super::super::healthcheck::reachable(settings.listen)
    );
    let client = reqwest::Client::builder()
        .timeout(SERVER_ANSWERS_WITHIN)
        .no_proxy()
        .build();
    let asked = match client {
        Ok(client) => client.get(&url).send().await,
        Err(error) => return Check::warned("server", error.to_string(), "check the network of this machine"),
    };
    let answer = match asked {
        Ok(answer) if answer.status().is_success() => {
            let answer = answer.json::<serde_json::Value>().await.unwrap_or_default();
            return match answer["clockJumps"].as_u64() {
                None | Some(0) => Check::ok("server", "the server is ready"),
                Some(jumps) => Check::warned(
                    "server",
                    format!(
                        "the server is ready; since its start, this machine's clock has jumped ahead by minutes {jumps} times, and the server did not follow at once"
                    ),
                    "check that a time service (NTP) sets the clock in small steps",
                ),
            };
        }
        Ok(answer) => answer.json::<serde_json::Value>().await.unwrap_or_default(),
        Err(error) if error.is_connect() => {
            return Check::ok("server", format!("no server answers at {}", settings.listen));
        }
        Err(_) => {
            let advice = "check its log, and restart it if necessary";
            return Check::failed("server", format!("{url} does not answer"), advice);
        }
    };
    let trouble = answer["trouble"].as_str().and_then(Trouble::named);
    let advice = trouble.map_or("check its log", Trouble::advice);
    Check::failed("server", format!("the server is not ready: {answer}"), advice)
}

fn fault_of(name: &'static str, fault: &Fault, advice: &str) -> Check {
    Check::failed(name, fault.to_string(), advice)
}

/// Compares this machine's clock with the database's.
pub(super) async fn clock(database: &Database, clock: &Clock) -> Check {
    let before = clock.now().millis();
    let server = match database::time(database).await {
        Ok(Some(server)) => server,
        Ok(None) => return Check::ok("clock", "the database uses this machine's clock"),
        Err(fault) => return fault_of("clock", &fault, "check the database"),
    };
    // The database read its clock between the two times.
    let (early, late) = (before - server, server - clock.now().millis());
    let skew = early.max(late).max(0);
    let message = format!("this machine and the database are {skew} ms apart");
    let advice = "set both clocks by a time service (NTP): tokens, webhooks and expiries depend on it";
    match skew {
        skew if skew >= SKEWED.1 => Check::failed("clock", message, advice),
        skew if skew >= SKEWED.0 => Check::warned("clock", message, advice),
        _ => Check::ok("clock", message),
    }
}

pub(super) async fn migrations(database: &Database) -> Check {
    match database::pending_migrations(database).await {
        Ok(0) => Check::ok("migrations", "the schema is up to date"),
        Ok(count) => Check::failed(
            "migrations",
            format!("{count} migrations are missing"),
            "run `ledgerbell migrate`",
        ),
        Err(SchemaError::Fault(fault)) => fault_of("migrations", &fault, "check the database"),
        Err(error) => {
            let advice = "use another version of ledgerbell, or another database";
            Check::failed("migrations", error.to_string(), advice)
        }
    }
}

/// Checks the amount and the age of pending work, by kind.
pub(super) async fn work(database: &Database, now: Timestamp) -> Vec<Check> {
    match tokio::time::timeout(super::TIMEOUT, Backlog::new(database.clone()).queues(now)).await {
        Ok(Ok(queues)) => queues.iter().map(|queue| lag(queue, now)).collect(),
        Ok(Err(fault)) => vec![fault_of("work", &fault, "check the database")],
        Err(_) => vec![gave_up("work")],
    }
}

fn lag(queue: &Queue, now: Timestamp) -> Check {
    let late = queue.lag(now);
    let count = if queue.waiting >= MOST_COUNTED {
        format!("{MOST_COUNTED} or more")
    } else {
        queue.waiting.to_string()
    };
    if queue.waiting == 0 {
        return Check::ok(queue.name, "empty");
    }
    let message = format!("{count} {}, the oldest for {} s", queue.what, late / 1_000);
    let advice = "check that `ledgerbell serve` or `ledgerbell worker` runs, and check its log; start more of them to share the work";
    match late {
        late if late >= LATE.1 => Check::failed(queue.name, message, advice),
        late if late >= LATE.0 => Check::warned(queue.name, message, advice),
        _ => Check::ok(queue.name, message),
    }
}

/// Checks for work that no worker can complete automatically.
pub(super) async fn stuck(database: &Database, now: Timestamp) -> Check {
    let stuck = match Backlog::new(database.clone()).stuck(now).await {
        Ok(stuck) => stuck,
        Err(fault) => return fault_of("stuck", &fault, "check the database"),
    };
    let mut found = Vec::new();
    let mut advice = Vec::new();
    if stuck.parked_webhooks > 0 {
        found.push(format!(
            "{} webhooks failed too often and are no longer retried",
            stuck.parked_webhooks
        ));
        advice.push("fix the cause, then run `ledgerbell webhooks replay`");
    }
    if stuck.unsettled_charges > 0 {
        found.push(format!(
            "the result of {} charges has been unknown for a day",
            stuck.unsettled_charges
        ));
        advice.push("look them up at the payment gateway, then run `ledgerbell top-up settle`");
    }
    if stuck.failed_refunds > 0 {
        found.push(format!(
            "{} refunds of the last 30 days failed at the payment gateway, and the customers kept their credits or got them back",
            stuck.failed_refunds
        ));
        advice.push("look them up at the payment gateway, then refund the money with `refundTopUp` or by hand");
    }
    if stuck.lost_mails > 0 {
        found.push(format!(
            "{} mails are claimed by a sender that no longer runs",
            stuck.lost_mails
        ));
        advice.push("a running worker claims them again automatically");
    }
    if stuck.disabled_webhook_endpoints > 0 {
        found.push(format!(
            "{} webhook endpoints, {} of them of the platform, were disabled because they are gone or failed for five days",
            stuck.disabled_webhook_endpoints, stuck.disabled_platform_webhook_endpoints
        ));
        advice.push("their teams got an alert; enable or delete those of the platform with `updateWebhookEndpoint`");
    }
    if found.is_empty() {
        return Check::ok("stuck", "no work needs a person");
    }
    Check::warned("stuck", found.join("; "), advice.join("; "))
}

/// Checks whether the payment gateway responds and accepts the credentials.
pub(super) async fn gateway(settings: &Settings) -> Check {
    let is_production = settings.mode == Mode::Production;
    match settings.gateway.kind {
        GatewayKind::None if is_production => Check::warned(
            "gateway",
            "none is set: credits cannot be bought here",
            "set gateway.kind to sell credits",
        ),
        GatewayKind::None => Check::ok("gateway", "none is set: credits cannot be bought here"),
        GatewayKind::Simulated if is_production => {
            let advice = "set gateway.kind = \"stripe\" or \"none\"";
            let message = "the simulated gateway adds credits without payment";
            if settings.gateway.simulated_in_production {
                Check::warned("gateway", message, advice)
            } else {
                Check::failed(
                    "gateway",
                    format!("{message}, and `ledgerbell serve` refuses it"),
                    advice,
                )
            }
        }
        GatewayKind::Simulated => Check::ok("gateway", "the simulated gateway, which moves no money"),
        GatewayKind::Stripe => stripe(settings).await,
    }
}

async fn stripe(settings: &Settings) -> Check {
    let stripe = match app::stripe(settings) {
        Ok(stripe) => stripe,
        Err(error) => return Check::failed("gateway", error.to_string(), "correct the gateway.stripe_… settings"),
    };
    let began = Instant::now();
    match stripe.list_charges(Clock::system().now(), None).await {
        Ok(_) => Check::ok(
            "gateway",
            format!("Stripe answers in {} ms", began.elapsed().as_millis()),
        ),
        Err(GatewayError::Unknown(detail)) => Check::failed(
            "gateway",
            format!("Stripe does not answer: {detail}"),
            "check that it is reachable from this machine; charges wait until it is",
        ),
        Err(GatewayError::Refused { detail, .. }) => Check::failed(
            "gateway",
            format!("Stripe refuses: {detail}"),
            "check that gateway.stripe_secret_key is correct and may list payment intents",
        ),
        Err(GatewayError::NotFound) => Check::failed(
            "gateway",
            "the server at gateway.stripe_url does not have Stripe's API",
            "check gateway.stripe_url",
        ),
    }
}

/// Checks whether the mail system accepts the connection. Sends nothing.
pub(super) async fn mail(settings: &Settings) -> Check {
    let sender = match Sender::parse(&settings.mail.from) {
        Ok(sender) => sender,
        Err(error) => return Check::failed("mail", format!("mail.from {error}"), "correct mail.from"),
    };
    let Some(url) = &settings.mail.smtp_url else {
        let message = "no mail.smtp_url is set: mails are written as files, not sent";
        return match settings.mode {
            Mode::Production => Check::warned("mail", message, "set mail.smtp_url"),
            Mode::Development => Check::ok("mail", message),
        };
    };
    let began = Instant::now();
    let probed = match SmtpMailer::new(url.reveal(), sender) {
        Ok(mailer) => mailer.probe().await,
        Err(error) => Err(format!("mail.smtp_url {error}")),
    };
    match probed {
        Ok(()) => Check::ok(
            "mail",
            format!("the mail system answers in {} ms", began.elapsed().as_millis()),
        ),
        Err(reason) => Check::failed(
            "mail",
            format!("the mail system refuses the connection: {reason}"),
            "check host, port, TLS and password in mail.smtp_url; mails wait for a day",
        ),
    }
}

/// Checks whether the keys that verify tokens are reachable.
pub(super) async fn issuer(settings: &Settings) -> Check {
    let Some(url) = &settings.auth.jwks_url else {
        return Check::ok("issuer", "none: tokens are signed with a shared secret");
    };
    let advice = "check that auth.jwks_url is correct and reachable: sign-ins need its keys";
    let fetched = match HttpKeySet::new(url, settings.auth.jwks_lifetime) {
        Ok(key_set) => key_set.fetch().await,
        Err(error) => return Check::failed("issuer", format!("auth.jwks_url {error}"), advice),
    };
    match fetched {
        Ok(_) => Check::ok("issuer", "its keys can be fetched"),
        Err(fault) => fault_of("issuer", &fault, advice),
    }
}

/// Checks whether servers notify each other of events.
pub(super) async fn bell(settings: &Settings) -> Check {
    let database_url = settings.database.url.reveal();
    match &settings.bus {
        BusSettings::None if database_url.starts_with("sqlite:") => {
            Check::ok("bell", "not needed: SQLite has one server process")
        }
        BusSettings::None => Check::ok("bell", "none: other servers find events within half a second"),
        BusSettings::Postgres { url } => {
            match bus::hear_postgres(url.as_ref().map_or(database_url, Secret::reveal)).await {
                Ok(took) => Check::ok(
                    "bell",
                    format!("LISTEN receives a NOTIFY after {} ms", took.as_millis()),
                ),
                Err(reason) => Check::warned(
                    "bell",
                    format!("LISTEN receives no NOTIFY: {reason}"),
                    "until then, events are found by polling; a pooler in transaction mode cannot LISTEN: set bus.postgres_url to a direct connection",
                ),
            }
        }
        BusSettings::Nats(nats) => match bus::hear_nats(nats).await {
            Ok(took) => Check::ok("bell", format!("NATS delivers a message after {} ms", took.as_millis())),
            Err(error) => Check::warned(
                "bell",
                format!("{}: {error}", nats.servers.join(", ")),
                "until then, events are found by polling; check that NATS runs, and that bus.nats_… and the permissions for bus.namespace are correct",
            ),
        },
    }
}

/// Checks that other users of the machine cannot read the files.
pub(super) fn files(settings: &Settings) -> Check {
    let directory = &settings.data_dir;
    let chmod = |mode: &str, (path, was): &(PathBuf, u32)| format!("chmod {mode} {} (now {was:o})", path.display());
    let directories = private_files::loose([directory.clone()]);
    let mut advice: Vec<String> = directories.iter().map(|found| chmod("700", found)).collect();
    for found in private_files::loose(app::data_files(settings)) {
        let mode = if found.0.is_dir() { "700" } else { "600" };
        advice.push(chmod(mode, &found));
    }
    if advice.is_empty() {
        return Check::ok("files", format!("only this user can read {}", directory.display()));
    }
    Check::warned(
        "files",
        "other users of this machine can read names, addresses, mails or codes here",
        advice.join("; "),
    )
}

/// Checks the free disk space.
pub(super) fn disk(directory: &Path) -> Check {
    let shown = directory.display();
    match disk::room(directory) {
        Ok(Some(Room { free, is_writable })) => {
            let message = format!("{shown} has {} MiB left", free >> 20);
            if !is_writable {
                let advice = "allow the user that runs ledgerbell to write there";
                return Check::failed("disk", format!("{shown} cannot be written to"), advice);
            }
            let advice = "free disk space: without it, SQLite accepts no postings";
            match free {
                free if free < CRAMPED.1 => Check::failed("disk", message, advice),
                free if free < CRAMPED.0 => Check::warned("disk", message, advice),
                _ => Check::ok("disk", message),
            }
        }
        Ok(None) => Check::ok("disk", "not checked on this system"),
        Err(error) => Check::failed(
            "disk",
            format!("{shown}: {error}"),
            "create the directory, or set data_dir to an existing one",
        ),
    }
}
