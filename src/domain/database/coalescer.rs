//! Look-ups that many callers make at the same time, combined into few statements.
//!
//! While one statement runs, new callers wait, and the next statement serves all of them. Nothing is kept between statements.
//! No caller gets a result from a statement that began before the call. So a result is as fresh as that of a separate
//! statement.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::domain::fault::Fault;

/// A statement that takes longer is canceled, so that it does not delay later callers.
const LOADS_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 4_000 });
/// No caller waits longer, whatever is running.
const ANSWERS_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 250 } else { 9_000 });
/// Keys in one statement, at most.
const MOST_KEYS: usize = 500;

type Found<K, V> = Result<HashMap<K, V>, Fault>;
type Load<K, V> = dyn Fn(Vec<K>) -> Pin<Box<dyn Future<Output = Found<K, V>> + Send>> + Send + Sync;

/// A look-up by key that combines concurrent calls. Clones share it.
pub(in crate::domain) struct Coalescer<K, V> {
    load: Arc<Load<K, V>>,
    queue: Arc<Mutex<Queue<K, V>>>,
}

/// The requested key, and the sender of its result.
type Caller<K, V> = (K, oneshot::Sender<Result<Option<V>, Fault>>);

/// The callers of the next statements.
struct Queue<K, V> {
    callers: Vec<Caller<K, V>>,
    /// A task is serving. It continues until no caller waits.
    is_served: bool,
}

impl<K, V> Coalescer<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Looks up by `load`, which gets each key once and leaves keys out of its result that do not exist.
    pub(in crate::domain) fn new<F>(load: impl Fn(Vec<K>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Found<K, V>> + Send + 'static,
    {
        let queue = Queue {
            callers: Vec::new(),
            is_served: false,
        };
        Self {
            load: Arc::new(move |keys| Box::pin(load(keys))),
            queue: Arc::new(Mutex::new(queue)),
        }
    }

    /// Returns the value of this key; `None` if it does not exist.
    pub(in crate::domain) async fn get(&self, key: K) -> Result<Option<V>, Fault> {
        let (answer, answered) = oneshot::channel();
        let must_serve = {
            let mut queue = lock(&self.queue);
            queue.callers.push((key, answer));
            !std::mem::replace(&mut queue.is_served, true)
        };
        if must_serve {
            // A task of its own: the caller may be dropped, and the others must still get their results.
            tokio::spawn(self.clone().serve(Span::current()));
        }
        match tokio::time::timeout(ANSWERS_WITHIN, answered).await {
            Ok(answer) => {
                answer.unwrap_or_else(|_| Err(Fault::Internal("a look-up ended before it answered".to_owned())))
            }
            Err(_) => Err(too_late()),
        }
    }

    /// Serves until no caller waits. The first statement belongs to the trace of the caller that begins it.
    async fn serve(self, mut first: Span) {
        let serving = Serving(&self.queue);
        while let Some(callers) = serving.take() {
            let keys: HashSet<K> = callers.iter().map(|(key, _)| key.clone()).collect();
            let span = std::mem::replace(&mut first, Span::none());
            let load = (self.load)(keys.into_iter().collect()).instrument(span);
            // A plain read: canceling it costs only its connection.
            let found = tokio::time::timeout(LOADS_WITHIN, load)
                .await
                .unwrap_or_else(|_| Err(too_late()));
            for (key, answer) in callers {
                let value = found.as_ref().map(|found| found.get(&key).cloned());
                // The caller may be gone. Then the result is not needed.
                let _ = answer.send(value.map_err(Clone::clone));
            }
        }
    }
}

impl<K, V> Clone for Coalescer<K, V> {
    fn clone(&self) -> Self {
        Self {
            load: Arc::clone(&self.load),
            queue: Arc::clone(&self.queue),
        }
    }
}

impl<K, V> fmt::Debug for Coalescer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalescer").finish_non_exhaustive()
    }
}

fn too_late() -> Fault {
    Fault::Unavailable("the database does not answer a look-up in time".to_owned())
}

/// Held by the one task that serves. If the task panics, waiting callers get an error, and the next caller starts
/// another one.
struct Serving<'g, K, V>(&'g Mutex<Queue<K, V>>);

impl<K, V> Serving<'_, K, V> {
    /// Returns the callers to serve next; `None`, and serving ends, when no caller waits.
    fn take(&self) -> Option<Vec<Caller<K, V>>> {
        let mut queue = lock(self.0);
        let count = queue.callers.len().min(MOST_KEYS);
        queue.is_served = count > 0;
        (count > 0).then(|| queue.callers.drain(..count).collect())
    }
}

impl<K, V> Drop for Serving<'_, K, V> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = lock(self.0);
            queue.is_served = false;
            queue.callers.clear();
        }
    }
}

fn lock<K, V>(queue: &Mutex<Queue<K, V>>) -> MutexGuard<'_, Queue<K, V>> {
    // No panic can happen in the middle of a change.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers each even number with its half, once it gets a permit.
    fn halves(statements: &Arc<AtomicUsize>, go: &Arc<Semaphore>) -> Coalescer<u32, u32> {
        let (statements, go) = (Arc::clone(statements), Arc::clone(go));
        Coalescer::new(move |keys: Vec<u32>| {
            let (statements, go) = (Arc::clone(&statements), Arc::clone(&go));
            async move {
                go.acquire().await.expect("open").forget();
                statements.fetch_add(1, Ordering::SeqCst);
                assert!(!keys.contains(&13), "thirteen is too much");
                let even = keys.into_iter().filter(|key| key % 2 == 0);
                Ok(even.map(|key| (key, key / 2)).collect())
            }
        })
    }

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_the_next_statement() {
        let (statements, go) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let coalescer = halves(&statements, &go);
        let first = tokio::spawn({
            let coalescer = coalescer.clone();
            async move { coalescer.get(2).await }
        });
        // Taken and running: it waits for a permit.
        let is_under_way = || {
            let queue = lock(&coalescer.queue);
            queue.is_served && queue.callers.is_empty()
        };
        while !is_under_way() {
            tokio::task::yield_now().await;
        }
        let others = tokio::spawn({
            let coalescer = coalescer.clone();
            async move { join_all((0..100).map(|key| coalescer.get(key % 10))).await }
        });
        while lock(&coalescer.queue).callers.len() < 100 {
            tokio::task::yield_now().await;
        }
        go.add_permits(2);
        assert_eq!(first.await.expect("ends"), Ok(Some(1)));
        for (key, found) in (0..100_u32).zip(others.await.expect("ends")) {
            let key = key % 10;
            assert_eq!(found, Ok((key % 2 == 0).then_some(key / 2)));
        }
        assert_eq!(statements.load(Ordering::SeqCst), 2);
        assert!(!lock(&coalescer.queue).is_served);
    }

    #[tokio::test]
    async fn a_look_up_that_is_not_answered_is_given_up_and_those_after_it_are_served() {
        let go = Arc::new(Semaphore::new(0));
        let coalescer = halves(&Arc::default(), &go);
        let began = tokio::time::Instant::now();
        let mute = join_all((0..1_300).map(|key| coalescer.get(key))).await;
        assert!(mute.iter().all(|answer| matches!(answer, Err(Fault::Unavailable(_)))));
        assert!(began.elapsed() < ANSWERS_WITHIN * 3, "{:?}", began.elapsed());
        go.add_permits(10);
        assert_eq!(coalescer.get(4).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn a_look_up_that_dies_is_told_and_the_next_one_works() {
        let coalescer = halves(&Arc::default(), &Arc::new(Semaphore::new(10)));
        assert!(matches!(coalescer.get(13).await, Err(Fault::Internal(_))));
        assert_eq!(coalescer.get(4).await, Ok(Some(2)));
    }
}
