//! The balance of an account at a past instant, and its parts.

use async_graphql::{Context, Object};

use super::entry::{CreditEntry, CreditEntryConnection};
use super::session::Session;
use super::usage::CreditUsage;
use crate::domain::fault::InvalidInput;
use crate::domain::filter::InstantRange;
use crate::domain::ledger::credit_log::{BalanceAt, CreditLogFilter, HoldAt, UsageGrouping};
use crate::domain::ledger::model::Holder;
use crate::graphql::by_id::find;
use crate::graphql::connection::{PageArguments, connection};
use crate::graphql::context::scope;
use crate::graphql::errors::{Nullable, nullable, visible};
use crate::graphql::live::Followed;
use crate::graphql::scalars::Int64;
use crate::graphql::top_up::TopUp;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::AccountId;
use crate::primitives::page::{PageRequest, SortOrder};

/// An upper bound of the number of entry kinds.
const ALL_KINDS: u32 = 100;

#[derive(Clone, Copy, Debug)]
pub(crate) struct BalanceExplanation {
    account_id: AccountId,
    balance: BalanceAt,
}

/// Returns the balance at `at`, or the current one.
pub(in crate::graphql) async fn explain_balance(
    ctx: &Context<'_>,
    account_id: AccountId,
    at: Option<Timestamp>,
) -> Nullable<BalanceExplanation> {
    visible(async {
        let scope = scope(ctx)?;
        let log = &scope.services.credit_log;
        let balance = log.balance_at(scope.actor(), account_id, at, scope.now()).await?;
        Ok(Some(BalanceExplanation { account_id, balance }))
    })
    .await
}

impl BalanceExplanation {
    /// Returns a filter for the entries up to that instant, from `since` on if given.
    fn filter(&self, since: Option<Timestamp>) -> Result<CreditLogFilter, InvalidInput> {
        let before = Some(self.balance.at.plus_millis(1));
        Ok(CreditLogFilter {
            occurred_at: InstantRange::new("filter.occurredAt", since, before)?,
            ..CreditLogFilter::default()
        })
    }

    fn list(&self, name: &str) -> CursorScope {
        let account = self.account_id.number().to_string();
        CursorScope::of(&[name, &account, &self.balance.at.millis().to_string()])
    }
}

/// The balance of an account at a past instant, and its parts. Of several changes within the same millisecond, the last one
/// counts.
#[Object]
impl BalanceExplanation {
    /// The instant.
    async fn at(&self) -> Timestamp {
        self.balance.at
    }

    /// Sum of the credit log up to then.
    async fn posted(&self) -> Credits {
        self.balance.posted
    }

    /// Credits that were reserved then for booked sessions and disputed top-ups.
    async fn held(&self) -> Credits {
        self.balance.held
    }

    /// What could be booked then: posted - held.
    async fn available(&self) -> Credits {
        self.balance.available()
    }

    /// Position of the last entry up to then. 0 before the first.
    async fn sequence(&self) -> Int64 {
        Int64(self.balance.sequence)
    }

    /// The last entry up to then; its balanceAfter equals posted. Null before the first.
    async fn last_entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
        find(ctx, self.account_id, self.balance.last_entry?).await
    }

    /// The entries up to then, summed by kind. Without since, the sum of their net amounts equals posted.
    async fn totals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only entries from this instant on; all when left out.")] since: Option<Timestamp>,
    ) -> Nullable<Vec<CreditUsage>> {
        nullable(async {
            let scope = scope(ctx)?;
            let request = PageRequest::forward(ALL_KINDS, None);
            let (log, filter) = (&scope.services.credit_log, self.filter(since)?);
            let groups = log
                .usage(
                    scope.actor(),
                    self.account_id,
                    &filter,
                    &[UsageGrouping::Kind],
                    None,
                    &request,
                )
                .await?;
            let groups = groups.items.into_iter();
            Ok(Some(
                groups
                    .map(|(_, group)| CreditUsage::new(self.account_id, group))
                    .collect(),
            ))
        })
        .await
    }

    /// The entries up to then, newest first.
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many to return from the start of the list, at most 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same list.")] after: Option<String>,
        #[graphql(desc = "How many to return from the end of the list, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor of the same list.")] before: Option<String>,
    ) -> Nullable<CreditEntryConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            let list = self.list("balance_entries");
            let arguments = PageArguments::both((first, after), (last, before));
            let request = arguments.request(list)?;
            let followed = Followed::before_reading(ctx, self.account_id, None).await?;
            let (log, filter) = (&scope.services.credit_log, self.filter(None)?);
            let page = log
                .page(
                    scope.actor(),
                    self.account_id,
                    &filter,
                    SortOrder::NewestFirst,
                    &request,
                )
                .await?;
            let page = request.relay(page);
            Ok(Some(CreditEntryConnection::new(
                page,
                (self.account_id, filter, None),
                followed,
            )))
        })
        .await
    }

    /// What was reserved then, and for what; the last changed first. Their sum equals held.
    async fn holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same list.")] after: Option<String>,
    ) -> Nullable<CreditHoldConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            let list = self.list("balance_holds");
            let request = PageArguments::forward(first, after).request(list)?;
            let log = &scope.services.credit_log;
            let page = log
                .holds_at(scope.actor(), self.account_id, self.balance.at, &request)
                .await?;
            let page = page.map(|hold| CreditHold {
                account_id: self.account_id,
                hold,
            });
            Ok(Some(CreditHoldConnection::new(request.relay(page))))
        })
        .await
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CreditHold {
    account_id: AccountId,
    hold: HoldAt,
}

/// Credits that were reserved at a past instant for one session or disputed top-up.
#[Object]
impl CreditHold {
    /// The number of credits at that time.
    async fn credits(&self) -> Credits {
        self.hold.credits
    }

    /// Since when this number was reserved: when it was booked, disputed, or last changed.
    async fn since(&self) -> Timestamp {
        self.hold.since
    }

    /// The session in its current state. Null when the hold is for a top-up.
    async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
        let Holder::Session(id) = self.hold.holder else {
            return None;
        };
        find(ctx, self.account_id, id).await
    }

    /// The disputed top-up in its current state. Null when the hold is for a session.
    async fn top_up(&self, ctx: &Context<'_>) -> Nullable<TopUp> {
        let Holder::TopUp(id) = self.hold.holder else {
            return None;
        };
        find(ctx, self.account_id, id).await
    }
}

connection! {
    /// A page of holds.
    CreditHoldConnection, CreditHoldEdge of CreditHold
}
