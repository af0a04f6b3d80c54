//! Runs the loads of a request as parts of the request.
//!
//! The library gives each load to a spawner, and lets it wait for a timer while other fields add their keys. Here a load begins when the
//! fields of the request wait: all fields of the same depth have added their keys by then. So no load waits for a timer or for
//! another thread, what is read together does not depend on time, and a request that is dropped ends its loads.

use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_graphql::runtime::Timer;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::{AtomicWaker, FutureObj, Spawn, SpawnError};

/// The loads of one request that have not begun.
#[derive(Clone, Default)]
pub(super) struct Loads(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Loads {
    /// Runs `work` and the loads that it starts. A load that is started outside never ends.
    pub(super) async fn run<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let mut begun = FuturesUnordered::new();
        poll_fn(|context| {
            signal.task.register(context.waker());
            loop {
                if signal.taken() {
                    if let Poll::Ready(output) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Poll::Ready(output);
                    }
                    if signal.has_come() {
                        // It has only paused, so more keys may come.
                        return Poll::Pending;
                    }
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

/// Remembers that the work was woken, and wakes its task. New work counts as woken.
struct Signal {
    has_come: AtomicBool,
    task: AtomicWaker,
}

impl Default for Signal {
    fn default() -> Self {
        Self {
            has_come: AtomicBool::new(true),
            task: AtomicWaker::new(),
        }
    }
}

impl Signal {
    fn has_come(&self) -> bool {
        self.has_come.load(Ordering::Acquire)
    }

    fn taken(&self) -> bool {
        self.has_come.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_come.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// The timer of loads, which do not wait.
pub(super) struct NoDelay;

impl Timer for NoDelay {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}
