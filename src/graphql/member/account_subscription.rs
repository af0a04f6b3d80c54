//! All of an account in one stream.

use async_graphql::{Context, Enum, ID, Object, Subscription};
use futures_util::future::try_join_all;

use super::Account;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::ledger::{CreditEntry, Session, at_most_100, own_part};
use crate::graphql::live::{Interest, LiveSignal, MomentPage, Shown, Topics, follow, live_event};
use crate::graphql::scalars::LiveCursorText;
use crate::graphql::top_up::TopUp;
use crate::primitives::actor::Permission;
use crate::primitives::ids::AccountId;

/// Changes that one message tells of at the most.
const MOST_CHANGES: usize = 100;

/// What of an account to be told of. Its settings and status are always among it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveTopic {
    /// New lines of the credit log.
    CreditEntries,
    /// Changes of the balance.
    Balance,
    /// Changes of top-ups. [auth: `READ_CREDIT_LOG`]
    TopUps,
    /// Changes of sessions.
    Sessions,
    /// Changes of what is wrong; `account.troubleshooting` says what is. [auth: `READ_CREDIT_LOG`]
    Troubleshooting,
}

impl LiveTopic {
    const ALL: [Self; 5] = [
        Self::CreditEntries,
        Self::Balance,
        Self::TopUps,
        Self::Sessions,
        Self::Troubleshooting,
    ];

    const fn topics(self) -> Topics {
        match self {
            Self::CreditEntries => Topics::ENTRIES,
            Self::Balance => Topics::BALANCE,
            Self::TopUps => Topics::TOP_UPS,
            Self::Sessions => Topics::SESSIONS,
            Self::Troubleshooting => Topics::TROUBLESHOOTING,
        }
    }

    /// Whether the caller may be told of it.
    fn check(self, scope: &Scope, account_id: AccountId) -> Result<(), ApiError> {
        match self {
            Self::CreditEntries | Self::Sessions => own_part(scope, account_id).map(drop),
            Self::Balance => Ok(scope.actor().require(account_id, Permission::ReadOwnUsage)?),
            Self::TopUps | Self::Troubleshooting => Ok(scope.actor().require(account_id, Permission::ReadCreditLog)?),
        }
    }
}

/// What a caller is told of when they name these topics, or none: then all that they may be told of.
pub(in crate::graphql) fn interest(
    scope: &Scope,
    account_id: AccountId,
    topics: Option<&[LiveTopic]>,
) -> Result<Interest, ApiError> {
    at_most_100("topics", topics)?;
    let named = topics.unwrap_or(&LiveTopic::ALL);
    let mut told = Topics::ACCOUNT | Topics::MEMBERS;
    for topic in named {
        match topic.check(scope, account_id) {
            Ok(()) => told = told | topic.topics(),
            Err(refused) if topics.is_some() => return Err(refused),
            Err(_) => {}
        }
    }
    scope.actor().require(account_id, Permission::ReadOwnUsage)?;
    Ok(Interest {
        member_id: own_part(scope, account_id)?,
        at_once: MOST_CHANGES,
        ..Interest::in_topics(told)
    })
}

live_event! {
    /// Tells of up to 100 changes in an account.
    AccountEvent {
        /// The account as it is now. Null unless the signal is ITEM.
        async fn account(&self, ctx: &Context<'_>) -> Option<Result<Account, ApiError>> {
            nullable(async {
                match self.0.signal {
                    LiveSignal::Item => Account::load(ctx, self.0.account_id()).await.map(Some),
                    LiveSignal::CaughtUp | LiveSignal::Position | LiveSignal::Reset => Ok(None),
                }
            })
            .await
        }

        /// New lines of the credit log, oldest first.
        async fn entries(&self, ctx: &Context<'_>) -> Result<Vec<CreditEntry>, ApiError> {
            let (loaders, account_id) = (&scope(ctx)?.loaders, self.0.account_id());
            let ids = self.0.ids(Topics::ENTRIES, |event| event.entry_id);
            let entries = try_join_all(ids.into_iter().map(|id| loaders.entry(account_id, id))).await?;
            Ok(entries.into_iter().flatten().map(CreditEntry::new).collect())
        }

        /// Sessions that have changed, as they are now, each once.
        async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>, ApiError> {
            let (loaders, account_id) = (&scope(ctx)?.loaders, self.0.account_id());
            let ids = self.0.ids(Topics::SESSIONS, |event| event.session_id);
            let sessions = try_join_all(ids.into_iter().map(|id| loaders.session(account_id, id))).await?;
            let sessions = sessions.into_iter().flatten();
            Ok(sessions.map(|session| Session::new(account_id, session)).collect())
        }

        /// Top-ups that have changed, as they are now, each once.
        async fn top_ups(&self, ctx: &Context<'_>) -> Result<Vec<TopUp>, ApiError> {
            let (loaders, account_id) = (&scope(ctx)?.loaders, self.0.account_id());
            let ids = self.0.ids(Topics::TOP_UPS, |event| event.top_up_id);
            let top_ups = try_join_all(ids.into_iter().map(|id| loaders.top_up(account_id, id))).await?;
            Ok(top_ups.into_iter().flatten().map(TopUp::new).collect())
        }
    }
}

/// Some events of an account.
pub(crate) struct EventPage(MomentPage);

impl EventPage {
    pub(super) const fn new(moments: MomentPage) -> Self {
        Self(moments)
    }
}

/// Some events of an account.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl EventPage {
    /// The events in order, each by itself. One with the signal RESET, where the cursor was of no use: query again.
    async fn events(&self) -> Vec<AccountEvent> {
        self.0.moments.iter().cloned().map(AccountEvent).collect()
    }

    /// The place after them: for the next page, and for subscriptions.
    async fn cursor(&self) -> LiveCursorText {
        LiveCursorText(self.0.cursor.clone())
    }

    /// Whether more has happened already. A page may be empty and have more after it.
    async fn has_more(&self) -> bool {
        self.0.has_more
    }
}

/// All of an account in one stream.
#[derive(Default)]
pub(crate) struct AccountSubscription;

/// All of an account in one stream.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Subscription]
impl AccountSubscription {
    /// One stream for a whole page: everything that changes in an account, up to 100 changes in one message. A member without
    /// `READ_CREDIT_LOG` is told of their own entries and sessions.
    async fn account_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account; the viewer's own when left out.")] account_id: Option<ID>,
        #[graphql(desc = "What to be told of; all that the viewer may see when left out.")] topics: Option<
            Vec<LiveTopic>,
        >,
        #[graphql(desc = "Send what came after this cursor first. Left out, it starts with the next change.")]
        after: Option<LiveCursorText>,
    ) -> Result<Shown<AccountEvent>, ApiError> {
        let interest = |scope: &Scope, account_id| interest(scope, account_id, topics.as_deref());
        follow(ctx, account_id.as_ref(), after.as_ref(), interest, AccountEvent)
    }
}
