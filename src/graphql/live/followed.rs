//! The position from which a list can be followed.

use async_graphql::Context;

use crate::domain::event::LiveCursor;
use crate::graphql::context::scope;
use crate::graphql::errors::ApiError;
use crate::graphql::loaders::must_exist;
use crate::graphql::scalars::LiveCursorText;
use crate::primitives::ids::AccountId;

/// A position in an account's stream that was read before a list.
#[derive(Clone, Copy, Debug)]
pub(in crate::graphql) struct Followed {
    account_id: AccountId,
    cursor: Option<LiveCursor>,
}

impl Followed {
    /// Returns the position before the next read, if the field selects it: the position of the whole request if that was read,
    /// otherwise the current end of the stream.
    pub(in crate::graphql) async fn before_reading(
        ctx: &Context<'_>,
        account_id: AccountId,
        known: Option<LiveCursor>,
    ) -> Result<Self, ApiError> {
        let scope = scope(ctx)?;
        let known = known.or_else(|| scope.live_cursors.get(&account_id).copied());
        let cursor = if known.is_none() && ctx.look_ahead().field("liveCursor").exists() {
            scope.services.events.present(account_id).await?
        } else {
            known
        };
        Ok(Self { account_id, cursor })
    }

    /// Returns the cursor as clients store it.
    pub(in crate::graphql) async fn text(&self, ctx: &Context<'_>) -> Result<LiveCursorText, ApiError> {
        let cursor = match self.cursor {
            Some(cursor) => cursor,
            None => must_exist(scope(ctx)?.services.events.present(self.account_id).await?, "stream")?,
        };
        Ok(LiveCursorText(cursor.encode()))
    }
}
