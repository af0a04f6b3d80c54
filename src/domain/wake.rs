//! Wakes the workers of this process when there may be work for them.
//!
//! Called by whatever makes work: each commit of the database, each bell of another process, and the demo's clock when it is moved. A
//! worker that is woken looks into the database; nothing is decided by a wake. One that is lost costs seconds, because workers look
//! without one too.

use std::sync::Arc;

use tokio::sync::watch;

/// Wakes workers. Clones wake the same ones.
#[derive(Clone, Debug)]
pub struct Wake(Arc<watch::Sender<()>>);

/// Receives the wakes of one worker.
#[derive(Debug)]
pub struct Wakes(watch::Receiver<()>);

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Wake {
    /// Wakes all workers. Those that are busy look once more afterwards.
    pub fn wake(&self) {
        self.0.send_replace(());
    }

    /// Receives wakes from now on.
    pub fn wakes(&self) -> Wakes {
        Wakes(self.0.subscribe())
    }
}

impl Wakes {
    /// Waits for a wake since the last call. Several of them count as one.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nothing can wake this process's workers any more.
            std::future::pending::<()>().await;
        }
    }
}
