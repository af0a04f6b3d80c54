//! Alerts and inboxes.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::delivery::{DeliveryConnection, deliveries};
use super::inbox_item::{InboxItem, Seen, seen_by_viewer};
use super::settings::AlertKind;
use crate::domain::fault::InvalidInput;
use crate::domain::filter::{AnyOf, key};
use crate::domain::notification::{self, DeliveriesOf, model};
use crate::graphql::by_id::find;
use crate::graphql::connection::{PageArguments, PageInfo, selects_page};
use crate::graphql::context::{Scope, public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::ledger::{DateTimeRange, Session, instants};
use crate::graphql::live::Followed;
use crate::graphql::scalars::LiveCursorText;
use crate::graphql::top_up::TopUp;
use crate::graphql::viewer::of_viewer;
use crate::primitives::clock::Timestamp;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::page::Page;

/// The severity of an alert.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::Severity")]
pub(crate) enum AlertSeverity {
    /// Information that needs no action.
    Info,
    /// Something will go wrong unless a person acts.
    Warning,
    /// Something has gone wrong.
    Critical,
}

/// What a member can do about an alert.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::NextStep")]
pub(crate) enum AlertNextStep {
    /// Buy credits.
    TopUp,
    /// Retry the top-up.
    RetryTopUp,
    /// Add another card.
    UpdatePaymentMethod,
    /// Confirm the payment at the bank.
    Authenticate,
    /// Allow auto top-up to spend more.
    RaiseCap,
    /// Review the settings of auto top-up: change them, agree to them, or resume it.
    ReviewAutoTopUp,
    /// Set an address that receives mail.
    UpdateContact,
    /// Review the team's API keys, and revoke those that are not needed.
    ReviewApiKeys,
    /// Review the webhook endpoints: repair and enable them, or delete those that are not needed.
    ReviewWebhookEndpoints,
    /// Review the credit log.
    ViewCreditLog,
    /// No action is needed.
    None,
}

/// Selects alerts that meet every given condition.
#[derive(InputObject, Clone, Debug, Default)]
pub(crate) struct AlertFilter {
    /// Only alerts whose condition still holds.
    open_only: Option<bool>,
    /// Only alerts that the member has not read.
    unread_only: Option<bool>,
    /// Only alerts of these kinds.
    kinds: Option<Vec<AlertKind>>,
    /// Only alerts of these severities.
    severities: Option<Vec<AlertSeverity>>,
    /// Includes alerts that the member has archived.
    include_archived: Option<bool>,
    /// Only alerts raised in this range.
    raised_at: Option<DateTimeRange>,
}

impl AlertFilter {
    pub(in crate::graphql) fn into_domain(self) -> Result<notification::AlertFilter, InvalidInput> {
        Ok(notification::AlertFilter {
            open_only: self.open_only.unwrap_or_default(),
            unread_only: self.unread_only.unwrap_or_default(),
            kinds: AnyOf::new("filter.kinds", self.kinds)?,
            severities: AnyOf::new("filter.severities", self.severities)?,
            include_archived: self.include_archived.unwrap_or_default(),
            raised_at: instants("filter.raisedAt", self.raised_at)?,
        })
    }
}

/// An action for an alert.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct AlertAction {
    /// The label of the button, in the viewer's language.
    label: String,
    /// The action, for programs.
    next_step: AlertNextStep,
    /// The page for the action. Null when the operator has configured none.
    url: Option<String>,
}

/// Something that a member should know.
#[derive(Clone, Debug)]
pub(crate) struct Alert(model::InboxItem);

impl Alert {
    pub(in crate::graphql) const fn new(item: model::InboxItem) -> Self {
        Self(item)
    }

    async fn words(&self, ctx: &Context<'_>) -> Result<notification::Words, ApiError> {
        let scope = scope(ctx)?;
        let reader = scope.reader().await?;
        Ok(scope.services.wording.alert(&self.0.alert, reader)?)
    }
}

/// Something that a member should know.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl Alert {
    /// Opaque id, for `node` and mutations.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.alert.id.global(self.0.alert.account_id))
    }

    /// The kind, for programs.
    async fn kind(&self) -> AlertKind {
        self.0.alert.kind.into()
    }

    /// The severity.
    async fn severity(&self) -> AlertSeverity {
        self.0.alert.severity().into()
    }

    /// The alert in one line, in the viewer's language.
    #[graphql(directive = of_viewer::apply())]
    async fn title(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        Ok(self.words(ctx).await?.title)
    }

    /// The alert in one or two sentences, in the viewer's language.
    #[graphql(directive = of_viewer::apply())]
    async fn body(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        Ok(self.words(ctx).await?.body)
    }

    /// What the viewer can do about it. Null when no action is needed, and where the viewer may not take it.
    #[graphql(directive = of_viewer::apply())]
    async fn action(&self, ctx: &Context<'_>) -> Nullable<AlertAction> {
        nullable(async {
            let (scope, alert) = (scope(ctx)?, &self.0.alert);
            let subject = match alert.subject {
                Some(member_id) => scope.loaders.member(alert.account_id, member_id).await?,
                None => None,
            };
            if !alert.is_open_to(scope.actor(), subject.map(|member| member.role)) {
                return Ok(None);
            }
            let label = self.words(ctx).await?.action;
            let url = scope.services.links.action(alert);
            Ok(label.map(|label| AlertAction {
                label,
                next_step: self.0.alert.next_step().into(),
                url,
            }))
        })
        .await
    }

    /// When it was raised.
    async fn raised_at(&self) -> Timestamp {
        self.0.alert.raised_at
    }

    /// When the condition ended: a balance recovered, a card was replaced. Null while it holds, and for an alert without a condition.
    async fn resolved_at(&self) -> Option<Timestamp> {
        self.0.alert.resolved_at
    }

    /// When the viewer read it, in their own inbox. Null for an alert that is not in it. For an API key, which has no inbox: when the
    /// member of the queried inbox read it.
    #[graphql(deprecation = "An alert is in several inboxes: read InboxItem.readAt, which belongs to one.", directive = of_viewer::apply())]
    async fn read_at(&self) -> Option<Timestamp> {
        self.0.read_at
    }

    /// When the viewer archived it, by the rules of readAt.
    #[graphql(deprecation = "An alert is in several inboxes: read InboxItem.archivedAt, which belongs to one.", directive = of_viewer::apply())]
    async fn archived_at(&self) -> Option<Timestamp> {
        self.0.archived_at
    }

    /// The top-up it is about.
    async fn top_up(&self, ctx: &Context<'_>) -> Nullable<TopUp> {
        find(ctx, self.0.alert.account_id, self.0.alert.top_up_id?).await
    }

    /// The session it is about.
    async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
        find(ctx, self.0.alert.account_id, self.0.alert.session_id?).await
    }

    /// Its deliveries by recipient and channel, with their results. A viewer who does not manage settings sees their own.
    #[graphql(directive = of_viewer::apply())]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Nullable<DeliveryConnection> {
        nullable(async {
            let of = DeliveriesOf::Alert(self.0.alert.id);
            let page = deliveries(scope(ctx)?, self.0.alert.account_id, of, None, (first, after));
            page.await.map(Some)
        })
        .await
    }
}

/// One item of a page, and its cursor.
#[derive(Clone)]
pub(crate) struct AlertEdge {
    cursor: String,
    node: Alert,
    item: Option<InboxItem>,
}

/// One item of a page, and its cursor.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl AlertEdge {
    /// The item's position in this list, with this filter and order.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The item.
    async fn node(&self) -> &Alert {
        &self.node
    }

    /// The alert in this inbox. Null where the list is all of the account's alerts, which is no inbox.
    async fn item(&self) -> Option<&InboxItem> {
        self.item.as_ref()
    }

    /// When the member read it.
    #[graphql(directive = of_viewer::apply())]
    async fn read_at(&self) -> Option<Timestamp> {
        self.item.as_ref().and_then(|item| item.item.read_at)
    }

    /// When the member archived it.
    #[graphql(directive = of_viewer::apply())]
    async fn archived_at(&self) -> Option<Timestamp> {
        self.item.as_ref().and_then(|item| item.item.archived_at)
    }
}

/// A page of alerts, newest first.
pub(crate) struct AlertConnection {
    edges: Vec<AlertEdge>,
    page_info: PageInfo,
    account_id: AccountId,
    inbox_of: Option<MemberId>,
    followed: Followed,
}

/// Returns one page of a member's inbox, or of all the account's alerts where no member is named.
pub(in crate::graphql) async fn inbox(
    ctx: &Context<'_>,
    (account_id, inbox_of): (AccountId, Option<MemberId>),
    filter: Option<AlertFilter>,
    arguments: PageArguments,
) -> Result<AlertConnection, ApiError> {
    let scope = scope(ctx)?;
    let filter = filter.unwrap_or_default().into_domain()?;
    let owner = inbox_of.map_or_else(|| "all".to_owned(), |member_id| member_id.uuid().to_string());
    let account = account_id.number().to_string();
    let list = CursorScope::of(&["alerts", &account, &owner, &key(&filter)?]);
    let selects_page = selects_page(ctx, arguments.first);
    let request = arguments.request(list)?;
    let alerts = &scope.services.alerts;
    alerts.check_inbox(scope.actor(), account_id, inbox_of)?;
    let followed = Followed::before_reading(ctx, account_id, None).await?;
    let page = match inbox_of {
        _ if !selects_page => Page::from_scan(Vec::new(), &request),
        Some(member_id) => {
            alerts
                .inbox(scope.actor(), account_id, member_id, &filter, &request)
                .await?
        }
        None => alerts.of_account(scope.actor(), account_id, &filter, &request).await?,
    };
    let (items, page_info) = request.relay(page);
    let (cursors, items): (Vec<String>, Vec<model::InboxItem>) = items.into_iter().unzip();
    let seen = seen_by_viewer(scope, account_id, items).await?;
    let edges = cursors.into_iter().zip(seen);
    let edge = |(cursor, Seen { alert, item })| AlertEdge {
        cursor,
        node: alert,
        item,
    };
    Ok(AlertConnection {
        edges: edges.map(edge).collect(),
        page_info,
        account_id,
        inbox_of,
        followed,
    })
}

/// A page of alerts, newest first.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl AlertConnection {
    /// The items with their cursors.
    async fn edges(&self) -> &[AlertEdge] {
        &self.edges
    }

    /// The items without cursors.
    async fn nodes(&self) -> Vec<&Alert> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// The alerts in this inbox. Empty where the list is all of the account's alerts, which is no inbox.
    async fn items(&self) -> Vec<&InboxItem> {
        self.edges.iter().filter_map(|edge| edge.item.as_ref()).collect()
    }

    /// The position of the page in the list.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }

    /// Number of alerts in the inbox that are neither read nor archived, for any filter. 0 for an API key, which has no inbox.
    #[graphql(directive = of_viewer::apply())]
    async fn unread_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        unread_count(scope(ctx)?, self.account_id, self.inbox_of).await
    }

    /// Pass this to alertRaised(after:) to continue live from exactly here.
    async fn live_cursor(&self, ctx: &Context<'_>) -> Result<LiveCursorText, ApiError> {
        self.followed.text(ctx).await
    }
}

/// Number of alerts of an inbox that are neither read nor archived; none where there is no inbox.
pub(in crate::graphql) async fn unread_count(
    scope: &Scope,
    account_id: AccountId,
    inbox_of: Option<MemberId>,
) -> Result<i32, ApiError> {
    let Some(member_id) = inbox_of else {
        return Ok(0);
    };
    let unread = scope
        .services
        .alerts
        .unread(scope.actor(), account_id, member_id)
        .await?;
    Ok(i32::try_from(unread).unwrap_or(i32::MAX))
}
