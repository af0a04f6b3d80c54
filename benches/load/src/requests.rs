//! Clients that send the next request after the last response.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::Connection;
use crate::template::Template;
use crate::{Failure, Target};

pub(crate) async fn send(
    target: &'static Target,
    clients: usize,
    seconds: f64,
    subjects: usize,
    body: Template,
) -> Result<Value, Failure> {
    let time = Duration::from_secs_f64(seconds);
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let body = body.clone();
        let mut connection = Connection::open(target).await?;
        tasks.push(tokio::spawn(async move {
            let mut millis = Vec::new();
            let mut number = client;
            while begun.elapsed() < time {
                let sent = Instant::now();
                // A prime, so that neighbors do not follow each other.
                let subject = &target.subjects[number * 7_919 % subjects];
                connection.accepted(&body.fill(subject, 0), &target.accepted).await?;
                millis.push(sent.elapsed().as_secs_f64() * 1_000.0);
                number += clients;
            }
            Ok::<_, Failure>(millis)
        }));
    }
    let mut millis = Vec::new();
    for task in tasks {
        millis.extend(task.await??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let done = millis.len();
    let [p50, p99] = spread(&mut millis);
    Ok(json!({"done": done, "seconds": seconds, "p50": p50, "p99": p99}))
}

/// Returns the median, and the time below which 99 of 100 are.
pub(crate) fn spread(millis: &mut [f64]) -> [f64; 2] {
    millis.sort_unstable_by(f64::total_cmp);
    [50, 99].map(|percent| millis.get(millis.len() * percent / 100).copied().unwrap_or(f64::NAN))
}
