//! Refunds of a top-up: the money and credits that are returned, and what was returned before.
//!
//! Credits and money are two sums. A refund names its credits and takes exactly those from the log. Its money is their share of
//! the price, rounded; the last part takes the rest. Money that was returned without a request here (at the gateway, by late
//! failures, by disputes) names no credits. It takes the same share of the credits as the money has of the price.

use uuid::Uuid;

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, TopUpId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::Timestamp;

use super::gateway::{DisputeStatus, KnownRefund};
use super::purchase::Purchase;
use super::top_up_state::TopUp;

crate::text_enum! {
    /// The status of a refund.
    RefundStatus {
        /// The gateway has not accepted the refund yet.
        Pending = "PENDING",
        /// The gateway has accepted the refund.
        Succeeded = "SUCCEEDED",
        /// The gateway refused the refund.
        Failed = "FAILED",
        /// The gateway accepted the refund, which failed later: the money came back.
        CameBack = "CAME_BACK",
    }
}

/// A requested refund of a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Refund {
    /// The id; also the idempotency key at the gateway.
    pub id: Uuid,
    /// The top-up that is refunded.
    pub top_up_id: TopUpId,
    /// The credits that it takes.
    pub credits: Credits,
    /// The money that is returned, in minor units.
    pub amount_minor: i64,
    /// A human-readable reason.
    pub reason: String,
    /// The current status.
    pub status: RefundStatus,
    /// How often it was sent to the gateway.
    pub tries: i32,
    /// When a worker continues with it.
    pub due_at: Option<Timestamp>,
    /// Who requested it.
    #[cfg_attr(feature = "sea-orm", record(flatten, prefix = "actor_"))]
    pub actor: Cause,
    /// When it was requested.
    pub created_at: Timestamp,
    /// Whether it takes exactly its credits. A refund of an older version took a share by the money, and still counts that way.
    pub is_exact: bool,
    /// The entry that took its credits.
    pub entry_id: Option<EntryId>,
    /// The entry that added them again when the money came back.
    pub came_back_entry_id: Option<EntryId>,
}

impl Refund {
    /// Returns whether the gateway accepted the refund, even if the money came back later.
    fn was_taken(&self) -> bool {
        matches!(self.status, RefundStatus::Succeeded | RefundStatus::CameBack)
    }

    /// Returns whether the money was returned and did not come back.
    pub fn is_gone(&self) -> bool {
        self.is_exact && self.status == RefundStatus::Succeeded
    }
}

/// What was or will be returned of a top-up. Each credit and each minor unit counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gone {
    /// Credits and money of refunds that the gateway accepted.
    named: (Credits, i64),
    /// Credits and money of refunds in progress.
    asked: (Credits, i64),
    /// Money that was returned without a request here.
    elsewhere_minor: i64,
}

impl Purchase {
    /// Applies the gateway's reports on our refunds: accepted, or failed later. A status never goes back. Returns whether
    /// anything is new.
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

    /// Applies the gateway's response to a refund: accepted or refused. A state that was read meanwhile takes precedence.
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

    /// Returns the credits that refunds in progress will take.
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

    /// Returns the money to return for a number of credits, when `left` credits are left in total. Returns `None` if the price
    /// leaves no money for them.
    pub fn refund_amount(&self, credits: Credits, left: Credits) -> Option<i64> {
        let (top_up, gone) = (&self.top_up, self.gone());
        let step = top_up.price.currency.step();
        let elsewhere = share(top_up, gone.elsewhere_minor);
        let sum = |one: i64, other: i64| one.saturating_add(other);
        // The credits whose money was returned or requested, and that money.
        let before = sum(sum(gone.named.0.units(), gone.asked.0.units()), elsewhere.units());
        let spent = sum(sum(gone.named.1, gone.asked.1), gone.elsewhere_minor);
        let after = Credits::from_units(before.saturating_add(credits.units())).min(top_up.credits);
        let amount = if credits == left {
            // The last part: it includes the rounding difference, but no money of credits that an operator corrected.
            rounded(top_up, after, step, Rounding::Nearest).saturating_sub(spent)
        } else {
            let own = rounded(top_up, credits, step, Rounding::Nearest);
            let worth = rounded(top_up, after, step, Rounding::Up);
            // While credits are left, some money is left too: otherwise the last part would get none.
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

/// Returns the price of a number of credits, in whole steps that the gateway can refund.
fn rounded(top_up: &TopUp, credits: Credits, step: i64, rounding: Rounding) -> i64 {
    let whole = i128::from(top_up.credits.units().max(1)) * i128::from(step);
    let exact = i128::from(top_up.price.minor) * i128::from(credits.units());
    let steps = match rounding {
        Rounding::Nearest => (2 * exact + whole).div_euclid(2 * whole),
        Rounding::Up => (exact + whole - 1).div_euclid(whole),
    };
    // All credits cost the full price, even if it is no whole number of steps.
    let minor = i64::try_from(steps * i128::from(step)).unwrap_or(i64::MAX);
    if credits >= top_up.credits {
        top_up.price.minor
    } else {
        minor.min(top_up.price.minor)
    }
}

/// Returns the credits for an amount of money, rounded half up; negative if more came back than was returned.
fn share(top_up: &TopUp, minor: i64) -> Credits {
    let price = i128::from(top_up.price.minor);
    if price == 0 {
        return Credits::ZERO;
    }
    let exact = i128::from(top_up.credits.units()) * i128::from(minor);
    let units = (2 * exact + price).div_euclid(2 * price);
    Credits::from_units(i64::try_from(units).unwrap_or(i64::MAX)).min(top_up.credits)
}

/// The total credits to take back from a top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// The credits of refunds that named them.
    pub named: Credits,
    /// The credits of money that was returned elsewhere.
    pub elsewhere: Credits,
    /// The credits of that money and of a lost dispute.
    pub with_lost: Credits,
}

/// Returns the credits to take back for the money that was returned. If all the money was returned, it is all credits.
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
