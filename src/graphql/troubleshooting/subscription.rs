//! Subscriptions to findings.

use async_graphql::{Context, Subscription};

use super::{Finding, findings};
use crate::graphql::context::Scope;
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::id::Id;
use crate::graphql::live::{Interest, Shown, Topics, follow, live_event};
use crate::graphql::scalars::LiveCursorText;
use crate::graphql::viewer::of_viewer;
use crate::primitives::actor::Permission;
use crate::primitives::ids::AccountId;

live_event! {
    /// A change of the findings: a problem has occurred, was fixed, or has a different remedy now.
    TroubleshootingEvent {
        /// All current findings, most severe first; empty when nothing is wrong. Null unless the signal is ITEM.
        async fn findings(&self, ctx: &Context<'_>) -> Nullable<Vec<Finding>> {
            nullable(async {
                if self.0.event().is_none() {
                    return Ok(None);
                }
                findings(ctx, self.0.account_id()).await.map(Some)
            })
            .await
        }
    }
}

#[derive(Default)]
pub(crate) struct TroubleshootingSubscription;

#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Subscription]
impl TroubleshootingSubscription {
    /// Each change of the findings, within some seconds: after an event, or after a point in time has passed. A change of the
    /// figures within a finding is not sent. [auth: `READ_CREDIT_LOG`]
    #[graphql(directive = of_viewer::apply())]
    async fn troubleshooting_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account; the viewer's own when left out.")] account_id: Option<Id<AccountId>>,
        #[graphql(
            desc = "Events after this cursor are sent first. When left out, the stream starts with the next change."
        )]
        after: Option<LiveCursorText>,
        #[graphql(
            desc = "The maximum number of the account's events after the cursor that are replayed. With more, RESET is sent at once."
        )]
        replay_at_most: Option<i32>,
    ) -> Result<Shown<TroubleshootingEvent>, ApiError> {
        let interest = |scope: &Scope, account_id| {
            scope.actor().require(account_id, Permission::ReadCreditLog)?;
            Ok(Interest::in_topics(Topics::TROUBLESHOOTING))
        };
        let begin = (after.as_ref(), replay_at_most);
        follow(ctx, account_id, begin, interest, TroubleshootingEvent)
    }
}
