//! A second process on the database of a test's server.

use async_graphql::Response;
use ledgerbell::app::App;
use ledgerbell::domain::Services;
use ledgerbell::graphql::{Caller, Parameters, Schema};
use ledgerbell::primitives::actor::Actor;
use serde_json::Value;

use super::{Client, Subscriber};

/// An application without an HTTP server, on the database of a test's server. End it with [`Self::close`].
pub(crate) struct AnotherProcess {
    pub(super) app: App,
    pub(super) schema: Schema,
}

impl AnotherProcess {
    pub(crate) fn services(&self) -> &Services {
        self.app.services()
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Like [`super::TestApp::answer_as`].
    pub(crate) async fn answer_as(&self, actor: Actor, query: &str) -> Value {
        as_json(&response_of(&self.schema, actor, query).await)
    }

    /// Like [`super::TestApp::subscribe`].
    pub(crate) async fn subscribe(&self, client: &Client, document: &str, variables: Value) -> Subscriber {
        let subscribed = Box::pin(subscribe(&self.app, &self.schema, client, document, variables)).await;
        subscribed.unwrap_or_else(|refused| panic!("subscribed to, not {refused}"))
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn close(self) {
        self.app.close().await.expect("the application closes");
    }
}

/// See [`super::TestApp::try_subscribe`].
pub(super) async fn subscribe(
    app: &App,
    schema: &Schema,
    client: &Client,
    document: &str,
    variables: Value,
) -> Result<Subscriber, Value> {
    let credential = client.credential().expect("signed in");
    let signed_in = app.services().sign_in.authenticate(credential).await;
    Subscriber::start(
        (schema, app.services()),
        signed_in.expect("signs in"),
        document,
        variables,
    )
    .await
}

/// Returns the response of a schema to a query of this caller.
pub(super) async fn response_of(schema: &Schema, actor: Actor, query: &str) -> Response {
    let parameters = Parameters {
        query: Some(query.to_owned()),
        ..Parameters::default()
    };
    match schema.check(parameters) {
        Ok(operation) => {
            let caller = Caller {
                actor,
                expires_at: None,
                language: None,
            };
            schema.execute(operation, Some(caller)).await
        }
        Err(refused) => *refused,
    }
}

pub(super) fn as_json(response: &Response) -> Value {
    let json = ledgerbell::graphql::to_json(response).expect("JSON");
    serde_json::from_str(&json).expect("JSON")
}
