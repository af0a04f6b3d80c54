//! Top-ups: purchases of credits, the cards that pay for them, and the rule for automatic top-ups.
//!
//! Called by the shells. A request is stored and answered (`requests`, `refunding`). Workers call the gateway later
//! (`charging`, `webhooks`, `reconciling`). The response is stored together with all its consequences (`settling`,
//! `returning`). The rules are in `model`, which is pure.
//!
//! Invariants:
//! - A top-up is credited once, by the ledger, in the transaction that sets it to SUCCEEDED, from every status.
//! - The gateway is never called inside a transaction, and inside a request only to set up a card.
//! - Each charge is stored before the gateway is asked to make it.

mod attempt_queries;
mod auto_top_ups;
mod charging;
mod context;
mod error;
mod figures;
mod filter;
pub mod gateway;
mod locked_queries;
mod manual;
mod payment_methods;
mod reconciling;
mod refunding;
mod requests;
mod returning;
mod settling;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::domain::database::{Transaction, records};
use crate::domain::fault::{Fault, QueryError, Refused, UseCaseError};
use crate::domain::ledger::LockedAccount;
use crate::domain::ledger::model::{Command, Origin, Request};
use crate::primitives::actor::{AccessError, Actor, Cause, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdMint, IdSeed, TopUpId};
use crate::primitives::page::{Page, PageRequest, SortOrder};

pub(in crate::domain) use attempt_queries::require_to_see;
pub use auto_top_ups::{AutoTopUpChange, AutoTopUpView, AutoTopUps, DecisionPosition};
pub use charging::{Charging, GatewayFault};
pub use context::TopUpContext;
pub use error::{AutoTopUpRefusal, PaymentMethodRefusal, RecordPaidRefusal, TopUpRefusal};
pub use figures::TopUpFigures;
pub use filter::TopUpFilter;
pub use ledgerbell_core::top_up as model;
pub(in crate::domain) use locked_queries::{cap_window, default_card, locked_rule, open_among};
pub(in crate::domain) use manual::FAILED_REFUNDS_FOR;
pub use manual::{FailedRefund, RetryWebhookRefusal, UnsettledTopUp, WebhookPosition};
pub use model::{AccountTerms, TopUp, TopUpOrigin, TopUpStatus};
pub use payment_methods::PaymentMethods;
pub use reconciling::{ReconcileReport, ReconcileTotals, Reconciler};
pub use refunding::{NewRefund, Refunding};
pub use requests::{ChangedTopUp, NewTopUp, TopUpQuote, TopUpRetry};
pub(in crate::domain) use webhooks::delete_processed_webhooks;
pub use webhooks::{ReceiveError, StoredWebhook, WebhookStatus, Webhooks};

/// The position of a top-up in a list: when it was requested, and its id.
pub type TopUpPosition = (Timestamp, TopUpId);

/// Use cases about the top-ups of accounts.
#[derive(Clone, Debug)]
pub struct TopUps {
    context: TopUpContext,
}

impl TopUps {
    /// Creates the use cases.
    pub fn new(context: TopUpContext) -> Self {
        Self { context }
    }

    /// Records a top-up whose payment is proven, and credits it in one transaction. `requested_by` is who requested it.
    ///
    /// Only Ledgerbell itself may call this: no other caller may claim that a top-up was paid.
    pub async fn record_paid(
        &self,
        actor: &Actor,
        account_id: AccountId,
        credits: Credits,
        origin: TopUpOrigin,
        requested_by: Cause,
    ) -> Result<TopUp, UseCaseError<RecordPaidRefusal>> {
        if *actor != Actor::System {
            return Err(AccessError::Forbidden(Permission::ManageCredits).into());
        }
        if !credits.is_positive() || credits > Credits::MAX {
            return Err(Refused(RecordPaidRefusal::Amount));
        }
        let paid = Arc::new(Paid::new(credits, origin, requested_by));
        self.context
            .ledger
            .change(account_id, move |tx, locked| {
                let paid = Arc::clone(&paid);
                Box::pin(async move { record_paid(tx, locked, &paid).await })
            })
            .await
    }

    /// Returns one page of an account's top-ups, by the time of the request.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &TopUpFilter,
        order: SortOrder,
        request: &PageRequest<TopUpPosition>,
    ) -> Result<Page<TopUp, TopUpPosition>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let statuses = filter.statuses.texts("status", TopUpStatus::as_str);
        let origins = filter.origins.texts("origin", TopUpOrigin::as_str);
        let mut keyset = store::keyset(statuses.into_iter().chain(origins).collect());
        keyset.narrow(filter.created_at.start(), filter.created_at.end());
        keyset.turn_to(order == SortOrder::NewestFirst, request, |(at, id)| {
            (at.millis(), id.uuid())
        });
        let scan = keyset.scan(&self.context.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), TopUpId::from_uuid(id));
        Ok(scan.into_page(request, position, records::record)?)
    }

    /// Returns top-ups by id.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpId],
    ) -> Result<HashMap<TopUpId, TopUp>, QueryError> {
        attempt_queries::require_to_see(actor, account_id)?;
        Ok(store::by_ids(&self.context.database, account_id, ids).await?)
    }
}

/// A top-up that was paid before it was stored.
struct Paid {
    credits: Credits,
    origin: TopUpOrigin,
    requested_by: Cause,
    /// Chosen once, even if the transaction runs several times: a later run finds by this id what an earlier run committed.
    id: OnceLock<TopUpId>,
}

impl Paid {
    fn new(credits: Credits, origin: TopUpOrigin, requested_by: Cause) -> Self {
        Self {
            credits,
            origin,
            requested_by,
            id: OnceLock::new(),
        }
    }

    fn id(&self, now: Timestamp) -> TopUpId {
        let new = || TopUpId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid());
        *self.id.get_or_init(new)
    }
}

async fn record_paid(
    tx: &Transaction,
    locked: &mut LockedAccount,
    paid: &Paid,
) -> Result<TopUp, UseCaseError<RecordPaidRefusal>> {
    let (account_id, now) = (locked.header.account_id, locked.now);
    let id = paid.id(now);
    if let Some(recorded) = store::find(tx, account_id, id).await? {
        return Ok(recorded);
    }
    let terms = store::account_terms(tx, account_id).await?;
    let price = terms.price_of(paid.credits).ok_or(Refused(RecordPaidRefusal::Amount))?;
    let request = Request {
        command: Command::CreditTopUp {
            top_up_id: id,
            credits: paid.credits,
            automatic: paid.origin == TopUpOrigin::Auto,
        },
        key: Some((Origin::System, format!("credit:{}", id.global(account_id)))),
        cause: paid.requested_by,
        seed: IdSeed::random(),
    };
    let posted = locked
        .post(tx, request)
        .await?
        .map_err(|refusal| Refused(RecordPaidRefusal::Ledger(refusal)))?;
    let missing = || Fault::Internal("a top-up was credited without an entry".to_owned());
    let asked = TopUp::new(
        (account_id, id),
        paid.origin,
        (paid.credits, price),
        paid.requested_by,
        now,
    );
    let top_up = TopUp {
        status: TopUpStatus::Succeeded,
        entry_id: Some(posted.outcome.entry_id.ok_or_else(missing)?),
        ..asked
    };
    store::insert(tx, &top_up).await?;
    locked.append(tx, top_up.updated()).await?;
    Ok(top_up)
}
