//! The bell between several processes by way of NATS: messages that no server stores.
//!
//! One connection rings and listens. Each process also sends itself a message from time to time: only one that comes back proves that
//! the connection works in both directions and that the account at NATS may publish and subscribe. The hub finds events whose ring was
//! lost, or that happened while a connection was down.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::rustls::crypto::aws_lc_rs;
use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::rings::{Rings, forward};
use crate::adapters::is_this_machine;
use crate::domain::event::{BELL, Hub};
use crate::domain::pulse::{Pulse, TurnResult};
use crate::primitives::secret::Secret;

/// The time limit for connecting to a server, and for sending.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// The pause between messages to itself. One that has not come back before the next means that the connection does not work.
const BEAT: Duration = Duration::from_secs(3);
/// The pauses between attempts to connect: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A test bell that takes longer counts as not heard.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// How to connect to NATS.
#[derive(Clone, Debug, Deserialize)]
pub struct NatsSettings {
    /// What the names of all subjects begin with.
    pub namespace: String,
    /// The servers of one cluster, of which one is used.
    #[serde(rename = "nats_servers")]
    pub servers: Vec<String>,
    /// The user, with `password`.
    #[serde(rename = "nats_user")]
    pub user: Option<String>,
    /// The password of `user`.
    #[serde(rename = "nats_password")]
    pub password: Option<Secret>,
    /// A token, in place of a user.
    #[serde(rename = "nats_token")]
    pub token: Option<Secret>,
    /// The path of a credentials file, in place of a user.
    #[serde(rename = "nats_credentials")]
    pub credentials: Option<PathBuf>,
    /// The path of the certificates by which servers are verified, in place of the system's.
    #[serde(rename = "nats_ca")]
    pub ca: Option<PathBuf>,
    /// The path of this process's own certificate.
    #[serde(rename = "nats_certificate")]
    pub certificate: Option<PathBuf>,
    /// The path of its key.
    #[serde(rename = "nats_key")]
    pub key: Option<PathBuf>,
}

/// Why NATS delivers no rings.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The address of a server is not valid.
    #[error("{0} is not the address of a NATS server")]
    Address(String),
    /// A file of the settings cannot be used.
    #[error("cannot read {path}: {reason}", path = .path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with it.
        reason: std::io::Error,
    },
    /// No server accepts the connection.
    #[error("no connection to NATS: {0}")]
    Refused(#[from] async_nats::ConnectError),
    /// The connection ended.
    #[error("the connection to NATS was lost")]
    Lost,
    /// What was sent does not come back.
    #[error("NATS does not deliver what this process sends to {subject}{}", because(.said.as_deref()))]
    Silent {
        /// The subject.
        subject: String,
        /// The last error that the server reported.
        said: Option<String>,
    },
}

fn because(said: Option<&str>) -> String {
    said.map(|said| format!(": {said}")).unwrap_or_default()
}

/// Returns whether a text is the address of a NATS server: `nats://host:port` or `tls://host:port`, with nothing else.
pub fn is_server(text: &str) -> bool {
    let rest = text.strip_prefix("nats://").or_else(|| text.strip_prefix("tls://"));
    let is_plain = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '/', '?', '#', ' ']));
    is_plain && text.parse::<ServerAddr>().is_ok_and(|server| !server.host().is_empty())
}

/// Returns whether a text is the name of a subject without wildcards.
pub fn is_subject(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        !part.is_empty() && part.bytes().all(is_allowed)
    };
    text.len() <= 100 && text.split('.').all(is_part)
}

impl NatsSettings {
    /// Returns what is wrong with these settings together, if anything is.
    pub fn contradiction(&self) -> Option<&'static str> {
        let ways = [self.user.is_some(), self.token.is_some(), self.credentials.is_some()];
        let reveals_secret = self.password.is_some() || self.token.is_some();
        if self.servers.is_empty() {
            return Some("bus.kind nats needs bus.nats_servers beside it");
        }
        if self.user.is_some() != self.password.is_some() {
            return Some("bus.nats_user and bus.nats_password belong together: set both or neither");
        }
        if ways.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Some("set one of bus.nats_user, bus.nats_token and bus.nats_credentials");
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Some("bus.nats_certificate and bus.nats_key belong together: set both or neither");
        }
        if reveals_secret && self.servers.iter().any(|server| is_plain_over_network(server)) {
            return Some(
                "bus.nats_password or bus.nats_token would be sent without encryption: let bus.nats_servers begin with tls://, or use \
                 bus.nats_credentials",
            );
        }
        None
    }

    fn insists_on_tls(&self) -> bool {
        self.servers.iter().any(|server| server.starts_with("tls://"))
    }
}

fn is_plain_over_network(server: &str) -> bool {
    let is_here = |server: ServerAddr| is_this_machine(server.host());
    !server.starts_with("tls://") && !server.parse().is_ok_and(is_here)
}

/// A NATS server, and the subject of an installation there.
#[derive(Clone, Debug)]
pub struct Nats {
    settings: NatsSettings,
    /// Has the identity of the database in it. So two installations with the same namespace do not hear each other.
    subject: String,
}

/// The last error that a server reported.
type Said = Arc<Mutex<Option<String>>>;

struct Connection {
    client: Client,
    subject: String,
    said: Said,
}

impl Nats {
    /// Checks the files of the settings. Does not connect.
    pub async fn open(settings: &NatsSettings, database: Uuid) -> Result<Self, NatsError> {
        let nats = Self {
            settings: settings.clone(),
            subject: format!("{}.{database}.events", settings.namespace),
        };
        nats.options().await?;
        Ok(nats)
    }

    async fn options(&self) -> Result<ConnectOptions, NatsError> {
        let settings = &self.settings;
        let refuse = |path: &PathBuf, reason| NatsError::File {
            path: path.clone(),
            reason,
        };
        for path in [&settings.ca, &settings.certificate, &settings.key]
            .into_iter()
            .flatten()
        {
            File::open(path).map_err(|reason| refuse(path, reason))?;
        }
        let mut options = ConnectOptions::new()
            .name("ledgerbell")
            .connection_timeout(ANSWERS_WITHIN)
            .ping_interval(BEAT)
            // Then this module connects anew, with its own pauses.
            .max_reconnects(settings.servers.len())
            .require_tls(settings.insists_on_tls())
            // Addresses from the network do not say whether they insist on TLS.
            .ignore_discovered_servers();
        if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
            options = options.user_and_password(user.clone(), password.reveal().to_owned());
        }
        if let Some(token) = &settings.token {
            options = options.token(token.reveal().to_owned());
        }
        if let Some(path) = &settings.credentials {
            let read = options.credentials_file(path).await;
            options = read.map_err(|reason| refuse(path, reason))?;
        }
        if let Some(ca) = &settings.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options)
    }

    /// Connects to one of the servers. Addresses contain no secrets, which the driver would write into its log.
    async fn connect(&self) -> Result<Connection, NatsError> {
        // Two providers are linked, ring by sqlx, and rustls does not choose one. Fails when one is installed already.
        let _ = aws_lc_rs::default_provider().install_default();
        let address = |server: &String| server.parse().map_err(|_| NatsError::Address(server.clone()));
        let servers = self.settings.servers.iter().map(address);
        let servers = servers.collect::<Result<Vec<ServerAddr>, _>>()?;
        let said = Said::default();
        let heard = Arc::clone(&said);
        let options = self.options().await?.event_callback(move |event| {
            if let Event::ServerError(error) = event {
                heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .replace(error.to_string());
            }
            std::future::ready(())
        });
        Ok(Connection {
            client: options.connect(servers).await?,
            subject: self.subject.clone(),
            said,
        })
    }
}

impl Connection {
    async fn subscribe(&self) -> Result<Subscriber, NatsError> {
        let asked = self.client.subscribe(self.subject.clone());
        match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
            Ok(Ok(messages)) => Ok(messages),
            _ => Err(NatsError::Lost),
        }
    }

    async fn send(&self, text: String) -> Result<(), NatsError> {
        let sent = self.client.publish(self.subject.clone(), text.into());
        match tokio::time::timeout(ANSWERS_WITHIN, sent).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(NatsError::Lost),
        }
    }

    /// Waits until everything was written to the connection.
    async fn flush(&self) -> Result<(), NatsError> {
        match tokio::time::timeout(ANSWERS_WITHIN, self.client.flush()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(NatsError::Lost),
        }
    }

    fn silent(&self) -> NatsError {
        NatsError::Silent {
            subject: self.subject.clone(),
            said: self.said.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Returns how long a message takes to itself, on a subject without other listeners. Returns the reason if it fails.
pub async fn hear(settings: &NatsSettings) -> Result<Duration, NatsError> {
    let nats = Nats {
        settings: settings.clone(),
        subject: format!("{}.{}.trial", settings.namespace, Uuid::new_v4()),
    };
    let connection = nats.connect().await?;
    let mut messages = connection.subscribe().await?;
    let began = Instant::now();
    connection.send(String::new()).await?;
    match tokio::time::timeout(HEARD_WITHIN, messages.next()).await {
        Ok(Some(_)) => Ok(began.elapsed()),
        Ok(None) => Err(NatsError::Lost),
        Err(_) => Err(connection.silent()),
    }
}

/// What one process has with NATS while it runs.
pub(super) struct Line {
    pub(super) nats: Nats,
    pub(super) hub: Hub,
    pub(super) pulse: Pulse,
    pub(super) rings: Arc<Rings>,
    pub(super) stop: CancellationToken,
}

impl Line {
    /// Connects when there is something to send or to hear, and again when the connection is lost. After `stop` it sends the last
    /// rings and ends.
    pub(super) async fn run(self) {
        let wanted = async {
            tokio::select! {
                () = self.rings.wanted() => {}
                () = self.hub.bells_are_wanted() => {}
            }
        };
        if self.stop.run_until_cancelled(wanted).await.is_none() && self.rings.are_none() {
            return;
        }
        self.pulse.announce(BELL, Some(BEAT * 2));
        let process = Uuid::new_v4().to_string();
        let mut pause = PAUSES.0;
        while let Err(error) = self.talk(&process, &mut pause).await {
            self.pulse.end(BELL, TurnResult::Failed);
            // Other processes find them by polling.
            self.rings.take();
            if self.stop.is_cancelled() {
                return;
            }
            tracing::warn!(%error, "processes do not notify each other; new events are found by polling");
            self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Rings and listens until the connection is lost, or until `stop`.
    async fn talk(&self, process: &str, pause: &mut Duration) -> Result<(), NatsError> {
        let connection = self.nats.connect().await?;
        let messages = connection.subscribe().await?;
        tokio::select! {
            ended = self.ring_on(&connection, process) => ended,
            error = self.listen_on(&connection, messages, process, pause) => Err(error),
        }
    }

    async fn ring_on(&self, connection: &Connection, process: &str) -> Result<(), NatsError> {
        loop {
            let goes_on = self.rings.gathered(&self.stop).await;
            for text in self.rings.take() {
                connection.send(format!("{process} {text}")).await?;
            }
            if !goes_on {
                return connection.flush().await;
            }
        }
    }

    async fn listen_on(
        &self,
        connection: &Connection,
        mut messages: Subscriber,
        process: &str,
        pause: &mut Duration,
    ) -> NatsError {
        // Finds what was rung before the connection existed, or while it was lost.
        self.hub.hears_from_now();
        if let Err(fault) = self.hub.poll().await {
            tracing::warn!(%fault, "event streams could not be polled; they are polled again soon");
        }
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_awaited = false;
        loop {
            tokio::select! {
                // After a pause of the process, the message that it sent has arrived as well as the next beat is due.
                biased;
                message = messages.next() => {
                    let Some(message) = message else { return NatsError::Lost };
                    if self.hear(&message.payload, process) {
                        is_awaited = false;
                        *pause = PAUSES.0;
                        self.pulse.end(BELL, TurnResult::Succeeded);
                    }
                }
                _ = beats.tick() => {
                    if is_awaited {
                        return connection.silent();
                    }
                    if let Err(error) = connection.send(process.to_owned()).await {
                        return error;
                    }
                    is_awaited = true;
                }
            }
        }
    }

    /// Forwards the rings in a message to the hub. Returns whether this process sent it.
    fn hear(&self, payload: &[u8], process: &str) -> bool {
        forward(std::str::from_utf8(payload).unwrap_or_default(), process, &self.hub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_an_address_and_nothing_else() {
        for server in ["nats://127.0.0.1:4222", "tls://nats.example.com", "nats://[::1]:4222"] {
            assert!(is_server(server), "{server}");
        }
        for text in [
            "",
            "nats://",
            "127.0.0.1:4222",
            "nats://user:hunter2@host",
            "http://host",
            "nats://host/path",
            "nats://host:port",
        ] {
            assert!(!is_server(text), "{text}");
        }
    }

    #[test]
    fn subjects_have_no_wildcards() {
        for subject in ["ledgerbell", "eu-1.ledgerbell_2"] {
            assert!(is_subject(subject), "{subject}");
        }
        for text in ["", "a..b", "a.*", ">", "a b", ".a", "ä"] {
            assert!(!is_subject(text), "{text}");
        }
    }
}
