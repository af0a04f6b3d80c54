//! Takes back credits whose money was returned, adds them again if it came back, and holds disputed credits and refunds in
//! progress.

use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Command, ContraAccount, EntryKind, Request};
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::EntryId;

use super::context::AccountTransaction;
use super::gateway::DisputeStatus;
use super::model::{AutoTopUp, PauseReason, Purchase, RefundStatus, TakenBack, target_of_return};
use super::store;

/// The kind of entry for money that was refunded, or failed late.
const REFUND: (EntryKind, ContraAccount) = (EntryKind::Reversal, ContraAccount::CardPayments);
/// The kind of entry for money that the bank took back.
const DISPUTE: (EntryKind, ContraAccount) = (EntryKind::Chargeback, ContraAccount::Chargebacks);

/// The entry that credited a top-up, and the credits that were taken back of it.
struct Taking {
    entry_id: EntryId,
    taken: Credits,
    /// All credits of the entry.
    most: Credits,
}

impl AccountTransaction<'_> {
    /// Updates the log to the money that was returned of a paid top-up. Credits that operators took back from the same entry
    /// count, and are not added again.
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

    /// Posts an entry for each refund: it takes exactly the refund's credits when the gateway accepts it, and adds them again
    /// if the money came back.
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

    /// Takes the share of money that was returned without a request here. Dispute money is posted separately.
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
        // Money from failed refunds is separated from money of a won dispute, if fewer credits must be taken in total.
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

    /// Holds disputed credits, and the credits that refunds in progress will take.
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

    /// Adjusts the credits that are taken back to `target`, as far as the entry has them.
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

    /// Posts a fact that the ledger does not refuse and that can be repeated safely. Returns the new entry.
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
