//! Stripe: a small client of the endpoints that the port needs.
//!
//! Payment intents are created unconfirmed and confirmed later. Every call has a time limit. A timeout, a lost connection, 409,
//! 429 and 5xx count as an unknown result. If a confirmation or cancellation is refused, the client reads the intent to find
//! its state; it does not trust the refusal. Messages of the bank do not leave the mapping in `wire`.

mod wire;

use std::time::Duration;

use opentelemetry_http::HeaderInjector;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tracing::Instrument as _;

use crate::domain::top_up::gateway::{
    Card, CardSetup, Charge, ChargeFailure, ChargeStatus, Confirmation, GatewayError, InvalidWebhook, NewCharge,
    Notice, PaymentGateway, Response,
};
use crate::domain::top_up::model::FailureCode;
use crate::primitives::clock::Timestamp;
use crate::primitives::money::{Currency, Money};
use crate::primitives::secret::Secret;
use crate::primitives::trace;

use super::webhook;
use crate::adapters::is_this_machine;

/// The time limit of a call. A worker may wait for this long, and so may a client that sets up a card.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Each intent is returned with its latest charge, and with the dispute and the refunds of that charge.
const EXPAND: [&str; 2] = ["latest_charge.dispute", "latest_charge.refunds"];
/// The API version of the objects that `wire` reads. It is independent of the default version of the operator's account.
const VERSION: &str = "2024-06-20";
/// The maximum number of pages of refunds that are read for one charge.
const MOST_PAGES: usize = 20;

/// What is needed to call Stripe.
#[derive(Clone, Debug, Deserialize)]
pub struct StripeSettings {
    /// The base URL of the API.
    #[serde(rename = "stripe_url")]
    pub base_url: String,
    /// The key that authenticates requests.
    #[serde(rename = "stripe_secret_key")]
    pub secret_key: Secret,
    /// The key that clients pass to Stripe's browser library.
    #[serde(rename = "stripe_publishable_key")]
    pub publishable_key: String,
    /// The key that Stripe signs webhooks with.
    #[serde(rename = "stripe_webhook_secret")]
    pub webhook_secret: Secret,
    /// The page that customers return to after they have confirmed with their bank.
    pub return_url: String,
    /// The time limit of one call.
    #[serde(skip, default = "StripeSettings::timeout")]
    pub timeout: Duration,
}

impl StripeSettings {
    fn timeout() -> Duration {
        TIMEOUT
    }
}

/// Why the client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStripe {
    /// The secret key would be sent without encryption.
    #[error("setting gateway.stripe_url must be an https address, or an http one of this machine: {0}")]
    Url(String),
    /// The HTTP client cannot be created.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// A client of Stripe.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
    settings: StripeSettings,
    /// The server, for traces.
    host: String,
    /// Whether requests name the span that they belong to.
    propagates: bool,
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe")
            .field("base_url", &self.settings.base_url)
            .finish_non_exhaustive()
    }
}

type Pairs<'a> = Vec<(&'a str, String)>;

/// Requests the objects in [`EXPAND`], for one intent or for each intent of a list.
fn expand(pairs: &mut Pairs<'_>, prefix: &str) {
    pairs.extend(EXPAND.map(|path| ("expand[]", format!("{prefix}{path}"))));
}

fn unknown(error: impl std::fmt::Display) -> GatewayError {
    GatewayError::Unknown(error.to_string())
}

/// Returns whether Stripe itself is called. Its servers are no part of the operator's traces.
fn is_of_stripe(host: &str) -> bool {
    host == "stripe.com" || host.ends_with(".stripe.com")
}

/// Returns a path without the id in it.
fn template(path: &str) -> String {
    let parts = path.split('/').enumerate();
    let parts: Vec<&str> = parts.map(|(at, part)| if at == 1 { "{id}" } else { part }).collect();
    format!("/v1/{}", parts.join("/"))
}

impl Stripe {
    /// Creates a client with these settings. Plain HTTP is allowed only for this machine: machines in between could read the
    /// secret key.
    pub fn new(settings: StripeSettings) -> Result<Self, InvalidStripe> {
        let url: Url = settings
            .base_url
            .parse()
            .map_err(|_| InvalidStripe::Url(settings.base_url.clone()))?;
        if url.scheme() != "https" && !url.host_str().is_some_and(is_this_machine) {
            return Err(InvalidStripe::Url(settings.base_url));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = Client::builder()
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ledgerbell/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            settings,
            propagates: !is_of_stripe(&host),
            host,
        })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        pairs: Pairs<'_>,
        key: Option<&str>,
    ) -> Result<Value, GatewayError> {
        let base = self.settings.base_url.trim_end_matches('/');
        let mut url: Url = format!("{base}/v1/{path}").parse().map_err(unknown)?;
        url.query_pairs_mut().extend_pairs(&pairs);
        let mut request = if method == Method::GET {
            self.client.get(url)
        } else {
            // The body is encoded like a query.
            let body = url.query().unwrap_or_default().to_owned();
            url.set_query(None);
            let form = "application/x-www-form-urlencoded";
            self.client.post(url).header("content-type", form).body(body)
        };
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.header("stripe-version", VERSION);
        let request = request.bearer_auth(self.settings.secret_key.reveal());
        let (status, body) = self.exchange(request, &method, path).await?;
        match status {
            status if status.is_success() => Ok(body),
            StatusCode::NOT_FOUND => Err(GatewayError::NotFound),
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => Err(unknown(status)),
            // The operator must fix a key that is invalid or lacks a permission. It is no statement about the customer's card.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(unknown(wire::refusal(&body))),
            status if status.is_client_error() => Err(wire::refusal(&body)),
            status => Err(unknown(status)),
        }
    }

    /// Sends a request, as a span of the current trace.
    async fn exchange(
        &self,
        mut request: RequestBuilder,
        method: &Method,
        path: &str,
    ) -> Result<(StatusCode, Value), GatewayError> {
        let span = trace::call(method.as_str(), Some(&self.host), || template(path));
        if self.propagates {
            let mut headers = HeaderMap::new();
            trace::inject(&span, &mut HeaderInjector(&mut headers));
            request = request.headers(headers);
        }
        let exchanged = async {
            let response = request.send().await?;
            Ok((response.status(), response.json().await?))
        };
        let exchanged: Result<_, reqwest::Error> = exchanged.instrument(span.clone()).await;
        match &exchanged {
            Ok((status, _)) => trace::responded(&span, status.as_u16(), !status.is_success()),
            Err(error) => trace::failed(&span, if error.is_timeout() { "timeout" } else { "_OTHER" }),
        }
        exchanged.map_err(|error| unknown(error.without_url()))
    }

    async fn read(&self, charge_id: &str) -> Result<Charge, GatewayError> {
        let path = format!("payment_intents/{}", wire::plain_id(charge_id)?);
        let mut pairs = Vec::new();
        expand(&mut pairs, "");
        self.whole(self.call(Method::GET, &path, pairs, None).await?).await
    }

    /// Reads all refunds of the intent's charge. The charge itself contains only the newest refunds.
    async fn whole(&self, mut intent: Value) -> Result<Charge, GatewayError> {
        let refunds = &intent["latest_charge"]["refunds"];
        if refunds["has_more"].as_bool() != Some(true) {
            return wire::charge(&intent);
        }
        let charge_id = wire::text(&intent["latest_charge"], "id")?;
        let mut all: Vec<Value> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut pairs = vec![("charge", charge_id.clone()), ("limit", "100".to_owned())];
            if let Some(last) = all.last() {
                pairs.push(("starting_after", wire::text(last, "id")?));
            }
            let mut page = self.call(Method::GET, "refunds", pairs, None).await?;
            if let Value::Array(refunds) = page["data"].take() {
                all.extend(refunds);
            }
            if page["has_more"].as_bool() != Some(true) {
                intent["latest_charge"]["refunds"]["data"] = Value::Array(all);
                return wire::charge(&intent);
            }
        }
        Err(unknown("a charge has more refunds than are read"))
    }

    /// Changes an intent. If the change is refused, reads the state of the intent.
    async fn change(
        &self,
        charge_id: &str,
        what: &str,
        mut pairs: Pairs<'_>,
        key: Option<&str>,
    ) -> Result<Charge, GatewayError> {
        let path = format!("payment_intents/{}/{what}", wire::plain_id(charge_id)?);
        expand(&mut pairs, "");
        match self.call(Method::POST, &path, pairs, key).await {
            Ok(intent) => self.whole(intent).await,
            Err(GatewayError::Refused { code, .. }) => {
                let mut charge = self.read(charge_id).await?;
                // A card that was detached leaves no trace in the intent, which continues to wait for a card.
                let is_without_card = code == FailureCode::PaymentMethodMissing;
                if let Some(key) = key.filter(|_| is_without_card && charge.status == ChargeStatus::Unconfirmed) {
                    let mark = key.to_owned();
                    charge.failure = Some(ChargeFailure { code, mark });
                }
                Ok(charge)
            }
            Err(error) => Err(error),
        }
    }

    async fn confirm(&self, confirmation: Confirmation) -> Result<Charge, GatewayError> {
        let Confirmation {
            charge_id,
            key,
            card_id,
            is_automatic,
        } = confirmation;
        let on_session = || {
            vec![
                ("payment_method", card_id.clone()),
                ("return_url", self.settings.return_url.clone()),
            ]
        };
        if !is_automatic {
            return self.change(&charge_id, "confirm", on_session(), Some(&key)).await;
        }
        let off_session = vec![("payment_method", card_id.clone()), ("off_session", "true".to_owned())];
        let charge = self.change(&charge_id, "confirm", off_session, Some(&key)).await?;
        let wants_customer = |failure: &ChargeFailure| failure.code == FailureCode::AuthenticationRequired;
        if !charge.failure.as_ref().is_some_and(wants_customer) {
            return Ok(charge);
        }
        // The bank requires the customer: the same intent gets a page on which the customer can confirm.
        self.change(&charge_id, "confirm", on_session(), Some(&format!("{key}:action")))
            .await
    }

    async fn keep(&self, customer_id: String, token: String) -> Result<Card, GatewayError> {
        let path = format!("payment_methods/{}", wire::plain_id(&token)?);
        let found = self.call(Method::GET, &path, Vec::new(), None).await?;
        match found["customer"].as_str() {
            Some(owner) if owner == customer_id => wire::card(&found),
            Some(_) => Err(wire::refused("the payment method belongs to another customer")),
            None => {
                let pairs = vec![("customer", customer_id)];
                wire::card(&self.call(Method::POST, &format!("{path}/attach"), pairs, None).await?)
            }
        }
    }
}

impl PaymentGateway for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn minimum(&self, currency: Currency) -> i64 {
        wire::minimum(currency)
    }

    fn create_customer(&self, key: String, reference: String) -> Response<'_, String> {
        Box::pin(async move {
            let pairs = vec![("metadata[account]", reference)];
            let made = self.call(Method::POST, "customers", pairs, Some(&key)).await?;
            wire::text(&made, "id")
        })
    }

    fn start_setup(&self, customer_id: String) -> Response<'_, CardSetup> {
        Box::pin(async move {
            let pairs = vec![
                ("customer", customer_id),
                ("usage", "off_session".to_owned()),
                ("payment_method_types[]", "card".to_owned()),
            ];
            let made = self.call(Method::POST, "setup_intents", pairs, None).await?;
            Ok(CardSetup {
                client_secret: wire::text(&made, "client_secret")?,
                publishable_key: self.settings.publishable_key.clone(),
            })
        })
    }

    fn keep_card(&self, customer_id: String, token: String) -> Response<'_, Card> {
        Box::pin(self.keep(customer_id, token))
    }

    fn forget_card(&self, card_id: String) -> Response<'_, ()> {
        Box::pin(async move {
            let path = format!("payment_methods/{}/detach", wire::plain_id(&card_id)?);
            match self.call(Method::POST, &path, Vec::new(), None).await {
                Ok(_) | Err(GatewayError::NotFound) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn create_charge(&self, new: NewCharge) -> Response<'_, Charge> {
        Box::pin(async move {
            let mut pairs = vec![
                ("amount", wire::outward(new.price).to_string()),
                ("currency", new.price.currency.code().to_lowercase()),
                ("customer", new.customer_id),
                ("payment_method", new.card_id),
                ("payment_method_types[]", "card".to_owned()),
                ("metadata[top_up]", new.reference),
            ];
            expand(&mut pairs, "");
            let made = self.call(Method::POST, "payment_intents", pairs, Some(&new.key));
            wire::charge(&made.await?)
        })
    }

    fn confirm_charge(&self, confirmation: Confirmation) -> Response<'_, Charge> {
        Box::pin(self.confirm(confirmation))
    }

    fn read_charge(&self, charge_id: String) -> Response<'_, Charge> {
        Box::pin(async move { self.read(&charge_id).await })
    }

    fn cancel_charge(&self, charge_id: String) -> Response<'_, Charge> {
        Box::pin(async move { self.change(&charge_id, "cancel", Vec::new(), None).await })
    }

    fn refund(&self, charge_id: String, key: String, amount: Money) -> Response<'_, ()> {
        Box::pin(async move {
            let amount = wire::outward(amount).to_string();
            let pairs = vec![
                ("payment_intent", charge_id),
                ("amount", amount),
                ("metadata[refund]", key.clone()),
            ];
            self.call(Method::POST, "refunds", pairs, Some(&key)).await.map(|_| ())
        })
    }

    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Response<'_, Vec<Charge>> {
        Box::pin(async move {
            let mut pairs = vec![
                ("created[gte]", (since.millis() / 1_000).to_string()),
                ("limit", "100".to_owned()),
            ];
            expand(&mut pairs, "data.");
            pairs.extend(after.map(|after| ("starting_after", after)));
            let mut page = self.call(Method::GET, "payment_intents", pairs, None).await?;
            let Value::Array(intents) = page["data"].take() else {
                return Err(unknown("a list without data"));
            };
            let mut charges = Vec::with_capacity(intents.len());
            for intent in intents {
                charges.push(self.whole(intent).await?);
            }
            Ok(charges)
        })
    }

    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook> {
        webhook::read(self.settings.webhook_secret.reveal(), body, signature, now)
    }
}

#[cfg(test)]
mod tests;
