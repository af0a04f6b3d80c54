//! Sums over the credit log.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::entry::{Actor, CreditEntryKind};
use crate::domain::ledger::credit_log;
use crate::graphql::by_id::find;
use crate::graphql::connection::connection;
use crate::graphql::context::scope;
use crate::graphql::errors::{ApiError, Nullable};
use crate::graphql::loaders::must_exist;
use crate::graphql::member::Member;
use crate::graphql::scalars::{Date, Int64};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// Whether figures are of an account or of one member.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "credit_log::UsageScope")]
pub enum UsageScope {
    /// All entries of the account.
    Account,
    /// The entries of one member.
    Member,
}

/// Sums over entries of the credit log.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct CreditTotals {
    /// Whether these are the figures of the whole account or of one member.
    pub scope: UsageScope,
    /// The number of entries.
    pub count: Int64,
    /// Sum of the positive amounts.
    pub added: Credits,
    /// Sum of the negative amounts, without the sign.
    pub deducted: Credits,
    /// added - deducted.
    pub net: Credits,
}

impl From<credit_log::CreditTotals> for CreditTotals {
    fn from(totals: credit_log::CreditTotals) -> Self {
        Self {
            scope: totals.scope.into(),
            count: Int64(totals.count),
            added: totals.added,
            deducted: totals.deducted,
            net: totals.net(),
        }
    }
}

/// What usage is grouped by. At most one of the periods can be used.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "credit_log::UsageGrouping")]
pub enum UsageGrouping {
    /// The member who used the credits.
    Member,
    /// The kind of entry.
    Kind,
    /// Who caused the entry.
    Actor,
    /// The hour.
    Hour,
    /// The calendar day.
    Day,
    /// The week, which begins on Monday.
    Week,
    /// The calendar month.
    Month,
}

#[derive(Clone, Debug)]
pub(crate) struct CreditUsage {
    account_id: AccountId,
    group: credit_log::UsageGroup,
}

impl CreditUsage {
    pub(in crate::graphql) fn new(account_id: AccountId, group: credit_log::UsageGroup) -> Self {
        Self { account_id, group }
    }
}

/// Sums of one group. The key of a group is a member, a kind, an actor, the first day of a period in the time zone, or several
/// of these.
#[Object]
impl CreditUsage {
    /// Identifies the group within its list, and is the same in each request: one part per grouping, joined by `/`. The part of
    /// a member is their id, the part of an actor its kind and id, as filters accept them; these are also in `member.id` and
    /// `actor.id`.
    async fn key(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let key = &self.group.key;
        let Some(Cause::ApiKey(id, _)) = self.group.actor else {
            return Ok(key.clone());
        };
        let api_key = must_exist(scope(ctx)?.loaders.api_key_name(id).await?, "API key")?;
        let public = id.global(api_key.account_id).to_string();
        Ok(key.replace(&id.uuid().simple().to_string(), &public))
    }

    /// The member, when grouped by MEMBER. Null in the group of entries that belong to no single member.
    async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
        find(ctx, self.account_id, self.group.member_id?).await
    }

    /// The kind, when grouped by KIND.
    async fn kind(&self) -> Option<CreditEntryKind> {
        self.group.kind.map(Into::into)
    }

    /// Who caused the entries, when grouped by ACTOR.
    async fn actor(&self) -> Option<Actor> {
        self.group.actor.map(|cause| Actor::new(self.account_id, cause))
    }

    /// The first day of the period, when grouped by a period.
    async fn date(&self) -> Option<Date> {
        self.group.date.map(Date)
    }

    /// When the period begins, when grouped by a period.
    async fn period_start(&self) -> Option<Timestamp> {
        self.group.period_start
    }

    /// When the next period begins, when grouped by a period.
    async fn period_end(&self) -> Option<Timestamp> {
        self.group.period_end
    }

    /// The sums of the group.
    async fn totals(&self) -> CreditTotals {
        self.group.totals.into()
    }

    /// The account's posted balance at the end of the period, when grouped only by a period and over the whole log.
    async fn closing_balance(&self) -> Option<Credits> {
        self.group.closing_balance
    }
}

connection! {
    /// A page of groups.
    CreditUsageConnection, CreditUsageEdge of CreditUsage
}
