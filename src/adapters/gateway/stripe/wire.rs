//! Stripe's objects in the port's words.

use serde_json::Value;

use crate::domain::top_up::gateway::{Card, Charge, ChargeFailure, ChargeStatus, DisputeStatus, GatewayError};
use crate::domain::top_up::model::FailureCode;
use crate::primitives::clock::Timestamp;

/// The least that is charged, in the minor unit, where it is not 50.
const MINIMUMS: [(&str, i64); 13] = [
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
];

pub(super) fn minimum(code: &str) -> i64 {
    MINIMUMS
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(50, |(_, minimum)| *minimum)
}

/// Ids go into paths: nothing but letters, digits and underscores does.
pub(super) fn plain_id(id: &str) -> Result<&str, GatewayError> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if !id.is_empty() && id.chars().all(is_plain) {
        Ok(id)
    } else {
        Err(refused("no id of the gateway looks like this"))
    }
}

pub(super) fn refused(detail: &str) -> GatewayError {
    GatewayError::Refused {
        code: FailureCode::PaymentMethodMissing,
        detail: detail.to_owned(),
    }
}

fn odd(what: &str) -> GatewayError {
    GatewayError::Unknown(format!("an answer without {what}"))
}

pub(super) fn text(object: &Value, field: &str) -> Result<String, GatewayError> {
    object[field].as_str().map(str::to_owned).ok_or_else(|| odd(field))
}

/// A definite no.
pub(super) fn refusal(body: &Value) -> GatewayError {
    let error = &body["error"];
    GatewayError::Refused {
        code: failure_code(error),
        detail: error["message"].as_str().unwrap_or("no reason given").to_owned(),
    }
}

/// The few kinds that people can act upon.
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

/// The last failure of an intent, if its last try failed.
fn failure(intent: &Value) -> Option<ChargeFailure> {
    let error = intent["last_payment_error"]
        .as_object()
        .map(|_| &intent["last_payment_error"])?;
    let latest = &intent["latest_charge"];
    // A failure before any charge was made is told apart by its card and its kind.
    let charge = error["charge"].as_str().or(latest["id"].as_str()).map(str::to_owned);
    let mark = charge.unwrap_or_else(|| {
        let card = error["payment_method"]["id"].as_str().unwrap_or_default();
        format!("{card}:{}", error["code"].as_str().unwrap_or_default())
    });
    Some(ChargeFailure {
        code: failure_code(error),
        mark,
    })
}

fn dispute(charge: &Value) -> Option<(DisputeStatus, i64)> {
    let dispute = &charge["dispute"];
    let status = match dispute["status"].as_str()? {
        "won" | "warning_closed" | "prevented" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        // An inquiry takes no money, and holds no credits.
        "warning_needs_response" | "warning_under_review" => return None,
        _ => DisputeStatus::Open,
    };
    Some((status, dispute["amount"].as_i64().unwrap_or_default()))
}

/// A payment intent with its latest charge.
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
    Ok(Charge {
        id: text(intent, "id")?,
        reference: intent["metadata"]["top_up"].as_str().map(str::to_owned),
        status,
        amount_minor: intent["amount"].as_i64().ok_or_else(|| odd("amount"))?,
        failure: failure(intent),
        action_url: intent["next_action"]["redirect_to_url"]["url"]
            .as_str()
            .map(str::to_owned),
        returned_minor: latest["amount_refunded"].as_i64().unwrap_or_default(),
        dispute: dispute(latest),
        created_at: Timestamp::from_millis(intent["created"].as_i64().unwrap_or_default().saturating_mul(1_000)),
    })
}

/// A payment method that is a card.
pub(super) fn card(method: &Value) -> Result<Card, GatewayError> {
    let card = &method["card"];
    let number = |field: &str| card[field].as_i64().and_then(|number| i32::try_from(number).ok());
    if !card.is_object() {
        return Err(refused("the payment method is no card"));
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
