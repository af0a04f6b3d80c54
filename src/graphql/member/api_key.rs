//! API keys and permissions.

use async_graphql::{Context, Enum, ID, Object};

use super::account::Account;
use crate::domain::member;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{Nullable, nullable};
use crate::graphql::ledger::Actor;
use crate::primitives::actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// The side of an API key.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "actor::Side")]
pub(crate) enum Side {
    /// The platform sells credits: it books and settles sessions, and refunds money.
    Platform,
    /// The team buys and uses credits. Its keys never have a permission of the platform.
    Team,
}

/// What a caller may do. Members have the permissions of their role; API keys have those they were created with.
///
/// Both sides can have the first six. The others belong to the platform: no member and no key of side TEAM has them.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "actor::Permission")]
pub(crate) enum Permission {
    /// See one's own sessions, entries and alerts, and the balance.
    ReadOwnUsage,
    /// See the whole credit log, usage, exports, top-ups and troubleshooting.
    ReadCreditLog,
    /// Top-ups, payment methods, auto top-up.
    BuyCredits,
    /// Notification settings and contacts of other members.
    ManageSettings,
    /// Add, change and remove members.
    ManageMembers,
    /// Create and revoke API keys.
    ManageApiKeys,
    /// Book and move sessions, and cancel them free of charge. Platform only.
    BookSessions,
    /// Complete and refund sessions, charge fees, record no-shows. Platform only.
    SettleSessions,
    /// Refund money of top-ups. Platform only.
    RefundTopUps,
    /// Grants and corrections. Platform only.
    ManageCredits,
    /// Create, change, freeze and close accounts. Platform only.
    ManageAccounts,
}

#[derive(Clone, Debug)]
pub(crate) struct ApiKey(member::ApiKey);

impl ApiKey {
    pub(in crate::graphql) fn new(api_key: member::ApiKey) -> Self {
        Self(api_key)
    }
}

/// A key with which an integration signs in. Its secret is shown once, when it is created.
#[Object]
impl ApiKey {
    /// Opaque id, for `node`, filters and inputs.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// Human-readable name of the key.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The beginning of the secret, by which people distinguish keys.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The side that it acts for.
    async fn side(&self) -> Side {
        self.0.side.into()
    }

    /// What it may do.
    async fn permissions(&self) -> Vec<Permission> {
        self.0.permissions.iter().map(Into::into).collect()
    }

    /// The account that it belongs to. Null for a platform key, which acts in all accounts.
    async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
        nullable(async {
            if self.0.account_id == AccountId::PLATFORM {
                return Ok(None);
            }
            let scope = scope(ctx)?;
            let account = scope.loaders.account(self.0.account_id).await?;
            Ok(account.map(|account| Account::known(scope, account)))
        })
        .await
    }

    /// Who created it. Null for keys that are older than this field. The key ends with its creator: when the key that created
    /// it is revoked, or when the member is removed.
    async fn created_by(&self) -> Option<Actor> {
        let created_by = self.0.created_by?;
        Some(Actor::new(self.0.account_id, created_by))
    }

    /// When it was created.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it was last used, to the minute.
    async fn last_used_at(&self) -> Option<Timestamp> {
        self.0.last_used_at
    }

    /// When it expires. Null when it does not.
    async fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    /// When it was revoked. Null while it is valid.
    async fn revoked_at(&self) -> Option<Timestamp> {
        self.0.revoked_at
    }
}
