//! A history by hours, where it is too long to be played one by one.
//!
//! The low of an hour is the least that was posted less the most that was held, perhaps not at the same time, and less all that
//! left-out top-ups brought meanwhile: it is never better than it was.

use std::collections::BTreeMap;

use crate::domain::ledger::credit_log::BalanceAt;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;

use super::{HOUR, Step};

/// What happened within an hour.
#[derive(Debug, Default)]
pub(super) struct Hour {
    /// What entries changed that count.
    pub(super) kept: i64,
    /// What entries of left-out top-ups changed.
    pub(super) left_out: i64,
    /// The least that was posted after any of the entries, left-out ones included.
    pub(super) lowest_posted: Option<i64>,
    /// How holds changed.
    pub(super) held: i64,
    /// The most that was held after any change.
    pub(super) highest_held: Option<i64>,
}

/// The hours as steps. `opening` is what there was before the first.
pub(super) fn steps_of(hours: BTreeMap<i64, Hour>, from: Timestamp, opening: &BalanceAt) -> Vec<Step> {
    let (mut posted, mut held) = (opening.posted.units(), opening.held.units());
    let mut steps = Vec::with_capacity(hours.len());
    for (number, hour) in hours {
        let lowest_posted = hour.lowest_posted.unwrap_or(posted).min(posted);
        let highest_held = hour.highest_held.unwrap_or(held).max(held);
        let before = posted.saturating_sub(held);
        let lowest = lowest_posted
            .saturating_sub(highest_held)
            .saturating_sub(hour.left_out.max(0));
        let change = hour.kept.saturating_sub(hour.held);
        steps.push(Step {
            at: Timestamp::from_millis(number.saturating_mul(HOUR)).max(from),
            low: Credits::from_units(lowest.saturating_sub(before).min(change)),
            change: Credits::from_units(change),
            is_paid: false,
        });
        posted = posted.saturating_add(hour.kept).saturating_add(hour.left_out);
        held = held.saturating_add(hour.held);
    }
    steps
}
