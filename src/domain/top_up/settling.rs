//! Writes what became of a purchase, together with all that follows from it: one transaction.

use crate::domain::fault::Fault;
use crate::domain::ledger::model::{AccountStatus, Command, ContraAccount, EntryKind, Origin, Refusal, Request};
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, TopUpAttemptId};

use super::desk::Turn;
use super::gateway::DisputeStatus;
use super::model::{
    Attempt, AutoTopUp, Change, FailureCode, PauseReason, PaymentMethod, Purchase, TopUpOrigin, target_of_return,
};
use super::store;

/// As what money that was given back by us, or failed late, is posted.
const REFUND: (EntryKind, ContraAccount) = (EntryKind::Reversal, ContraAccount::CardPayments);
/// As what the bank took away is posted.
const DISPUTE: (EntryKind, ContraAccount) = (EntryKind::Chargeback, ContraAccount::Chargebacks);

impl Turn<'_> {
    /// Writes a purchase that has changed, or is new where there is no `before`: credits it, takes back, holds and releases,
    /// marks the card, and tells the rule.
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
            let (id, status) = (after.top_up.id, after.top_up.status.as_str());
            self.locked.append_top_up_event(self.tx, id, status, incoming).await?;
        }
        self.keep_rule(&rule_before, &rule).await?;
        Ok(after)
    }

    /// Failed automatic top-ups that nobody will try again by themselves give way to a newer one.
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
                let status = after.top_up.status.as_str();
                self.locked
                    .append_top_up_event(self.tx, id, status, Credits::ZERO)
                    .await?;
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
            tracing::error!(top_up = %top_up.id.global(self.account_id), "a top-up of a closed account was paid late: it is credited, and somebody should give the money back");
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

    /// Changes the card of an attempt, and every other of the account that is the same card added again.
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

    /// Takes back credits whose money went back, gives them again when it came back, and holds those that are disputed.
    ///
    /// What operators took back of the same entry by hand counts, and stays theirs.
    async fn returned(
        &mut self,
        before: Option<&Purchase>,
        purchase: &mut Purchase,
        rule: &mut AutoTopUp,
    ) -> Result<(), Fault> {
        let Some(entry_id) = purchase.top_up.entry_id else {
            return Ok(());
        };
        let taken = store::taken_back(self.tx, self.account_id, entry_id).await?;
        let (returned, with_lost) = target_of_return(&purchase.top_up);
        let (for_refunds, wanted) = (taken.wanted(returned), taken.wanted(with_lost));
        let mut now_taken = taken.in_all();
        if for_refunds > now_taken {
            now_taken = for_refunds;
            self.take_back(entry_id, now_taken, REFUND, "Money of a top-up was given back")
                .await?;
        }
        // What came back of refunds is told apart from what a dispute brings back, as far as less is to be taken at all.
        let returned_before = before.map_or(Credits::ZERO, |before| target_of_return(&before.top_up).0);
        let came_back = returned_before.units() - returned.units();
        if came_back > 0 {
            tracing::error!(top_up = %purchase.top_up.id.global(self.account_id), "a refund failed at the payment gateway, and its credits are there again: the customer still has to be given the money, another way");
        }
        if came_back > 0 && wanted < now_taken {
            now_taken = Credits::from_units(now_taken.units() - came_back).max(wanted);
            self.take_back(entry_id, now_taken, REFUND, "A refund of a top-up failed later")
                .await?;
        }
        if wanted != now_taken {
            let why = if wanted > now_taken {
                "A disputed top-up was lost"
            } else {
                "A disputed top-up was won after all"
            };
            now_taken = wanted;
            self.take_back(entry_id, now_taken, DISPUTE, why).await?;
        }
        purchase.top_up.credits_reversed = Credits::from_units(now_taken.units() - taken.by_hand().units());
        purchase.note_taken_back(now_taken);
        if purchase.top_up.dispute.is_some() {
            let is_open = purchase.top_up.dispute == Some(DisputeStatus::Open);
            self.post(Command::HoldDisputed { entry_id, is_open }).await?;
        }
        let has_fallen =
            now_taken > taken.in_all() || before.is_none_or(|before| before.top_up.dispute < purchase.top_up.dispute);
        if has_fallen && (purchase.top_up.dispute != Some(DisputeStatus::Won) || purchase.top_up.gone_minor() > 0) {
            rule.pause(PauseReason::TopUpReversed, None, self.now);
        }
        Ok(())
    }

    async fn take_back(
        &mut self,
        entry_id: EntryId,
        target: Credits,
        (kind, contra): (EntryKind, ContraAccount),
        description: &str,
    ) -> Result<(), Fault> {
        self.post(Command::TakeBack {
            entry_id,
            target,
            kind,
            contra,
            description: description.to_owned(),
        })
        .await
    }

    /// Posts a fact that the ledger does not refuse, and that is safe to repeat.
    async fn post(&mut self, command: Command) -> Result<(), Fault> {
        let request = Request {
            command,
            key: None,
            cause: Cause::PaymentGateway,
            seed: self.seed(),
        };
        match self.locked.post(self.tx, request).await? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Fault::Internal(format!("a fact about a top-up was refused: {refusal}"))),
        }
    }
}

fn automatic(purchase: &Purchase, id: TopUpAttemptId) -> Option<&Attempt> {
    purchase
        .attempts
        .iter()
        .find(|attempt| attempt.id == id && attempt.is_automatic)
}
