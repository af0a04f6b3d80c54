//! The long lists of an account, in pages.

use async_graphql::Context;

use super::Account;
use crate::domain::filter::key;
use crate::domain::ledger::sessions;
use crate::graphql::connection::{PageArguments, selects_page};
use crate::graphql::context::scope;
use crate::graphql::errors::ApiError;
use crate::graphql::ledger::{
    CreditEntryConnection, CreditLogFilter, Session, SessionConnection, SessionFilter, SessionOrder, SortOrder,
};
use crate::graphql::live::Followed;
use crate::graphql::top_up::{TopUp, TopUpConnection, TopUpFilter};
use crate::primitives::page::{Page, SortOrder as Order};

impl Account {
    /// Returns the position from which the list that is read next can be followed.
    async fn followed(&self, ctx: &Context<'_>) -> Result<Followed, ApiError> {
        Followed::before_reading(ctx, self.row.id, self.live_cursor).await
    }

    pub(super) async fn credit_log_page(
        &self,
        ctx: &Context<'_>,
        filter: Option<CreditLogFilter>,
        order: Option<SortOrder>,
        arguments: PageArguments,
    ) -> Result<Option<CreditEntryConnection>, ApiError> {
        let scope = scope(ctx)?;
        let filter = filter.unwrap_or_default().for_account(self.row.id)?;
        let (order, order_name) = in_order(order);
        let list = self.list("credit_log", &key(&filter)?, order_name);
        let selects_page = selects_page(ctx, arguments.first);
        let request = arguments.request(list)?;
        let log = scope.services.credit_log.up_to(self.log_end);
        // Also where no page is read: all of the list needs the permission.
        log.sees_whole_log(scope.actor(), self.row.id)?;
        let followed = self.followed(ctx).await?;
        let page = if selects_page {
            log.page(scope.actor(), self.row.id, &filter, order, &request).await?
        } else {
            Page::from_scan(Vec::new(), &request)
        };
        let page = request.relay(page);
        Ok(Some(CreditEntryConnection::new(
            page,
            (self.row.id, filter, self.log_end),
            followed,
        )))
    }

    pub(super) async fn sessions_page(
        &self,
        ctx: &Context<'_>,
        filter: Option<SessionFilter>,
        (order_by, order): (Option<SessionOrder>, Option<SortOrder>),
        arguments: PageArguments,
    ) -> Result<Option<SessionConnection>, ApiError> {
        let scope = scope(ctx)?;
        let filter = filter.unwrap_or_default().for_account(self.row.id)?;
        let (order, order_name) = in_order(order);
        let order_by: sessions::SessionOrder = order_by.unwrap_or(SessionOrder::BookedAt).into();
        let list = self.list("sessions", &key(&filter)?, &key(&(order_by, order_name))?);
        let request = arguments.request(list)?;
        let followed = self.followed(ctx).await?;
        let sessions = &scope.services.sessions;
        let order = (order_by, order);
        let page = sessions.page(scope.actor(), self.row.id, &filter, order, &request, scope.now());
        let page = page.await?.map(|session| Session::new(self.row.id, session));
        let page = request.relay(page);
        Ok(Some(SessionConnection::new(page, followed)))
    }

    pub(super) async fn top_ups_page(
        &self,
        ctx: &Context<'_>,
        filter: Option<TopUpFilter>,
        order: Option<SortOrder>,
        arguments: PageArguments,
    ) -> Result<Option<TopUpConnection>, ApiError> {
        let scope = scope(ctx)?;
        let filter = filter.unwrap_or_default().into_domain()?;
        let (order, order_name) = in_order(order);
        let list = self.list("top_ups", &key(&filter)?, order_name);
        let request = arguments.request(list)?;
        let followed = self.followed(ctx).await?;
        let top_ups = &scope.services.top_ups;
        let page = top_ups.page(scope.actor(), self.row.id, &filter, order, &request);
        let page = request.relay(page.await?.map(TopUp::new));
        Ok(Some(TopUpConnection::new(page, followed)))
    }
}

/// Returns the order and its name; null means the default.
fn in_order(order: Option<SortOrder>) -> (Order, &'static str) {
    match order.unwrap_or(SortOrder::NewestFirst) {
        SortOrder::NewestFirst => (Order::NewestFirst, "NEWEST_FIRST"),
        SortOrder::OldestFirst => (Order::OldestFirst, "OLDEST_FIRST"),
    }
}
