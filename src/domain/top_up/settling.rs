//! Stores a changed purchase together with all consequences, in one transaction.

use crate::domain::fault::Fault;
use crate::domain::ledger::Movement;
use crate::domain::ledger::model::{AccountStatus, Command, Origin, Refusal, Request};
use crate::primitives::credits::Credits;
use crate::primitives::ids::TopUpAttemptId;
use crate::primitives::money::Money;

use super::context::AccountTransaction;
use super::model::{
    Attempt, AutoTopUp, Change, FailureCode, PauseReason, PaymentMethod, Purchase, TopUp, TopUpOrigin, TopUpStatus,
};
use super::store;

impl AccountTransaction<'_> {
    /// Stores a changed purchase, or a new one if there is no `before`. Credits it, takes credits back, holds and releases
    /// credits, updates the card and notifies the rule.
    pub(super) async fn keep(
        &mut self,
        before: Option<&Purchase>,
        mut after: Purchase,
        changes: &[Change],
    ) -> Result<Purchase, Fault> {
        let rule_before = self.rule().await?;
        let mut rule = rule_before.clone();
        for change in changes {
            match change {
                Change::Paid(attempt_id) => self.paid(&mut after, *attempt_id, &mut rule).await?,
                Change::Declined(attempt_id, code) => self.declined(&after, *attempt_id, *code, &mut rule).await?,
                Change::ActionRequired(attempt_id) => {
                    if let Some(attempt) = automatic(&after, *attempt_id) {
                        rule.pause(
                            PauseReason::AuthenticationRequired,
                            Some(&attempt.fingerprint),
                            self.now,
                        );
                    }
                }
                Change::Returned => self.returned(before, &mut after, &mut rule).await?,
            }
        }
        if before == Some(&after) {
            return Ok(after);
        }
        let was_open = before.is_some_and(|before| before.top_up.is_open_automatic());
        if was_open && !after.top_up.is_open_automatic() {
            rule.look_again(self.now);
        }
        store::save_purchase(self.tx, before, &after).await?;
        if before.is_none_or(|before| before.top_up != after.top_up) {
            let incoming_before = before.map_or(Credits::ZERO, |before| before.top_up.incoming());
            let incoming = Credits::from_units(after.top_up.incoming().units() - incoming_before.units());
            self.locked.change_incoming(incoming)?;
            self.locked.append(self.tx, after.top_up.updated()).await?;
            for movement in movements(before.map(|before| &before.top_up), &after.top_up) {
                self.locked.note(movement);
            }
        }
        self.keep_rule(&rule_before, &rule).await?;
        Ok(after)
    }

    /// Closes failed automatic top-ups that will not be retried automatically, in favor of a newer one.
    pub(super) async fn close_failures(&mut self, except: &Purchase) -> Result<(), Fault> {
        for id in store::waiting_failures(self.tx, self.account_id).await? {
            if id == except.top_up.id {
                continue;
            }
            let found = store::purchase(self.tx, self.account_id, id).await?;
            if let Some(before) = found {
                let mut after = before.clone();
                after.close_uncharged(self.now);
                store::save_purchase(self.tx, Some(&before), &after).await?;
                self.locked.append(self.tx, after.top_up.updated()).await?;
            }
        }
        Ok(())
    }

    async fn paid(
        &mut self,
        purchase: &mut Purchase,
        attempt_id: Option<TopUpAttemptId>,
        rule: &mut AutoTopUp,
    ) -> Result<(), Fault> {
        let top_up = &purchase.top_up;
        if self.locked.header.status == AccountStatus::Closed {
            tracing::error!(top_up = %top_up.id.global(self.account_id), "a top-up of a closed account was paid late: its credits were added; refund the payment by hand");
        }
        let request = Request {
            command: Command::CreditTopUp {
                top_up_id: top_up.id,
                credits: top_up.credits,
                automatic: top_up.origin == TopUpOrigin::Auto,
            },
            key: Some((Origin::System, format!("credit:{}", top_up.id.global(self.account_id)))),
            cause: top_up.requested_by,
            seed: self.seed(),
        };
        let entry_id = match self.locked.post(self.tx, request).await? {
            Ok(posted) => posted.outcome.entry_id,
            Err(Refusal::AlreadyCredited { entry_id }) => Some(entry_id),
            Err(refusal) => return Err(Fault::Internal(format!("a paid top-up was not credited: {refusal}"))),
        };
        purchase.top_up.entry_id = entry_id;
        let payer = attempt_id.and_then(|id| purchase.attempts.iter().find(|attempt| attempt.id == id));
        if let Some(payer) = payer.filter(|payer| !payer.is_automatic) {
            self.change_card(payer, PaymentMethod::paid_by_hand).await?;
        }
        rule.paid(self.now);
        if purchase.top_up.origin == TopUpOrigin::Auto {
            self.close_failures(purchase).await?;
        }
        Ok(())
    }

    async fn declined(
        &mut self,
        purchase: &Purchase,
        attempt_id: TopUpAttemptId,
        code: FailureCode,
        rule: &mut AutoTopUp,
    ) -> Result<(), Fault> {
        let now = self.now;
        if let Some(attempt) = purchase.attempts.iter().find(|attempt| attempt.id == attempt_id) {
            self.change_card(attempt, |card| card.declined(code, now)).await?;
        }
        if let Some(attempt) = automatic(purchase, attempt_id) {
            rule.declined(code, &attempt.fingerprint, now);
        }
        Ok(())
    }

    /// Changes the card of an attempt, and all other entries of the same physical card in the account.
    async fn change_card(&mut self, attempt: &Attempt, change: impl Fn(&mut PaymentMethod)) -> Result<(), Fault> {
        for before in store::payment_methods(self.tx, self.account_id).await? {
            if before.id != attempt.payment_method_id && before.fingerprint != attempt.fingerprint {
                continue;
            }
            let mut card = before.clone();
            change(&mut card);
            if card != before {
                store::save_payment_method(self.tx, &card).await?;
            }
        }
        Ok(())
    }
}

fn automatic(purchase: &Purchase, id: TopUpAttemptId) -> Option<&Attempt> {
    purchase
        .attempts
        .iter()
        .find(|attempt| attempt.id == id && attempt.is_automatic)
}

/// Returns the amounts of money in a change of a top-up, for the server log.
fn movements(before: Option<&TopUp>, after: &TopUp) -> Vec<Movement> {
    let movement = |became, minor| Movement::TopUp {
        top_up_id: after.id,
        became,
        amount: Money { minor, ..after.price },
        entry_id: after.entry_id,
        failure: after.failure_code.map(FailureCode::as_str),
    };
    let mut movements = Vec::new();
    if before.is_none_or(|before| before.status != after.status) {
        let became = match after.status {
            TopUpStatus::Succeeded => Some("succeeded"),
            TopUpStatus::Failed => Some("failed"),
            TopUpStatus::Canceled => Some("canceled"),
            TopUpStatus::Disputed => Some("disputed"),
            TopUpStatus::Pending | TopUpStatus::Processing | TopUpStatus::RequiresAction | TopUpStatus::Reversed => {
                None
            }
        };
        movements.extend(became.map(|became| movement(became, after.price.minor)));
    }
    let grown = |figure: fn(&TopUp) -> i64| figure(after) - before.map_or(0, figure);
    for (became, minor) in [
        ("refunded", grown(|top_up| top_up.returned_minor)),
        (
            "no longer refunded: the money came back",
            grown(|top_up| top_up.came_back_minor),
        ),
    ] {
        if minor > 0 {
            movements.push(movement(became, minor));
        }
    }
    movements
}
