//! Keys with which integrations sign in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::database::Database;
use crate::domain::database::gather::Gather;
use crate::domain::fault::{Fault, QueryError};
use crate::primitives::actor::{AccessError, Actor, Permission, Permissions, Side};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, ApiKeyId, IdMint, IdSeed};

use super::error::{CreateApiKeyError, InvalidInput, Rejection, RevokeApiKeyError, SignInError};
use super::input::checked_name;
use super::model::{ApiKey, MAX_ACTIVE_API_KEYS, NewApiKey, beyond_own, require_platform};
use super::sign_in::SignedIn;
use super::store;
use super::token::KeyText;

/// A key that has just been made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// What is kept of it.
    pub api_key: ApiKey,
    /// The key itself. Nobody can show it a second time.
    pub secret: String,
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSecret")
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}

/// Use cases about API keys.
#[derive(Clone)]
pub struct ApiKeys {
    clock: Clock,
    database: Database,
    /// Keys and the hashes kept of them, by prefix. An integration signs in with each of its requests, and many at once.
    by_prefix: Gather<String, (ApiKey, Vec<u8>)>,
    /// Which keys signed in since the last flush, and when: written once a minute instead of with each request.
    used: Arc<Mutex<HashMap<(AccountId, ApiKeyId), Timestamp>>>,
}

impl ApiKeys {
    /// Keys of this database.
    pub fn new(clock: Clock, database: Database) -> Self {
        let by_prefix = Gather::new({
            let database = database.clone();
            move |prefixes: Vec<String>| {
                let database = database.clone();
                async move { store::api_keys_by_prefix(database.read(), &prefixes).await }
            }
        });
        Self {
            clock,
            database,
            by_prefix,
            used: Arc::default(),
        }
    }

    /// Makes a key, which may do no more than its maker.
    pub async fn create(&self, actor: &Actor, new: NewApiKey) -> Result<NewSecret, CreateApiKeyError> {
        require_keys(actor, new.account_id)?;
        let now = self.clock.now();
        let name = checked_name("name", &new.name)?;
        if new.permissions.iter().next().is_none() {
            return Err(invalid("permissions", "must name at least one permission".to_owned()).into());
        }
        let side = checked_side(actor, &new)?;
        if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(invalid("expiresAt", "must be in the future".to_owned()).into());
        }
        self.check_room(new.account_id, now).await?;
        let text = KeyText::generate()?;
        let api_key = ApiKey {
            id: ApiKeyId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid()),
            account_id: new.account_id,
            side,
            prefix: text.prefix().to_owned(),
            name,
            permissions: new.permissions,
            created_at: now,
            last_used_at: None,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        let row = Arc::new((api_key.clone(), text.hash()));
        self.database
            .transaction(move |tx| {
                let row = Arc::clone(&row);
                Box::pin(async move { store::insert_api_key(tx, &row.0, &row.1).await })
            })
            .await?;
        Ok(NewSecret {
            api_key,
            secret: text.into_text(),
        })
    }

    /// Ends a key at once. Revoking it again changes nothing.
    pub async fn revoke(
        &self,
        actor: &Actor,
        account_id: AccountId,
        api_key_id: ApiKeyId,
    ) -> Result<ApiKey, RevokeApiKeyError> {
        require_keys(actor, account_id)?;
        let now = self.clock.now();
        self.database
            .transaction(move |tx| {
                Box::pin(async move {
                    store::revoke_api_key(tx, account_id, api_key_id, now).await?;
                    store::api_key(tx, account_id, api_key_id)
                        .await?
                        .ok_or(RevokeApiKeyError::NotFound)
                })
            })
            .await
    }

    /// The keys of an account, or of the platform, newest first: all that are active, and the newest of the others.
    pub async fn list(&self, actor: &Actor, account_id: AccountId) -> Result<Vec<ApiKey>, QueryError> {
        require_keys(actor, account_id)?;
        Ok(store::api_keys(self.database.read(), account_id, self.clock.now()).await?)
    }

    /// A key by id; none when it is not the caller's to see. A key sees itself.
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
        Ok(store::api_key(self.database.read(), account_id, api_key_id).await?)
    }

    /// Several keys by id, of whichever account: for the names of those who caused what the caller may see.
    pub async fn find_by_ids(&self, api_key_ids: &[ApiKeyId]) -> Result<HashMap<ApiKeyId, ApiKey>, Fault> {
        let api_keys = store::api_keys_by_id(self.database.read(), api_key_ids).await?;
        Ok(api_keys.into_iter().map(|api_key| (api_key.id, api_key)).collect())
    }

    /// Writes down which keys were used since the last time. For a worker, once a minute, and when the process ends.
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
            // Kept for the next flush, unless used again in the meantime.
            let mut used = self.used();
            for (account_id, api_key_id, at) in rows.iter() {
                used.entry((*account_id, *api_key_id)).or_insert(*at);
            }
        }
        written
    }

    /// Who signs in with this key.
    pub(super) async fn authenticate(&self, credential: &str) -> Result<SignedIn, SignInError> {
        let text = KeyText::parse(credential)?;
        let Some((api_key, hash)) = self.by_prefix.get(text.prefix().to_owned()).await? else {
            return Err(Rejection::Refused.into());
        };
        // Only the holder of the secret is told more than that it is refused.
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

    async fn check_room(&self, account_id: AccountId, now: Timestamp) -> Result<(), CreateApiKeyError> {
        let connection = self.database.read();
        if account_id != AccountId::PLATFORM && store::account(connection, account_id).await?.is_none() {
            return Err(AccessError::NotFound.into());
        }
        let api_keys = store::api_keys(connection, account_id, now).await?;
        if api_keys.iter().filter(|api_key| api_key.is_active(now)).count() >= MAX_ACTIVE_API_KEYS {
            let message = format!("there are {MAX_ACTIVE_API_KEYS} active keys already; revoke one first");
            return Err(invalid("accountId", message).into());
        }
        Ok(())
    }

    fn used(&self) -> std::sync::MutexGuard<'_, HashMap<(AccountId, ApiKeyId), Timestamp>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn require_keys(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    if account_id == AccountId::PLATFORM {
        require_platform(actor, Permission::ManageApiKeys)
    } else {
        actor.require(account_id, Permission::ManageApiKeys)
    }
}

/// The side of the new key, if it can hold what is asked for and its maker can lend it.
fn checked_side(actor: &Actor, new: &NewApiKey) -> Result<Side, CreateApiKeyError> {
    let side = new.side.unwrap_or(actor.side());
    if side == Side::Platform && actor.side() == Side::Team {
        return Err(CreateApiKeyError::SideOfPlatform);
    }
    if side == Side::Team && new.account_id == AccountId::PLATFORM {
        return Err(invalid(
            "accountId",
            "a key of side TEAM belongs to one account: name it".to_owned(),
        )
        .into());
    }
    let can_hold = Permissions::of(side);
    if let Some(permission) = new.permissions.iter().find(|permission| !can_hold.has(*permission)) {
        return Err(CreateApiKeyError::BeyondSide(permission));
    }
    match beyond_own(actor, new.permissions) {
        Some(permission) => Err(CreateApiKeyError::BeyondOwn(permission)),
        None => Ok(side),
    }
}

fn invalid(field: &'static str, message: String) -> InvalidInput {
    InvalidInput { field, message }
}
