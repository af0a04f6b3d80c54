//! Alerts about webhook endpoints that failures have disabled. An alert is open until its endpoint is enabled or deleted.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::webhook_endpoint;

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
    let wanted = broken.into_iter().map(|endpoint| {
        // An endpoint that is enabled and fails again is another one.
        let (id, at) = (endpoint.id.uuid(), endpoint.disabled_at.millis());
        let key = format!("{}:{id}:{at}", kind.as_str());
        NewAlert {
            facts: Facts {
                name: Some(host_of(&endpoint.url).to_owned()),
                title: Some(endpoint.description).filter(|note| !note.is_empty()),
                code: Some(endpoint.disabled_because.as_str().to_owned()),
                ..Facts::default()
            },
            ..NewAlert::new(kind, key, locked.now)
        }
    });
    let wanted: Vec<NewAlert> = wanted.collect();
    stand(tx, locked, (kind, &wanted), standing).await
}

/// Returns the host of a URL. Its path and query may be secret, and alerts are sent by mail.
fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
