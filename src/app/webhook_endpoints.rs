//! What sends messages to webhook endpoints.

use std::sync::Arc;

use uuid::Uuid;

use crate::adapters::webhook_transport::WebhookTransport;
use crate::config::{Secret, Settings};
use crate::domain::database::Database;
use crate::domain::event::Events;
use crate::domain::ledger::Ledger;
use crate::domain::ledger::credit_log::CreditLog;
use crate::domain::webhook_endpoint::model::SigningKeys;
use crate::domain::webhook_endpoint::{Collecting, Endpoints, Messages, Sending, Transport};
use crate::primitives::clock::Clock;

use super::StartError;

/// The use cases about endpoints and messages.
pub(super) struct WebhookServices {
    pub(super) endpoints: Endpoints,
    pub(super) messages: Messages,
    pub(super) collecting: Collecting,
    pub(super) sending: Sending,
}

impl WebhookServices {
    pub(super) fn new(
        settings: &Settings,
        secret: &Secret,
        ledger: &Ledger,
        (database, clock): (&Database, &Clock),
        (epoch, events): (Uuid, &Events),
    ) -> Result<Self, StartError> {
        let transport = WebhookTransport::new(&settings.webhook_endpoints);
        let transport = transport.map_err(|error| StartError::WebhookTransport(error.to_string()))?;
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let keys = SigningKeys::derive(secret.reveal().as_bytes());
        let source = || (database.clone(), clock.clone());
        let credit_log = || CreditLog::new(database.clone());
        let sending = Sending::new(source(), ledger.clone(), keys.clone(), Arc::clone(&transport));
        Ok(Self {
            endpoints: Endpoints::new(source(), ledger.clone(), keys, transport),
            messages: Messages::new(source(), events.clone(), credit_log(), sending.clone()),
            collecting: Collecting::new(source(), epoch, credit_log(), sending.clone()),
            sending,
        })
    }
}
