//! How long credits last, and what other settings of the automatic top-up would have done.
//!
//! These are pure functions of rows: `burn` computes a rate from a history, and `replay` applies the rule to one. `replay` uses the
//! same rule that buys: [`crate::top_up::AutoTopUp::evaluate`].

pub mod burn;
mod replay;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;

use crate::primitives::credits::Credits;

pub use burn::Burn;
pub use replay::{BalanceChange, Replay, Replayed, RuleTerms, SimulatedMonth, SimulatedTopUp};

/// The number of days that the burn rate covers.
pub const BURN_DAYS: u16 = 28;

/// Settings of the rule to simulate.
#[derive(Clone, Copy, Debug)]
pub struct TrialSettings {
    /// Buys when available credits are at or below this.
    pub trigger: Credits,
    /// The credits that one top-up buys.
    pub amount: Credits,
    /// The monthly maximum, in the currency's major unit.
    pub monthly_cap: Option<Decimal>,
    /// Whether credits that members bought manually count. If not, the rule has to buy those as well.
    pub keeps_manual: bool,
}

/// Why settings cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTrial {
    /// The setting, as the contract names it.
    pub field: &'static str,
    /// The requirement, human-readable.
    pub message: String,
}

impl InvalidTrial {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
        }
    }
}
