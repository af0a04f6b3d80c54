//! Decides when a balance is low, empty or recovered. Edges have hysteresis, so that each is reported once.

use std::collections::{BTreeMap, BTreeSet};

use crate::primitives::credits::Credits;
use crate::primitives::ids::RecipientId;

/// The margin above a threshold at which its alert can be raised again: the threshold divided by this, and at
/// least [`LEAST_REARM`].
const REARM_DIVISOR: i64 = 10;
/// The minimum of that margin.
const LEAST_REARM: Credits = Credits::whole(1);

/// The open alerts about the balance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenEdges {
    /// Recipients whose threshold was crossed, with the threshold at that time.
    pub low: BTreeMap<RecipientId, Option<Credits>>,
    /// No credits were available.
    pub depleted: bool,
}

/// The edges that a change of the balance has crossed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Recipients whose threshold has been crossed.
    pub low: BTreeSet<RecipientId>,
    /// The balance became empty.
    pub depleted: bool,
    /// Recipients whose alert has ended: enough is available again, or they no longer watch the balance.
    pub low_ended: BTreeSet<RecipientId>,
    /// The balance is no longer empty.
    pub depleted_ended: bool,
    /// An alert ended because enough is available, and none is still open.
    pub recovered: bool,
}

impl Crossing {
    /// Returns whether no edge was crossed.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether the balance got worse.
    pub fn is_worse(&self) -> bool {
        self.depleted || !self.low.is_empty()
    }

    /// Returns only the edges that improve, for the time in which the others are held back.
    #[must_use]
    pub fn held_back(self) -> Self {
        Self {
            low: BTreeSet::new(),
            depleted: false,
            ..self
        }
    }
}

/// Compares available credits with the thresholds of the recipients.
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
    // A recipient that has lowered its threshold below the crossed one does not have enough again by that.
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

/// Returns whether a balance is so far above the highest threshold that no edge can be crossed while no alert is open.
/// Then [`cross`] finds nothing.
pub fn is_calm(available: Credits, highest_threshold: Option<Credits>) -> bool {
    available > highest_threshold.unwrap_or_default().max(Credits::ZERO)
}

/// Returns the level above which an alert about the threshold can be raised again.
fn rearmed_above(threshold: Credits) -> Credits {
    let margin = Credits::from_units(threshold.units() / REARM_DIVISOR).max(LEAST_REARM);
    Credits::from_units(threshold.units().saturating_add(margin.units()))
}
