//! Objects that fields and `node` return by their ids. Each is read by the loader that reads for the whole page.

use async_graphql::Context;

use super::context::scope;
use super::errors::{ApiError, Nullable, nullable};
use super::id::Named;
use super::ledger::{CreditEntry, CreditLot, Session};
use super::loaders::{Loaders, must_exist};
use super::member::Member;
use super::notification::{Delivery, NotificationAddress};
use super::top_up::{PaymentMethod, TopUp, TopUpAttempt, TopUpDecision};
use super::webhook_endpoint::{WebhookEndpoint, WebhookMessage};
use crate::primitives::ids::{
    AccountId, DeliveryId, EntryId, LotId, MemberId, NotificationAddressId, PaymentMethodId, PublicId, SessionId,
    TopUpAttemptId, TopUpDecisionId, TopUpId, WebhookEndpointId, WebhookMessageId,
};

/// An object that is read by its id: its loader returns it only to callers who may see it. A member is returned to every caller of the
/// account, for names in rows that the caller may see; `node` has its own check of who may see one.
pub(super) trait ById: Sized + Send {
    /// The id within the account.
    type Id: PublicId + Send;

    /// Reads the object, if it exists for the caller.
    fn read(
        loaders: &Loaders,
        account_id: AccountId,
        id: Self::Id,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send;
}

/// Returns the object with this id as the value of a field.
pub(super) async fn find<T: ById>(ctx: &Context<'_>, account_id: AccountId, id: T::Id) -> Nullable<T> {
    nullable(async { T::read(&scope(ctx)?.loaders, account_id, id).await }).await
}

/// Returns the object that another object names, and which must therefore exist.
pub(super) async fn existing<T>(ctx: &Context<'_>, account_id: AccountId, id: T::Id) -> Result<T, ApiError>
where
    T: ById<Id: Named>,
{
    must_exist(T::read(&scope(ctx)?.loaders, account_id, id).await?, T::Id::WHAT)
}

macro_rules! by_id {
    ($($loader:ident($id:ident) => $object:ident = |$account_id:ident, $row:ident| $new:expr;)*) => {$(
        impl ById for $object {
            type Id = $id;

            async fn read(loaders: &Loaders, $account_id: AccountId, id: $id) -> Result<Option<Self>, ApiError> {
                Ok(loaders.$loader($account_id, id).await?.map(|$row| $new))
            }
        }
    )*};
}

by_id! {
    attempt(TopUpAttemptId) => TopUpAttempt = |account_id, row| Self::new(row);
    decision(TopUpDecisionId) => TopUpDecision = |account_id, row| Self::new(row);
    delivery(DeliveryId) => Delivery = |account_id, row| Self::new(row);
    entry(EntryId) => CreditEntry = |account_id, row| Self::new(row);
    lot(LotId) => CreditLot = |account_id, row| Self::new(account_id, row);
    member(MemberId) => Member = |account_id, row| Self::new(row);
    notification_address(NotificationAddressId) => NotificationAddress = |account_id, row| Self::new(row);
    payment_method(PaymentMethodId) => PaymentMethod = |account_id, row| Self::new(row);
    session(SessionId) => Session = |account_id, row| Self::new(account_id, row);
    top_up(TopUpId) => TopUp = |account_id, row| Self::new(row);
    webhook_endpoint(WebhookEndpointId) => WebhookEndpoint = |account_id, row| Self::new(row);
    webhook_message(WebhookMessageId) => WebhookMessage = |account_id, row| Self::new(row);
}
