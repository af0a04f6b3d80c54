//! Subscriptions to the ledger.

use async_graphql::Context;

use super::{Balance, CreditEntry, Session, SessionStatus};
use crate::domain::event::EventContent;
use crate::graphql::by_id::find;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::id::Id;
use crate::graphql::live::{Interest, LiveSignal, Moment, Topics, live_event, subscriptions};
use crate::graphql::loaders::must_exist;
use crate::graphql::member::Account;
use crate::primitives::actor::Permission;
use crate::primitives::ids::{AccountId, MemberId, SessionId};

/// Returns the member whose entries and sessions the caller may follow; `None` if the caller may follow all.
pub(in crate::graphql) fn own_part(scope: &Scope, account_id: AccountId) -> Result<Option<MemberId>, ApiError> {
    let sees_all = scope.services.credit_log.sees_whole_log(scope.actor(), account_id)?;
    Ok(scope.actor().member_id().filter(|_| !sees_all))
}

live_event! {
    /// A new entry of the credit log.
    CreditEntryEvent {
        /// The entry. Null unless the signal is ITEM.
        async fn entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
            find(ctx, self.0.account_id(), self.0.event()?.content.entry_id()?).await
        }

        /// The current balance. Null unless the signal is ITEM.
        async fn balance(&self, ctx: &Context<'_>) -> Nullable<Balance> {
            nullable(balance(ctx, &self.0)).await
        }
    }
}

live_event! {
    /// A change of the balance.
    BalanceEvent {
        /// The current balance: of two, keep the one with the larger version. Null unless the signal is ITEM.
        async fn balance(&self, ctx: &Context<'_>) -> Nullable<Balance> {
            nullable(balance(ctx, &self.0)).await
        }

        /// The account. Null unless the signal is ITEM.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            nullable(async {
                match self.0.event() {
                    Some(_) => Account::load(ctx, self.0.account_id()).await.map(Some),
                    None => Ok(None),
                }
            })
            .await
        }
    }
}

live_event! {
    /// A session that was booked, moved, ended, resolved or refunded.
    SessionEvent {
        /// The session in its current state. Null unless the signal is ITEM.
        async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
            find(ctx, self.0.account_id(), self.0.event()?.content.session_id()?).await
        }

        /// The status that this event set; session has the current status. Null unless the signal is ITEM.
        async fn status(&self) -> Option<SessionStatus> {
            match self.0.event()?.content {
                EventContent::SessionUpdated { status, .. } => Some(status.into()),
                _ => None,
            }
        }
    }
}

async fn balance(ctx: &Context<'_>, moment: &Moment) -> Result<Option<Balance>, ApiError> {
    if moment.signal != LiveSignal::Item {
        return Ok(None);
    }
    let scope = scope(ctx)?;
    scope.actor().require(moment.account_id(), Permission::ReadOwnUsage)?;
    let balance = scope.loaders.balance(moment.account_id()).await?;
    must_exist(balance, "balance").map(|balance| Some(Balance::new(balance)))
}

subscriptions! {
    LedgerSubscription {
        /// Each new entry of the credit log that matches the filter. A member without `READ_CREDIT_LOG` receives only their own
        /// entries.
        credit_entry_posted(
            ctx,
            filter: Option<super::CreditLogFilter> = "Which entries, as in creditLog; all when left out."
        ) -> CreditEntryEvent {
            account_id: "Whose log; the viewer's own account when left out.",
            after: "Entries after this cursor are sent first. When left out, the stream starts with the next entry.",
            interest: |scope, account_id| {
                let filter = filter.map(|filter| filter.for_account(account_id)).transpose()?;
                Ok(Interest {
                    member_id: own_part(scope, account_id)?,
                    filter,
                    ..Interest::in_topics(Topics::ENTRIES)
                })
            },
        }

        /// Each change of the balance. [auth: `READ_OWN_USAGE`]
        balance_changed(ctx) -> BalanceEvent {
            account_id: "Which account; the viewer's own when left out.",
            after: "Events after this cursor are sent first. When left out, the stream starts with the next change.",
            interest: |scope, account_id| {
                scope.actor().require(account_id, Permission::ReadOwnUsage)?;
                Ok(Interest::in_topics(Topics::BALANCE))
            },
        }

        /// Each change of a session: booked, moved, PROCESSING, resolved, refunded. A member without `READ_CREDIT_LOG` receives
        /// only their own sessions.
        session_updated(
            ctx,
            session_id: Option<Id<SessionId>> = "Only this session; all when left out."
        ) -> SessionEvent {
            account_id: "Whose sessions; the viewer's own account when left out.",
            after: "Events after this cursor are sent first. When left out, the stream starts with the next change.",
            interest: |scope, account_id| {
                Ok(Interest {
                    member_id: own_part(scope, account_id)?,
                    session_id: session_id.map(|id| id.in_argument(account_id)).transpose()?,
                    ..Interest::in_topics(Topics::SESSIONS)
                })
            },
        }
    }
}
