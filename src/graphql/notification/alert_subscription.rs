//! Subscriptions to alerts.

use async_graphql::{Context, Enum};

use super::alert::{Alert, unread_count};
use super::inbox_item::{InboxItem, Seen, seen_by_viewer};
use crate::domain::event::{AlertMark, EventContent};
use crate::graphql::by_id::existing;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::id::Id;
use crate::graphql::live::{Interest, Moment, Topics, live_event, subscriptions};
use crate::graphql::member::Member;
use crate::graphql::viewer::of_viewer;
use crate::primitives::ids::{AccountId, AlertId, MemberId};

/// A change of alerts.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertChange {
    /// They were raised.
    Raised,
    /// The member read them.
    Read,
    /// The member marked them as not read.
    Unread,
    /// The member archived them.
    Archived,
    /// The member moved them back into the inbox.
    Unarchived,
    /// Their condition has ended.
    Resolved,
}

impl From<AlertMark> for AlertChange {
    fn from(mark: AlertMark) -> Self {
        match mark {
            AlertMark::Read => Self::Read,
            AlertMark::Unread => Self::Unread,
            AlertMark::Archived => Self::Archived,
            AlertMark::Unarchived => Self::Unarchived,
        }
    }
}

/// The inbox of a subscription: that of the named member, else the caller's own. A key that names no member gets all alerts of the account.
pub(in crate::graphql) fn inbox_of(
    scope: &Scope,
    account_id: AccountId,
    named: Option<Id<MemberId>>,
) -> Result<Option<MemberId>, ApiError> {
    let member_id = match named {
        Some(id) => Some(id.in_argument(account_id)?),
        None => scope.actor().member_id(),
    };
    scope
        .services
        .alerts
        .check_inbox(scope.actor(), account_id, member_id)?;
    Ok(member_id)
}

fn interest(
    scope: &Scope,
    account_id: AccountId,
    named: Option<Id<MemberId>>,
    topics: Topics,
) -> Result<Interest, ApiError> {
    Ok(Interest {
        inbox_of: inbox_of(scope, account_id, named)?,
        ..Interest::in_topics(topics)
    })
}

/// The alerts with these ids, as in the inbox that the event is about.
pub(in crate::graphql) async fn seen_of(
    ctx: &Context<'_>,
    moment: &Moment,
    ids: &[AlertId],
) -> Result<Vec<Seen>, ApiError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let scope = scope(ctx)?;
    let (account_id, inbox_of) = (moment.account_id(), moment.interest.inbox_of);
    let alerts = &scope.services.alerts;
    let mut found = alerts.by_ids(scope.actor(), account_id, inbox_of, ids).await?;
    let items = ids.iter().filter_map(|id| found.remove(id)).collect();
    seen_by_viewer(scope, account_id, items).await
}

/// The alert of an event, as in the inbox that is followed.
async fn seen(ctx: &Context<'_>, moment: &Moment) -> Result<Option<Seen>, ApiError> {
    let ids: Vec<AlertId> = moment
        .event()
        .and_then(|event| event.content.alert_id())
        .into_iter()
        .collect();
    Ok(seen_of(ctx, moment, &ids).await?.pop())
}

/// The alerts of a change, where they are named.
async fn changed(ctx: &Context<'_>, moment: &Moment) -> Result<Vec<Seen>, ApiError> {
    let Some(event) = moment.event() else {
        return Ok(Vec::new());
    };
    let ids = match event.content {
        EventContent::AlertRaised { alert_id, .. } | EventContent::AlertResolved { alert_id } => vec![alert_id],
        EventContent::AlertsMarked {
            member_id, up_to: None, ..
        } => {
            let scope = scope(ctx)?;
            let (alerts, account_id) = (&scope.services.alerts, moment.account_id());
            alerts
                .marked_in(scope.actor(), account_id, member_id, event.position.sequence)
                .await?
        }
        // A mark up to an alert: the client marks what it shows.
        _ => Vec::new(),
    };
    seen_of(ctx, moment, &ids).await
}

/// The last alert of a change that is given by upTo.
async fn reached(ctx: &Context<'_>, moment: &Moment) -> Result<Option<Seen>, ApiError> {
    let is_mark = moment
        .event()
        .is_some_and(|event| matches!(event.content, EventContent::AlertsMarked { .. }));
    if is_mark { seen(ctx, moment).await } else { Ok(None) }
}

async fn member_of(ctx: &Context<'_>, moment: &Moment) -> Result<Option<Member>, ApiError> {
    let Some(member_id) = moment.interest.inbox_of.filter(|_| moment.event().is_some()) else {
        return Ok(None);
    };
    existing(ctx, moment.account_id(), member_id).await.map(Some)
}

live_event! {
    /// A new alert.
    AlertEvent {
        /// The current alert. Null unless the signal is ITEM.
        async fn alert(&self, ctx: &Context<'_>) -> Nullable<Alert> {
            nullable(async { Ok(seen(ctx, &self.0).await?.map(|seen| seen.alert)) }).await
        }

        /// The current item of the inbox. Null unless the signal is ITEM, and where all of the account's alerts are followed.
        async fn item(&self, ctx: &Context<'_>) -> Nullable<InboxItem> {
            nullable(async { Ok(seen(ctx, &self.0).await?.and_then(|seen| seen.item)) }).await
        }

        /// Number of alerts in the inbox that are now neither read nor archived. Null unless the signal is ITEM.
        async fn unread_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
            nullable(async {
                if self.0.event().is_none() {
                    return Ok(None);
                }
                unread_count(scope(ctx)?, self.0.account_id(), self.0.interest.inbox_of).await.map(Some)
            })
            .await
        }

        /// The member whose inbox it is in. Null unless the signal is ITEM, and where all of the account's alerts are followed.
        async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
            nullable(member_of(ctx, &self.0)).await
        }
    }
}

live_event! {
    /// A change of alerts. It reaches the member's other windows too.
    AlertsEvent {
        /// The change. Null unless the signal is ITEM.
        async fn change(&self) -> Option<AlertChange> {
            match self.0.event()?.content {
                EventContent::AlertRaised { .. } => Some(AlertChange::Raised),
                EventContent::AlertResolved { .. } => Some(AlertChange::Resolved),
                EventContent::AlertsMarked { mark, .. } => Some(mark.into()),
                _ => None,
            }
        }

        /// The current alerts. Alerts that were marked again later come with that later change. Empty with upTo.
        async fn alerts(&self, ctx: &Context<'_>) -> Result<Vec<Alert>, ApiError> {
            Ok(changed(ctx, &self.0).await?.into_iter().map(|seen| seen.alert).collect())
        }

        /// The current items of the inbox, by the rules of alerts. Empty with upTo, and where all of the account's alerts are followed.
        async fn items(&self, ctx: &Context<'_>) -> Result<Vec<InboxItem>, ApiError> {
            Ok(changed(ctx, &self.0).await?.into_iter().filter_map(|seen| seen.item).collect())
        }

        /// Number of alerts in the inbox that are now neither read nor archived. Null unless the signal is ITEM, and where all of the
        /// account's alerts are followed.
        async fn unread_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
            nullable(async {
                match self.0.interest.inbox_of.filter(|_| self.0.event().is_some()) {
                    Some(owner) => unread_count(scope(ctx)?, self.0.account_id(), Some(owner)).await.map(Some),
                    None => Ok(None),
                }
            })
            .await
        }

        /// The change covers everything up to and including this alert. Null when the alerts are named by id.
        async fn up_to(&self, ctx: &Context<'_>) -> Nullable<Alert> {
            nullable(async { Ok(reached(ctx, &self.0).await?.map(|seen| seen.alert)) }).await
        }

        /// The member whose inbox they are in. Null unless the signal is ITEM, and where all of the account's alerts are followed.
        async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
            nullable(member_of(ctx, &self.0)).await
        }
    }
}

subscriptions! {
    /// Alerts as they happen.
    AlertSubscription {
        /// Each alert that reaches an inbox. A key that names no member gets all alerts of the account.
        /// [auth: OWN, or `MANAGE_SETTINGS`, or for a key that names no member `READ_CREDIT_LOG`]
        #[graphql(directive = of_viewer::apply())]
        alert_raised(ctx, member_id: Option<Id<MemberId>> = "Whose inbox; the viewer's when left out.") -> AlertEvent {
            account_id: "Which account; the viewer's own when left out.",
            after: "Alerts after this cursor are sent first. When left out, the stream starts with the next alert.",
            interest: |scope, account_id| interest(scope, account_id, member_id, Topics::ALERTS),
        }

        /// Each change of the alerts in an inbox: raised, read, archived, resolved.
        /// [auth: OWN, or `MANAGE_SETTINGS`, or for a key that names no member `READ_CREDIT_LOG`]
        #[graphql(directive = of_viewer::apply())]
        alerts_updated(
            ctx,
            member_id: Option<Id<MemberId>> = "Whose inbox; the viewer's when left out."
        ) -> AlertsEvent {
            account_id: "Which account; the viewer's own when left out.",
            after: "Events after this cursor are sent first. When left out, the stream starts with the next change.",
            interest: |scope, account_id| interest(scope, account_id, member_id, Topics::ALERTS | Topics::ALERT_CHANGES),
        }
    }
}
