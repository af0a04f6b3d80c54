//! A subscriber.

use std::time::Duration;

use async_graphql::Variables;
use futures_util::StreamExt;
use ledgerbell::domain::Services;
use ledgerbell::domain::member::SignedIn;
use ledgerbell::graphql::{Caller, Live, LiveEnd, LiveItem, Parameters, Schema};
use serde_json::Value;

/// The time limit for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A subscription and its last cursor.
pub(crate) struct Subscriber {
    live: Live,
    services: Services,
    /// The cursor of the last message.
    pub(crate) cursor: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The payload of the only root field.
    pub(crate) event: Value,
    /// The text as it was sent.
    pub(crate) payload: std::sync::Arc<str>,
}

impl Message {
    pub(crate) fn signal(&self) -> &str {
        self.event["signal"].as_str().expect("a signal is selected")
    }
}

impl Subscriber {
    pub(super) async fn start(
        (schema, services): (&Schema, &Services),
        signed_in: SignedIn,
        document: &str,
        variables: Value,
    ) -> Result<Self, Value> {
        let parameters = Parameters {
            query: Some(document.to_owned()),
            variables: Variables::from_json(variables),
            ..Parameters::default()
        };
        let refused = |response| serde_json::to_value(&response).expect("JSON");
        let operation = schema.check(parameters).map_err(refused)?;
        let caller = Caller {
            actor: signed_in.actor,
            expires_at: signed_in.expires_at,
            language: None,
        };
        match schema.subscribe(operation, caller).await {
            Ok(live) => Ok(Self {
                live,
                services: services.clone(),
                cursor: String::new(),
            }),
            Err(response) => Err(serde_json::to_value(&response).expect("JSON")),
        }
    }

    /// Returns the next message of any signal.
    pub(crate) async fn next(&mut self) -> Message {
        match self.next_or_end().await {
            Ok(message) => message,
            Err(end) => panic!("a message, not {end:?}"),
        }
    }

    /// Returns the next message, which must have this signal.
    pub(crate) async fn expect(&mut self, signal: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message.signal(), signal, "{}", message.event);
        message.event
    }

    /// Returns the next message, or why there is none.
    pub(crate) async fn next_or_end(&mut self) -> Result<Message, LiveEnd> {
        let next = tokio::time::timeout(PATIENCE, self.live.next()).await;
        let item = next.expect("a message comes in time").expect("it has not ended before");
        item.map(|item| self.take(item))
    }

    /// Returns whether all events that have happened are delivered.
    pub(crate) async fn is_idle(&mut self) -> bool {
        let polled = self.services.events.hub().poll().await;
        polled.expect("streams are looked at");
        self.was_told_nothing().await
    }

    /// Like [`Self::is_idle`], for the events that its process was notified of.
    pub(crate) async fn was_told_nothing(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                message = self.live.next() => {
                    drop(message.expect("it has not ended"));
                    return false;
                }
                () = tokio::task::yield_now() => {
                    if self.live.is_waiting() {
                        return true;
                    }
                }
            }
        }
    }

    fn take(&mut self, item: LiveItem) -> Message {
        let body: Value = serde_json::from_str(&item.payload).expect("JSON");
        assert!(body["errors"].is_null(), "{body}");
        let fields = body["data"].as_object().expect("an object");
        let event = fields.values().next().cloned().expect("one field");
        if let Some(cursor) = event["cursor"].as_str() {
            assert_eq!(cursor, &*item.cursor);
        }
        self.cursor = item.cursor.to_string();
        Message {
            event,
            payload: item.payload,
        }
    }
}
