//! Many clients of `graphql-transport-ws`, each with one subscription, that record when messages arrive.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::http::Connection;
use crate::requests::spread;
use crate::template::{Subject, Template, mark_in};
use crate::{Failure, Target};

/// The number of connections that are opened concurrently.
const AT_ONCE: usize = 64;
/// The number of connections that post at a steady rate.
const POSTERS: usize = 64;
/// The time after the last posting for which messages are waited for.
const GRACE: Duration = Duration::from_secs(10);
/// The number of postings that sockets may be behind in a flood; otherwise postings would be measured.
const AHEAD: usize = 8;

/// Open subscriptions. Dropping it closes them.
pub(crate) struct Fleet {
    target: &'static Target,
    readers: JoinSet<()>,
    subjects: usize,
    received: Arc<AtomicUsize>,
    /// Whether the times of messages are recorded, which costs.
    records: Arc<AtomicBool>,
    sender: mpsc::UnboundedSender<(u64, Instant)>,
    arrivals: mpsc::UnboundedReceiver<(u64, Instant)>,
}

/// A posting: when it should have been sent, and when its response came, which is after its commit.
struct Posted {
    mark: u64,
    due: Instant,
    committed: Instant,
}

impl Fleet {
    pub(crate) fn new(target: &'static Target) -> Self {
        let (sender, arrivals) = mpsc::unbounded_channel();
        Self {
            target,
            readers: JoinSet::new(),
            subjects: 1,
            received: Arc::default(),
            records: Arc::default(),
            sender,
            arrivals,
        }
    }

    pub(crate) async fn open(&mut self, sockets: usize, subjects: usize, query: &Template) -> Result<Value, Failure> {
        self.subjects = subjects;
        let (target, before) = (self.target, self.readers.len());
        let opened = stream::iter(before..before + sockets)
            .map(|number| subscribe(target, &target.subjects[number % subjects], query))
            .buffer_unordered(AT_ONCE);
        let mut opened = std::pin::pin!(opened);
        while let Some(socket) = opened.next().await {
            let (mut socket, sender) = (socket?, self.sender.clone());
            let (received, records) = (Arc::clone(&self.received), Arc::clone(&self.records));
            self.readers.spawn(async move {
                while let Some(Ok(message)) = socket.next().await {
                    if let Message::Text(text) = message
                        && let Some(mark) = mark_in(&text)
                    {
                        received.fetch_add(1, Ordering::Relaxed);
                        if records.load(Ordering::Relaxed) {
                            // The fleet has ended if this fails.
                            let _ = sender.send((mark, Instant::now()));
                        }
                    }
                }
            });
        }
        Ok(json!({"sockets": self.readers.len()}))
    }

    /// Posts to one subject after another, and measures when each message arrives. Postings begin at their time, whether or not others
    /// have ended.
    pub(crate) async fn steady(&mut self, rate: u32, seconds: f64, bodies: Vec<Template>) -> Result<Value, Failure> {
        self.forget(true);
        let (work, jobs) = mpsc::unbounded_channel();
        let (jobs, bodies) = (Arc::new(Mutex::new(jobs)), Arc::new(bodies));
        let mut posters = JoinSet::new();
        for _ in 0..POSTERS {
            let connection = Connection::open(self.target).await?;
            posters.spawn(post(
                self.target,
                self.subjects,
                connection,
                Arc::clone(&jobs),
                Arc::clone(&bodies),
            ));
        }
        let (begun, time) = (Instant::now(), Duration::from_secs_f64(seconds));
        let mut ticks = interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for mark in 0.. {
            let due = ticks.tick().await.into_std();
            if begun.elapsed() >= time {
                break;
            }
            work.send((mark, due))?;
        }
        drop(work);
        let mut posted = HashMap::new();
        while let Some(poster) = posters.join_next().await {
            posted.extend(poster??.into_iter().map(|posted| (posted.mark, posted)));
        }
        let took = begun.elapsed().as_secs_f64();
        let expected: usize = posted.keys().map(|mark| self.followers(*mark)).sum();
        let ended = Instant::now();
        while self.arrivals.len() < expected && ended.elapsed() < GRACE {
            sleep(Duration::from_millis(20)).await;
        }
        let (mut from_commit, mut from_due) = (Vec::new(), Vec::new());
        while let Ok((mark, at)) = self.arrivals.try_recv() {
            if let Some(posted) = posted.get(&mark) {
                let millis = |from| at.saturating_duration_since(from).as_secs_f64() * 1_000.0;
                // A message may arrive before the response to its posting.
                from_commit.push(millis(posted.committed));
                from_due.push(millis(posted.due));
            }
        }
        let [p50, p99] = spread(&mut from_commit);
        let [due_p50, due_p99] = spread(&mut from_due);
        Ok(json!({
            "postings": posted.len(), "seconds": took, "messages": from_commit.len(), "missing": expected.saturating_sub(from_commit.len()),
            "p50": p50, "p99": p99, "fromRequestP50": due_p50, "fromRequestP99": due_p99,
        }))
    }

    /// Posts to the first subject, which all sockets follow, and counts messages.
    pub(crate) async fn flood(&mut self, seconds: f64, body: &Template) -> Result<Value, Failure> {
        self.forget(false);
        let mut connection = Connection::open(self.target).await?;
        let (begun, time) = (Instant::now(), Duration::from_secs_f64(seconds));
        let mut number = 0;
        while begun.elapsed() < time {
            let expected = number_of(number).saturating_sub(AHEAD) * self.readers.len();
            if self.received.load(Ordering::Relaxed) < expected {
                sleep(Duration::from_millis(1)).await;
                continue;
            }
            let text = body.fill(&self.target.subjects[0], number);
            connection.accepted(&text, &self.target.accepted).await?;
            number += 1;
        }
        let messages = self.received.load(Ordering::Relaxed);
        Ok(json!({"postings": number, "messages": messages, "seconds": begun.elapsed().as_secs_f64()}))
    }

    /// Returns the number of sockets that follow the subject of a posting.
    fn followers(&self, mark: u64) -> usize {
        let first = number_of(mark) % self.subjects;
        self.readers.len().saturating_sub(first).div_ceil(self.subjects)
    }

    /// Forgets what was received before.
    fn forget(&mut self, records: bool) {
        self.records.store(records, Ordering::Relaxed);
        while self.arrivals.try_recv().is_ok() {}
        self.received.store(0, Ordering::Relaxed);
    }
}

type Jobs = Arc<Mutex<mpsc::UnboundedReceiver<(u64, Instant)>>>;

/// Takes postings until there are no more.
async fn post(
    target: &'static Target,
    subjects: usize,
    mut connection: Connection,
    jobs: Jobs,
    bodies: Arc<Vec<Template>>,
) -> Result<Vec<Posted>, Failure> {
    let mut done = Vec::new();
    loop {
        let job = jobs.lock().await.recv().await;
        let Some((mark, due)) = job else {
            return Ok(done);
        };
        let subject = &target.subjects[number_of(mark) % subjects];
        for body in bodies.iter() {
            connection.accepted(&body.fill(subject, mark), &target.accepted).await?;
        }
        done.push(Posted {
            mark,
            due,
            committed: Instant::now(),
        });
    }
}

async fn subscribe(
    target: &Target,
    subject: &Subject,
    query: &Template,
) -> Result<WebSocketStream<TcpStream>, Failure> {
    let mut request = format!("ws://{}/graphql", target.address).into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let tcp = TcpStream::connect(&target.address).await?;
    let small = WebSocketConfig::default().read_buffer_size(2_048).write_buffer_size(0);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, tcp, Some(small)).await?;
    let init = json!({"type": "connection_init", "payload": {"authorization": target.authorization}});
    socket.send(Message::text(init.to_string())).await?;
    expect(&mut socket, "connection_ack").await?;
    let payload: Value = serde_json::from_str(&query.fill(subject, 0))?;
    let subscribe = json!({"id": "1", "type": "subscribe", "payload": payload});
    socket.send(Message::text(subscribe.to_string())).await?;
    // The first message says that live events follow.
    expect(&mut socket, "next").await?;
    Ok(socket)
}

async fn expect(socket: &mut WebSocketStream<TcpStream>, kind: &str) -> Result<(), Failure> {
    let message = socket.next().await.ok_or("the server hung up")??;
    let text = message.to_text()?;
    if !text.contains(&format!("\"type\":\"{kind}\"")) {
        return Err(format!("{kind} was expected, not {text} {message:?}").into());
    }
    Ok(())
}

fn number_of(mark: u64) -> usize {
    usize::try_from(mark).unwrap_or(usize::MAX)
}
