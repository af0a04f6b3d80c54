//! Subscriptions to findings.

use async_graphql::Context;

use super::{Finding, findings};
use crate::graphql::errors::{Nullable, nullable};
use crate::graphql::live::{Interest, Topics, live_event, subscriptions};
use crate::graphql::viewer::of_viewer;
use crate::primitives::actor::Permission;

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

subscriptions! {
    TroubleshootingSubscription {
        /// Each change of the findings, within some seconds: after an event, or after a point in time has passed. A change of the
        /// figures within a finding is not sent. [auth: `READ_CREDIT_LOG`]
        #[graphql(directive = of_viewer::apply())]
        troubleshooting_changed(ctx) -> TroubleshootingEvent {
            account_id: "Which account; the viewer's own when left out.",
            after: "Events after this cursor are sent first. When left out, the stream starts with the next change.",
            interest: |scope, account_id| {
                scope.actor().require(account_id, Permission::ReadCreditLog)?;
                Ok(Interest::in_topics(Topics::TROUBLESHOOTING))
            },
        }
    }
}
