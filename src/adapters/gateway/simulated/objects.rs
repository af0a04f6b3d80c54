//! Converts stored objects to the objects of Stripe's API, in the version of `dialect`.

use serde_json::{Map, Value, json};

use crate::primitives::clock::Timestamp;

use super::cards::KeptCard;
use super::intent::{Dispute, Intent, IntentStatus, Refund};
use super::state::{Customer, Setup, State};

fn seconds(millis: i64) -> i64 {
    millis / 1_000
}

pub(super) fn list(path: &str, data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": path, "has_more": has_more, "data": data })
}

/// Returns an event about an object.
pub(super) fn event(id: &str, kind: &str, object: &Value, now: Timestamp) -> Value {
    json!({
        "id": id, "object": "event", "type": kind, "created": seconds(now.millis()), "livemode": false,
        "api_version": super::dialect::VERSION, "pending_webhooks": 1, "request": { "id": null, "idempotency_key": null },
        "data": { "object": object },
    })
}

pub(super) fn customer(id: &str, customer: &Customer) -> Value {
    json!({
        "id": id, "object": "customer", "created": seconds(customer.created_at), "livemode": false,
        "email": customer.email, "name": customer.name, "description": null, "metadata": customer.metadata,
        "invoice_settings": { "default_payment_method": null }, "default_source": null,
    })
}

pub(super) fn payment_method(id: &str, kept: &KeptCard) -> Value {
    let card = kept.card(id);
    json!({
        "id": id, "object": "payment_method", "type": "card", "created": 1_700_000_000, "livemode": false,
        "customer": kept.customer_id, "metadata": {},
        "billing_details": { "address": null, "email": null, "name": null, "phone": null },
        "card": {
            "brand": card.brand, "last4": card.last4, "exp_month": card.expiry_month, "exp_year": card.expiry_year,
            "fingerprint": card.fingerprint, "funding": "credit", "country": "US",
            "checks": { "cvc_check": "pass", "address_line1_check": null, "address_postal_code_check": null },
        },
    })
}

pub(super) fn setup(setup: &Setup) -> Value {
    let status = match (setup.is_canceled, &setup.card_id) {
        (true, _) => "canceled",
        (false, Some(_)) => "succeeded",
        (false, None) => "requires_payment_method",
    };
    json!({
        "id": setup.id, "object": "setup_intent", "status": status, "created": seconds(setup.created_at), "livemode": false,
        "customer": setup.customer_id, "payment_method": setup.card_id, "payment_method_types": ["card"],
        "usage": "off_session", "client_secret": client_secret(&setup.id), "metadata": {}, "next_action": null,
        "last_setup_error": null,
    })
}

/// Returns the secret with which a browser acts on one intent.
pub(super) fn client_secret(id: &str) -> String {
    format!("{id}_secret_simulated")
}

/// Returns a payment intent. It names other objects by id; [`expand`] returns them in full.
pub(super) fn intent(state: &State, intent: &Intent) -> Value {
    let status = match intent.status {
        IntentStatus::Unconfirmed if intent.card_id.is_none() || intent.failure.is_some() => "requires_payment_method",
        IntentStatus::Unconfirmed => "requires_confirmation",
        IntentStatus::Processing => "processing",
        IntentStatus::RequiresAction => "requires_action",
        IntentStatus::Succeeded => "succeeded",
        IntentStatus::Canceled => "canceled",
    };
    let received = if intent.status == IntentStatus::Succeeded {
        intent.amount_minor
    } else {
        0
    };
    let action = (intent.status == IntentStatus::RequiresAction).then(|| {
        let url = intent.page(&state.page);
        json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url, "return_url": intent.return_url } })
    });
    let card = if status == "requires_payment_method" {
        None
    } else {
        intent.card_id.as_ref()
    };
    json!({
        "id": intent.id, "object": "payment_intent", "status": status, "amount": intent.amount_minor,
        "amount_received": received, "amount_capturable": 0, "currency": intent.currency,
        "created": seconds(intent.created_at), "livemode": false, "customer": intent.customer_id,
        "payment_method": card, "payment_method_types": ["card"], "capture_method": "automatic",
        "confirmation_method": "automatic", "client_secret": client_secret(&intent.id), "metadata": metadata(intent),
        "latest_charge": charge_id(intent), "last_payment_error": last_error(state, intent), "next_action": action,
        "canceled_at": null, "cancellation_reason": null, "description": null, "setup_future_usage": null,
    })
}

fn metadata(intent: &Intent) -> Value {
    let mut metadata = intent.metadata.clone();
    if let Some(reference) = &intent.reference {
        metadata.insert("top_up".to_owned(), reference.clone());
    }
    json!(metadata)
}

/// Returns the last charge that was attempted, if the bank was asked.
pub(super) fn charge_id(intent: &Intent) -> Option<&String> {
    let failed = intent.failure.as_ref().filter(|(reason, _)| reason.leaves_charge());
    intent.paid_by.as_ref().or(failed.map(|(_, charge_id)| charge_id))
}

fn last_error(state: &State, intent: &Intent) -> Value {
    // The failure is cleared when the next attempt starts.
    let is_last = intent.status == IntentStatus::Unconfirmed;
    let Some((reason, charge_id)) = intent.failure.as_ref().filter(|_| is_last) else {
        return Value::Null;
    };
    let words = reason.words();
    let mut error = json!({
        "type": "card_error", "code": words.code, "message": words.message,
        // Each attempt has its own id. An attempt without a charge has the id of the request.
        "request_log_url": format!("{}/logs/{charge_id}", state.page),
    });
    if let Some(decline_code) = words.decline_code {
        error["decline_code"] = decline_code.into();
    }
    if reason.leaves_charge() {
        error["charge"] = charge_id.as_str().into();
    }
    let card = intent.card_id.as_ref().and_then(|id| Some((id, state.cards.get(id)?)));
    if let Some((id, card)) = card {
        error["payment_method"] = payment_method(id, card);
    }
    error
}

/// Returns the last charge of an intent.
pub(super) fn charge(_: &State, intent: &Intent) -> Value {
    let is_paid = intent.status == IntentStatus::Succeeded;
    let (returned, came_back) = intent.returned_minor();
    let failure = intent
        .failure
        .as_ref()
        .filter(|_| !is_paid)
        .map(|(reason, _)| reason.words());
    json!({
        "id": charge_id(intent), "object": "charge", "amount": intent.amount_minor, "currency": intent.currency,
        "amount_captured": if is_paid { intent.amount_minor } else { 0 }, "amount_refunded": returned - came_back,
        "refunded": is_paid && returned - came_back == intent.amount_minor, "captured": is_paid, "paid": is_paid,
        "status": if is_paid { "succeeded" } else { "failed" }, "created": seconds(intent.created_at), "livemode": false,
        "customer": intent.customer_id, "payment_intent": intent.id, "payment_method": intent.card_id,
        "failure_code": failure.as_ref().map(|words| words.code), "failure_message": failure.map(|words| words.message),
        "disputed": intent.dispute.is_some(), "dispute": dispute_id(intent), "metadata": metadata(intent),
    })
}

pub(super) fn refund(_: &State, intent: &Intent, id: &str) -> Value {
    let found = intent.refunds.iter().find(|refund| refund.id == id);
    found.map_or(Value::Null, |found| one_refund(intent, found))
}

fn one_refund(intent: &Intent, refund: &Refund) -> Value {
    json!({
        "id": refund.id, "object": "refund", "amount": refund.amount_minor, "currency": intent.currency,
        "status": if refund.has_failed { "failed" } else { "succeeded" }, "created": seconds(refund.created_at),
        "charge": charge_id(intent), "payment_intent": intent.id, "reason": null, "metadata": refund.metadata,
        "failure_reason": refund.has_failed.then_some("lost_or_stolen_card"),
    })
}

/// Returns all refunds of an intent, newest first.
pub(super) fn refunds(intent: &Intent) -> Vec<Value> {
    let newest_first = intent.refunds.iter().rev();
    newest_first.map(|refund| one_refund(intent, refund)).collect()
}

fn dispute_id(intent: &Intent) -> Option<String> {
    intent.dispute.map(|_| format!("du_{}", intent.id))
}

/// Returns the dispute about an intent.
pub(super) fn dispute(_: &State, intent: &Intent) -> Value {
    let status = match intent.dispute {
        Some(Dispute::Open) | None => "needs_response",
        Some(Dispute::Lost) => "lost",
        Some(Dispute::Won) => "won",
    };
    json!({
        "id": dispute_id(intent), "object": "dispute", "status": status, "amount": intent.disputed_minor,
        "currency": intent.currency, "charge": charge_id(intent), "payment_intent": intent.id, "reason": "fraudulent",
        "created": seconds(intent.created_at), "livemode": false, "metadata": {},
    })
}

/// Replaces an id in the object with the object that it names. `path` is `latest_charge`, `latest_charge.refunds` …
pub(super) fn expand(state: &State, object: &mut Value, path: &str) {
    let (field, rest) = path
        .split_once('.')
        .map_or((path, None), |(field, rest)| (field, Some(rest)));
    if let Some(items) = object.get_mut("data").filter(|_| field == "data") {
        for item in items.as_array_mut().into_iter().flatten() {
            expand(state, item, rest.unwrap_or_default());
        }
        return;
    }
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(found) = named(state, fields, field) {
        fields.insert(field.to_owned(), found);
    }
    if let (Some(rest), Some(inner)) = (rest, fields.get_mut(field)) {
        expand(state, inner, rest);
    }
}

/// Returns the object that a field names.
fn named(state: &State, object: &Map<String, Value>, field: &str) -> Option<Value> {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let of_intent = |id: &str| state.intents.get(id);
    // The field already contains an object if it is not an id.
    let id = text(field);
    match (text("object")?, field) {
        ("payment_intent", "latest_charge") => id.and_then(|_| Some(charge(state, of_intent(text("id")?)?))),
        ("charge", "refunds") => {
            let all = refunds(of_intent(text("payment_intent")?)?);
            let path = format!("/v1/charges/{}/refunds", text("id")?);
            let shown = all.get(..IN_CHARGE).unwrap_or(&all);
            Some(list(&path, shown, all.len() > IN_CHARGE))
        }
        ("charge", "dispute") => id.and_then(|_| Some(dispute(state, of_intent(text("payment_intent")?)?))),
        (_, "payment_method") => id.and_then(|id| Some(payment_method(id, state.cards.get(id)?))),
        (_, "payment_intent") => id.and_then(|id| Some(intent(state, of_intent(id)?))),
        (_, "customer") => id.and_then(|id| Some(customer(id, state.known_customers.get(id)?))),
        _ => None,
    }
}

/// The number of refunds in a charge object. Further refunds are in the list of refunds.
const IN_CHARGE: usize = 10;
