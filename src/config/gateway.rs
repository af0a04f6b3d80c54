//! Settings of the payment gateway.

use super::{ConfigError, Reader, Secret};

/// The payment gateway that charges cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayKind {
    /// No gateway: cards cannot be charged.
    None,
    /// The embedded gateway, which moves no money.
    Simulated,
    /// Stripe, or a server with Stripe's API.
    Stripe,
}

/// How cards are charged.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The gateway in use.
    pub kind: GatewayKind,
    /// Whether the embedded gateway may be used in production.
    pub simulated_in_production: bool,
    /// The settings of Stripe, if `kind` is Stripe.
    pub stripe: Option<StripeSettings>,
}

/// What is needed to call Stripe.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// The base URL of the API.
    pub url: String,
    /// The key that authenticates requests.
    pub secret_key: Secret,
    /// The key that clients pass to Stripe's browser library.
    pub publishable_key: String,
    /// The key that Stripe signs webhooks with.
    pub webhook_secret: Secret,
    /// The page that customers return to after they have confirmed with their bank.
    pub return_url: String,
}

pub(super) fn read_gateway(read: &Reader<'_>, development: bool) -> Result<GatewaySettings, ConfigError> {
    let kinds = [
        ("stripe", GatewayKind::Stripe),
        ("simulated", GatewayKind::Simulated),
        ("none", GatewayKind::None),
    ];
    let kind = match read.text("gateway.kind")? {
        Some(_) => read.one_of("gateway.kind", &kinds)?,
        None if development => GatewayKind::Simulated,
        None => GatewayKind::None,
    };
    let schemes = ["http://", "https://"];
    let stripe = (
        read.url("gateway.stripe_url", &schemes)?,
        read.text("gateway.stripe_secret_key")?,
        read.text("gateway.stripe_publishable_key")?,
        read.text("gateway.stripe_webhook_secret")?,
        read.url("gateway.return_url", &schemes)?,
    );
    let stripe = match (kind, stripe) {
        (
            GatewayKind::Stripe,
            (Some(url), Some(secret_key), Some(publishable_key), Some(webhook_secret), Some(return_url)),
        ) => Some(StripeSettings {
            url,
            secret_key: Secret(secret_key),
            publishable_key,
            webhook_secret: Secret(webhook_secret),
            return_url,
        }),
        (GatewayKind::Stripe, _) => {
            return Err(ConfigError::Together(
                "gateway.kind stripe needs gateway.stripe_secret_key, gateway.stripe_publishable_key, \
                 gateway.stripe_webhook_secret and gateway.return_url beside it"
                    .to_owned(),
            ));
        }
        _ => None,
    };
    Ok(GatewaySettings {
        kind,
        simulated_in_production: read.one_of("gateway.simulated_in_production", &[("true", true), ("false", false)])?,
        stripe,
    })
}
