//! Converts Stripe's objects to the types of the port.

use serde_json::Value;

use crate::domain::top_up::gateway::{
    Card, Charge, ChargeFailure, ChargeStatus, DisputeStatus, GatewayError, KnownRefund,
};
use crate::domain::top_up::model::FailureCode;
use crate::primitives::clock::Timestamp;
use crate::primitives::money::{Currency, Money};

/// The smallest charge in minor units, where it is not 50. For a currency that is not listed, it depends on the exchange rates
/// of the day. It may then be more than 50, and Stripe refuses smaller amounts.
const MINIMUMS: [(&str, i64); 14] = [
    ("AED", 200),
    ("BGN", 100),
    ("CZK", 1_500),
    ("DKK", 250),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("THB", 1_000),
];

pub(super) fn minimum(currency: Currency) -> i64 {
    let listed = MINIMUMS.iter().find(|(known, _)| *known == currency.code());
    listed.map_or(50, |(_, minimum)| *minimum).max(currency.step())
}

/// Returns the ratio between our minor units and Stripe's, where they differ. Stripe still counts hundredths of some currencies
/// that no longer have any, and counts no subunits of the ariary.
fn units(code: &str) -> (i64, i64) {
    match code.to_ascii_uppercase().as_str() {
        "ISK" | "UGX" => (1, 100),
        "MGA" => (100, 1),
        _ => (1, 1),
    }
}

/// Converts our amount to Stripe's.
pub(super) fn outward(amount: Money) -> i64 {
    let (ours, theirs) = units(amount.currency.code());
    amount.minor.saturating_mul(theirs) / ours
}

/// Converts Stripe's amount to ours.
fn inward(code: &str, amount: i64) -> i64 {
    let (ours, theirs) = units(code);
    amount.saturating_mul(ours) / theirs
}

/// Accepts an id as part of a path: letters, digits and underscores only.
pub(super) fn plain_id(id: &str) -> Result<&str, GatewayError> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if !id.is_empty() && id.chars().all(is_plain) {
        Ok(id)
    } else {
        Err(refused("this does not have the form of an id of the gateway"))
    }
}

pub(super) fn refused(detail: &str) -> GatewayError {
    GatewayError::Refused {
        code: FailureCode::PaymentMethodMissing,
        detail: detail.to_owned(),
    }
}

fn odd(what: &str) -> GatewayError {
    GatewayError::Unknown(format!("a response without {what}"))
}

pub(super) fn text(object: &Value, field: &str) -> Result<String, GatewayError> {
    let text = object[field].as_str().filter(|text| !text.contains(char::is_control));
    text.map(str::to_owned).ok_or_else(|| odd(field))
}

/// Converts a final refusal. An error that is not about the card or the amount is one that the customer cannot fix.
pub(super) fn refusal(body: &Value) -> GatewayError {
    let error = &body["error"];
    let is_of_card = error["type"].as_str() == Some("card_error");
    let code = match error["param"].as_str() {
        _ if is_of_card => failure_code(error),
        Some("amount") => FailureCode::AmountInvalid,
        Some("payment_method") => FailureCode::PaymentMethodMissing,
        _ => match error["code"].as_str() {
            Some("amount_too_small" | "amount_too_large") => FailureCode::AmountInvalid,
            Some("resource_missing") => FailureCode::PaymentMethodMissing,
            _ => FailureCode::GatewayUnavailable,
        },
    };
    GatewayError::Refused {
        code,
        detail: error["message"]
            .as_str()
            .unwrap_or("no reason given")
            .replace(char::is_control, " "),
    }
}

/// Converts an error to the few codes that a person can act upon.
fn failure_code(error: &Value) -> FailureCode {
    let words = [error["decline_code"].as_str(), error["code"].as_str()];
    for word in words.into_iter().flatten() {
        return match word {
            "insufficient_funds" | "withdrawal_count_limit_exceeded" | "card_velocity_exceeded" => {
                FailureCode::InsufficientFunds
            }
            "expired_card" | "invalid_expiry_year" | "invalid_expiry_month" => FailureCode::CardExpired,
            "lost_card"
            | "stolen_card"
            | "pickup_card"
            | "restricted_card"
            | "fraudulent"
            | "merchant_blacklist"
            | "security_violation"
            | "revocation_of_authorization"
            | "revocation_of_all_authorizations"
            | "stop_payment_order" => FailureCode::CardBlocked,
            "authentication_required" | "payment_intent_authentication_failure" => FailureCode::AuthenticationRequired,
            "amount_too_small" | "amount_too_large" => FailureCode::AmountInvalid,
            "resource_missing" => FailureCode::PaymentMethodMissing,
            "card_declined" => continue,
            _ => FailureCode::CardDeclined,
        };
    }
    FailureCode::CardDeclined
}

/// Returns the last failure of an intent, if its last attempt failed.
fn failure(intent: &Value) -> Option<ChargeFailure> {
    let error = intent["last_payment_error"]
        .as_object()
        .map(|_| &intent["last_payment_error"])?;
    // A failure without its own charge is identified by the request that failed. Without that, it is identified by its card,
    // its code and the last charge at that time.
    let own = error["charge"].as_str().or(error["request_log_url"].as_str());
    let by_kind = || {
        let card = error["payment_method"]["id"].as_str().unwrap_or_default();
        let kind = error["code"].as_str().unwrap_or_default();
        format!(
            "{card}:{kind}:{}",
            intent["latest_charge"]["id"].as_str().unwrap_or_default()
        )
    };
    let mark = own.map_or_else(by_kind, str::to_owned);
    Some(ChargeFailure {
        code: failure_code(error),
        mark,
    })
}

/// Returns the refunded amount of a charge, and the part of it whose refund failed later.
fn returned(charge: &Value) -> (i64, i64) {
    let Some(refunds) = charge["refunds"]["data"].as_array() else {
        return (charge["amount_refunded"].as_i64().unwrap_or_default(), 0);
    };
    let amount = |refund: &Value| refund["amount"].as_i64().unwrap_or_default();
    let all = refunds.iter().map(amount).sum();
    let failed = refunds.iter().filter(|refund| has_failed(refund));
    (all, failed.map(amount).sum())
}

fn has_failed(refund: &Value) -> bool {
    matches!(refund["status"].as_str(), Some("failed" | "canceled"))
}

/// Returns the refunds that we requested. Each carries our key.
fn known_refunds(charge: &Value) -> Vec<KnownRefund> {
    let refunds = charge["refunds"]["data"].as_array().into_iter().flatten();
    let known = refunds.filter_map(|refund| {
        Some(KnownRefund {
            key: refund["metadata"]["refund"].as_str()?.to_owned(),
            has_failed: has_failed(refund),
        })
    });
    known.collect()
}

fn dispute(charge: &Value) -> Option<(DisputeStatus, i64)> {
    let dispute = &charge["dispute"];
    let status = match dispute["status"].as_str()? {
        "won" | "warning_closed" | "prevented" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        // An inquiry takes no money and holds no credits.
        "warning_needs_response" | "warning_under_review" => return None,
        _ => DisputeStatus::Open,
    };
    Some((status, dispute["amount"].as_i64().unwrap_or_default()))
}

/// Converts a payment intent with its latest charge.
pub(super) fn charge(intent: &Value) -> Result<Charge, GatewayError> {
    let status = match intent["status"].as_str().ok_or_else(|| odd("status"))? {
        "requires_payment_method" | "requires_confirmation" => ChargeStatus::Unconfirmed,
        "requires_action" => ChargeStatus::RequiresAction,
        "processing" => ChargeStatus::Processing,
        "succeeded" => ChargeStatus::Succeeded,
        "canceled" => ChargeStatus::Canceled,
        other => return Err(GatewayError::Unknown(format!("the unknown status {other}"))),
    };
    let latest = &intent["latest_charge"];
    let inward = |amount: i64| inward(intent["currency"].as_str().unwrap_or_default(), amount);
    let (returned, came_back) = returned(latest);
    Ok(Charge {
        id: text(intent, "id")?,
        reference: intent["metadata"]["top_up"].as_str().map(str::to_owned),
        status,
        amount_minor: inward(intent["amount"].as_i64().ok_or_else(|| odd("amount"))?),
        failure: failure(intent),
        action_url: intent["next_action"]["redirect_to_url"]["url"]
            .as_str()
            .map(str::to_owned),
        returned_minor: inward(returned),
        came_back_minor: inward(came_back),
        refunds: known_refunds(latest),
        dispute: dispute(latest).map(|(status, amount)| (status, inward(amount))),
        created_at: Timestamp::from_millis(intent["created"].as_i64().unwrap_or_default().saturating_mul(1_000)),
    })
}

/// Converts a payment method that is a card.
pub(super) fn card(method: &Value) -> Result<Card, GatewayError> {
    let card = &method["card"];
    let number = |field: &str| card[field].as_i64().and_then(|number| i32::try_from(number).ok());
    if !card.is_object() {
        return Err(refused("the payment method is not a card"));
    }
    Ok(Card {
        id: text(method, "id")?,
        brand: text(card, "brand")?,
        last4: text(card, "last4")?,
        expiry_month: number("exp_month").ok_or_else(|| odd("exp_month"))?,
        expiry_year: number("exp_year").ok_or_else(|| odd("exp_year"))?,
        fingerprint: text(card, "fingerprint")?,
    })
}
