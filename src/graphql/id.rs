//! Ids in arguments and inputs, by the type of object that they must name.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};

use super::errors::ApiError;
use super::refusals::Failure;
use crate::primitives::ids::{
    AccountId, AlertId, ApiKeyId, DeliveryId, EntryId, GlobalId, MemberId, NotificationAddressId, PaymentMethodId,
    PublicId, SessionId, TopUpId, WebhookEndpointId, WebhookMessageId,
};

/// The id of an object, in the account that it belongs to.
///
/// In the schema it is an `ID`, and like one it accepts any text. A text that is no id of this type names nothing. So the id of
/// another type is refused in the same way as that of an object that does not exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id<I>(Option<(GlobalId, I)>);

/// An id that inputs contain.
pub(super) trait Named: PublicId {
    /// The usual name of the field or argument.
    const FIELD: &'static str;
    /// The type of object, for error messages.
    const WHAT: &'static str;
}

macro_rules! named {
    ($($id:ident: $field:literal, $what:literal;)*) => {$(
        impl Named for $id {
            const FIELD: &'static str = $field;
            const WHAT: &'static str = $what;
        }
    )*};
}

named! {
    AccountId: "accountId", "account";
    AlertId: "alertId", "alert";
    ApiKeyId: "apiKeyId", "API key";
    DeliveryId: "deliveryId", "delivery";
    EntryId: "entryId", "entry";
    MemberId: "memberId", "member";
    NotificationAddressId: "notificationAddressId", "notification address";
    PaymentMethodId: "paymentMethodId", "payment method";
    SessionId: "sessionId", "session";
    TopUpId: "topUpId", "top-up";
    WebhookEndpointId: "webhookEndpointId", "webhook endpoint";
    WebhookMessageId: "webhookMessageId", "webhook message";
}

impl<I: Named> Id<I> {
    /// Returns the account and the id, unless the text names nothing.
    pub(super) fn parts(self) -> Option<(AccountId, I)> {
        self.0.map(|(global, id)| (global.account_id, id))
    }

    /// Returns the id if its object belongs to the account.
    fn within(self, account_id: AccountId) -> Option<I> {
        let (of, id) = self.parts()?;
        (of == account_id).then_some(id)
    }

    /// Returns the id in a field of an input. Its object must belong to the account.
    pub(super) fn in_field(self, field: &str, account_id: AccountId) -> Result<I, Failure> {
        self.within(account_id)
            .ok_or_else(|| Failure::not_found(field, I::WHAT))
    }

    /// Returns the id in an argument. Its object must belong to the account.
    pub(super) fn in_argument(self, account_id: AccountId) -> Result<I, ApiError> {
        self.within(account_id)
            .ok_or_else(|| ApiError::invalid(I::FIELD, "this does not belong to the account"))
    }
}

impl<I: PublicId + Send + Sync> InputType for Id<I> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = <ID as InputType>::parse(value).map_err(InputValueError::propagate)?;
        let global = text.parse::<GlobalId>().ok();
        Ok(Self(global.and_then(|global| Some((global, I::of_global(global)?)))))
    }

    fn to_value(&self) -> Value {
        self.0
            .map_or(Value::Null, |(global, _)| Value::from(global.to_string()))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}
