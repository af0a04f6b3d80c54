//! Reads any object by its id.

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::join_all;

use super::by_id::ById;
use super::context::{Scope, scope};
use super::errors::{ApiError, Nullable, found, nullable};
use super::ledger::{Balance, CreditEntry, CreditLot, Session, at_most_100};
use super::member::{Account, ApiKey, Contact, Member};
use super::notification::{Alert, Delivery, InboxItem, NotificationAddress, NotificationSettings, seen_by_viewer};
use super::top_up::{AutoTopUp, PaymentMethod, TopUp, TopUpAttempt, TopUpDecision};
use super::webhook_endpoint::{WebhookEndpoint, WebhookMessage};
use crate::domain::member::require_own_or_settings;
use crate::primitives::actor::Permission;
use crate::primitives::ids::{
    AccountId, AlertId, ApiKeyId, DeliveryId, GlobalId, IdKind, MemberId, PublicId, RecipientId,
};

/// An object with an id. `node` and `nodes` return it by this id.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Opaque id. It is no secret and can be guessed; access depends on the credential alone."
))]
#[expect(clippy::large_enum_variant, reason = "it lives for one field of one response")]
pub(super) enum Node {
    Account(Account),
    Balance(Balance),
    CreditEntry(CreditEntry),
    CreditLot(CreditLot),
    Session(Session),
    TopUp(TopUp),
    TopUpAttempt(TopUpAttempt),
    PaymentMethod(PaymentMethod),
    AutoTopUp(AutoTopUp),
    TopUpDecision(TopUpDecision),
    Member(Member),
    Contact(Contact),
    ApiKey(ApiKey),
    NotificationSettings(NotificationSettings),
    Alert(Alert),
    Delivery(Delivery),
    InboxItem(InboxItem),
    NotificationAddress(NotificationAddress),
    WebhookEndpoint(WebhookEndpoint),
    WebhookMessage(WebhookMessage),
}

/// Reads an object by its id alone.
async fn read<T: ById>(scope: &Scope, id: GlobalId) -> Result<Option<Node>, ApiError>
where
    Node: From<T>,
{
    let Some(own_id) = T::Id::of_global(id) else {
        return Ok(None);
    };
    let found = T::read(&scope.loaders, id.account_id, own_id).await?;
    Ok(found.map(Into::into))
}

async fn contact(scope: &Scope, account_id: AccountId, member_id: MemberId) -> Result<Option<Node>, ApiError> {
    if !scope.actor().reaches(account_id) {
        return Ok(None);
    }
    require_own_or_settings(scope.actor(), account_id, member_id)?;
    let contact = scope.loaders.contact(account_id, member_id).await?;
    Ok(contact.map(|contact| Contact::new(contact).into()))
}

async fn settings(scope: &Scope, account_id: AccountId, member_id: MemberId) -> Result<Option<Node>, ApiError> {
    let loaders = &scope.loaders;
    if !scope.actor().reaches(account_id) || loaders.member(account_id, member_id).await?.is_none() {
        return Ok(None);
    }
    require_own_or_settings(scope.actor(), account_id, member_id)?;
    let settings = loaders.notification_settings(account_id, member_id).await?;
    Ok(settings.map(|settings| NotificationSettings::new(settings).into()))
}

async fn alert(scope: &Scope, account_id: AccountId, alert_id: AlertId) -> Result<Option<Node>, ApiError> {
    let alerts = &scope.services.alerts;
    let inbox_of = scope.actor().member_id();
    let alert = found(alerts.by_ids(scope.actor(), account_id, inbox_of, &[alert_id]).await)?;
    let alert = alert.and_then(|mut alerts| alerts.remove(&alert_id));
    Ok(alert.map(|alert| Alert::new(alert).into()))
}

async fn inbox_item(scope: &Scope, account_id: AccountId, id: DeliveryId) -> Result<Option<Node>, ApiError> {
    let Some(delivery) = scope.loaders.delivery(account_id, id).await? else {
        return Ok(None);
    };
    let RecipientId::Member(member_id) = delivery.recipient else {
        return Ok(None);
    };
    let (alerts, ids) = (&scope.services.alerts, [delivery.alert_id]);
    let items = alerts.by_ids(scope.actor(), account_id, Some(member_id), &ids);
    let items = items.await?.into_values();
    let items = items.filter(|item| item.place == Some((member_id, delivery.id)));
    let seen = seen_by_viewer(scope, account_id, items.collect()).await?.pop();
    Ok(seen.and_then(|seen| seen.item).map(Into::into))
}

/// Returns the object with this id, if it exists for the caller.
pub(super) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>, ApiError> {
    let scope = scope(ctx)?;
    let Ok(id) = id.parse::<GlobalId>() else {
        return Ok(None);
    };
    let GlobalId { kind, account_id, uuid } = id;
    let loaders = &scope.loaders;
    Ok(match kind {
        IdKind::Account => {
            let account = loaders.account(account_id).await?;
            account.map(|account| Account::known(scope, account).into())
        }
        IdKind::Balance => {
            if !scope.actor().reaches(account_id) {
                return Ok(None);
            }
            scope.actor().require(account_id, Permission::ReadOwnUsage)?;
            loaders
                .balance(account_id)
                .await?
                .map(|balance| Balance::new(balance).into())
        }
        IdKind::Member => {
            let members = &scope.services.members;
            let member = members.find(scope.actor(), account_id, MemberId::from_uuid(uuid)).await;
            found(member)?.flatten().map(|member| Member::new(member).into())
        }
        IdKind::Contact => contact(scope, account_id, MemberId::from_uuid(uuid)).await?,
        IdKind::Entry => read::<CreditEntry>(scope, id).await?,
        IdKind::Lot => read::<CreditLot>(scope, id).await?,
        IdKind::Session => read::<Session>(scope, id).await?,
        IdKind::TopUp => read::<TopUp>(scope, id).await?,
        IdKind::NotificationSettings => settings(scope, account_id, MemberId::from_uuid(uuid)).await?,
        IdKind::Alert => alert(scope, account_id, AlertId::from_uuid(uuid)).await?,
        IdKind::Delivery => read::<Delivery>(scope, id).await?,
        IdKind::InboxItem => inbox_item(scope, account_id, DeliveryId::from_uuid(uuid)).await?,
        IdKind::NotificationAddress => read::<NotificationAddress>(scope, id).await?,
        IdKind::WebhookEndpoint => read::<WebhookEndpoint>(scope, id).await?,
        IdKind::WebhookMessage => read::<WebhookMessage>(scope, id).await?,
        IdKind::ApiKey => {
            let api_keys = &scope.services.api_keys;
            let api_key = api_keys
                .find(scope.actor(), account_id, ApiKeyId::from_uuid(uuid))
                .await;
            found(api_key)?.flatten().map(|api_key| ApiKey::new(api_key).into())
        }
        IdKind::TopUpAttempt => read::<TopUpAttempt>(scope, id).await?,
        IdKind::PaymentMethod => read::<PaymentMethod>(scope, id).await?,
        IdKind::AutoTopUp => {
            let view = scope.services.auto_top_ups.view(scope.actor(), account_id).await;
            found(view)?.map(|view| AutoTopUp::new(view).into())
        }
        IdKind::TopUpDecision => read::<TopUpDecision>(scope, id).await?,
    })
}

#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id. Null when it does not exist or belongs to another account.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Any id of this service.")] id: ID) -> Nullable<Node> {
        find(ctx, &id).await.transpose()
    }

    /// The objects with these ids, in the same order. Null where one does not exist or belongs to another account.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Up to 100 ids.")] ids: Vec<ID>,
    ) -> Result<Vec<Nullable<Node>>, ApiError> {
        at_most_100("ids", Some(&ids))?;
        Ok(join_all(ids.iter().map(|id| nullable(find(ctx, id)))).await)
    }
}
