//! Settings of the payment gateway.

use serde::Deserialize;

use super::{ConfigError, Reader};
use crate::adapters::gateway::stripe::StripeSettings;

/// The payment gateway that charges cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// No gateway: cards cannot be charged.
    None,
    /// The embedded gateway, which moves no money.
    Simulated,
    /// Stripe, or a server with Stripe's API.
    Stripe,
}

/// How cards are charged.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewaySettings {
    /// The gateway in use.
    pub kind: GatewayKind,
    /// Whether the embedded gateway may be used in production.
    pub simulated_in_production: bool,
    /// The settings of Stripe, if `kind` is Stripe.
    #[serde(skip)]
    pub stripe: Option<StripeSettings>,
}

pub(super) fn read_gateway(read: &Reader) -> Result<GatewaySettings, ConfigError> {
    let mut gateway: GatewaySettings = read.section("gateway")?;
    // Read for each kind, because a setting that nothing reads is refused.
    let stripe = read.section_if_complete("gateway");
    if gateway.kind == GatewayKind::Stripe {
        let incomplete = |error| {
            ConfigError::Together(format!(
                "gateway.kind stripe needs gateway.stripe_secret_key, gateway.stripe_publishable_key, \
                 gateway.stripe_webhook_secret and gateway.return_url beside it: {error}"
            ))
        };
        gateway.stripe = Some(stripe.map_err(incomplete)?);
    }
    Ok(gateway)
}
