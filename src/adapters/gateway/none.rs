//! No gateway. It is used if none is configured: cards cannot be added, so nothing is ever charged.

use crate::domain::top_up::gateway::{
    Card, CardSetup, Charge, Confirmation, GatewayError, InvalidWebhook, NewCharge, Notice, PaymentGateway, Response,
};
use crate::primitives::clock::Timestamp;
use crate::primitives::money::{Currency, Money};

/// Returns an error for every call.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGateway;

fn nothing<T: Send + 'static>() -> Response<'static, T> {
    Box::pin(async { Err(GatewayError::Unknown("no payment gateway is set".to_owned())) })
}

impl PaymentGateway for NoGateway {
    fn name(&self) -> &'static str {
        "none"
    }

    fn minimum(&self, _: Currency) -> i64 {
        1
    }

    fn create_customer(&self, _: String, _: String) -> Response<'_, String> {
        nothing()
    }

    fn start_setup(&self, _: String) -> Response<'_, CardSetup> {
        nothing()
    }

    fn keep_card(&self, _: String, _: String) -> Response<'_, Card> {
        nothing()
    }

    fn forget_card(&self, _: String) -> Response<'_, ()> {
        nothing()
    }

    fn create_charge(&self, _: NewCharge) -> Response<'_, Charge> {
        nothing()
    }

    fn confirm_charge(&self, _: Confirmation) -> Response<'_, Charge> {
        nothing()
    }

    fn read_charge(&self, _: String) -> Response<'_, Charge> {
        nothing()
    }

    fn cancel_charge(&self, _: String) -> Response<'_, Charge> {
        nothing()
    }

    fn refund(&self, _: String, _: String, _: Money) -> Response<'_, ()> {
        nothing()
    }

    fn list_charges(&self, _: Timestamp, _: Option<String>) -> Response<'_, Vec<Charge>> {
        nothing()
    }

    fn read_webhook(&self, _: &[u8], _: &str, _: Timestamp) -> Result<Notice, InvalidWebhook> {
        Err(InvalidWebhook::Signature)
    }
}
