//! API keys and permissions.

use async_graphql::{Context, Enum, ID, Object};

use super::account::Account;
use crate::domain::member;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::ledger::Actor;
use crate::primitives::actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// On which side of the trade an API key stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "actor::Side")]
pub(crate) enum Side {
    /// The platform sells credits: it books and settles sessions, and sends money back.
    Platform,
    /// The team buys and uses credits. Its keys never have a permission of the platform.
    Team,
}

/// What a caller may do. Members have the permissions of their role, API keys those they were made with.
///
/// Either side can have the first six. The others are the platform's: no member and no key of side TEAM has them.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "actor::Permission")]
pub(crate) enum Permission {
    /// See one's own sessions, entries and alerts, and the balance.
    ReadOwnUsage,
    /// See the whole credit log, usage, exports, top-ups and troubleshooting.
    ReadCreditLog,
    /// Top-ups, payment methods, auto top-up.
    BuyCredits,
    /// Others' notification settings and contacts.
    ManageSettings,
    /// Add, change and remove members.
    ManageMembers,
    /// Create and revoke API keys.
    ManageApiKeys,
    /// Book and move sessions, and cancel them free of charge. Of the platform only.
    BookSessions,
    /// Complete and refund sessions, charge fees, record no-shows. Of the platform only.
    SettleSessions,
    /// Send money of top-ups back. Of the platform only.
    RefundTopUps,
    /// Grants and corrections. Of the platform only.
    ManageCredits,
    /// Create, change, freeze and close accounts. Of the platform only.
    ManageAccounts,
}

/// A key by which an integration signs in.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey(member::ApiKey);

impl ApiKey {
    pub(in crate::graphql) fn new(api_key: member::ApiKey) -> Self {
        Self(api_key)
    }
}

/// A key by which an integration signs in. The key itself is shown once, when it is made.
#[Object]
impl ApiKey {
    /// Opaque id, for `node`, filters and inputs.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// What it is for, in words for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The beginning of the key, by which people tell keys apart.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// On whose behalf it acts.
    async fn side(&self) -> Side {
        self.0.side.into()
    }

    /// What it may do.
    async fn permissions(&self) -> Vec<Permission> {
        self.0.permissions.iter().map(Into::into).collect()
    }

    /// The account it is for. Null for a key of the platform, which is for all accounts.
    async fn account(&self, ctx: &Context<'_>) -> Option<Result<Account, ApiError>> {
        nullable(async {
            if self.0.account_id == AccountId::PLATFORM {
                return Ok(None);
            }
            let scope = scope(ctx)?;
            let account = scope.loaders.account(self.0.account_id).await?;
            Ok(account.map(|account| Account::new(scope, account)))
        })
        .await
    }

    /// Who made it. Null for keys that are older than this field. What ends its maker ends the key: revoking the key that made it, or
    /// removing the member.
    async fn created_by(&self) -> Option<Actor> {
        let created_by = self.0.created_by?;
        Some(Actor::new(self.0.account_id, created_by))
    }

    /// When it was made.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it was last used, to the minute.
    async fn last_used_at(&self) -> Option<Timestamp> {
        self.0.last_used_at
    }

    /// When it ends by itself. Null when it does not.
    async fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    /// When it was revoked. Null while it works.
    async fn revoked_at(&self) -> Option<Timestamp> {
        self.0.revoked_at
    }
}
