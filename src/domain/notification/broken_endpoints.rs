//! Alerts about webhook endpoints that failures have disabled. An alert is open until its endpoint is enabled or deleted.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::webhook_endpoint;
use crate::domain::webhook_endpoint::model::WebhookEndpoint;

use super::model::{AlertKind, Facts};
use super::new_alerts::NewAlert;
use super::reminders::stand;
use super::store::StandingAlert;

/// Compares the endpoints of an account with the open alerts about them.
pub(super) async fn look(
    tx: &Transaction,
    locked: &mut LockedAccount,
    standing: &[StandingAlert],
) -> Result<(), Fault> {
    let kind = AlertKind::WebhookEndpointDisabled;
    let broken = webhook_endpoint::broken_of(tx, locked.header.account_id).await?;
    let wanted = broken.iter().filter_map(|endpoint| {
        let (at, because) = endpoint.broken()?;
        // An endpoint that is enabled and fails again is another one.
        let key = format!("{}:{}:{}", kind.as_str(), endpoint.id.uuid(), at.millis());
        Some(NewAlert {
            facts: Facts {
                title: Some(endpoint.description.clone()).filter(|note| !note.is_empty()),
                code: Some(because.as_str().to_owned()),
                name: Some(host_of(endpoint).to_owned()),
                ..Facts::default()
            },
            ..NewAlert::new(kind, key, locked.now)
        })
    });
    let wanted: Vec<NewAlert> = wanted.collect();
    stand(tx, locked, (kind, &wanted), standing).await
}

/// Returns the host of the URL. Its path and query may be secret, and alerts are sent by mail.
fn host_of(endpoint: &WebhookEndpoint) -> &str {
    let authority = endpoint.url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
