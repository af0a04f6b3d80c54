//! A second process on the database of a test's server.

use ledgerbell::app::App;
use ledgerbell::domain::Services;
use ledgerbell::graphql::Schema;
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
