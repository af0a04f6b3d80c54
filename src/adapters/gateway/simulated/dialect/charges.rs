//! Charges and their refunds.

use serde_json::{Value, json};

use crate::adapters::gateway::simulated::intent::Intent;
use crate::adapters::gateway::simulated::objects;
use crate::adapters::gateway::simulated::state::Refunded;

use super::pages::{PAGING, page};
use super::{Done, Request, Stop, invalid, no_such, refuse};

impl Request<'_> {
    /// Returns the intent that a charge belongs to.
    fn of_charge(&self, id: &str) -> Option<&Intent> {
        let mut intents = self.state.intents.values();
        intents.find(|intent| objects::charge_id(intent).is_some_and(|charge| charge == id))
    }

    pub(super) fn charge(&mut self, id: &str) -> Done {
        let intent = self.of_charge(id).ok_or_else(|| no_such("charge", id, None))?;
        Ok(objects::charge(self.state, intent))
    }

    pub(super) fn refunds_of(&mut self, charge: &str) -> Done {
        self.form.only(&PAGING)?;
        let intent = self.of_charge(charge);
        let intent = intent.ok_or_else(|| no_such("charge", charge, None))?;
        let path = format!("/v1/charges/{charge}/refunds");
        page(&self.form, &path, &objects::refunds(intent))
    }

    /// Returns the intent that a refund names.
    fn named_intent(&self) -> Result<Option<&Intent>, Stop> {
        if let Some(id) = self.form.text("payment_intent") {
            let found = self.state.intents.get(id);
            return found
                .map(Some)
                .ok_or_else(|| no_such("payment_intent", id, Some("payment_intent")));
        }
        let Some(id) = self.form.text("charge") else {
            return Ok(None);
        };
        let found = self.of_charge(id);
        found.map(Some).ok_or_else(|| no_such("charge", id, Some("charge")))
    }

    pub(super) fn refund(&mut self) -> Done {
        self.form
            .only(&["payment_intent", "charge", "amount", "reason", "metadata"])?;
        let Some(intent) = self.named_intent()? else {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(invalid("payment_intent", Some("parameter_missing"), message));
        };
        let (id, left) = (intent.id.clone(), intent.left_minor());
        let charge = objects::charge_id(intent).filter(|_| intent.paid_by.is_some()).cloned();
        let Some(charge) = charge else {
            let message = "This PaymentIntent does not have a successful charge to refund.";
            return Err(invalid("payment_intent", None, message));
        };
        if left == 0 {
            let error = json!({
                "type": "invalid_request_error", "code": "charge_already_refunded",
                "message": format!("Charge {charge} has already been refunded."),
            });
            return Err(refuse(400, error, true));
        }
        let amount = self.form.number("amount")?.unwrap_or(left);
        if amount <= 0 {
            let message = "This value must be greater than or equal to 1.";
            return Err(invalid("amount", Some("parameter_invalid_integer"), message));
        }
        let made = self.state.refund(&id, &self.key, amount, self.now);
        let Some(Refunded::Made(refund_id)) = made else {
            let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
            return Err(invalid("amount", None, message));
        };
        let metadata = self.form.map("metadata");
        let refunds = self.state.intents.get_mut(&id).map(|intent| &mut intent.refunds);
        if let Some(refund) = refunds.and_then(|refunds| refunds.iter_mut().find(|refund| refund.id == refund_id)) {
            refund.metadata = metadata;
        }
        self.one_refund(&refund_id)
    }

    pub(super) fn one_refund(&mut self, id: &str) -> Done {
        let all = self.state.intents.values().flat_map(objects::refunds);
        let found = all.into_iter().find(|refund| refund["id"] == id);
        found.ok_or_else(|| no_such("refund", id, None))
    }

    pub(super) fn refunds(&mut self) -> Done {
        self.form.only(&[&["payment_intent", "charge"], &PAGING[..]].concat())?;
        let all = if let Some(intent) = self.named_intent()? {
            objects::refunds(intent)
        } else {
            let mut all: Vec<Value> = self.state.intents.values().flat_map(objects::refunds).collect();
            // Ids are assigned in the order of creation.
            all.sort_by(|one, other| other["id"].as_str().cmp(&one["id"].as_str()));
            all
        };
        page(&self.form, "/v1/refunds", &all)
    }
}
