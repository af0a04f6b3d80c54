//! What is wrong, as it changes.

use async_graphql::{Context, ID, Subscription};

use super::{Finding, findings};
use crate::graphql::context::Scope;
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::live::{Interest, Shown, Topics, follow, live_event};
use crate::graphql::scalars::LiveCursorText;
use crate::graphql::viewer::of_viewer;
use crate::primitives::actor::Permission;

live_event! {
    /// Tells that what is wrong has changed: something has gone wrong, is mended, or is mended by something else now.
    TroubleshootingEvent {
        /// All that is wrong now, the worst first; empty when all is well. Null unless the signal is ITEM.
        async fn findings(&self, ctx: &Context<'_>) -> Option<Result<Vec<Finding>, ApiError>> {
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

/// What is wrong, as it changes.
#[derive(Default)]
pub(crate) struct TroubleshootingSubscription;

/// What is wrong, as it changes.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Subscription]
impl TroubleshootingSubscription {
    /// Each change of what is wrong, within some seconds: when something has happened, and when time alone has changed it. Figures
    /// within a finding that change are no such change. [auth: `READ_CREDIT_LOG`]
    #[graphql(directive = of_viewer::apply())]
    async fn troubleshooting_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account; the viewer's own when left out.")] account_id: Option<ID>,
        #[graphql(desc = "Send what came after this cursor first. Left out, it starts with the next change.")]
        after: Option<LiveCursorText>,
        #[graphql(
            desc = "With more events of the account than this after the cursor, RESET comes at once instead of a replay."
        )]
        replay_at_most: Option<i32>,
    ) -> Result<Shown<TroubleshootingEvent>, ApiError> {
        let interest = |scope: &Scope, account_id| {
            scope.actor().require(account_id, Permission::ReadCreditLog)?;
            Ok(Interest::in_topics(Topics::TROUBLESHOOTING))
        };
        let begin = (after.as_ref(), replay_at_most);
        follow(ctx, account_id.as_ref(), begin, interest, TroubleshootingEvent)
    }
}
