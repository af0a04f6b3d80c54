//! Requested refunds: a request is stored, and a worker sends it to the gateway.
//!
//! The credits are held from the request on, so that they cannot be spent while their money is on its way. They are taken when
//! the gateway accepts the refund, and released when it refuses.

use crate::primitives::clock::MINUTE;
use std::sync::Arc;

use tracing::Instrument as _;
use uuid::Uuid;

use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger;
use crate::domain::ledger::model::{Canonical, Command, Origin, Refusal, Request};
use crate::primitives::actor::{Actor, Cause, Permission};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, TopUpId};
use crate::primitives::money::Money;
use crate::primitives::trace;

use super::TopUps;
use super::charging::Charging;
use super::context::{AccountTransaction, TopUpContext};
use super::error::TopUpRefusal;
use super::gateway::GatewayError;
use super::model::{AttemptOutcome, Change, PauseReason, Purchase, Refund, RefundStatus};
use super::requests::ChangedTopUp;
use super::store;

/// The lease of a worker on a refund, in milliseconds.
const LEASE: i64 = MINUTE;

/// A refund to request.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// The top-up to refund.
    pub top_up_id: TopUpId,
    /// The credits to refund; if `None`, all that can be refunded.
    pub credits: Option<Credits>,
    /// Whether spent credits may be refunded too: the balance may become negative.
    pub allow_debt: bool,
    /// Whether a refund is allowed while the account is frozen or closed.
    pub allow_inactive: bool,
    /// A human-readable reason.
    pub reason: String,
    /// The idempotency key: the same key refunds once.
    pub key: String,
}

impl TopUps {
    /// Requests a refund of a paid top-up. The credits are taken when the gateway accepts the refund.
    pub async fn refund(
        &self,
        actor: &Actor,
        account_id: AccountId,
        new: NewRefund,
    ) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
        actor.require(account_id, Permission::RefundTopUps)?;
        ledger::check_key(&new.key)?;
        ledger::check_description("reason", &new.reason)?;
        let asked = Arc::new((actor.clone(), new));
        self.context
            .transact(account_id, move |account| {
                let asked = Arc::clone(&asked);
                Box::pin(async move { refund(account, &asked.0, &asked.1).await })
            })
            .await
    }
}

/// Returns the gateway's object that was paid for a top-up.
fn paid_object(purchase: &Purchase) -> Option<String> {
    let paid = |attempt: &&super::model::Attempt| attempt.outcome == AttemptOutcome::Succeeded;
    purchase.attempts.iter().find(paid)?.object_id.clone()
}

async fn refund(
    account: &mut AccountTransaction<'_>,
    actor: &Actor,
    new: &NewRefund,
) -> Result<ChangedTopUp, UseCaseError<TopUpRefusal>> {
    let key = (Origin::of(actor), new.key.clone());
    if let Some(made) = account.replay(&key, &new.digests()).await? {
        return Ok(account.answer(made.top_up));
    }
    let found = store::purchase(account.tx, account.account_id, new.top_up_id).await?;
    let before = found.ok_or(Refused(TopUpRefusal::NotFound))?;
    let entry_id = refundable_entry(&before)?;
    if let Some(credits) = new.credits.filter(|credits| !credits.is_positive()) {
        return Err(InvalidInput::new("credits", format!("must be greater than 0; got {credits}")).into());
    }
    let top_up_id = before.top_up.id;
    let taken = account.locked.taken_back(account.tx, entry_id).await?;
    let held = account.locked.refunding(account.tx, top_up_id).await?;
    let left = Credits::from_units(before.top_up.credits.units() - taken.units() - held.units());
    account.hold_refund(entry_id, new).await?;
    let held_now = account.locked.refunding(account.tx, top_up_id).await?;
    let credits = Credits::from_units(held_now.units() - held.units());
    let amount = before.refund_amount(credits, left);
    let Some(amount_minor) = amount else {
        let message = "are worth less than the smallest amount of money, or were refunded already";
        return Err(InvalidInput::new("credits", message).into());
    };
    let mut after = before.clone();
    after.refunds.push(Refund {
        id: account.ids.next_uuid(),
        top_up_id,
        credits,
        amount_minor,
        reason: new.reason.clone(),
        status: RefundStatus::Pending,
        tries: 0,
        due_at: Some(account.now),
        actor: actor.cause(None),
        created_at: account.now,
        is_exact: true,
        entry_id: None,
        came_back_entry_id: None,
    });
    // Otherwise the rule would buy again the credits that were just refunded to the customer.
    let rule = account.rule().await?;
    if rule.is_enabled {
        let mut paused = rule.clone();
        paused.pause(PauseReason::TopUpReversed, None, account.now);
        account.keep_rule(&rule, &paused).await?;
    }
    let made = account.keep(Some(&before), after, &[]).await?;
    let [digest, ..] = new.digests();
    account.bind(key, "refundTopUp", digest, top_up_id).await?;
    Ok(account.answer(made.top_up))
}

/// Returns the entry that credited a top-up whose money the gateway can refund.
fn refundable_entry(purchase: &Purchase) -> Result<EntryId, UseCaseError<TopUpRefusal>> {
    let entry_id = purchase.top_up.entry_id;
    let invalid = |message: &str| InvalidInput::new("topUpId", message);
    let entry_id = entry_id.ok_or_else(|| invalid("only a top-up that has succeeded can be refunded"))?;
    if paid_object(purchase).is_none() {
        return Err(invalid("was not charged through the payment service, so it cannot be refunded there").into());
    }
    Ok(entry_id)
}

impl NewRefund {
    /// Returns the digest that the key is bound to, and the digest that keys of older versions are bound to.
    fn digests(&self) -> [[u8; 32]; 2] {
        let begin = |version| {
            let mut digest = Canonical::new(version, "refundTopUp");
            digest.bytes(self.top_up_id.uuid().as_bytes());
            digest.optional_number(self.credits.map(Credits::units));
            digest.text(&self.reason);
            digest
        };
        let mut digest = begin(2);
        digest.number(i64::from(self.allow_debt));
        digest.number(i64::from(self.allow_inactive));
        [digest.finish(), begin(1).finish()]
    }
}

impl AccountTransaction<'_> {
    /// Holds the credits of a refund, if the ledger allows it.
    async fn hold_refund(&mut self, entry_id: EntryId, new: &NewRefund) -> Result<(), UseCaseError<TopUpRefusal>> {
        let request = Request {
            command: Command::HoldRefund {
                entry_id,
                credits: new.credits,
                allow_debt: new.allow_debt,
                allow_inactive: new.allow_inactive,
            },
            key: None,
            cause: Cause::System,
            seed: self.seed(),
        };
        match self.locked.post(self.tx, request).await? {
            Ok(_) => Ok(()),
            Err(Refusal::AccountFrozen { .. } | Refusal::AccountClosed) => Err(Refused(self.halted())),
            Err(Refusal::RefundExceedsCharge { left }) => Err(Refused(TopUpRefusal::RefundExceeds { left })),
            Err(Refusal::RefundExceedsUnspent { unspent }) => {
                Err(Refused(TopUpRefusal::RefundExceedsUnspent { unspent }))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// Sends refunds to the gateway.
#[derive(Clone, Debug)]
pub struct Refunding {
    context: TopUpContext,
    charging: Charging,
}

impl Refunding {
    /// Creates the worker.
    pub fn new(context: TopUpContext) -> Self {
        let charging = Charging::new(context.clone());
        Self { context, charging }
    }

    /// Processes up to `limit` refunds whose time has come. Returns the number of refunds that it found.
    pub async fn turn(&self, limit: u32) -> Result<usize, Fault> {
        let due = store::due_refunds(&self.context.database, self.context.clock.now(), limit).await?;
        for (account_id, id) in &due {
            let span = trace::job("refund", None);
            if let Err(fault) = self.work(*account_id, *id).instrument(span).await {
                tracing::warn!(account = account_id.number(), refund = %id, %fault, "a refund was not continued");
            }
        }
        Ok(due.len())
    }

    async fn work(&self, account_id: AccountId, id: Uuid) -> Result<(), Fault> {
        let claimed = self.context.transact(account_id, move |account| {
            Box::pin(async move { claim(account, id).await })
        });
        let Some((refund, object_id, amount)) = claimed.await.map_err(QueryError::into_fault)? else {
            return Ok(());
        };
        let gateway = &self.context.gateway;
        let sent = gateway.refund(object_id.clone(), id.to_string(), amount).await;
        let was_taken = match sent {
            Ok(()) => true,
            Err(GatewayError::Refused { detail, .. }) => {
                let top_up = refund.top_up_id.global(account_id);
                tracing::error!(%top_up, refund = %id, detail, "the payment gateway refused a refund: its credits are available again");
                false
            }
            Err(error) => {
                tracing::warn!(refund = %id, %error, "a refund got no response and is sent again");
                return Ok(());
            }
        };
        // The returned money is read before the refund is finished. So a second refund of the same money can never be
        // requested.
        if was_taken && let Err(error) = self.charging.look_at(account_id, refund.top_up_id, &object_id).await {
            tracing::warn!(refund = %id, %error, "money was refunded, and its credits are taken back later");
            return Ok(());
        }
        let ended = self.context.transact(account_id, move |account| {
            Box::pin(async move { end(account, refund.top_up_id, id, was_taken).await })
        });
        ended.await.map_err(QueryError::into_fault)
    }
}

async fn end(
    account: &mut AccountTransaction<'_>,
    top_up_id: TopUpId,
    id: Uuid,
    was_taken: bool,
) -> Result<(), QueryError> {
    let Some(before) = store::purchase(account.tx, account.account_id, top_up_id).await? else {
        return Ok(());
    };
    let mut after = before.clone();
    after.refund_answered(id, was_taken);
    if after != before {
        account.keep(Some(&before), after, &[Change::Returned]).await?;
    }
    Ok(())
}

async fn claim(account: &mut AccountTransaction<'_>, id: Uuid) -> Result<Option<(Refund, String, Money)>, QueryError> {
    let Some(mut refund) = store::find_refund(account.tx, account.account_id, id).await? else {
        return Ok(None);
    };
    if refund.due_at.is_none_or(|due_at| due_at > account.now) {
        return Ok(None);
    }
    let purchase = store::purchase(account.tx, account.account_id, refund.top_up_id).await?;
    let paid = purchase
        .as_ref()
        .and_then(|purchase| Some((purchase.top_up.price, paid_object(purchase)?)));
    let Some((price, object_id)) = paid else {
        return Ok(None);
    };
    refund.tries += 1;
    refund.due_at = Some(account.now.plus_millis(LEASE << refund.tries.min(6)));
    store::save_refund(account.tx, account.account_id, &refund).await?;
    let amount = Money {
        minor: refund.amount_minor,
        ..price
    };
    Ok(Some((refund, object_id, amount)))
}
