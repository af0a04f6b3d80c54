//! Records of what has already happened outside of the database.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::domain::fault::Fault;

/// The pause between two attempts to record something.
const PAUSE: Duration = Duration::from_secs(1);

/// Records that something has happened outside of the database, such as a mail that was sent: it would happen again if its record were
/// lost. So while the database cannot be reached or is too busy, it is recorded again, until `limit` has passed. `record` must be safe
/// to run twice.
pub(in crate::domain) async fn record_within<F>(
    limit: Duration,
    what: &str,
    record: impl Fn() -> F,
) -> Result<(), Fault>
where
    F: Future<Output = Result<(), Fault>>,
{
    let end = Instant::now() + limit;
    loop {
        match record().await {
            Err(fault) if fault.passes() && Instant::now() + PAUSE < end => {
                tracing::warn!(%fault, "{what} could not be recorded yet; it is recorded again in a moment");
                sleep(PAUSE).await;
            }
            recorded => return recorded,
        }
    }
}
