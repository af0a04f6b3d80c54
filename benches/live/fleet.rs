//! Many clients of `graphql-transport-ws`, each with one subscription, that record when messages arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt, stream};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::post::Failure;

/// The number of connections that are opened concurrently.
const AT_ONCE: usize = 64;

/// A measured server.
pub(crate) trait Target: Sync {
    fn address(&self) -> &str;
    fn credential(&self) -> &str;
    fn accounts(&self) -> &[String];
    /// Returns a subscription to an account's events; each message contains the text of `mark`.
    fn subscription(&self, account: &str) -> serde_json::Value;
    /// Posts to an account, and returns the time of the response, which is after the commit.
    fn post(&self, account: &str, mark: &str) -> impl Future<Output = Result<Instant, Failure>> + Send;
    /// Returns its resident memory in KiB, where the system reports it.
    fn resident_kib(&self) -> Option<u64>;
}

/// Open subscriptions. Dropping it closes them.
pub(crate) struct Fleet {
    arrivals: mpsc::UnboundedReceiver<(u64, Instant)>,
    received: Arc<AtomicUsize>,
    accounts: usize,
    readers: JoinSet<()>,
}

/// Measured times in milliseconds.
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) messages: usize,
}

impl Fleet {
    pub(crate) async fn open(target: &impl Target, sockets: usize, accounts: usize) -> Result<Self, Failure> {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let received = Arc::new(AtomicUsize::new(0));
        let opened = stream::iter(0..sockets)
            .map(|number| subscribe(target, &target.accounts()[number % accounts]))
            .buffer_unordered(AT_ONCE);
        let mut opened = std::pin::pin!(opened);
        let mut readers = JoinSet::new();
        while let Some(socket) = opened.next().await {
            let (mut socket, sender, received) = (socket?, sender.clone(), Arc::clone(&received));
            readers.spawn(async move {
                while let Some(Ok(message)) = socket.next().await {
                    let now = Instant::now();
                    if let Message::Text(text) = message
                        && let Some(mark) = mark_in(&text)
                    {
                        received.fetch_add(1, Ordering::Relaxed);
                        let _ = sender.send((mark, now));
                    }
                }
            });
        }
        Ok(Self {
            arrivals,
            received,
            accounts,
            readers,
        })
    }

    /// Posts to one account after the other at a steady rate, and measures when each posting arrives.
    pub(crate) async fn post(mut self, target: &impl Target, rate: u32, time: Duration) -> Result<Spread, Failure> {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        let numbers = stream::unfold(0_u64, |number| {
            let ended = begun.elapsed() >= time;
            async move { (!ended).then_some((number, number + 1)) }
        });
        let mut numbers = std::pin::pin!(numbers);
        let mut committed = Vec::new();
        let mut posting = stream::FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => match numbers.next().await {
                    Some(number) => {
                        let account = &target.accounts()[usize::try_from(number)? % self.accounts];
                        posting.push(async move {
                            target.post(account, &mark_of(number)).await.map(|at| (number, at))
                        });
                    }
                    None => break,
                },
                Some(posted) = posting.next() => committed.push(posted?),
            }
        }
        while let Some(posted) = posting.next().await {
            committed.push(posted?);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        committed.sort_unstable_by_key(|(number, _)| *number);
        let mut millis = Vec::new();
        while let Ok((mark, at)) = self.arrivals.try_recv() {
            if let Ok(found) = committed.binary_search_by_key(&mark, |(number, _)| *number) {
                // A message may arrive before the response to its posting.
                millis.push(at.saturating_duration_since(committed[found].1).as_secs_f64() * 1_000.0);
            }
        }
        millis.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| millis.get(millis.len() * percent / 100).copied().unwrap_or(f64::NAN);
        Ok(Spread {
            p50: at(50),
            p99: at(99),
            messages: millis.len(),
        })
    }

    /// Posts to one account as fast as it responds, and counts the messages per second.
    pub(crate) async fn flood(self, target: &impl Target, time: Duration) -> Result<f64, Failure> {
        let begun = Instant::now();
        let mut number = 0;
        let account = &target.accounts()[0];
        while begun.elapsed() < time {
            // The postings stay close to what subscribers have received; otherwise the postings would be measured.
            let expected = usize::try_from(number)?.saturating_sub(8) * self.readers.len();
            if self.received.load(Ordering::Relaxed) < expected {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            target.post(account, &mark_of(number)).await?;
            number += 1;
        }
        #[allow(clippy::cast_precision_loss)]
        Ok(self.received.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
    }
}

fn mark_of(number: u64) -> String {
    format!("mark-{number}.")
}

fn mark_in(text: &str) -> Option<u64> {
    text.split_once("mark-")?.1.split_once('.')?.0.parse().ok()
}

async fn subscribe(target: &impl Target, account: &str) -> Result<WebSocketStream<TcpStream>, Failure> {
    let mut request = format!("ws://{}/graphql", target.address()).into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let tcp = TcpStream::connect(target.address()).await?;
    let small = WebSocketConfig::default().read_buffer_size(2_048).write_buffer_size(0);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, tcp, Some(small)).await?;
    let init = json!({"type": "connection_init", "payload": {"authorization": target.credential()}});
    socket.send(Message::text(init.to_string())).await?;
    expect(&mut socket, "connection_ack").await?;
    let subscribe = json!({"id": "1", "type": "subscribe", "payload": target.subscription(account)});
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
