//! Root queries: the viewer, and accounts.

use async_graphql::{Context, Enum, Object};

use super::account::{Account, AccountConnection};
use super::account_list::{self, AccountFilter, AccountOrder, ListArguments};
use super::api_key::Permission;
use super::person::Member;
use crate::graphql::connection::PageArguments;
use crate::graphql::context::scope;
use crate::graphql::errors::{ApiError, Nullable, found, nullable};
use crate::graphql::id::Id;
use crate::graphql::ledger::AccountStatus;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// The kind of caller that is signed in.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ViewerKind {
    /// A member of a team.
    Member,
    /// An integration, with its API key.
    ApiKey,
}

pub(crate) struct Viewer;

/// The signed-in caller, and its permissions.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl Viewer {
    /// A member or an integration.
    async fn kind(&self, ctx: &Context<'_>) -> Result<ViewerKind, ApiError> {
        Ok(match scope(ctx)?.actor() {
            Actor::Member { .. } => ViewerKind::Member,
            Actor::ApiKey { .. } | Actor::System => ViewerKind::ApiKey,
        })
    }

    /// The member. Null for an integration.
    async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
        nullable(async {
            let scope = scope(ctx)?;
            let Actor::Member {
                account_id, member_id, ..
            } = scope.actor()
            else {
                return Ok(None);
            };
            Ok(scope.loaders.member(*account_id, *member_id).await?.map(Member::new))
        })
        .await
    }

    /// The viewer's own account. Null for a platform key.
    async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
        nullable(async {
            let scope = scope(ctx)?;
            let Some(account_id) = scope.actor().own_account() else {
                return Ok(None);
            };
            let account = scope.loaders.account(account_id).await?;
            Ok(account.map(|account| Account::known(scope, account)))
        })
        .await
    }

    /// The viewer's permissions in the accounts that it can access.
    async fn permissions(&self, ctx: &Context<'_>) -> Result<Vec<Permission>, ApiError> {
        Ok(scope(ctx)?.actor().permissions().iter().map(Into::into).collect())
    }

    /// When the viewer's token expires. Null when it does not.
    async fn token_expires_at(&self, ctx: &Context<'_>) -> Nullable<Timestamp> {
        nullable(async { Ok(scope(ctx)?.caller.expires_at) }).await
    }
}

#[derive(Default)]
pub(crate) struct MemberQuery;

#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl MemberQuery {
    /// The signed-in caller, and its permissions.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer, ApiError> {
        scope(ctx)?;
        Ok(Viewer)
    }

    /// The viewer's own account when id is left out; an integration names one. Null when it does not exist or the caller may
    /// not see it.
    async fn account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] id: Option<Id<AccountId>>,
        #[graphql(desc = "Which account, by the platform's own id.")] external_id: Option<String>,
    ) -> Nullable<Account> {
        nullable(async {
            let scope = scope(ctx)?;
            let accounts = &scope.services.accounts;
            let account = match (id, external_id) {
                (Some(_), Some(_)) => {
                    return Err(ApiError::invalid("externalId", "must be left out where id is given"));
                }
                (Some(id), None) => match id.parts() {
                    Some((account_id, _)) => scope.loaders.account(account_id).await?,
                    None => None,
                },
                (None, Some(external_id)) => {
                    found(accounts.find_known_by_external_id(scope.actor(), &external_id).await)?.flatten()
                }
                (None, None) => found(accounts.find_own(scope.actor()).await)?.flatten(),
            };
            Ok(account.map(|account| Account::known(scope, account)))
        })
        .await
    }

    /// The accounts that an integration key may see. A page reads a bounded number of accounts, so it may be short, or even empty, and
    /// not the last: see pageInfo. [auth: platform key]
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The same as filter.search.")] search: Option<String>,
        #[graphql(desc = "Only those with this status.")] status: Option<AccountStatus>,
        #[graphql(desc = "Only members with one of these external ids.")] external_ids: Option<Vec<String>>,
        #[graphql(desc = "Which accounts; all when left out.")] filter: Option<AccountFilter>,
        #[graphql(
            desc = "Which accounts come first.",
            default_with = "Some(AccountOrder::OldestFirst)"
        )]
        order_by: Option<AccountOrder>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter and order.")] after: Option<String>,
    ) -> Nullable<AccountConnection> {
        let arguments = ListArguments {
            search,
            status,
            external_ids,
            filter: filter.unwrap_or_default(),
            order: order_by,
        };
        nullable(account_list::page(ctx, arguments, PageArguments::forward(first, after))).await
    }
}
