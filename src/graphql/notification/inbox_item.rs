//! An alert in one member's inbox, with an id of its own.

use async_graphql::{Context, ID, Object};

use super::alert::Alert;
use crate::domain::notification::model;
use crate::graphql::by_id::existing;
use crate::graphql::context::{Scope, public_id};
use crate::graphql::errors::ApiError;
use crate::graphql::member::Member;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId, GlobalId, IdKind, MemberId};

/// An alert in one member's inbox. Several members have the same alert, each with an item of their own.
#[derive(Clone, Debug)]
pub(crate) struct InboxItem {
    pub(super) item: model::InboxItem,
    alert: Alert,
    member_id: MemberId,
    id: GlobalId,
}

/// An alert in one member's inbox. Several members have the same alert, each with an item of their own. The item contains the member's
/// marks; the alert contains everything else.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl InboxItem {
    /// Opaque id, for `node` and for caches.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.id)
    }

    /// The alert.
    async fn alert(&self) -> &Alert {
        &self.alert
    }

    /// The member whose inbox it is in.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, ApiError> {
        existing(ctx, self.id.account_id, self.member_id).await
    }

    /// When the member read it. Null while it is unread.
    async fn read_at(&self) -> Option<Timestamp> {
        self.item.read_at
    }

    /// When the member archived it. Null while it is in the inbox.
    async fn archived_at(&self) -> Option<Timestamp> {
        self.item.archived_at
    }
}

/// An alert as the viewer sees it, and the inbox item that it was read from.
#[derive(Clone, Debug)]
pub(in crate::graphql) struct Seen {
    pub(in crate::graphql) alert: Alert,
    /// `None` where it was read from no inbox.
    pub(in crate::graphql) item: Option<InboxItem>,
}

/// The items of an inbox as the viewer sees them. The marks of an alert are always those of the viewer's own inbox, so that another
/// member's inbox does not change it in a cache.
pub(in crate::graphql) async fn seen_by_viewer(
    scope: &Scope,
    account_id: AccountId,
    items: Vec<model::InboxItem>,
) -> Result<Vec<Seen>, ApiError> {
    let viewer = scope.actor().member_id();
    let is_of_another = |item: &model::InboxItem| {
        let owner = item.place.map(|(member_id, _)| member_id);
        viewer.is_some() && owner != viewer
    };
    let others: Vec<AlertId> = items
        .iter()
        .filter(|item| is_of_another(item))
        .map(|item| item.alert.id)
        .collect();
    let own = if others.is_empty() {
        std::collections::HashMap::new()
    } else {
        let alerts = &scope.services.alerts;
        alerts.by_ids(scope.actor(), account_id, viewer, &others).await?
    };
    let seen = items.into_iter().map(|item| {
        let alert = match own.get(&item.alert.id) {
            Some(own) => own.clone(),
            None if is_of_another(&item) => model::InboxItem::outside_inbox(item.alert.clone()),
            None => item.clone(),
        };
        let alert = Alert::new(alert);
        let item = item.place.map(|(member_id, delivery_id)| InboxItem {
            alert: alert.clone(),
            member_id,
            id: GlobalId::new(IdKind::InboxItem, account_id, delivery_id.uuid()),
            item,
        });
        Seen { alert, item }
    });
    Ok(seen.collect())
}
