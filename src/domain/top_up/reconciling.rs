//! Compares the gateway's objects with the stored top-ups: repairs what can be proven, and reports everything else.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::Instrument as _;

use crate::domain::fault::{Fault, Refused, UseCaseError};
use crate::domain::ledger;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, GlobalId, IdKind, TopUpId};
use crate::primitives::trace;

use super::charging::{Charging, GatewayFault};
use super::context::TopUpContext;
use super::error::TopUpRefusal;
use super::gateway::{Charge, ChargeStatus};
use super::model::TopUp;
use super::requests::ChangedTopUp;
use super::store;

/// The maximum number of the gateway's objects in one comparison.
const MOST: usize = 100_000;

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// The number of objects that were compared.
    pub compared: usize,
    /// The top-ups that were repaired: a charge or a return had not been noticed.
    pub repaired: Vec<String>,
    /// Charges that belong to no top-up or contradict it: an operator must check them.
    pub raised: Vec<String>,
}

/// The totals of all comparisons of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileTotals {
    /// The number of completed comparisons.
    pub runs: u64,
    /// The number of comparisons that were aborted, because the gateway or the database did not respond.
    pub broken_off: u64,
    /// The number of objects that were compared.
    pub compared: u64,
    /// The number of top-ups that were repaired.
    pub repaired: u64,
    /// The number of charges that an operator must check.
    pub raised: u64,
    /// When the last comparison completed.
    pub last_at: Option<Timestamp>,
}

/// Compares the gateway's objects with the stored top-ups. Clones share the totals.
#[derive(Clone, Debug)]
pub struct Reconciler {
    context: TopUpContext,
    charging: Charging,
    totals: Arc<Mutex<ReconcileTotals>>,
}

impl Reconciler {
    /// Creates a reconciler for the gateway in use.
    pub fn new(context: TopUpContext) -> Self {
        let charging = Charging::new(context.clone());
        Self {
            context,
            charging,
            totals: Arc::default(),
        }
    }

    /// Returns the totals of this process.
    pub fn totals(&self) -> ReconcileTotals {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compares everything that the gateway was asked to create since then.
    pub async fn reconcile(&self, since: Timestamp) -> Result<ReconcileReport, GatewayFault> {
        let result = self.compare_all(since).instrument(trace::job("reconcile", None)).await;
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(report) => {
                totals.runs += 1;
                totals.compared += report.compared as u64;
                totals.repaired += report.repaired.len() as u64;
                totals.raised += report.raised.len() as u64;
                totals.last_at = Some(self.context.clock.now());
            }
            Err(_) => totals.broken_off += 1,
        }
        result
    }

    async fn compare_all(&self, since: Timestamp) -> Result<ReconcileReport, GatewayFault> {
        let mut report = ReconcileReport::default();
        let mut after = None;
        while report.compared < MOST {
            let charges = self.context.gateway.list_charges(since, after.take()).await?;
            let Some(last) = charges.last() else { break };
            after = Some(last.id.clone());
            for charge in charges {
                report.compared += 1;
                self.compare(charge, &mut report).await?;
            }
        }
        let (repaired, raised) = (report.repaired.len(), report.raised.len());
        if repaired + raised > 0 {
            tracing::error!(
                compared = report.compared,
                repaired,
                raised,
                "the payment gateway and the top-ups differ"
            );
        }
        Ok(report)
    }

    async fn compare(&self, charge: Charge, report: &mut ReconcileReport) -> Result<(), Fault> {
        let gateway = self.context.gateway.name();
        let known = store::object_owner(self.context.database.read(), gateway, &charge.id).await?;
        let referred = charge
            .reference
            .as_ref()
            .and_then(|reference| reference.parse::<GlobalId>().ok());
        let referred = referred
            .filter(|id| id.kind == IdKind::TopUp)
            .map(|id| (id.account_id, TopUpId::from_uuid(id.uuid)));
        let Some((account_id, top_up_id)) = known.or(referred) else {
            if charge.status == ChargeStatus::Succeeded {
                report.raised.push(format!(
                    "{}: charged, but for no top-up of this installation",
                    charge.id
                ));
            }
            return Ok(());
        };
        let Some(before) = self.top_up(account_id, top_up_id).await? else {
            if charge.status == ChargeStatus::Succeeded {
                report
                    .raised
                    .push(format!("{}: charged for a top-up that does not exist", charge.id));
            }
            return Ok(());
        };
        if charge.amount_minor != before.price.minor {
            report.raised.push(format!(
                "{}: {} should be charged, but {} is",
                charge.id, before.price.minor, charge.amount_minor
            ));
        }
        if charge.status != ChargeStatus::Succeeded && before.entry_id.is_none() {
            return Ok(());
        }
        self.charging.settle(account_id, top_up_id, charge).await?;
        let after = self.top_up(account_id, top_up_id).await?;
        if after.as_ref() != Some(&before) {
            report.repaired.push(top_up_id.global(account_id).to_string());
        }
        Ok(())
    }

    async fn top_up(&self, account_id: AccountId, top_up_id: TopUpId) -> Result<Option<TopUp>, Fault> {
        let mut found = store::by_ids(&self.context.database, account_id, &[top_up_id]).await?;
        Ok(found.remove(&top_up_id))
    }

    /// Ends a top-up whose outcome cannot be read any more, with the outcome that an operator reports. The log has the reason and the
    /// caller.
    ///
    /// A charge that was not made can be refuted later: if the gateway reports that it was made after all, the top-up is credited.
    pub async fn settle_by_hand(
        &self,
        actor: &Actor,
        account_id: AccountId,
        (top_up_id, is_charged): (TopUpId, bool),
        reason: String,
    ) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
        actor.require(account_id, Permission::ManageCredits)?;
        ledger::check_description("reason", &reason)?;
        let (reason, by) = (Arc::new(reason), actor.cause(None));
        self.context
            .transact(account_id, move |account| {
                let reason = Arc::clone(&reason);
                Box::pin(async move {
                    let found = store::purchase(account.tx, account.account_id, top_up_id).await?;
                    let before = found.ok_or(Refused(TopUpRefusal::NotFound))?;
                    if before.open_attempt().is_none() {
                        return Err(Refused(TopUpRefusal::Over(Box::new(before.top_up))));
                    }
                    let mut after = before.clone();
                    let changes = after.settle_by_hand(is_charged, account.now);
                    let after = account.keep(Some(&before), after, &changes).await?;
                    let top_up = top_up_id.global(account_id);
                    tracing::warn!(%top_up, is_charged, %reason, ?by, "a top-up was settled by hand");
                    Ok(account.answer(after.top_up))
                })
            })
            .await
    }
}

impl Charging {
    /// Like [`Self::settle`], for a top-up that an object names. That top-up may not exist.
    pub(super) async fn settle_if_known(
        &self,
        account_id: AccountId,
        top_up_id: TopUpId,
        charge: Charge,
    ) -> Result<(), Fault> {
        match self.settle(account_id, top_up_id, charge).await {
            Err(Fault::Internal(detail)) => {
                tracing::error!(top_up = %top_up_id.global(account_id), detail, "an object of the payment gateway names a top-up of another installation");
                Ok(())
            }
            settled => settled,
        }
    }
}
