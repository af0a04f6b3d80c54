//! Refunds of a top-up: what money and which credits go back, and what has gone.
//!
//! Credits and money are two sums. A refund names its credits and takes exactly those from the log; its money is their share of
//! the price, rounded, and the last part takes the rest. Money that went back without being asked for here (at the gateway, by
//! late failures, by disputes) names no credits: it takes the share of the credits that it is of the price.

use uuid::Uuid;

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::gateway::{DisputeStatus, KnownRefund};
use super::purchase::Purchase;
use super::top_up::TopUp;

crate::text_enum! {
    /// How far a refund is.
    RefundStatus {
        /// The gateway has not taken it yet.
        Pending = "PENDING",
        /// The gateway has taken it.
        Succeeded = "SUCCEEDED",
        /// The gateway refused it.
        Failed = "FAILED",
        /// The gateway took it, and the money came back because the refund failed later.
        CameBack = "CAME_BACK",
    }
}

/// A refund of a top-up that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id, and the key under which the gateway takes it once.
    pub id: Uuid,
    /// Of which top-up.
    pub top_up_id: TopUpId,
    /// The credits that it takes.
    pub credits: Credits,
    /// The money that goes back, in the minor unit.
    pub amount_minor: i64,
    /// Human-readable.
    pub reason: String,
    /// How far it is.
    pub status: RefundStatus,
    /// How often it was sent to the gateway.
    pub tries: i32,
    /// When a worker goes on with it.
    pub due_at: Option<Timestamp>,
    /// Who asked for it.
    pub actor: Cause,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Takes exactly its credits. Refunds of older versions took a share by the money, and still count so.
    pub is_exact: bool,
    /// The entry that took its credits.
    pub entry_id: Option<EntryId>,
    /// The entry that added them again when the money came back.
    pub came_back_entry_id: Option<EntryId>,
}

impl Refund {
    /// Whether the gateway has taken it, also if the money came back later.
    fn was_taken(&self) -> bool {
        matches!(self.status, RefundStatus::Succeeded | RefundStatus::CameBack)
    }

    /// Whether its money went back and stayed there.
    pub fn is_gone(&self) -> bool {
        self.is_exact && self.status == RefundStatus::Succeeded
    }
}

/// What has gone of a top-up, or is about to: each credit and each minor unit counted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gone {
    /// Credits and money of refunds that the gateway has taken.
    named: (Credits, i64),
    /// Credits and money of refunds under way.
    asked: (Credits, i64),
    /// Money that went back without being asked for here.
    elsewhere_minor: i64,
}

impl Purchase {
    /// Takes in what the gateway says of our refunds: taken, or failed later. A status never goes back. Tells whether anything is
    /// new.
    pub(super) fn note_refunds(&mut self, known: &[KnownRefund]) -> bool {
        let mut is_new = false;
        for refund in &mut self.refunds {
            let key = refund.id.to_string();
            let Some(seen) = known.iter().find(|seen| seen.key == key) else {
                continue;
            };
            let status = if seen.has_failed {
                RefundStatus::CameBack
            } else if refund.status == RefundStatus::CameBack {
                continue;
            } else {
                RefundStatus::Succeeded
            };
            if refund.status != status {
                refund.status = status;
                refund.due_at = None;
                is_new = true;
            }
        }
        is_new
    }

    /// The gateway has answered a refund: it was taken, or refused. What was read of it meanwhile counts for more.
    pub fn refund_answered(&mut self, id: Uuid, was_taken: bool) {
        let pending = |refund: &&mut Refund| refund.id == id && refund.status == RefundStatus::Pending;
        if let Some(refund) = self.refunds.iter_mut().find(pending) {
            refund.due_at = None;
            refund.status = if was_taken {
                RefundStatus::Succeeded
            } else {
                RefundStatus::Failed
            };
        }
    }

    /// Credits that refunds under way will take.
    pub fn refunding(&self) -> Credits {
        self.gone().asked.0
    }

    fn gone(&self) -> Gone {
        let sum = |counts: &dyn Fn(&Refund) -> bool| {
            let counted = self.refunds.iter().filter(|refund| refund.is_exact && counts(refund));
            counted.fold((Credits::ZERO, 0_i64), |(credits, minor), refund| {
                let credits = Credits::from_units(credits.units().saturating_add(refund.credits.units()));
                (credits, minor.saturating_add(refund.amount_minor))
            })
        };
        let is_pending = |refund: &Refund| refund.status == RefundStatus::Pending;
        let (_, taken) = sum(&Refund::was_taken);
        let (_, came_back) = sum(&|refund| refund.status == RefundStatus::CameBack);
        let top_up = &self.top_up;
        let returned = top_up.returned_minor.saturating_sub(taken).max(0);
        let came_back = top_up.came_back_minor.saturating_sub(came_back).max(0);
        Gone {
            named: sum(&Refund::is_gone),
            asked: sum(&is_pending),
            elsewhere_minor: returned.saturating_sub(came_back),
        }
    }

    /// The money that goes back with so many credits, of which `left` are left in all. `None` when the price paid leaves nothing for
    /// them.
    pub fn refund_amount(&self, credits: Credits, left: Credits) -> Option<i64> {
        let (top_up, gone) = (&self.top_up, self.gone());
        let step = top_up.price.currency.step();
        let elsewhere = share(top_up, gone.elsewhere_minor);
        let sum = |one: i64, other: i64| one.saturating_add(other);
        // Credits whose money has gone or is asked for, and that money.
        let before = sum(sum(gone.named.0.units(), gone.asked.0.units()), elsewhere.units());
        let spent = sum(sum(gone.named.1, gone.asked.1), gone.elsewhere_minor);
        let after = Credits::from_units(before.saturating_add(credits.units())).min(top_up.credits);
        let amount = if credits == left {
            // The last part: what rounding left over goes with it, but no money of credits that were corrected away.
            rounded(top_up, after, step, Rounding::Nearest).saturating_sub(spent)
        } else {
            let own = rounded(top_up, credits, step, Rounding::Nearest);
            let worth = rounded(top_up, after, step, Rounding::Up);
            // While credits are left, so is money: else the last part would get none.
            let most = worth.min(top_up.price.minor.saturating_sub(step));
            own.min(most.saturating_sub(spent))
        };
        let amount = amount.min(top_up.price.minor.saturating_sub(spent));
        Some(amount).filter(|amount| *amount > 0)
    }
}

#[derive(Clone, Copy)]
enum Rounding {
    Nearest,
    Up,
}

/// What credits of a top-up cost, in whole steps of what the gateway gives back.
fn rounded(top_up: &TopUp, credits: Credits, step: i64, rounding: Rounding) -> i64 {
    let whole = i128::from(top_up.credits.units().max(1)) * i128::from(step);
    let exact = i128::from(top_up.price.minor) * i128::from(credits.units());
    let steps = match rounding {
        Rounding::Nearest => (2 * exact + whole).div_euclid(2 * whole),
        Rounding::Up => (exact + whole - 1).div_euclid(whole),
    };
    // The whole costs the price, also where that is no whole number of steps.
    let minor = i64::try_from(steps * i128::from(step)).unwrap_or(i64::MAX);
    if credits >= top_up.credits {
        top_up.price.minor
    } else {
        minor.min(top_up.price.minor)
    }
}

/// The credits that so much money is of the price, rounded half up; below 0 where more came back than went.
fn share(top_up: &TopUp, minor: i64) -> Credits {
    let price = i128::from(top_up.price.minor);
    if price == 0 {
        return Credits::ZERO;
    }
    let exact = i128::from(top_up.credits.units()) * i128::from(minor);
    let units = (2 * exact + price).div_euclid(2 * price);
    Credits::from_units(i64::try_from(units).unwrap_or(i64::MAX)).min(top_up.credits)
}

/// Credits that are to be taken back of a top-up in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// By refunds that named them.
    pub named: Credits,
    /// By money that went back elsewhere.
    pub elsewhere: Credits,
    /// By that and by a lost dispute.
    pub with_lost: Credits,
}

/// What is to be taken back, now that so much money has gone. Once all the money is gone, so are all credits.
pub fn target_of_return(purchase: &Purchase) -> Return {
    let (top_up, gone) = (&purchase.top_up, purchase.gone());
    let lost_minor = match top_up.dispute {
        Some(DisputeStatus::Lost) => top_up.disputed_minor,
        Some(DisputeStatus::Open | DisputeStatus::Won) | None => 0,
    };
    let named = gone.named.0.min(top_up.credits);
    let rest = Credits::from_units(top_up.credits.units() - named.units());
    let elsewhere = |minor: i64| {
        if minor != 0 && gone.named.1.saturating_add(minor) >= top_up.price.minor {
            return rest;
        }
        let least = Credits::from_units(-named.units());
        share(top_up, minor).min(rest).max(least)
    };
    Return {
        named,
        elsewhere: elsewhere(gone.elsewhere_minor),
        with_lost: elsewhere(gone.elsewhere_minor.saturating_add(lost_minor)),
    }
}
