//! Stores when API keys were last used: once a minute for all keys, instead of with every request.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::member::ApiKeys;

const INTERVAL: Duration = Duration::from_mins(1);

/// Stores the last use of keys, which the process keeps in memory.
#[derive(Clone)]
pub struct KeyUse {
    api_keys: ApiKeys,
}

impl KeyUse {
    /// Creates the worker for the keys that sign in to this process.
    pub fn new(api_keys: ApiKeys) -> Self {
        Self { api_keys }
    }

    /// Stores once a minute until `stop` is canceled. The rest is stored when the application closes.
    pub async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            if let Err(fault) = super::turn(self.api_keys.flush_last_used()).await {
                tracing::warn!(%fault, "the last use of API keys was not stored; it is stored in the next run");
            }
            if let Err(fault) = self.api_keys.announce_revocations().await {
                tracing::warn!(%fault, "revoked API keys were not announced; they are announced later");
            }
        }
    }
}
