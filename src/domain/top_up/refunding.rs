//! Giving money back: written down when asked, sent to the gateway by a worker. Credits go when the money is seen to have gone.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::fault::Fault;
use crate::domain::ledger;
use crate::domain::ledger::model::{Canonical, Origin};
use crate::primitives::actor::{Actor, Cause, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpId};
use crate::primitives::money::Money;

use super::TopUps;
use super::charging::Charging;
use super::desk::{Desk, Turn};
use super::error::{TopUpError, TurnError};
use super::gateway::GatewayError;
use super::model::{AttemptOutcome, Purchase};
use super::requests::Answered;
use super::store;

/// So long a worker has a refund to itself.
const LEASE: i64 = 60_000;

crate::text_enum! {
    /// How far a refund is.
    RefundStatus {
        /// The gateway has not taken it yet.
        Pending = "PENDING",
        /// The gateway has taken it.
        Succeeded = "SUCCEEDED",
        /// The gateway refused it.
        Failed = "FAILED",
    }
}

/// Money of a top-up that is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refund {
    /// Its id, and the key under which the gateway takes it once.
    pub(super) id: Uuid,
    pub(super) top_up_id: TopUpId,
    /// Credits that go with it.
    pub(super) credits: Credits,
    pub(super) amount_minor: i64,
    pub(super) reason: String,
    pub(super) status: RefundStatus,
    pub(super) tries: i32,
    pub(super) due_at: Option<Timestamp>,
    pub(super) actor: Cause,
    pub(super) created_at: Timestamp,
}

/// Money of a top-up to give back.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// Which top-up.
    pub top_up_id: TopUpId,
    /// How many of its credits; all that are left when `None`.
    pub credits: Option<Credits>,
    /// For people.
    pub reason: String,
    /// Gives back once.
    pub key: String,
}

impl TopUps {
    /// Gives money of a paid top-up back. The credits go when the gateway has taken it.
    pub async fn refund(&self, actor: &Actor, account_id: AccountId, new: NewRefund) -> Result<Answered, TopUpError> {
        actor.require(account_id, Permission::RefundTopUps)?;
        ledger::check_key(&new.key)?;
        ledger::check_description("reason", &new.reason)?;
        let asked = Arc::new((actor.clone(), new));
        self.desk
            .turn(account_id, move |turn| {
                let asked = Arc::clone(&asked);
                Box::pin(async move { refund(turn, &asked.0, &asked.1).await })
            })
            .await
    }
}

/// The gateway's object that was paid for a top-up.
fn paid_object(purchase: &Purchase) -> Option<String> {
    let paid = |attempt: &&super::model::Attempt| attempt.outcome == AttemptOutcome::Succeeded;
    purchase.attempts.iter().find(paid)?.object_id.clone()
}

async fn refund(turn: &mut Turn<'_>, actor: &Actor, new: &NewRefund) -> Result<Answered, TopUpError> {
    let mut digest = Canonical::new(1, "refundTopUp");
    digest.bytes(new.top_up_id.uuid().as_bytes());
    digest.optional_number(new.credits.map(Credits::units));
    digest.text(&new.reason);
    let (digest, key) = (digest.finish(), (Origin::of(actor), new.key.clone()));
    if let Some(made) = turn.replay(&key, digest).await? {
        return Ok(turn.answer(made.top_up));
    }
    let found = store::purchase(turn.tx, turn.account_id, new.top_up_id).await?;
    let purchase = found.ok_or(TopUpError::NotFound)?;
    let top_up = &purchase.top_up;
    let invalid = |field, message: &str| TopUpError::Invalid {
        field,
        message: message.to_owned(),
    };
    let Some(entry_id) = top_up.entry_id else {
        return Err(invalid("topUpId", "only a top-up that has succeeded can be given back"));
    };
    if paid_object(&purchase).is_none() {
        return Err(invalid(
            "topUpId",
            "was not charged through the payment service, which therefore cannot give it back",
        ));
    }
    let taken = turn.locked.taken_back(turn.tx, entry_id).await?;
    let (asked, asked_minor) = store::in_flight_credits(turn.tx, turn.account_id, top_up.id).await?;
    let left = Credits::from_units((top_up.credits.units() - taken.units() - asked.units()).max(0));
    let left_minor = (top_up.price.minor - top_up.gone_minor() - asked_minor).max(0);
    let credits = new.credits.unwrap_or(left);
    if new.credits.is_some_and(|credits| !credits.is_positive()) {
        return Err(invalid("credits", "must be above 0"));
    }
    if credits > left || left.is_zero() || left_minor == 0 {
        return Err(TopUpError::RefundExceeds { left });
    }
    let share = i128::from(top_up.price.minor) * i128::from(credits.units());
    let whole = i128::from(top_up.credits.units());
    let amount_minor = if credits == left {
        left_minor
    } else {
        // To what the gateway gives back of this currency, as it was when it was charged.
        let step = i128::from(top_up.price.currency.step());
        let rounded = (2 * share + whole * step).div_euclid(2 * whole * step) * step;
        i64::try_from(rounded).unwrap_or(left_minor).min(left_minor)
    };
    if amount_minor == 0 {
        return Err(invalid("credits", "are worth less than the smallest amount of money"));
    }
    let refund = Refund {
        id: turn.ids.next_uuid(),
        top_up_id: top_up.id,
        credits,
        amount_minor,
        reason: new.reason.clone(),
        status: RefundStatus::Pending,
        tries: 0,
        due_at: Some(turn.now),
        actor: actor.cause(None),
        created_at: turn.now,
    };
    store::save_refund(turn.tx, turn.account_id, &refund).await?;
    turn.bind(key, "refundTopUp", digest, top_up.id).await?;
    Ok(turn.answer(purchase.top_up))
}

/// Sends refunds to the gateway.
#[derive(Clone, Debug)]
pub struct Refunding {
    desk: Desk,
    charging: Charging,
}

impl Refunding {
    /// Gives back through the desk's gateway.
    pub fn new(desk: Desk) -> Self {
        let charging = Charging::new(desk.clone());
        Self { desk, charging }
    }

    /// Goes on with up to `limit` refunds that are due. Tells how many it found.
    pub async fn turn(&self, limit: u32) -> Result<usize, Fault> {
        let due = store::due_refunds(&self.desk.database, self.desk.clock.now(), limit).await?;
        for (account_id, id) in &due {
            if let Err(fault) = self.work(*account_id, *id).await {
                tracing::warn!(account = account_id.number(), refund = %id, %fault, "a refund was not gone on with");
            }
        }
        Ok(due.len())
    }

    async fn work(&self, account_id: AccountId, id: Uuid) -> Result<(), Fault> {
        let claimed = self
            .desk
            .turn(account_id, move |turn| Box::pin(async move { claim(turn, id).await }));
        let Some((refund, object_id, amount)) = claimed.await.map_err(TurnError::into_fault)? else {
            return Ok(());
        };
        let gateway = &self.desk.gateway;
        let sent = gateway.refund(object_id.clone(), id.to_string(), amount).await;
        let status = match sent {
            Ok(()) => RefundStatus::Succeeded,
            Err(GatewayError::Refused { detail, .. }) => {
                let top_up = refund.top_up_id.global(account_id);
                tracing::error!(%top_up, refund = %id, detail, "the payment gateway refused to give money back: somebody has to look at it");
                RefundStatus::Failed
            }
            Err(error) => {
                tracing::warn!(refund = %id, %error, "a refund was not answered and is sent again");
                return Ok(());
            }
        };
        let ended = self.desk.turn(account_id, move |turn| {
            Box::pin(async move {
                if let Some(refund) = store::find_refund(turn.tx, turn.account_id, id).await? {
                    let ended = Refund {
                        status,
                        due_at: None,
                        ..refund
                    };
                    store::save_refund(turn.tx, turn.account_id, &ended).await?;
                }
                Ok(())
            })
        });
        // What has gone is read before the refund is over, so that at no time a second one could be asked for the same money.
        if status == RefundStatus::Succeeded
            && let Err(error) = self.charging.look_at(account_id, refund.top_up_id, &object_id).await
        {
            tracing::warn!(refund = %id, %error, "money went back, and its credits go later");
            return Ok(());
        }
        ended.await.map_err(TurnError::into_fault)
    }
}

async fn claim(turn: &mut Turn<'_>, id: Uuid) -> Result<Option<(Refund, String, Money)>, TurnError> {
    let Some(mut refund) = store::find_refund(turn.tx, turn.account_id, id).await? else {
        return Ok(None);
    };
    if refund.due_at.is_none_or(|due_at| due_at > turn.now) {
        return Ok(None);
    }
    let purchase = store::purchase(turn.tx, turn.account_id, refund.top_up_id).await?;
    let paid = purchase
        .as_ref()
        .and_then(|purchase| Some((purchase.top_up.price, paid_object(purchase)?)));
    let Some((price, object_id)) = paid else {
        return Ok(None);
    };
    refund.tries += 1;
    refund.due_at = Some(turn.now.plus_millis(LEASE << refund.tries.min(6)));
    store::save_refund(turn.tx, turn.account_id, &refund).await?;
    let amount = Money {
        minor: refund.amount_minor,
        ..price
    };
    Ok(Some((refund, object_id, amount)))
}
