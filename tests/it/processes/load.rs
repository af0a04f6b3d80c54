//! Clients of a cluster: they book and complete sessions, buy credits and follow the credit log, by way of either server.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledgerbell::primitives::clock::Clock;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::cluster::Cluster;
use crate::harness::{Client, Frame, Socket};

const WRITERS: usize = 3;
const BUYERS: usize = 2;
/// What each buyer buys at most: each top-up is a lot, and the number of lots of an account has a bound.
const MOST_BOUGHT: usize = 400;
/// How long a client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Longer than any fault lasts, and than a charge of a killed worker is left to it.
const RECOVERS_WITHIN: Duration = Duration::from_mins(2);
const POSTED: &str = "subscription($id: ID!, $after: LiveCursor) { creditEntryPosted(accountId: $id, after: $after) \
    { cursor signal entry { sequence } } }";

/// What all clients share.
pub(super) struct Load {
    bases: [String; 2],
    key: String,
    pub(super) account: String,
    member: String,
    is_over: AtomicBool,
    turns: AtomicUsize,
    /// Requests that were sent again, because they had no answer in time or a fault.
    pub(super) repeated: AtomicUsize,
    /// Those of them that were answered by a fault.
    pub(super) faults: Mutex<Vec<Value>>,
    completed: Mutex<HashSet<String>>,
    bought: AtomicUsize,
    /// The last entry of the account, when nothing more is posted.
    last: tokio::sync::watch::Sender<Option<i64>>,
}

/// What the clients have seen when they end.
pub(super) struct Seen {
    /// The sessions whose completion was acknowledged.
    pub(super) completed: HashSet<String>,
    /// The number of top-ups that were reported as paid.
    pub(super) bought: usize,
}

impl Load {
    /// Creates an account with a member, credits and a card.
    pub(super) async fn prepare(cluster: &Cluster) -> Arc<Self> {
        let client = Client::new(&cluster.roles[0].base(), Some(cluster.key.clone()));
        let new = json!({ "name": "Team", "externalId": "team", "creditPrice": "0.5", "currency": "EUR",
            "owner": { "name": "Olga", "externalId": "olga" } });
        let fields = "account { id members(first: 1) { nodes { id } } }";
        let made = client.apply("createAccount", fields, new).await;
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let account = text(&made["account"]["id"]);
        let grant =
            json!({ "accountId": account, "credits": "1000000", "description": "x", "idempotencyKey": "grant" });
        client.apply("grantCredits", "entry { id }", grant).await;
        let card = json!({ "accountId": account, "gatewayToken": "card_ok" });
        client.apply("addPaymentMethod", "paymentMethod { id }", card).await;
        Arc::new(Self {
            bases: [cluster.roles[0].base(), cluster.roles[1].base()],
            key: cluster.key.clone(),
            member: text(&made["account"]["members"]["nodes"][0]["id"]),
            account,
            is_over: AtomicBool::new(false),
            turns: AtomicUsize::new(0),
            repeated: AtomicUsize::new(0),
            faults: Mutex::default(),
            completed: Mutex::default(),
            bought: AtomicUsize::new(0),
            last: tokio::sync::watch::Sender::new(None),
        })
    }

    pub(super) fn start(self: &Arc<Self>) -> Clients {
        let (mut posting, mut following) = (JoinSet::new(), JoinSet::new());
        for number in 0..WRITERS {
            let load = Arc::clone(self);
            posting.spawn(async move { load.write(number).await });
        }
        for number in 0..BUYERS {
            let load = Arc::clone(self);
            posting.spawn(async move { load.buy(number).await });
        }
        for server in 0..self.bases.len() {
            let load = Arc::clone(self);
            following.spawn(async move { load.follow(server).await });
        }
        Clients { posting, following }
    }

    /// Sends an operation until it is answered, to the servers in turn. Returns its only field.
    async fn send(&self, query: &str, variables: &Value) -> Value {
        let begun = Instant::now();
        loop {
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            match self.try_send(turn % 2, query, variables, PATIENCE).await {
                Some(answer) => return answer,
                None => _ = self.repeated.fetch_add(1, Ordering::Relaxed),
            }
            assert!(begun.elapsed() < RECOVERS_WITHIN, "it is answered: {query} {variables}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_send(&self, server: usize, query: &str, variables: &Value, patience: Duration) -> Option<Value> {
        let client = Client::new(&self.bases[server], Some(self.key.clone()));
        let body = json!({ "query": query, "variables": variables });
        let sent = client
            .post("/graphql")
            .json(&body)
            .timeout(patience)
            .send()
            .await
            .ok()?;
        let answer: Value = sent.json().await.ok()?;
        let field = answer["data"].as_object().and_then(|data| data.values().next());
        let Some(field) = field.filter(|field| !field.is_null()) else {
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
            return None;
        };
        let errors = &field["userErrors"];
        assert!(
            errors.is_null() || *errors == json!([]),
            "{query} {variables}: {answer}"
        );
        Some(field.clone())
    }

    async fn mutate(&self, name: &str, fields: &str, input: Value) -> Value {
        self.send(&mutation(name, fields), &json!({ "input": input })).await
    }

    /// Books and completes a session. Each has its own alert.
    pub(super) async fn charge(&self, name: &str) {
        self.mutate("bookSession", "session { id }", self.booking(name)).await;
        let complete =
            json!({ "accountId": self.account, "externalId": name, "idempotencyKey": format!("complete {name}") });
        self.mutate("completeSession", "session { id }", complete).await;
        let mut completed = self.completed.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(completed.insert(name.to_owned()));
    }

    fn booking(&self, name: &str) -> Value {
        let now = Clock::system().now();
        let at = |minutes: i64| now.plus_millis(minutes * 60_000).to_string();
        // The same input each time that it is sent: it is bound to the key.
        json!({ "accountId": self.account, "memberId": self.member, "externalId": name, "title": "Yoga", "credits": "1",
            "startsAt": at(60), "endsAt": at(120), "idempotencyKey": format!("book {name}") })
    }

    /// Posts at one server until it is acknowledged there.
    pub(super) async fn until_posted_at(&self, server: usize, key: &str) {
        let input =
            json!({ "accountId": self.account, "amount": "0.5", "description": "Probe", "idempotencyKey": key });
        let query = mutation("adjustCredits", "entry { id }");
        let begun = Instant::now();
        while self
            .try_send(server, &query, &json!({ "input": input }), PATIENCE)
            .await
            .is_none()
        {
            assert!(begun.elapsed() < RECOVERS_WITHIN, "{key} is posted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn write(&self, number: usize) {
        for count in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            self.charge(&format!("session {number} {count}")).await;
        }
    }

    async fn buy(&self, number: usize) {
        for count in 0..MOST_BOUGHT {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let input = json!({ "accountId": self.account, "credits": "20", "idempotencyKey": format!("buy {number} {count}") });
            let made = self.mutate("createTopUp", "topUp { id }", input).await;
            let query = "query($id: ID!) { node(id: $id) { ... on TopUp { status failure { code } } } }";
            let begun = Instant::now();
            loop {
                let top_up = self.send(query, &json!({ "id": made["topUp"]["id"] })).await;
                if top_up["status"] == "SUCCEEDED" {
                    break;
                }
                assert!(top_up["failure"].is_null(), "{top_up}");
                assert!(begun.elapsed() < RECOVERS_WITHIN, "it is paid: {top_up}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            self.bought.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Follows the credit log at one server until its last entry. Each entry comes once, and none is left out.
    async fn follow(&self, server: usize) {
        let (mut seen, mut after) = (None::<i64>, Value::Null);
        let last = self.last.subscribe();
        let is_done = |seen: Option<i64>| last.borrow().is_some_and(|last| seen.is_some_and(|seen| seen >= last));
        while !is_done(seen) {
            let ready = Socket::try_ready(&self.bases[server], &self.key);
            let Ok(Some(mut socket)) = tokio::time::timeout(PATIENCE, ready).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let variables = json!({ "id": self.account, "after": after });
            socket.subscribe("s", POSTED, variables).await;
            while !is_done(seen) {
                let message = match tokio::time::timeout(Duration::from_millis(200), socket.frame()).await {
                    Err(_) | Ok(Frame::Ping) => continue,
                    Ok(Frame::Message(message)) => message,
                    Ok(Frame::Close(..)) => break,
                };
                if message["type"] != "next" || message["payload"]["data"].is_null() {
                    break;
                }
                let event = &message["payload"]["data"]["creditEntryPosted"];
                assert_ne!(event["signal"], "RESET", "nothing was lost");
                if !event["cursor"].is_null() {
                    after = event["cursor"].clone();
                }
                if let Some(sequence) = event["entry"]["sequence"].as_str() {
                    let sequence: i64 = sequence.parse().expect("a number");
                    assert!(
                        seen.is_none_or(|seen| sequence == seen + 1),
                        "{sequence} follows {seen:?}"
                    );
                    seen = Some(sequence);
                }
            }
        }
    }
}

fn mutation(name: &str, fields: &str) -> String {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {fields} userErrors {{ code message }} }} }}")
}

/// The running clients.
pub(super) struct Clients {
    posting: JoinSet<()>,
    following: JoinSet<()>,
}

impl Clients {
    /// Fails if one of them has failed.
    pub(super) fn check(&mut self) {
        for clients in [&mut self.posting, &mut self.following] {
            while let Some(ended) = clients.try_join_next() {
                ended.expect("a client");
            }
        }
    }

    /// Lets each finish what it has begun, and the follower see the last entry.
    pub(super) async fn finish(mut self, load: &Load, cluster: &Cluster) -> Seen {
        load.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.posting.join_next().await {
            ended.expect("a client");
        }
        let last = cluster
            .try_count("SELECT MAX(sequence) AS count FROM credit_entry")
            .await;
        load.last.send_replace(Some(last.expect("the database answers")));
        let following = async {
            while let Some(ended) = self.following.join_next().await {
                ended.expect("a follower");
            }
        };
        let followed = tokio::time::timeout(RECOVERS_WITHIN, following).await;
        followed.expect("the last entry is seen");
        Seen {
            completed: load.completed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bought: load.bought.load(Ordering::SeqCst),
        }
    }
}
