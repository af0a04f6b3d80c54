//! Records of what has already happened outside of the database.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

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
        // A transaction ends also where its result is not awaited any more.
        let recorded = timeout_at(end, record()).await;
        let recorded = recorded.unwrap_or_else(|_| Err(Fault::Unavailable("the record took too long".to_owned())));
        match recorded {
            Err(fault) if fault.passes() && Instant::now() + PAUSE < end => {
                tracing::warn!(%fault, "{what} could not be recorded yet; it is recorded again in a moment");
                sleep(PAUSE).await;
            }
            recorded => return recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn unavailable() -> Result<(), Fault> {
        Err(Fault::Unavailable("it is locked".to_owned()))
    }

    #[tokio::test]
    async fn it_is_recorded_again_while_the_database_fails_but_no_bug_is() {
        let runs = AtomicUsize::new(0);
        let record = |results: &'static [fn() -> Result<(), Fault>]| {
            runs.store(0, Ordering::Relaxed);
            record_within(Duration::from_mins(1), "a mail", || {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                std::future::ready(results[run]())
            })
        };
        assert_eq!(record(&[unavailable, || Ok(())]).await, Ok(()));
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        let ended = record(&[|| Err(Fault::Internal("a bug".to_owned()))]).await;
        assert!(matches!(ended, Err(Fault::Internal(_))), "{ended:?}");
    }

    #[tokio::test]
    async fn no_record_outlasts_the_limit() {
        let limit = Duration::from_millis(50);
        let ended = record_within(limit, "a mail", std::future::pending).await;
        assert!(matches!(ended, Err(Fault::Unavailable(_))), "{ended:?}");
        let ended = record_within(limit, "a mail", || std::future::ready(unavailable())).await;
        assert_eq!(ended, unavailable());
    }
}
