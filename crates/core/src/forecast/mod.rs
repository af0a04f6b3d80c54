//! How long credits last, and what other settings of the rule that tops up would have done.
//!
//! Pure functions of rows: `burn` takes a rate from a history, `replay` plays the rule over one, and the rule that is played is the
//! very one that buys: [`crate::top_up::AutoTopUp::evaluate`].

pub mod burn;
mod replay;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;

use crate::primitives::credits::Credits;

pub use burn::Burn;
pub use replay::{Replay, Replayed, RuleTerms, SimulatedMonth, SimulatedTopUp, Step};

/// A day in milliseconds.
pub const DAY: i64 = 24 * 60 * 60 * 1_000;
/// An hour in milliseconds.
pub const HOUR: i64 = 60 * 60 * 1_000;
/// How far the burn rate looks back.
pub const BURN_DAYS: u16 = 28;

/// Settings of the rule to try out.
#[derive(Clone, Copy, Debug)]
pub struct TrialSettings {
    /// Tops up at or below this.
    pub trigger: Credits,
    /// By this much.
    pub amount: Credits,
    /// Up to this much a month, in the currency's major unit.
    pub monthly_cap: Option<Decimal>,
    /// Whether the credits that people bought themselves count, or the rule has to buy those as well.
    pub keeps_manual: bool,
}

/// Why settings cannot be tried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTrial {
    /// The setting, as the contract names it.
    pub field: &'static str,
    /// Human-readable: what it must be.
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
