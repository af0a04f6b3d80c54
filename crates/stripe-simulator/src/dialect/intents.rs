//! Payment intents.

use serde_json::json;

use crate::MINIMUM;
use crate::intent::Intent;
use crate::objects;
use crate::state::{ConfirmWith, Confirmed};

use super::form::Form;
use super::pages::{PAGING, page};
use super::{Done, Request, Stop, invalid, no_such, refuse};

/// The largest amount of one charge, in minor units.
const MAXIMUM: i64 = 99_999_999;
/// Currencies with three decimal digits. The last digit of an amount must be 0.
const THREE_DIGITS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Currencies whose amounts are in hundredths, although only whole units can be charged.
const NO_HUNDREDTHS: [&str; 2] = ["isk", "ugx"];

/// Parameters for confirming an intent, and for creating an intent that is confirmed at once.
const CONFIRMING: [&str; 7] = [
    "payment_method",
    "return_url",
    "off_session",
    "use_stripe_sdk",
    "mandate_data",
    "setup_future_usage",
    "receipt_email",
];

fn amount(form: &Form) -> Result<(i64, String), Stop> {
    form.required("amount")?;
    let currency = form.required("currency")?.to_lowercase();
    let amount = form.number("amount")?.unwrap_or_default();
    let wrong = |code: &str, message: String| Err(invalid("amount", Some(code), message));
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(invalid("currency", None, format!("Invalid currency: {currency}.")));
    }
    if amount < MINIMUM {
        return wrong(
            "amount_too_small",
            format!("Amount must be at least {MINIMUM} in the smallest unit of {currency}"),
        );
    }
    if amount > MAXIMUM {
        return wrong(
            "amount_too_large",
            format!("Amount must be no more than {MAXIMUM} in the smallest unit of {currency}"),
        );
    }
    if THREE_DIGITS.contains(&currency.as_str()) && amount % 10 != 0 {
        let message = format!("Invalid amount: the last digit of amounts in {currency} must be 0.");
        return wrong("invalid_charge_amount", message);
    }
    if NO_HUNDREDTHS.contains(&currency.as_str()) && amount % 100 != 0 {
        let message = format!("Invalid amount: amounts in {currency} must be evenly divisible by 100.");
        return wrong("invalid_charge_amount_no_decimal_compatible", message);
    }
    Ok((amount, currency))
}

impl Request<'_> {
    pub(super) fn make_intent(&mut self) -> Done {
        let own = [
            "amount",
            "currency",
            "customer",
            "metadata",
            "confirm",
            "description",
            "payment_method_types",
            "automatic_payment_methods",
            "capture_method",
            "confirmation_method",
            "statement_descriptor",
        ];
        self.form.only(&[&own[..], &CONFIRMING].concat())?;
        if self
            .form
            .text("capture_method")
            .is_some_and(|method| !method.starts_with("automatic"))
        {
            let message = "Charges are captured at once here: capture_method must be automatic.";
            return Err(invalid("capture_method", None, message));
        }
        let (amount, currency) = amount(&self.form)?;
        let customer_id = self.named_customer()?;
        let card_id = self.named_card()?;
        let mut metadata = self.form.map("metadata");
        let intent = Intent {
            reference: metadata.remove("top_up"),
            metadata,
            customer_id,
            card_id,
            ..Intent::new(amount, &currency, self.now)
        };
        self.check_owner(&intent)?;
        let id = self.state.add_intent(intent, self.now);
        if self.form.flag("confirm") {
            self.try_charge(&id)
        } else {
            self.intent(&id)
        }
    }

    /// Checks the owner: a card that is attached to a customer is charged for that customer only.
    fn check_owner(&self, intent: &Intent) -> Result<(), Stop> {
        let card = intent.card_id.as_ref().and_then(|id| self.state.cards.get(id));
        let owner = card.and_then(|card| card.customer_id.as_ref());
        if owner.is_none() || owner == intent.customer_id.as_ref() {
            return Ok(());
        }
        let message =
            "The provided PaymentMethod belongs to a Customer: include that Customer in the customer parameter.";
        Err(invalid("payment_method", Some("resource_missing"), message))
    }

    fn find(&self, id: &str) -> Result<&Intent, Stop> {
        let found = self.state.intents.get(id);
        found.ok_or_else(|| no_such("payment_intent", id, None))
    }

    pub(super) fn intent(&mut self, id: &str) -> Done {
        Ok(objects::intent(self.state, self.find(id)?))
    }

    pub(super) fn intents(&mut self) -> Done {
        self.form.only(&[&["customer", "created"], &PAGING[..]].concat())?;
        let bound = |name: &str| self.form.number(&format!("created[{name}]"));
        let (from, after) = (bound("gte")?, bound("gt")?);
        let (to, before) = (bound("lte")?, bound("lt")?);
        let is_meant = |intent: &&Intent| {
            let made = intent.created_at / 1_000;
            let customer = self.form.text("customer");
            from.is_none_or(|from| made >= from)
                && after.is_none_or(|after| made > after)
                && to.is_none_or(|to| made <= to)
                && before.is_none_or(|before| made < before)
                && customer.is_none_or(|customer| intent.customer_id.as_deref() == Some(customer))
        };
        let newest_first = self.state.intents.values().rev().filter(is_meant);
        let all: Vec<_> = newest_first.map(|intent| objects::intent(self.state, intent)).collect();
        page(&self.form, "/v1/payment_intents", &all)
    }

    pub(super) fn confirm(&mut self, id: &str) -> Done {
        self.form.only(&CONFIRMING)?;
        self.try_charge(id)
    }

    fn try_charge(&mut self, id: &str) -> Done {
        let intent = self.find(id)?.clone();
        if !intent.is_open() {
            return Err(self.unexpected_state(&intent, "confirm"));
        }
        let named = self.named_card()?;
        let card_id = named.or_else(|| intent.card_id.clone());
        // A card that was detached since then counts as absent.
        let card_id = card_id.filter(|card_id| self.state.cards.contains_key(card_id));
        let Some(card_id) = card_id else {
            return Err(self.unexpected_state(&intent, "confirm"));
        };
        self.check_owner(&Intent {
            card_id: Some(card_id.clone()),
            ..intent
        })?;
        let return_url = self.form.text("return_url").map(str::to_owned);
        if let Some(intent) = self.state.intents.get_mut(id) {
            intent.return_url = return_url.or(intent.return_url.take());
        }
        let with = ConfirmWith {
            key: &self.key,
            card_id: &card_id,
            off_session: self.form.text("off_session").is_some_and(|value| value != "false"),
        };
        let confirmed = self.state.confirm(id, &with, self.now);
        let shown = self.intent(id)?;
        match confirmed {
            Some(Confirmed::Silent) => Err(Stop::Silence),
            Some(Confirmed::Broken) => {
                let error = json!({ "type": "api_error", "message": "Something went wrong on our end. Try again." });
                Err(refuse(503, error, false))
            }
            Some(Confirmed::Lost) => Err(Stop::Lost(shown)),
            Some(Confirmed::ChangedTopUp) | None => {
                let mut error = shown["last_payment_error"].clone();
                if error.is_null() {
                    return Ok(shown);
                }
                error["payment_intent"] = shown;
                Err(refuse(402, error, true))
            }
        }
    }

    pub(super) fn cancel(&mut self, id: &str) -> Done {
        self.form.only(&["cancellation_reason"])?;
        let intent = self.find(id)?.clone();
        if !intent.is_open() {
            return Err(self.unexpected_state(&intent, "cancel"));
        }
        self.state.cancel(id, self.now);
        self.intent(id)
    }

    fn unexpected_state(&self, intent: &Intent, what: &str) -> Stop {
        let shown = objects::intent(self.state, intent);
        let why = if intent.is_open() {
            "it is missing a payment method".to_owned()
        } else {
            format!("it has a status of {}", shown["status"].as_str().unwrap_or_default())
        };
        let error = json!({
            "type": "invalid_request_error", "code": "payment_intent_unexpected_state",
            "message": format!("You cannot {what} this PaymentIntent because {why}."), "payment_intent": shown,
        });
        refuse(400, error, true)
    }
}
