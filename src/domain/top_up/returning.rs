//! Takes credits back whose money went back, gives them again when it came back, and holds what is disputed or being refunded.

use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Command, ContraAccount, EntryKind, Request};
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::EntryId;

use super::desk::Turn;
use super::gateway::DisputeStatus;
use super::model::{AutoTopUp, PauseReason, Purchase, RefundStatus, TakenBack, target_of_return};
use super::store;

/// As what money that was refunded, or failed late, is posted.
const REFUND: (EntryKind, ContraAccount) = (EntryKind::Reversal, ContraAccount::CardPayments);
/// As what the bank took away is posted.
const DISPUTE: (EntryKind, ContraAccount) = (EntryKind::Chargeback, ContraAccount::Chargebacks);

/// The entry that credited a top-up, and what is taken back of it so far.
struct Taking {
    entry_id: EntryId,
    taken: Credits,
    /// All of it.
    most: Credits,
}

impl Turn<'_> {
    /// Brings the log up to what has gone of a paid top-up. What operators took back of the same entry by hand counts, and stays
    /// theirs.
    pub(super) async fn returned(
        &mut self,
        before: Option<&Purchase>,
        purchase: &mut Purchase,
        rule: &mut AutoTopUp,
    ) -> Result<(), Fault> {
        let Some(entry_id) = purchase.top_up.entry_id else {
            return Ok(());
        };
        let taken = store::taken_back(self.tx, self.account_id, entry_id, &purchase.refunds).await?;
        let mut taking = Taking {
            entry_id,
            taken: taken.in_all(),
            most: purchase.top_up.credits,
        };
        self.take_named(purchase, &mut taking).await?;
        self.take_elsewhere(before, purchase, &taken, &mut taking).await?;
        purchase.top_up.credits_reversed = Credits::from_units(taking.taken.units() - taken.by_hand().units());
        purchase.note_taken_back(taking.taken);
        self.hold(entry_id, purchase).await?;
        let has_fallen = taking.taken > taken.in_all()
            || before.is_none_or(|before| before.top_up.dispute < purchase.top_up.dispute);
        if has_fallen && (purchase.top_up.dispute != Some(DisputeStatus::Won) || purchase.top_up.gone_minor() > 0) {
            rule.pause(PauseReason::TopUpReversed, None, self.now);
        }
        Ok(())
    }

    /// An entry for each refund: exactly its credits go when the gateway has taken it, and come again when its money came back.
    async fn take_named(&mut self, purchase: &mut Purchase, taking: &mut Taking) -> Result<(), Fault> {
        let id = purchase.top_up.id.global(self.account_id);
        for refund in purchase.refunds.iter_mut().filter(|refund| refund.is_exact) {
            let credits = refund.credits.units();
            if refund.is_gone() && refund.entry_id.is_none() {
                let target = taking.taken.units().saturating_add(credits);
                refund.entry_id = self
                    .take_back(taking, target, REFUND, "Money of a top-up was given back")
                    .await?;
            }
            let has_returned = refund.status == RefundStatus::CameBack && refund.came_back_entry_id.is_none();
            if has_returned && refund.entry_id.is_some() {
                tracing::error!(top_up = %id, "a refund failed at the payment gateway, and its credits are there again: the customer still has to be given the money, another way");
                let target = taking.taken.units().saturating_sub(credits);
                refund.came_back_entry_id = self
                    .take_back(taking, target, REFUND, "A refund of a top-up failed later")
                    .await?;
            }
        }
        Ok(())
    }

    /// What went back without being asked for here takes its share; what a dispute took or brought back is told apart from it.
    async fn take_elsewhere(
        &mut self,
        before: Option<&Purchase>,
        purchase: &Purchase,
        taken: &TakenBack,
        taking: &mut Taking,
    ) -> Result<(), Fault> {
        let target = target_of_return(purchase);
        let named = target.named.units();
        let for_refunds = named + taken.wanted(target.elsewhere).units();
        let wanted = named + taken.wanted(target.with_lost).units();
        if for_refunds > taking.taken.units() {
            self.take_back(taking, for_refunds, REFUND, "Money of a top-up was given back")
                .await?;
        }
        // What came back of refunds is told apart from what a dispute brings back, as far as less is to be taken at all.
        let elsewhere_before = before.map_or(Credits::ZERO, |before| target_of_return(before).elsewhere);
        let came_back = elsewhere_before.units() - target.elsewhere.units();
        let has_failed = before.is_some_and(|before| before.top_up.came_back_minor < purchase.top_up.came_back_minor);
        if came_back > 0 && wanted < taking.taken.units() {
            if has_failed {
                tracing::error!(top_up = %purchase.top_up.id.global(self.account_id), "a refund failed at the payment gateway, and its credits are there again: the customer still has to be given the money, another way");
            }
            let target = (taking.taken.units() - came_back).max(wanted);
            self.take_back(taking, target, REFUND, "A refund of a top-up failed later")
                .await?;
        }
        if wanted != taking.taken.units() {
            let why = if wanted > taking.taken.units() {
                "A disputed top-up was lost"
            } else {
                "A disputed top-up was won after all"
            };
            self.take_back(taking, wanted, DISPUTE, why).await?;
        }
        Ok(())
    }

    /// Holds what is disputed, and what refunds under way will take.
    async fn hold(&mut self, entry_id: EntryId, purchase: &Purchase) -> Result<(), Fault> {
        if purchase.top_up.dispute.is_none() && purchase.refunds.is_empty() {
            return Ok(());
        }
        let hold = Command::HoldTopUp {
            entry_id,
            is_disputed: purchase.top_up.dispute == Some(DisputeStatus::Open),
            refunding: purchase.refunding(),
        };
        self.post(hold).await.map(|_| ())
    }

    /// Brings what is taken back to `target`, as far as the entry has it.
    async fn take_back(
        &mut self,
        taking: &mut Taking,
        target: i64,
        (kind, contra): (EntryKind, ContraAccount),
        description: &str,
    ) -> Result<Option<EntryId>, Fault> {
        let target = Credits::from_units(target).clamp(Credits::ZERO, taking.most);
        taking.taken = target;
        self.post(Command::TakeBack {
            entry_id: taking.entry_id,
            target,
            kind,
            contra,
            description: description.to_owned(),
        })
        .await
    }

    /// Posts a fact that the ledger does not refuse, and that is safe to repeat. Returns the entry that it made.
    async fn post(&mut self, command: Command) -> Result<Option<EntryId>, Fault> {
        let request = Request {
            command,
            key: None,
            cause: Cause::PaymentGateway,
            seed: self.seed(),
        };
        match self.locked.post(self.tx, request).await? {
            Ok(posted) => Ok(posted.outcome.entry_id),
            Err(refusal) => Err(Fault::Internal(format!("a fact about a top-up was refused: {refusal}"))),
        }
    }
}
