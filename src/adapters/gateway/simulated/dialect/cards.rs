//! Customers, and the setup of their cards.

use serde_json::json;

use crate::adapters::gateway::simulated::cards::KeptCard;
use crate::adapters::gateway::simulated::objects;
use crate::adapters::gateway::simulated::state::{Customer, Setup};

use super::pages::{PAGING, page};
use super::{Done, Request, Stop, invalid, no_such, refuse};

impl Request<'_> {
    pub(super) fn make_customer(&mut self) -> Done {
        self.form.only(&["email", "name", "metadata", "description"])?;
        let text = |name: &str| self.form.text(name).map(str::to_owned);
        let customer = Customer {
            email: text("email"),
            name: text("name"),
            metadata: self.form.map("metadata"),
            created_at: self.now.millis(),
        };
        let id = self.state.customer(&self.key, customer);
        self.customer(&id)
    }

    pub(super) fn customer(&mut self, id: &str) -> Done {
        let found = self.state.known_customers.get(id);
        let found = found.ok_or_else(|| no_such("customer", id, None))?;
        Ok(objects::customer(id, found))
    }

    /// Returns the customer that a parameter names. The customer must exist.
    pub(super) fn named_customer(&self) -> Result<Option<String>, Stop> {
        match self.form.text("customer") {
            Some(id) if !self.state.known_customers.contains_key(id) => Err(no_such("customer", id, Some("customer"))),
            named => Ok(named.map(str::to_owned)),
        }
    }

    /// Returns the card with this id. As in Stripe's test mode, a well-known name returns a new card.
    pub(super) fn find_card(&self, id: &str) -> Option<KeptCard> {
        self.state.cards.get(id).cloned().or_else(|| KeptCard::new(id))
    }

    /// Returns the id of the card that a parameter names. A well-known name creates a new card.
    pub(super) fn named_card(&mut self) -> Result<Option<String>, Stop> {
        let Some(id) = self.form.text("payment_method").map(str::to_owned) else {
            return Ok(None);
        };
        if self.state.cards.contains_key(&id) {
            return Ok(Some(id));
        }
        let made = self.state.new_card(&id);
        made.map(Some)
            .ok_or_else(|| no_such("PaymentMethod", &id, Some("payment_method")))
    }

    pub(super) fn make_card(&mut self) -> Done {
        self.form.only(&["type", "card", "billing_details", "metadata"])?;
        if self.form.required("type")? != "card" {
            return Err(invalid("type", None, "Only cards are charged here: type must be card."));
        }
        let message = "No numbers of cards are taken: give card[token], such as tok_visa.";
        let token = self.form.text("card[token]");
        let token = token.ok_or_else(|| invalid("card[token]", None, message))?.to_owned();
        let made = self.state.new_card(&token);
        let id = made.ok_or_else(|| no_such("token", &token, Some("card[token]")))?;
        self.card(&id)
    }

    pub(super) fn card(&mut self, id: &str) -> Done {
        let card = self.find_card(id).ok_or_else(|| no_such("PaymentMethod", id, None))?;
        Ok(objects::payment_method(id, &card))
    }

    pub(super) fn cards(&mut self) -> Done {
        let customer = self.form.required("customer")?.to_owned();
        self.list_cards(&customer, "/v1/payment_methods")
    }

    pub(super) fn cards_of(&mut self, customer: &str) -> Done {
        self.customer(customer)?;
        self.list_cards(customer, &format!("/v1/customers/{customer}/payment_methods"))
    }

    fn list_cards(&mut self, customer: &str, path: &str) -> Done {
        self.form.only(&[&["customer", "type"], &PAGING[..]].concat())?;
        let theirs = self.state.cards.iter().rev();
        let theirs = theirs.filter(|(_, card)| card.customer_id.as_deref() == Some(customer));
        let all: Vec<_> = theirs.map(|(id, card)| objects::payment_method(id, card)).collect();
        page(&self.form, path, &all)
    }

    pub(super) fn attach(&mut self, id: &str) -> Done {
        self.form.only(&["customer"])?;
        self.form.required("customer")?;
        let customer = self.named_customer()?;
        let id = if self.state.cards.contains_key(id) {
            id.to_owned()
        } else {
            let made = self.state.new_card(id);
            made.ok_or_else(|| no_such("PaymentMethod", id, None))?
        };
        if let Some(card) = self.state.cards.get_mut(&id) {
            if card.customer_id.is_some() && card.customer_id != customer {
                let message = "The payment method you provided has already been attached to a customer.";
                return Err(invalid("payment_method", None, message));
            }
            card.customer_id = customer;
        }
        self.card(&id)
    }

    /// Detaches a card. A detached card cannot be used again.
    pub(super) fn detach(&mut self, id: &str) -> Done {
        self.form.only(&[])?;
        let card = self.state.cards.remove(id);
        let mut card = card.ok_or_else(|| no_such("PaymentMethod", id, None))?;
        if card.customer_id.take().is_none() {
            self.state.cards.insert(id.to_owned(), card);
            let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
            return Err(invalid("payment_method", None, message));
        }
        Ok(objects::payment_method(id, &card))
    }

    pub(super) fn make_setup(&mut self) -> Done {
        self.form.only(&[
            "customer",
            "usage",
            "payment_method",
            "payment_method_types",
            "automatic_payment_methods",
            "confirm",
            "return_url",
            "metadata",
        ])?;
        let customer_id = self.named_customer()?;
        let id = self.state.next_id("seti");
        let setup = Setup {
            id: id.clone(),
            customer_id,
            card_id: None,
            is_canceled: false,
            created_at: self.now.millis(),
        };
        self.state.setups.insert(id.clone(), setup);
        if self.form.flag("confirm") {
            self.finish_setup(&id)
        } else {
            self.setup(&id)
        }
    }

    pub(super) fn setup(&mut self, id: &str) -> Done {
        let setup = self.state.setups.get(id);
        setup
            .map(objects::setup)
            .ok_or_else(|| no_such("setupintent", id, None))
    }

    pub(super) fn confirm_setup(&mut self, id: &str) -> Done {
        self.form
            .only(&["payment_method", "return_url", "mandate_data", "use_stripe_sdk"])?;
        self.finish_setup(id)
    }

    /// Completes a setup: the customer has entered a card.
    fn finish_setup(&mut self, id: &str) -> Done {
        self.open_setup(id)?;
        let card_id = self.named_card()?;
        let message = "You cannot confirm this SetupIntent because it's missing a payment method.";
        let card_id = card_id.ok_or_else(|| unexpected_state(message))?;
        let Some(setup) = self.state.setups.get_mut(id) else {
            return self.setup(id);
        };
        setup.card_id = Some(card_id.clone());
        let customer_id = setup.customer_id.clone();
        if let Some(card) = self.state.cards.get_mut(&card_id) {
            card.customer_id = card.customer_id.take().or(customer_id);
        }
        self.setup(id)
    }

    pub(super) fn cancel_setup(&mut self, id: &str) -> Done {
        self.form.only(&["cancellation_reason"])?;
        self.open_setup(id)?;
        if let Some(setup) = self.state.setups.get_mut(id) {
            setup.is_canceled = true;
        }
        self.setup(id)
    }

    fn open_setup(&self, id: &str) -> Result<(), Stop> {
        match self.state.setups.get(id) {
            None => Err(no_such("setupintent", id, None)),
            Some(setup) if setup.is_canceled || setup.card_id.is_some() => Err(unexpected_state(
                "This SetupIntent has already succeeded or was canceled.",
            )),
            Some(_) => Ok(()),
        }
    }
}

fn unexpected_state(message: &str) -> Stop {
    let error = json!({ "type": "invalid_request_error", "code": "setup_intent_unexpected_state", "message": message });
    refuse(400, error, true)
}
