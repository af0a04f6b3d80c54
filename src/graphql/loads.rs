//! Runs the loads of a request as parts of the request.
//!
//! The library gives each load to a spawner, and lets it wait for a timer while other fields add their keys. Here a load begins when the
//! fields of the request wait: all fields of the same depth have added their keys by then. So no load waits for a timer or for
//! another thread, what is read together does not depend on time, and a request that is dropped ends its loads.

use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::runtime::Timer;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use futures_util::task::{FutureObj, Spawn, SpawnError};

/// The loads of one request that have not begun.
#[derive(Clone, Default)]
pub(super) struct Loads(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Loads {
    /// Runs `work` and the loads that it starts. A load that is started outside never ends.
    pub(super) async fn run<F: Future>(&self, work: F) -> F::Output {
        // A set polls its members only after they were woken.
        let mut work = pin!(FuturesUnordered::from_iter([work]));
        let mut begun = FuturesUnordered::new();
        poll_fn(|context| {
            loop {
                if let Poll::Ready(Some(output)) = work.as_mut().poll_next(context) {
                    return Poll::Ready(output);
                }
                begun.extend(self.take());
                let mut has_ended = false;
                while let Poll::Ready(Some(())) = begun.poll_next_unpin(context) {
                    has_ended = true;
                }
                if !has_ended {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn take(&self) -> Vec<FutureObj<'static, ()>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Spawn for Loads {
    fn spawn_obj(&self, load: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(load);
        Ok(())
    }
}

/// The timer of loads, which do not wait.
pub(super) struct NoDelay;

impl Timer for NoDelay {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}
