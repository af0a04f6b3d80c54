//! The bell of one process: rings its own hub at once, and the others by way of a bus.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::nats::Nats;
use super::rings::Rings;
use super::{nats, postgres};
use crate::domain::event::{Bell, Hub};
use crate::domain::pulse::Pulse;
use crate::primitives::ids::AccountId;

/// The time limit for sending the last rings when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Rings this process's hub at once, and through a bus the hubs of all other processes of the installation.
///
/// It connects when there is something to send, and listens while the hub has subscribers. It never fails: without a connection it
/// is silent.
#[derive(Debug)]
pub struct BusBell {
    hub: Hub,
    rings: Arc<Rings>,
    stop: CancellationToken,
    /// Ends when it is aborted.
    listening: Option<JoinHandle<()>>,
    /// Ends after it has sent the last rings.
    ringing: Mutex<Option<JoinHandle<()>>>,
}

impl BusBell {
    /// Starts the bell over LISTEN and NOTIFY of the Postgres at this URL.
    pub fn over_postgres(url: &str, hub: Hub, pulse: Pulse) -> Arc<Self> {
        let (rings, stop) = (Arc::<Rings>::default(), CancellationToken::new());
        let process = Uuid::new_v4().to_string();
        let ringing = postgres::ring_on(url.to_owned(), process.clone(), Arc::clone(&rings), stop.clone());
        let listening = postgres::listen_on(url.to_owned(), process, hub.clone(), pulse);
        Arc::new(Self {
            listening: Some(tokio::spawn(listening)),
            ringing: Mutex::new(Some(tokio::spawn(ringing))),
            hub,
            rings,
            stop,
        })
    }

    /// Starts the bell over NATS, whose one connection rings and listens.
    pub fn over_nats(nats: Nats, hub: Hub, pulse: Pulse) -> Arc<Self> {
        let (rings, stop) = (Arc::<Rings>::default(), CancellationToken::new());
        let line = nats::Line {
            nats,
            hub: hub.clone(),
            pulse,
            rings: Arc::clone(&rings),
            stop: stop.clone(),
        };
        Arc::new(Self {
            listening: None,
            ringing: Mutex::new(Some(tokio::spawn(line.run()))),
            hub,
            rings,
            stop,
        })
    }

    /// Sends the last rings, and ends.
    pub async fn close(&self) {
        self.end_listening();
        self.stop.cancel();
        let ringing = self.ringing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ringing) = ringing {
            let abort = ringing.abort_handle();
            if tokio::time::timeout(LAST_WORDS, ringing).await.is_err() {
                abort.abort();
            }
        }
    }

    fn end_listening(&self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

impl Bell for BusBell {
    fn ring(&self, account_id: AccountId, event_sequence: i64) {
        self.hub.ring(account_id, event_sequence);
        self.hub.sent(account_id, event_sequence);
        self.rings.add(account_id, event_sequence);
    }
}

impl Drop for BusBell {
    fn drop(&mut self) {
        self.end_listening();
        self.stop.cancel();
    }
}
