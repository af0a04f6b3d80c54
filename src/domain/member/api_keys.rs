//! Keys with which integrations sign in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::database::Database;
use crate::domain::database::coalescer::Coalescer;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::Ledger;
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, ApiKeyId};

use super::error::{Rejection, SignInError};
use super::model::{ApiKey, ApiKeyName};
use super::sign_in::SignedIn;
use super::store;
use super::token::KeyText;

/// A new key.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// The stored part of the key.
    pub api_key: ApiKey,
    /// The full text of the key. It cannot be shown a second time.
    pub secret: String,
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSecret")
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}

/// Use cases about API keys. `api_key_life` has how they are created and how they end.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    pub(super) clock: Clock,
    pub(super) database: Database,
    pub(super) ledger: Ledger,
    /// Keys and their stored hashes, by prefix. An integration signs in with each of its requests, and many do so at
    /// once.
    by_prefix: Coalescer<String, (ApiKey, Vec<u8>)>,
    /// Which keys signed in since the last flush, and when. Written once a minute instead of with each request.
    used: Arc<Mutex<HashMap<(AccountId, ApiKeyId), Timestamp>>>,
}

impl ApiKeys {
    /// Uses the keys of this database.
    pub fn new(clock: Clock, database: Database, ledger: Ledger) -> Self {
        let by_prefix = Coalescer::new({
            let database = database.clone();
            move |prefixes: Vec<String>| {
                let database = database.clone();
                async move { store::api_keys_by_prefix(database.read(), &prefixes).await }
            }
        });
        Self {
            clock,
            database,
            ledger,
            by_prefix,
            used: Arc::default(),
        }
    }

    /// Returns the keys of an account, or of the platform, newest first: all that are active, and the newest of the
    /// others.
    pub async fn list(&self, actor: &Actor, account_id: AccountId) -> Result<Vec<ApiKey>, QueryError> {
        require_keys(actor, account_id)?;
        let mut keys = store::api_keys(self.database.read(), account_id, self.clock.now()).await?;
        keys.retain(|api_key| api_key.is_shown_to(actor.side()));
        Ok(keys)
    }

    /// Returns a key by id; `None` when the caller may not see it. A key sees itself.
    pub async fn find(
        &self,
        actor: &Actor,
        account_id: AccountId,
        api_key_id: ApiKeyId,
    ) -> Result<Option<ApiKey>, QueryError> {
        let is_self = matches!(actor, Actor::ApiKey { api_key_id: own, .. } if *own == api_key_id);
        if !is_self && require_keys(actor, account_id).is_err() {
            return Ok(None);
        }
        let found = store::api_key(self.database.read(), account_id, api_key_id).await?;
        Ok(found.filter(|api_key| is_self || api_key.is_shown_to(actor.side())))
    }

    /// Returns the names of several keys, of any account, for rows that the caller may see.
    pub async fn names(&self, api_key_ids: &[ApiKeyId]) -> Result<HashMap<ApiKeyId, ApiKeyName>, Fault> {
        store::api_key_names(self.database.read(), api_key_ids).await
    }

    /// Returns several keys by id, of any account.
    pub async fn find_by_ids(&self, api_key_ids: &[ApiKeyId]) -> Result<HashMap<ApiKeyId, ApiKey>, Fault> {
        let api_keys = store::api_keys_by_id(self.database.read(), api_key_ids).await?;
        Ok(api_keys.into_iter().map(|api_key| (api_key.id, api_key)).collect())
    }

    /// Stores which keys were used since the last flush. A worker calls it once a minute, and when the process ends.
    pub async fn flush_last_used(&self) -> Result<(), Fault> {
        let used = std::mem::take(&mut *self.used());
        if used.is_empty() {
            return Ok(());
        }
        let rows: Arc<Vec<_>> = Arc::new(
            used.into_iter()
                .map(|((account, key), at)| (account, key, at))
                .collect(),
        );
        let written = {
            let rows = Arc::clone(&rows);
            self.database
                .transaction(move |tx| {
                    let rows = Arc::clone(&rows);
                    Box::pin(async move { store::save_api_key_uses(tx, &rows).await })
                })
                .await
        };
        if written.is_err() {
            // Kept for the next flush, unless the key was used again in the meantime.
            let mut used = self.used();
            for (account_id, api_key_id, at) in rows.iter() {
                used.entry((*account_id, *api_key_id)).or_insert(*at);
            }
        }
        written
    }

    /// Returns the actor who signs in with this key.
    pub(super) async fn authenticate(&self, credential: &str) -> Result<SignedIn, SignInError> {
        let text = KeyText::parse(credential)?;
        let Some((api_key, hash)) = self.by_prefix.get(text.prefix().to_owned()).await? else {
            return Err(Rejection::Refused.into());
        };
        // Only the holder of the secret learns more than that the key is refused.
        if !text.matches(&hash) || api_key.revoked_at.is_some() {
            return Err(Rejection::Refused.into());
        }
        let now = self.clock.now();
        if !api_key.is_active(now) {
            return Err(Rejection::Expired.into());
        }
        self.used().insert((api_key.account_id, api_key.id), now);
        Ok(SignedIn {
            actor: api_key.actor(),
            expires_at: api_key.expires_at,
        })
    }

    fn used(&self) -> std::sync::MutexGuard<'_, HashMap<(AccountId, ApiKeyId), Timestamp>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn require_keys(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    if account_id == AccountId::PLATFORM {
        actor.require_platform(Permission::ManageApiKeys)
    } else {
        actor.require(account_id, Permission::ManageApiKeys)
    }
}
