//! The bell between several processes on one Postgres: LISTEN and NOTIFY.
//!
//! A NOTIFY inside a transaction takes a lock at the commit that all such commits of the server share. So it is sent after the
//! commit, on a separate connection. Rings of a few milliseconds are sent together. The hub finds events whose ring was
//! lost, or that happened while a connection was down.
//!
//! A message begins with the process that sent it, which has rung its own hub before. Versions without that ignore the word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnection, PgListener, PgNotification, PgPoolOptions};
use sea_orm::sqlx::{self, Connection as _};
use tokio_util::sync::CancellationToken;

use super::rings::{Rings, forward};
use crate::adapters::database::{are_one_session, connect_options};
use crate::domain::event::{BELL, Hub};
use crate::domain::pulse::{Pulse, TurnResult};

const CHANNEL: &str = "ledgerbell_event";
/// The channel for testing whether a bell is heard.
const TRIAL_CHANNEL: &str = "ledgerbell_trial";
/// A test bell that takes longer counts as not heard.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
/// The time limit for connecting, listening or notifying.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// A connection that was silent for this long is tested.
const QUIET: Duration = Duration::from_secs(5);
/// The pauses between attempts to connect: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

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

/// Sends rings of this process until `stop`, and then the last ones.
pub(super) async fn ring_on(url: String, process: String, rings: Arc<Rings>, stop: CancellationToken) {
    let mut connection = None;
    let mut pause = PAUSES.0;
    loop {
        let goes_on = rings.gathered(&stop).await;
        for text in rings.take() {
            let text = format!("{process} {text}");
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

/// Forwards the rings of other processes to the hub, without end.
pub(super) async fn listen_on(url: String, process: String, hub: Hub, pulse: Pulse) {
    hub.bells_are_wanted().await;
    pulse.announce(BELL, Some(QUIET + ANSWERS_WITHIN));
    let mut pause = PAUSES.0;
    loop {
        if let Err(error) = listen((&url, &process), &hub, &pulse, &mut pause).await {
            pulse.end(BELL, TurnResult::Failed);
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
async fn listen(
    (url, process): (&str, &str),
    hub: &Hub,
    pulse: &Pulse,
    pause: &mut Duration,
) -> Result<(), sqlx::Error> {
    let mut listener = in_time(listener(url)).await?;
    in_time(listener.listen(CHANNEL)).await?;
    *pause = PAUSES.0;
    loop {
        hub.hears_from_now();
        // Finds what was rung before the connection existed, or while it was lost.
        if let Err(fault) = hub.poll().await {
            tracing::warn!(%fault, "event streams could not be polled; they are polled again soon");
        }
        pulse.end(BELL, TurnResult::Succeeded);
        while let Some(notification) = next(&mut listener, pulse).await? {
            pulse.end(BELL, TurnResult::Succeeded);
            forward(notification.payload(), process, hub);
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
        pulse.end(BELL, TurnResult::Succeeded);
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
