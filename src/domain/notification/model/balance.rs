//! When a balance is low, empty and well again: edges with hysteresis, so that each is told once.

use std::collections::{BTreeMap, BTreeSet};

use crate::primitives::credits::Credits;
use crate::primitives::ids::RecipientId;

/// What is available must exceed a threshold by a tenth of it before the alert is armed again…
const REARM_DIVISOR: i64 = 10;
/// …and by so many credits at least.
const LEAST_REARM: Credits = Credits::whole(1);

/// Which alerts about the balance are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenEdges {
    /// Recipients whose threshold was crossed, and which it was then.
    pub low: BTreeMap<RecipientId, Option<Credits>>,
    /// Nothing was left.
    pub depleted: bool,
}

/// What a look at the balance brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Recipients whose threshold has been crossed.
    pub low: BTreeSet<RecipientId>,
    /// Nothing is left, for the first time since there was something.
    pub depleted: bool,
    /// Recipients whose alert is over: there is enough again, or they no longer watch.
    pub low_ended: BTreeSet<RecipientId>,
    /// There is something again.
    pub depleted_ended: bool,
    /// Something that was open has ended because there is enough, and nothing is open any more.
    pub recovered: bool,
}

impl Crossing {
    /// Whether nothing has changed.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is worse than it was told to be.
    pub fn is_worse(&self) -> bool {
        self.depleted || !self.low.is_empty()
    }

    /// What is left to be told while all that is worse is held back.
    #[must_use]
    pub fn held_back(self) -> Self {
        Self {
            low: BTreeSet::new(),
            depleted: false,
            ..self
        }
    }
}

/// Compares what is available with the thresholds of those who watch.
pub fn cross(available: Credits, thresholds: &BTreeMap<RecipientId, Credits>, open: &OpenEdges) -> Crossing {
    let low = thresholds
        .iter()
        .filter(|(recipient, threshold)| available <= **threshold && !open.low.contains_key(recipient));
    let is_over = |recipient: &RecipientId| {
        thresholds
            .get(recipient)
            .is_none_or(|threshold| available > rearmed_above(*threshold))
    };
    let depleted_ended = open.depleted && available > rearmed_above(Credits::ZERO);
    let mut crossing = Crossing {
        low: low.map(|(recipient, _)| *recipient).collect(),
        depleted: !open.depleted && available <= Credits::ZERO,
        low_ended: open.low.keys().copied().filter(is_over).collect(),
        depleted_ended,
        recovered: false,
    };
    // Who watches a lower level than the one that was crossed has not got enough again by that.
    let has_enough = |recipient: &RecipientId| {
        let crossed = open.low.get(recipient).copied().flatten();
        thresholds
            .get(recipient)
            .is_some_and(|threshold| available > rearmed_above(crossed.unwrap_or(*threshold)))
    };
    let ended_well = depleted_ended || crossing.low_ended.iter().any(has_enough);
    let left_open = open.low.len() > crossing.low_ended.len() || (open.depleted && !depleted_ended);
    crossing.recovered = ended_well && !left_open && crossing.low.is_empty() && !crossing.depleted;
    crossing
}

/// Whether a balance so far above the highest of the thresholds has nothing to say, where nothing about it is open. Then
/// [`cross`] finds nothing.
pub fn is_calm(available: Credits, highest_threshold: Option<Credits>) -> bool {
    available > highest_threshold.unwrap_or_default().max(Credits::ZERO)
}

/// Above this an alert about the threshold is armed again.
fn rearmed_above(threshold: Credits) -> Credits {
    let margin = Credits::from_units(threshold.units() / REARM_DIVISOR).max(LEAST_REARM);
    Credits::from_units(threshold.units().saturating_add(margin.units()))
}
