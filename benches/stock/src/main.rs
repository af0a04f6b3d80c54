//! The comparison for live messages: the subscriptions of async-graphql-axum without changes, and one channel in memory for each
//! account. It stores nothing and checks no rights. POST publishes: `variables.i` has the account and the description.

#![allow(clippy::print_stdout, reason = "the script reads the address from there")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, EmptyMutation, ID, Object, Schema, SimpleObject, Subscription};
use async_graphql_axum::GraphQLSubscription;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// The number of events that a subscriber may be behind.
const BEHIND: usize = 16;

/// One channel for each account.
#[derive(Clone, Default)]
struct Channels(Arc<Mutex<HashMap<String, broadcast::Sender<Event>>>>);

impl Channels {
    fn of(&self, account: &str) -> broadcast::Sender<Event> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(account.to_owned());
        channel.or_insert_with(|| broadcast::channel(BEHIND).0).clone()
    }
}

#[derive(Clone, SimpleObject)]
struct Event {
    cursor: String,
    signal: &'static str,
    entry: Option<Entry>,
}

#[derive(Clone, SimpleObject)]
struct Entry {
    sequence: String,
    amount: String,
    description: String,
}

struct Queries;

#[Object]
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
impl Queries {
    async fn ok(&self) -> bool {
        true
    }
}

struct Subscriptions;

#[Subscription]
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
impl Subscriptions {
    async fn credit_entry_posted(
        &self,
        ctx: &Context<'_>,
        account_id: ID,
    ) -> async_graphql::Result<impl Stream<Item = Event> + use<>> {
        let events = ctx.data::<Channels>()?.of(&account_id).subscribe();
        let first = Event {
            cursor: "0".to_owned(),
            signal: "CAUGHT_UP",
            entry: None,
        };
        let events = stream::unfold(events, async |mut events| Some((events.recv().await.ok()?, events)));
        Ok(stream::iter([first]).chain(events))
    }
}

async fn publish(State(channels): State<Channels>, Json(request): Json<Value>) -> Json<Value> {
    let text = |name: &str| request["variables"]["i"][name].as_str().unwrap_or_default().to_owned();
    let entry = Entry {
        sequence: "1".to_owned(),
        amount: "1".to_owned(),
        description: text("description"),
    };
    let event = Event {
        cursor: "1".to_owned(),
        signal: "ITEM",
        entry: Some(entry),
    };
    // An account without subscribers.
    let _ = channels.of(&text("accountId")).send(event);
    Json(json!({"data": {"adjustCredits": {"userErrors": []}}}))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let channels = Channels::default();
    let schema = Schema::build(Queries, EmptyMutation, Subscriptions)
        .data(channels.clone())
        .finish();
    let app = Router::new()
        .route("/graphql", post(publish).get_service(GraphQLSubscription::new(schema)))
        .with_state(channels);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", json!({"url": format!("http://{}", listener.local_addr()?)}));
    axum::serve(listener, app).await?;
    Ok(())
}
