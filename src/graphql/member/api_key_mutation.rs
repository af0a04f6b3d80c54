//! Mutations of API keys.

use async_graphql::InputObject;

use super::api_key::{ApiKey, Permission, Side};
use crate::domain::member::{self, CreateApiKeyRefusal, RevokeApiKeyRefusal};
use crate::graphql::context::Scope;
use crate::graphql::id::Id;
use crate::graphql::ledger::at_most_100;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::{Failure, UserErrorCode};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId};

/// An API key to create.
#[derive(InputObject, Debug)]
pub(crate) struct CreateApiKeyInput {
    /// The account that it belongs to. May be left out by a member, or by a key that belongs to one account. A platform key
    /// that leaves it out creates another platform key.
    account_id: Option<Id<AccountId>>,
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
    api_key_id: Id<ApiKeyId>,
}

payload! {
    /// The result of createApiKey.
    CreateApiKeyPayload
    from member::NewSecret => {
        /// The key that was created. Null when refused.
        async fn api_key(&self) -> Option<ApiKey> {
            self.0.done.as_ref().map(|made| ApiKey::new(made.api_key.clone()))
        }

        /// The secret: shown once, stored only as a hash. Null when refused.
        async fn secret(&self) -> Option<&str> {
            self.0.done.as_ref().map(|made| made.secret.as_str())
        }
    }
}

payload! {
    /// The result of revokeApiKey.
    RevokeApiKeyPayload
    from member::ApiKey => {
        /// The key, which is no longer valid. Null when refused.
        async fn api_key(&self) -> Option<ApiKey> {
            self.0.done.clone().map(ApiKey::new)
        }
    }
}

async fn create(scope: &Scope, input: CreateApiKeyInput) -> Result<member::NewSecret, Failure> {
    at_most_100("input.permissions", Some(&input.permissions))?;
    let account_id = match (input.account_id, scope.actor()) {
        (None, Actor::ApiKey { account_id, .. }) => *account_id,
        (named, _) => scope.account_for(named)?,
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
    let reached = |account_id| account_id == AccountId::PLATFORM || scope.actor().reaches(account_id);
    let found = input.api_key_id.parts().filter(|(account_id, _)| reached(*account_id));
    let (account_id, id) = found.ok_or(RevokeApiKeyRefusal::NotFound)?;
    Ok(scope.services.api_keys.revoke(scope.actor(), account_id, id).await?)
}

mutations! {
    ApiKeyMutation {
        /// Creates an API key. It cannot have more permissions than its creator or its side, and it ends with its creator.
        /// [auth: `MANAGE_API_KEYS`]
        create_api_key(CreateApiKeyInput: "The new key.") -> CreateApiKeyPayload = create;

        /// Revokes an API key at once, with all keys that it has created. A repeated call changes nothing. The team cannot revoke
        /// keys of the platform, which it does not see. [auth: `MANAGE_API_KEYS`]
        revoke_api_key(RevokeApiKeyInput: "The key.") -> RevokeApiKeyPayload = revoke;
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
