//! The bell between several processes on one Postgres: LISTEN and NOTIFY.
//!
//! A NOTIFY inside a transaction takes a lock at the commit that all such commits of the server share. So it is sent after the
//! commit, on a separate connection. Rings within a few milliseconds are sent together. The hub finds events whose ring was
//! lost, or that happened while a connection was down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnection, PgListener, PgNotification, PgPoolOptions};
use sea_orm::sqlx::{self, Connection as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::adapters::database::{are_one_session, connect_options};
use crate::domain::event::{Bell, Hub};
use crate::domain::pulse::{Pulse, TurnResult};
use crate::primitives::ids::AccountId;

/// The name by which health probes find it.
const NAME: &str = "bell";
const CHANNEL: &str = "ledgerbell_event";
/// The channel for testing whether a bell is heard.
const TRIAL_CHANNEL: &str = "ledgerbell_trial";
/// A test bell that takes longer counts as not heard.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
/// Rings within this time are sent together.
const GATHERED: Duration = Duration::from_millis(10);
/// The longest text of one NOTIFY, in bytes; Postgres refuses 8,000.
const LONGEST_TEXT: usize = 7_900;
/// The time limit for connecting, listening or notifying.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// A connection that was silent for this long is tested.
const QUIET: Duration = Duration::from_secs(5);
/// The pauses between attempts to connect: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// The time limit for sending the last rings when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Rings this process's hub at once, and through Postgres the hubs of all other processes on the same database.
#[derive(Debug)]
pub struct PostgresBell {
    hub: Hub,
    rung: Arc<Rung>,
    stop: CancellationToken,
    listening: JoinHandle<()>,
    ringing: Mutex<Option<JoinHandle<()>>>,
}

/// The rings to send: the newest stream position of each account.
#[derive(Debug, Default)]
struct Rung {
    heads: Mutex<HashMap<AccountId, i64>>,
    added: Notify,
}

impl PostgresBell {
    /// Starts the bell. It connects when there is something to send, and listens while the hub has subscribers. It never fails:
    /// without a connection it is silent.
    pub fn start(url: &str, hub: Hub, pulse: Pulse) -> Arc<Self> {
        let (rung, stop) = (Arc::<Rung>::default(), CancellationToken::new());
        let ringing = ring_on(url.to_owned(), Arc::clone(&rung), stop.clone());
        Arc::new(Self {
            listening: tokio::spawn(listen_on(url.to_owned(), hub.clone(), pulse)),
            ringing: Mutex::new(Some(tokio::spawn(ringing))),
            hub,
            rung,
            stop,
        })
    }

    /// Sends the last rings, and ends.
    pub async fn close(&self) {
        self.listening.abort();
        self.stop.cancel();
        let ringing = self.ringing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ringing) = ringing {
            let abort = ringing.abort_handle();
            if tokio::time::timeout(LAST_WORDS, ringing).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// Returns how long a NOTIFY takes until a LISTEN receives it, on a channel without other listeners. Returns the reason if it
/// fails.
pub async fn hear(url: &str) -> Result<Duration, String> {
    let reason = |error: sqlx::Error| error.to_string();
    let mut listener = listener(url).await.map_err(reason)?;
    let options = connect_options(url).map_err(reason)?;
    let mut ringer = PgConnection::connect_with(&options).await.map_err(reason)?;
    // Otherwise the server would send the notification to the next user of the session.
    let mut third = PgConnection::connect_with(&options).await.map_err(reason)?;
    let is_shared = are_one_session(&mut ringer, &mut third).await.map_err(reason)?;
    let _ = third.close().await;
    if is_shared {
        return Err("the connection goes through a pooler in transaction mode".to_owned());
    }
    listener.listen(TRIAL_CHANNEL).await.map_err(reason)?;
    let began = Instant::now();
    let notified = sqlx::query("SELECT pg_notify($1, '')")
        .bind(TRIAL_CHANNEL)
        .execute(&mut ringer);
    notified.await.map_err(reason)?;
    let heard = tokio::time::timeout(HEARD_WITHIN, listener.recv()).await;
    // Nothing is lost with this connection.
    let _ = ringer.close().await;
    match heard {
        Ok(heard) => heard.map(|_| began.elapsed()).map_err(reason),
        Err(_) => Err(format!("nothing came within {} seconds", HEARD_WITHIN.as_secs())),
    }
}

impl Bell for PostgresBell {
    fn ring(&self, account_id: AccountId, event_sequence: i64) {
        self.hub.ring(account_id, event_sequence);
        let mut heads = self.rung.heads();
        let head = heads.entry(account_id).or_insert(event_sequence);
        *head = event_sequence.max(*head);
        drop(heads);
        self.rung.added.notify_one();
    }
}

impl Drop for PostgresBell {
    fn drop(&mut self) {
        self.listening.abort();
        self.stop.cancel();
    }
}

impl Rung {
    fn heads(&self) -> MutexGuard<'_, HashMap<AccountId, i64>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the pending rings and returns them as the texts of as few notifications as possible.
    fn take(&self) -> Vec<String> {
        let heads = std::mem::take(&mut *self.heads());
        let mut texts: Vec<String> = Vec::new();
        for (account_id, sequence) in heads {
            let ring = format!("{}:{sequence}", account_id.number());
            match texts.last_mut() {
                Some(text) if text.len() + 1 + ring.len() <= LONGEST_TEXT => {
                    text.push(' ');
                    text.push_str(&ring);
                }
                _ => texts.push(ring),
            }
        }
        texts
    }
}

/// Parses the rings in a notification. Invalid parts are ignored: every user of the database can send a notification.
fn rings(text: &str) -> impl Iterator<Item = (AccountId, i64)> {
    text.split(' ').filter_map(|ring| {
        let (account, sequence) = ring.split_once(':')?;
        Some((AccountId::from_number(account.parse().ok()?), sequence.parse().ok()?))
    })
}

async fn ring_on(url: String, rung: Arc<Rung>, stop: CancellationToken) {
    let mut connection = None;
    let mut pause = PAUSES.0;
    loop {
        let goes_on = stop.run_until_cancelled(rung.added.notified()).await.is_some();
        if goes_on {
            stop.run_until_cancelled(tokio::time::sleep(GATHERED)).await;
        }
        for text in rung.take() {
            match in_time(notify(&url, connection.take(), &text)).await {
                Ok(open) => {
                    connection = Some(open);
                    pause = PAUSES.0;
                }
                Err(error) => {
                    tracing::warn!(%error, "other processes could not be notified of new events; they find them by polling");
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(PAUSES.1);
                    break;
                }
            }
        }
        if !goes_on {
            if let Some(connection) = connection {
                let _ = connection.close().await;
            }
            return;
        }
    }
}

/// Sends a text on an open or a new connection. If the connection is found to be lost, it is replaced once.
async fn notify(url: &str, open: Option<PgConnection>, text: &str) -> Result<PgConnection, sqlx::Error> {
    if let Some(mut connection) = open
        && tokio::time::timeout(ANSWERS_WITHIN / 2, send(&mut connection, text))
            .await
            .is_ok_and(|sent| sent.is_ok())
    {
        return Ok(connection);
    }
    let options = connect_options(url)?.application_name("ledgerbell bell");
    let mut connection = PgConnection::connect_with(&options).await?;
    send(&mut connection, text).await?;
    Ok(connection)
}

async fn send(connection: &mut PgConnection, text: &str) -> Result<(), sqlx::Error> {
    let statement = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(text);
    statement.execute(connection).await?;
    Ok(())
}

async fn listen_on(url: String, hub: Hub, pulse: Pulse) {
    hub.bells_are_wanted().await;
    pulse.announce(NAME, Some(QUIET + ANSWERS_WITHIN));
    let mut pause = PAUSES.0;
    loop {
        if let Err(error) = listen(&url, &hub, &pulse, &mut pause).await {
            pulse.end(NAME, TurnResult::Failed);
            tracing::warn!(%error, "notifications of other processes are not received; their events are found by polling");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Opens a connection that listens, with the same encryption as the pool. A lost connection is replaced.
async fn listener(url: &str) -> Result<PgListener, sqlx::Error> {
    let options = connect_options(url)?.application_name("ledgerbell bell");
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options);
    let pool = pool.await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    // The pool has no other connection, and is closed with this one.
    listener.ignore_pool_close_event(true);
    Ok(listener)
}

/// Forwards rings to the hub until the connection is lost and cannot be replaced.
async fn listen(url: &str, hub: &Hub, pulse: &Pulse, pause: &mut Duration) -> Result<(), sqlx::Error> {
    let mut listener = in_time(listener(url)).await?;
    in_time(listener.listen(CHANNEL)).await?;
    *pause = PAUSES.0;
    loop {
        // Finds what was rung before the connection existed, or while it was lost.
        if let Err(fault) = hub.poll().await {
            tracing::warn!(%fault, "event streams could not be polled; they are polled again soon");
        }
        pulse.end(NAME, TurnResult::Succeeded);
        while let Some(notification) = next(&mut listener, pulse).await? {
            pulse.end(NAME, TurnResult::Succeeded);
            for (account_id, sequence) in rings(notification.payload()) {
                hub.ring(account_id, sequence);
            }
        }
    }
}

/// Returns the next notification; `None` if the connection was lost and replaced. A silent connection is tested from time to
/// time: otherwise a dead connection would be waited for without end.
async fn next(listener: &mut PgListener, pulse: &Pulse) -> Result<Option<PgNotification>, sqlx::Error> {
    loop {
        if let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await {
            return heard;
        }
        in_time(sqlx::query("SELECT 1").execute(&mut *listener)).await?;
        pulse.end(NAME, TurnResult::Succeeded);
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(ANSWERS_WITHIN, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the database does not answer",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_fit_into_notifications_and_come_back() {
        let rung = Rung::default();
        let sent: HashMap<AccountId, i64> = (1..=2_000)
            .map(|number| (AccountId::from_number(number << 40), i64::MAX - number))
            .collect();
        rung.heads().clone_from(&sent);
        let texts = rung.take();
        assert!(texts.len() > 1 && texts.iter().all(|text| text.len() < 8_000));
        let received: HashMap<_, _> = texts.iter().flat_map(|text| rings(text)).collect();
        assert_eq!(received, sent);
        assert_eq!(rung.take(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_ring_is_passed_over() {
        let heard: Vec<_> = rings("1:2 x :3 4: 5:6:7 8:9").collect();
        let expected = [(1, 2), (8, 9)].map(|(number, sequence)| (AccountId::from_number(number), sequence));
        assert_eq!(heard, expected);
    }
}
