//! Reads any object by its id.

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::join_all;

use super::context::scope;
use super::errors::{ApiError, Nullable, found, nullable};
use super::ledger::{Balance, CreditEntry, CreditLot, Session, at_most_100};
use super::member::{Account, ApiKey, Contact, Member};
use super::notification::{Alert, Delivery, InboxItem, NotificationAddress, NotificationSettings, seen_by_viewer};
use super::top_up::{AutoTopUp, PaymentMethod, TopUp, TopUpAttempt, TopUpDecision};
use crate::domain::member::require_own_or_settings;
use crate::primitives::actor::Permission;
use crate::primitives::ids::{
    AlertId, ApiKeyId, DeliveryId, EntryId, GlobalId, IdKind, LotId, MemberId, NotificationAddressId, PaymentMethodId,
    RecipientId, SessionId, TopUpAttemptId, TopUpDecisionId, TopUpId,
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
}

/// Returns the object with this id, if it exists for the caller.
#[expect(clippy::too_many_lines, reason = "one arm a kind of thing")]
pub(super) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>, ApiError> {
    let scope = scope(ctx)?;
    let Ok(GlobalId { kind, account_id, uuid }) = id.parse() else {
        return Ok(None);
    };
    let loaders = &scope.loaders;
    Ok(match kind {
        IdKind::Account => {
            let account = loaders.account(account_id).await?;
            account.map(|account| Account::new(scope, account).into())
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
        IdKind::Contact => {
            let member_id = MemberId::from_uuid(uuid);
            if !scope.actor().reaches(account_id) {
                return Ok(None);
            }
            require_own_or_settings(scope.actor(), account_id, member_id)?;
            let contact = loaders.contact(account_id, member_id).await?;
            contact.map(|contact| Contact::new(contact).into())
        }
        IdKind::Entry => {
            let entry = loaders.entry(account_id, EntryId::from_uuid(uuid)).await?;
            entry.map(|entry| CreditEntry::new(entry).into())
        }
        IdKind::Lot => {
            let lot = loaders.lot(account_id, LotId::from_uuid(uuid)).await?;
            lot.map(|lot| CreditLot::new(account_id, lot).into())
        }
        IdKind::Session => {
            let session = loaders.session(account_id, SessionId::from_uuid(uuid)).await?;
            session.map(|session| Session::new(account_id, session).into())
        }
        IdKind::TopUp => {
            let top_up = loaders.top_up(account_id, TopUpId::from_uuid(uuid)).await?;
            top_up.map(|top_up| TopUp::new(top_up).into())
        }
        IdKind::NotificationSettings => {
            let member_id = MemberId::from_uuid(uuid);
            if !scope.actor().reaches(account_id) || loaders.member(account_id, member_id).await?.is_none() {
                return Ok(None);
            }
            require_own_or_settings(scope.actor(), account_id, member_id)?;
            let settings = loaders.notification_settings(account_id, member_id).await?;
            settings.map(|settings| NotificationSettings::new(settings).into())
        }
        IdKind::Alert => {
            let alert_id = AlertId::from_uuid(uuid);
            let alerts = &scope.services.alerts;
            let inbox_of = scope.actor().member_id();
            let alert = found(alerts.by_ids(scope.actor(), account_id, inbox_of, &[alert_id]).await)?;
            alert
                .and_then(|mut alerts| alerts.remove(&alert_id))
                .map(|alert| Alert::new(alert).into())
        }
        IdKind::Delivery => {
            let delivery = loaders.delivery(account_id, DeliveryId::from_uuid(uuid)).await?;
            delivery.map(|delivery| Delivery::new(delivery).into())
        }
        IdKind::InboxItem => {
            let Some(delivery) = loaders.delivery(account_id, DeliveryId::from_uuid(uuid)).await? else {
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
            seen.and_then(|seen| seen.item).map(Into::into)
        }
        IdKind::NotificationAddress => {
            let id = NotificationAddressId::from_uuid(uuid);
            let address = loaders.notification_address(account_id, id).await?;
            address.map(|address| NotificationAddress::new(address).into())
        }
        IdKind::ApiKey => {
            let api_keys = &scope.services.api_keys;
            let api_key = api_keys
                .find(scope.actor(), account_id, ApiKeyId::from_uuid(uuid))
                .await;
            found(api_key)?.flatten().map(|api_key| ApiKey::new(api_key).into())
        }
        IdKind::TopUpAttempt => {
            let attempt = loaders.attempt(account_id, TopUpAttemptId::from_uuid(uuid)).await?;
            attempt.map(|attempt| TopUpAttempt::new(attempt).into())
        }
        IdKind::PaymentMethod => {
            let method = loaders
                .payment_method(account_id, PaymentMethodId::from_uuid(uuid))
                .await?;
            method.map(|method| PaymentMethod::new(method).into())
        }
        IdKind::AutoTopUp => {
            let view = scope.services.auto_top_ups.view(scope.actor(), account_id).await;
            found(view)?.map(|view| AutoTopUp::new(view).into())
        }
        IdKind::TopUpDecision => {
            let decision = loaders.decision(account_id, TopUpDecisionId::from_uuid(uuid)).await?;
            decision.map(|decision| TopUpDecision::new(decision).into())
        }
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
