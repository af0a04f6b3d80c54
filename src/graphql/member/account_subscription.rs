//! All changes of an account in one stream.

use async_graphql::{Context, Enum, Lookahead, Object};
use futures_util::future::try_join_all;

use super::{Account, ApiKey};
use crate::domain::event::EventContent;
use crate::domain::ledger::credit_log;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::ledger::{CreditEntry, CreditLogFilter, CreditTotals, Session, at_most_100, own_part};
use crate::graphql::live::{Interest, LiveSignal, Moment, MomentPage, Topics, live_event, subscriptions};
use crate::graphql::notification::{Alert, InboxItem, inbox_of, seen_of, unread_count};
use crate::graphql::scalars::LiveCursorText;
use crate::graphql::top_up::TopUp;
use crate::graphql::viewer::of_viewer;
use crate::primitives::actor::Permission;
use crate::primitives::ids::{AccountId, AlertId};

/// All changes of alerts.
const ALERTS: Topics = Topics::ALERTS.and(Topics::ALERT_CHANGES);
/// The maximum number of changes in one message.
const MOST_CHANGES: usize = 100;

/// A topic of an account to follow. The account's settings and status are always included.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveTopic {
    /// New entries of the credit log.
    CreditEntries,
    /// Changes of the balance.
    Balance,
    /// Changes of top-ups. [auth: `READ_CREDIT_LOG`]
    TopUps,
    /// Changes of sessions.
    Sessions,
    /// Changes of findings, which `account.troubleshooting` lists. [auth: `READ_CREDIT_LOG`]
    Troubleshooting,
    /// Changes of the team's API keys: created, revoked. [auth: `MANAGE_API_KEYS`]
    ApiKeys,
    /// Alerts of the viewer's inbox: raised, read, archived, resolved. For an API key, all alerts of the account.
    Alerts,
}

impl LiveTopic {
    const ALL: [Self; 7] = [
        Self::CreditEntries,
        Self::Balance,
        Self::TopUps,
        Self::Sessions,
        Self::Troubleshooting,
        Self::ApiKeys,
        Self::Alerts,
    ];

    const fn topics(self) -> Topics {
        match self {
            Self::CreditEntries => Topics::ENTRIES,
            Self::Balance => Topics::BALANCE,
            Self::TopUps => Topics::TOP_UPS,
            Self::Sessions => Topics::SESSIONS,
            Self::Troubleshooting => Topics::TROUBLESHOOTING,
            Self::ApiKeys => Topics::API_KEYS,
            Self::Alerts => ALERTS,
        }
    }

    /// Checks whether the caller may follow the topic.
    fn check(self, scope: &Scope, account_id: AccountId) -> Result<(), ApiError> {
        match self {
            Self::CreditEntries | Self::Sessions => own_part(scope, account_id).map(drop),
            Self::Balance => Ok(scope.actor().require(account_id, Permission::ReadOwnUsage)?),
            Self::TopUps | Self::Troubleshooting => Ok(scope.actor().require(account_id, Permission::ReadCreditLog)?),
            Self::ApiKeys => Ok(scope.actor().require(account_id, Permission::ManageApiKeys)?),
            Self::Alerts => inbox_of(scope, account_id, None).map(drop),
        }
    }
}

/// Returns the topics that a caller follows: the named topics, or all if none are named. Topics that the caller may not see are
/// left out. So one document serves owners and members, and a demotion does not end the stream.
///
/// Without named topics, alerts are included only if a field of an inbox is selected. An inbox belongs to one member, so its
/// messages cannot be shared with other callers.
pub(in crate::graphql) fn interest(
    scope: &Scope,
    account_id: AccountId,
    topics: Option<&[LiveTopic]>,
    selects_inbox: bool,
) -> Result<Interest, ApiError> {
    at_most_100("topics", topics)?;
    let mut named = topics.map_or_else(|| LiveTopic::ALL.to_vec(), <[LiveTopic]>::to_vec);
    named.retain(|topic| *topic != LiveTopic::Alerts || topics.is_some() || selects_inbox);
    let mut followed = Topics::ACCOUNT | Topics::MEMBERS;
    for topic in named {
        if topic.check(scope, account_id).is_ok() {
            followed = followed | topic.topics();
        }
    }
    scope.actor().require(account_id, Permission::ReadOwnUsage)?;
    let inbox_of = if followed.meets(ALERTS) {
        inbox_of(scope, account_id, None)?
    } else {
        None
    };
    Ok(Interest {
        inbox_of,
        member_id: own_part(scope, account_id)?,
        at_once: MOST_CHANGES,
        ..Interest::in_topics(followed)
    })
}

/// Returns whether an inbox field of `AccountEvent` is selected.
pub(in crate::graphql) fn selects_inbox(event: &Lookahead<'_>) -> bool {
    let of_event = ["alerts", "inboxItems", "unreadCount"];
    of_event.iter().any(|name| event.field(name).exists()) || event.field("account").field("alerts").exists()
}

/// Returns the alerts of a moment. A mark names its member, and at most the last alert of those that it covers.
fn alerts(moment: &Moment) -> Vec<AlertId> {
    moment.ids(ALERTS, |event| match event.content {
        EventContent::AlertRaised { alert_id, .. } | EventContent::AlertResolved { alert_id } => Some(alert_id),
        _ => None,
    })
}

/// Returns the new entries of a moment that match the filter.
async fn entries(
    ctx: &Context<'_>,
    moment: &Moment,
    filter: Option<CreditLogFilter>,
) -> Result<Vec<credit_log::Entry>, ApiError> {
    let (scope, account_id) = (scope(ctx)?, moment.account_id());
    let filter = filter.map(|filter| filter.for_account(account_id)).transpose()?;
    let mut ids = moment.ids(Topics::ENTRIES, |event| event.content.entry_id());
    if let Some(filter) = filter {
        let log = &scope.services.credit_log;
        let listed = log.listed(scope.actor(), account_id, &filter, &ids).await?;
        ids.retain(|id| listed.contains(id));
    }
    let entries = try_join_all(ids.into_iter().map(|id| scope.loaders.entry(account_id, id))).await?;
    Ok(entries.into_iter().flatten().collect())
}

live_event! {
    /// Up to 100 changes in an account.
    AccountEvent {
        /// The account in its current state. Null unless the signal is ITEM.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            nullable(async {
                match self.0.signal {
                    LiveSignal::Item => Account::load(ctx, self.0.account_id()).await.map(Some),
                    LiveSignal::CaughtUp | LiveSignal::Position | LiveSignal::Reset => Ok(None),
                }
            })
            .await
        }

        /// The topics of this stream: those that were requested and that the viewer may see.
        async fn topics(&self) -> Vec<LiveTopic> {
            let is_followed = |topic: &LiveTopic| topic.topics().meets(self.0.interest.topics);
            LiveTopic::ALL.into_iter().filter(is_followed).collect()
        }

        /// New entries of the credit log, oldest first.
        async fn entries(
            &self,
            ctx: &Context<'_>,
            #[graphql(desc = "Only those that creditLog lists with this filter; all when left out.")]
            filter: Option<CreditLogFilter>,
        ) -> Nullable<Vec<CreditEntry>> {
            nullable(async {
                let entries = entries(ctx, &self.0, filter).await?;
                Ok(Some(entries.into_iter().map(CreditEntry::new).collect()))
            })
            .await
        }

        /// What the new entries add to the totals of the credit log with this filter, so that a client can update shown totals
        /// without another query.
        async fn entry_totals(
            &self,
            ctx: &Context<'_>,
            #[graphql(desc = "Only lines that creditLog lists with this filter; all when left out.")]
            filter: Option<CreditLogFilter>,
        ) -> Nullable<CreditTotals> {
            nullable(async {
                let entries = entries(ctx, &self.0, filter).await?;
                let scope = match self.0.interest.member_id {
                    Some(_) => credit_log::UsageScope::Member,
                    None => credit_log::UsageScope::Account,
                };
                Ok(Some(credit_log::CreditTotals::of(scope, &entries).into()))
            })
            .await
        }

        /// The current number of alerts in the viewer's inbox that are neither read nor archived. Null unless the signal is
        /// ITEM, and for an API key, which has no inbox.
        #[graphql(directive = of_viewer::apply())]
        async fn unread_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
            nullable(async {
                let scope = scope(ctx)?;
                match scope.actor().member_id().filter(|_| self.0.event().is_some()) {
                    Some(viewer) => unread_count(scope, self.0.account_id(), Some(viewer)).await.map(Some),
                    None => Ok(None),
                }
            })
            .await
        }

        /// Sessions that have changed, in their current state, each once.
        async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>, ApiError> {
            let (loaders, account_id) = (&scope(ctx)?.loaders, self.0.account_id());
            let ids = self.0.ids(Topics::SESSIONS, |event| event.content.session_id());
            let sessions = try_join_all(ids.into_iter().map(|id| loaders.session(account_id, id))).await?;
            let sessions = sessions.into_iter().flatten();
            Ok(sessions.map(|session| Session::new(account_id, session)).collect())
        }

        /// Top-ups that have changed, in their current state, each once.
        async fn top_ups(&self, ctx: &Context<'_>) -> Result<Vec<TopUp>, ApiError> {
            let (loaders, account_id) = (&scope(ctx)?.loaders, self.0.account_id());
            let ids = self.0.ids(Topics::TOP_UPS, |event| event.content.top_up_id());
            let top_ups = try_join_all(ids.into_iter().map(|id| loaders.top_up(account_id, id))).await?;
            Ok(top_ups.into_iter().flatten().map(TopUp::new).collect())
        }

        /// API keys of the team that were created or revoked, in their current state, each once. For viewers who may manage
        /// keys.
        async fn api_keys(&self, ctx: &Context<'_>) -> Result<Vec<ApiKey>, ApiError> {
            let loaders = &scope(ctx)?.loaders;
            let ids = self.0.ids(Topics::API_KEYS, |event| event.content.api_key_id());
            let api_keys = try_join_all(ids.into_iter().map(|id| loaders.api_key(id))).await?;
            Ok(api_keys.into_iter().flatten().map(ApiKey::new).collect())
        }

        /// Alerts that were raised or have ended, in their current state, each once. Marks of the member are sent without a
        /// list: see alertsUpdated.
        #[graphql(directive = of_viewer::apply())]
        async fn alerts(&self, ctx: &Context<'_>) -> Result<Vec<Alert>, ApiError> {
            let seen = seen_of(ctx, &self.0, &alerts(&self.0)).await?;
            Ok(seen.into_iter().map(|seen| seen.alert).collect())
        }

        /// The same alerts as items of the viewer's inbox. Empty for an API key, which has no inbox.
        #[graphql(directive = of_viewer::apply())]
        async fn inbox_items(&self, ctx: &Context<'_>) -> Result<Vec<InboxItem>, ApiError> {
            let seen = seen_of(ctx, &self.0, &alerts(&self.0)).await?;
            Ok(seen.into_iter().filter_map(|seen| seen.item).collect())
        }
    }
}

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
    /// The events in order, each separate. A single event with the signal RESET when the cursor was not valid: query again.
    async fn events(&self) -> Vec<AccountEvent> {
        self.0.moments.iter().cloned().map(AccountEvent).collect()
    }

    /// The position after them: for the next page, and for subscriptions.
    async fn cursor(&self) -> LiveCursorText {
        LiveCursorText(self.0.cursor.clone())
    }

    /// Whether there are more events. A page may be empty and still have more events after it.
    async fn has_more(&self) -> bool {
        self.0.has_more
    }
}

subscriptions! {
    AccountSubscription {
        /// One stream for a whole page: everything that changes in an account, up to 100 changes in one message. A member without
        /// `READ_CREDIT_LOG` receives only their own entries and sessions.
        account_updated(
            ctx,
            topics: Option<Vec<LiveTopic>> = "The topics to follow; all when left out, but ALERTS only where alerts or unreadCount are selected. Topics that the viewer may not see are left out: see AccountEvent.topics."
        ) -> AccountEvent {
            account_id: "Which account; the viewer's own when left out.",
            after: "Events after this cursor are sent first. When left out, the stream starts with the next change.",
            interest: |scope, account_id| {
                let selects_inbox = selects_inbox(&ctx.look_ahead());
                self::interest(scope, account_id, topics.as_deref(), selects_inbox)
            },
        }
    }
}
