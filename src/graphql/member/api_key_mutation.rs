//! Mutations of API keys.

use async_graphql::{Context, ID, InputObject, Object};

use super::api_key::{ApiKey, Permission, Side};
use crate::domain::member::{self, CreateApiKeyRefusal, RevokeApiKeyRefusal};
use crate::graphql::context::{Scope, parse_id, scope};
use crate::graphql::errors::{Nullable, nullable};
use crate::graphql::ledger::at_most_100;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, UserError, UserErrorCode};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, IdKind};

/// An API key to create.
#[derive(InputObject, Debug)]
pub(crate) struct CreateApiKeyInput {
    /// The account that it belongs to. May be left out by a member, or by a key that belongs to one account. A platform key
    /// that leaves it out creates another platform key.
    account_id: Option<ID>,
    /// Human-readable name of the key.
    name: String,
    /// The side that it acts for; that of its creator when left out. Only a platform key can set PLATFORM, or set TEAM to
    /// create a key for the team of the account.
    side: Option<Side>,
    /// What it may do: not more than its creator, and not more than its side can have.
    permissions: Vec<Permission>,
    /// When it expires. When left out: with the key that creates it, if that expires; otherwise never. Never after that key.
    expires_at: Option<Timestamp>,
}

/// An API key to revoke.
#[derive(InputObject, Debug)]
pub(crate) struct RevokeApiKeyInput {
    /// The key to revoke.
    api_key_id: ID,
}

pub(crate) struct CreateApiKeyPayload(Outcome<member::NewSecret>);

/// The result of createApiKey.
#[Object]
impl CreateApiKeyPayload {
    /// The key that was created. Null when refused.
    async fn api_key(&self) -> Option<ApiKey> {
        self.0.done.as_ref().map(|made| ApiKey::new(made.api_key.clone()))
    }

    /// The secret: shown once, stored only as a hash. Null when refused.
    async fn secret(&self) -> Option<&str> {
        self.0.done.as_ref().map(|made| made.secret.as_str())
    }

    /// Why nothing was changed. Empty on success.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
    }
}

pub(crate) struct RevokeApiKeyPayload(Outcome<member::ApiKey>);

/// The result of revokeApiKey.
#[Object]
impl RevokeApiKeyPayload {
    /// The key, which is no longer valid. Null when refused.
    async fn api_key(&self) -> Option<ApiKey> {
        self.0.done.clone().map(ApiKey::new)
    }

    /// Why nothing was changed. Empty on success.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
    }
}

async fn create(scope: &Scope, input: CreateApiKeyInput) -> Result<member::NewSecret, Failure> {
    let account_id = match (&input.account_id, scope.actor()) {
        (None, Actor::ApiKey { account_id, .. }) => *account_id,
        (named, _) => scope.account_for(named.as_ref())?,
    };
    let new = member::NewApiKey {
        account_id,
        side: input.side.map(Into::into),
        name: input.name,
        permissions: input.permissions.into_iter().map(Into::into).collect(),
        expires_at: input.expires_at,
    };
    Ok(scope.services.api_keys.create(scope.actor(), new).await?)
}

async fn revoke(scope: &Scope, input: RevokeApiKeyInput) -> Result<member::ApiKey, Failure> {
    let missing = || Failure::not_found("apiKeyId", "API key");
    let id = parse_id(&input.api_key_id, IdKind::ApiKey).ok_or_else(missing)?;
    if id.account_id != AccountId::PLATFORM && !scope.actor().reaches(id.account_id) {
        return Err(missing());
    }
    let api_keys = &scope.services.api_keys;
    Ok(api_keys
        .revoke(scope.actor(), id.account_id, ApiKeyId::from_uuid(id.uuid))
        .await?)
}

#[derive(Default)]
pub(crate) struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Creates an API key. It cannot have more permissions than its creator or its side, and it ends with its creator.
    /// [auth: `MANAGE_API_KEYS`]
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new key.")] input: CreateApiKeyInput,
    ) -> Nullable<CreateApiKeyPayload> {
        nullable(async {
            at_most_100("input.permissions", Some(&input.permissions))?;
            let outcome = Outcome::settle(create(scope(ctx)?, input).await)?;
            Ok(Some(CreateApiKeyPayload(outcome)))
        })
        .await
    }

    /// Revokes an API key at once, with all keys that it has created. A repeated call changes nothing. The team cannot revoke
    /// keys of the platform, which it does not see. [auth: `MANAGE_API_KEYS`]
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokeApiKeyInput,
    ) -> Nullable<RevokeApiKeyPayload> {
        nullable(async {
            let outcome = Outcome::settle(revoke(scope(ctx)?, input).await)?;
            Ok(Some(RevokeApiKeyPayload(outcome)))
        })
        .await
    }
}

impl From<CreateApiKeyRefusal> for Failure {
    fn from(error: CreateApiKeyRefusal) -> Self {
        match error {
            CreateApiKeyRefusal::BeyondOwn(_) | CreateApiKeyRefusal::BeyondSide(_) => {
                Failure::new(UserErrorCode::Forbidden, Some("permissions"), error.to_string())
            }
            CreateApiKeyRefusal::SideOfPlatform => {
                Failure::new(UserErrorCode::Forbidden, Some("side"), error.to_string())
            }
        }
    }
}

impl From<RevokeApiKeyRefusal> for Failure {
    fn from(error: RevokeApiKeyRefusal) -> Self {
        match error {
            RevokeApiKeyRefusal::NotFound => Failure::not_found("apiKeyId", "API key"),
        }
    }
}
