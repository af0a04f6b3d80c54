//! Comparing what the gateway has with what we have: repairs what can be proven, and says what cannot.

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, GlobalId, IdKind, TopUpId};

use super::charging::{Charging, GatewayFault};
use super::desk::Desk;
use super::error::{TopUpError, TurnError};
use super::gateway::{Charge, ChargeStatus};
use super::model::TopUp;
use super::store;

/// Objects of the gateway that one run looks at, at the most.
const MOST: usize = 100_000;

/// What a comparison found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Objects of the gateway that were compared.
    pub compared: usize,
    /// Top-ups whose charge had not been noticed, or that money had gone back of: set right.
    pub repaired: Vec<String>,
    /// Charges that belong to no top-up of ours, or contradict it: for somebody to look at.
    pub raised: Vec<String>,
}

/// What the comparisons of this process came to, in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileTotals {
    /// Comparisons that came to their end.
    pub runs: u64,
    /// Comparisons that broke off, because the gateway or the database did not answer.
    pub broken_off: u64,
    /// Objects of the gateway that were compared.
    pub compared: u64,
    /// Top-ups that were set right.
    pub repaired: u64,
    /// What was left for somebody to look at.
    pub raised: u64,
    /// When the last one came to its end.
    pub last_at: Option<Timestamp>,
}

/// Compares. Cloning shares what it has counted.
#[derive(Clone, Debug)]
pub struct Reconciler {
    desk: Desk,
    charging: Charging,
    totals: Arc<Mutex<ReconcileTotals>>,
}

impl Reconciler {
    /// With the desk's gateway.
    pub fn new(desk: Desk) -> Self {
        let charging = Charging::new(desk.clone());
        Self {
            desk,
            charging,
            totals: Arc::default(),
        }
    }

    /// What the comparisons of this process came to.
    pub fn totals(&self) -> ReconcileTotals {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compares everything that the gateway was asked to make since then.
    pub async fn reconcile(&self, since: Timestamp) -> Result<ReconcileReport, GatewayFault> {
        let result = self.compare_all(since).await;
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(report) => {
                totals.runs += 1;
                totals.compared += report.compared as u64;
                totals.repaired += report.repaired.len() as u64;
                totals.raised += report.raised.len() as u64;
                totals.last_at = Some(self.desk.clock.now());
            }
            Err(_) => totals.broken_off += 1,
        }
        result
    }

    async fn compare_all(&self, since: Timestamp) -> Result<ReconcileReport, GatewayFault> {
        let mut report = ReconcileReport::default();
        let mut after = None;
        while report.compared < MOST {
            let charges = self.desk.gateway.list_charges(since, after.take()).await?;
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
                "the payment gateway and the top-ups differed"
            );
        }
        Ok(report)
    }

    async fn compare(&self, charge: Charge, report: &mut ReconcileReport) -> Result<(), Fault> {
        let gateway = self.desk.gateway.name();
        let known = store::object_owner(self.desk.database.read(), gateway, &charge.id).await?;
        let told = charge
            .reference
            .as_ref()
            .and_then(|reference| reference.parse::<GlobalId>().ok());
        let told = told
            .filter(|id| id.kind == IdKind::TopUp)
            .map(|id| (id.account_id, TopUpId::from_uuid(id.uuid)));
        let Some((account_id, top_up_id)) = known.or(told) else {
            if charge.status == ChargeStatus::Succeeded {
                report
                    .raised
                    .push(format!("{}: charged, and made for no top-up of ours", charge.id));
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
                "{}: {} was to be charged, and {} is",
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
        let mut found = store::by_ids(&self.desk.database, account_id, &[top_up_id]).await?;
        Ok(found.remove(&top_up_id))
    }

    /// Ends a top-up whose outcome nobody can read any more, as an operator says it was. For the command line alone.
    pub async fn settle_by_hand(
        &self,
        account_id: AccountId,
        top_up_id: TopUpId,
        is_charged: bool,
        reason: String,
    ) -> Result<TopUp, TopUpError> {
        let reason = Arc::new(reason);
        self.desk
            .turn(account_id, move |turn| {
                let reason = Arc::clone(&reason);
                Box::pin(async move {
                    let found = store::purchase(turn.tx, turn.account_id, top_up_id).await?;
                    let before = found.ok_or(TopUpError::NotFound)?;
                    if before.open_attempt().is_none() {
                        return Err(TopUpError::over(before.top_up));
                    }
                    let mut after = before.clone();
                    let changes = after.settle_by_hand(is_charged, turn.now);
                    let after = turn.keep(Some(&before), after, &changes).await?;
                    let top_up = top_up_id.global(account_id);
                    tracing::warn!(%top_up, is_charged, %reason, "a top-up was settled by hand");
                    Ok(after.top_up)
                })
            })
            .await
    }
}

impl Charging {
    /// As [`Self::settle`], for a top-up that an object names, which may be nobody's.
    pub(super) async fn settle_if_known(
        &self,
        account_id: AccountId,
        top_up_id: TopUpId,
        charge: Charge,
    ) -> Result<(), Fault> {
        match self.settle(account_id, top_up_id, charge).await {
            Err(Fault::Internal(detail)) => {
                tracing::error!(top_up = %top_up_id.global(account_id), detail, "an object of the payment gateway names a top-up that is not ours");
                Ok(())
            }
            settled => settled,
        }
    }
}

/// Kept beside its only user.
impl From<TurnError> for TopUpError {
    fn from(error: TurnError) -> Self {
        match error {
            TurnError::Access(error) => error.into(),
            TurnError::Fault(fault) => fault.into(),
        }
    }
}
