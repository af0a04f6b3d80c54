//! Forecasts and simulations: how long credits last, and what other settings of the rule would have done.
//!
//! Called by the account type. This module only converts types; the domain computes the forecasts.

use async_graphql::{Context, SimpleObject};

use super::context::scope;
use super::errors::{Nullable, visible};
use super::member::Money;
use crate::domain::forecast::{self, TrialSettings};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// The maximum number of simulated charges in the list; all are counted.
const MOST_LISTED: usize = 100;

/// How long the account's credits last at the current rate.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Forecast {
    /// The credits that sessions use per day: a mean over the past, at most 28 days, in which the last hour has the largest
    /// weight. 0 while the account has had credits for less than 6 hours, which is too short for a rate.
    pub credits_per_day: Credits,
    /// Days until depletedAt. 0 when nothing is available now; null when depletedAt is null.
    pub days_left: Option<f64>,
    /// When no credits are left to book with, if none are bought. Credits that expire before they are used count as gone. Null
    /// when that does not happen. Also null while the account is frozen or closed: then no credits are used, and none expire.
    pub depleted_at: Option<Timestamp>,
    /// When the account's rule charges next, given the use and expiry of credits, the card and the monthly cap. Null when the
    /// rule cannot charge or no credits are used.
    pub next_auto_top_up_at: Option<Timestamp>,
    /// The price of the credits that an average month uses, at the current credit price.
    pub expected_monthly_cost: Money,
    /// The number of days that creditsPerDay is computed from, including partial days: 28, or fewer for an account with a
    /// shorter history. 0 when there is too little history.
    pub based_on_days: i32,
}

/// What settings of the rule would have done. The real rule decides at every instant at which available credits changed.
/// Assumed: each charge succeeds at once and at the current price, the account is active, and its sessions are booked as they
/// were.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct AutoTopUpSimulation {
    /// The begin: 90 days ago, or when the account first had credits. Later if there are more than a million entries.
    pub from: Timestamp,
    /// The end: now.
    pub until: Timestamp,
    /// Whether every change was simulated separately. With more than 20,000 changes, the simulation is approximated by hours:
    /// lows are exact, a charge may be up to an hour early, and several charges of one hour may be combined.
    pub is_exact: bool,
    /// The number of charges.
    pub charge_count: i32,
    /// The credits of all charges.
    pub credits: Credits,
    /// The price of all charges.
    pub cost: Money,
    /// The charges by calendar month in the account's time zone. Contains months with a charge, or with one that the cap
    /// prevented.
    pub months: Vec<SimulatedMonth>,
    /// The first 100 charges, oldest first.
    pub charges: Vec<SimulatedCharge>,
    /// The lowest available credits at any time, just before the charge that follows.
    pub lowest_available: Credits,
    /// When available credits are lowest for the first time. Null when nothing happened.
    pub lowest_at: Option<Timestamp>,
    /// How often available credits fall below zero.
    pub times_below_zero: i32,
    /// The available credits at the end.
    pub closing_available: Credits,
}

/// The simulated charges of a month.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct SimulatedMonth {
    /// The month, such as 2026-11.
    pub month: String,
    /// The number of charges.
    pub charges: i32,
    /// The price of these charges.
    pub cost: Money,
    /// Whether the cap prevented or reduced a charge.
    pub cap_reached: bool,
}

/// A simulated charge.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct SimulatedCharge {
    /// When it is made.
    pub at: Timestamp,
    /// The available credits just before it.
    pub available: Credits,
    /// The credits that it adds.
    pub credits: Credits,
    /// The price of these credits.
    pub price: Money,
    /// Whether the cap allowed less than was needed.
    pub capped: bool,
}

pub(super) async fn forecast(ctx: &Context<'_>, account_id: AccountId) -> Nullable<Forecast> {
    visible(async {
        let scope = scope(ctx)?;
        let found = scope.services.forecasts.forecast(scope.actor(), account_id).await?;
        Ok(Some(found.into()))
    })
    .await
}

/// Simulates settings of the rule.
pub(super) async fn simulate(
    ctx: &Context<'_>,
    account_id: AccountId,
    trial: TrialSettings,
) -> Nullable<AutoTopUpSimulation> {
    visible(async {
        let scope = scope(ctx)?;
        let forecasts = &scope.services.forecasts;
        let simulation = forecasts.simulate(scope.actor(), account_id, &trial).await?;
        Ok(Some(simulation.into()))
    })
    .await
}

impl From<forecast::Forecast> for Forecast {
    fn from(found: forecast::Forecast) -> Self {
        Self {
            credits_per_day: found.credits_per_day,
            days_left: found.days_left(),
            depleted_at: found.depleted_at,
            next_auto_top_up_at: found.next_auto_top_up_at,
            expected_monthly_cost: found.expected_monthly_cost.into(),
            based_on_days: found.based_on_days.into(),
        }
    }
}

/// Converts a count that is limited far below the maximum of an Int.
fn count(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

impl From<forecast::Simulation> for AutoTopUpSimulation {
    fn from(simulation: forecast::Simulation) -> Self {
        let replayed = simulation.replayed;
        let months = replayed.months.into_iter().map(|month| SimulatedMonth {
            month: month.month,
            charges: count(month.charges),
            cost: month.cost.into(),
            cap_reached: month.is_capped,
        });
        let charges = replayed.top_ups.iter().take(MOST_LISTED).map(|top_up| SimulatedCharge {
            at: top_up.at,
            available: top_up.available,
            credits: top_up.credits,
            price: top_up.price.into(),
            capped: top_up.is_capped,
        });
        Self {
            from: simulation.from,
            until: simulation.until,
            is_exact: simulation.is_exact,
            charge_count: count(replayed.top_ups.len()),
            credits: replayed.credits,
            cost: replayed.cost.into(),
            months: months.collect(),
            charges: charges.collect(),
            lowest_available: replayed.lowest,
            lowest_at: replayed.lowest_at,
            times_below_zero: count(replayed.times_below_zero),
            closing_available: replayed.closing,
        }
    }
}
