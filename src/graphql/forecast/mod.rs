//! Looking ahead and trying out: how long credits last, and what other settings of the rule would have done.
//!
//! Called by the account type. Shapes only: what is foreseen, and how, is the domain's.

use async_graphql::{Context, SimpleObject};

use super::context::scope;
use super::errors::{ApiError, visible};
use super::member::Money;
use crate::domain::forecast::{self, TrialSettings};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// Simulated charges that are listed; all are counted.
const MOST_LISTED: usize = 100;

/// How long the account's credits last at the present rate.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct Forecast {
    /// What sessions use a day: a mean over the time that has passed, at most 28 days, that weighs the last hour most. 0 while the
    /// account has had credits for less than 6 hours: too short for a rate.
    pub credits_per_day: Credits,
    /// Days until depletedAt. 0 when nothing is available now, null when that does not come to pass.
    pub days_left: Option<f64>,
    /// When nothing is left to book with if nothing is bought. Credits that run out of time before they are used count as gone. Null
    /// when that does not come to pass, and while the account is frozen or closed: then nothing is used, and nothing expires.
    pub depleted_at: Option<Timestamp>,
    /// When the account's rule charges next: what is used and what runs out of time, its card and its monthly cap considered. Null when
    /// it cannot charge or nothing is used.
    pub next_auto_top_up_at: Option<Timestamp>,
    /// What the use of an average month costs at the present price.
    pub expected_monthly_cost: Money,
    /// How many days creditsPerDay is taken from, begun ones included: 28, or as many as the account has entries for. 0 when nothing can
    /// be said yet.
    pub based_on_days: i32,
}

/// What settings of the rule would have done. It is the rule itself that decides here as it does in earnest, at every instant at
/// which available credits changed. Taken for granted: each charge succeeds at once and at today's price, the account is active, and
/// its sessions are booked as they were.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct AutoTopUpSimulation {
    /// Where it begins: 90 days ago, or with the account's first credits. Later where there are more than a million entries.
    pub from: Timestamp,
    /// Where it ends: now.
    pub until: Timestamp,
    /// Whether every change was played one by one. Where there are more than 20,000 this is an approximation by hours: lows are
    /// as they were, a charge may be up to an hour early, and several of one hour may be one.
    pub is_exact: bool,
    /// How many charges.
    pub charge_count: i32,
    /// What they bring altogether.
    pub credits: Credits,
    /// What they cost altogether.
    pub cost: Money,
    /// The charges by calendar month in the account's time zone: those with a charge, or with one that the cap prevented.
    pub months: Vec<SimulatedMonth>,
    /// The first 100 charges, oldest first.
    pub charges: Vec<SimulatedCharge>,
    /// The least that is available at any time, just before the charge that it brings about.
    pub lowest_available: Credits,
    /// When that is so first. Null where nothing happened.
    pub lowest_at: Option<Timestamp>,
    /// How often what is available falls below zero.
    pub times_below_zero: i32,
    /// What is available in the end.
    pub closing_available: Credits,
}

/// The simulated charges of a month.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct SimulatedMonth {
    /// The month, such as 2026-11.
    pub month: String,
    /// How many charges.
    pub charges: i32,
    /// What they cost.
    pub cost: Money,
    /// Whether the cap left no room for all that was wanted.
    pub cap_reached: bool,
}

/// A simulated charge.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub(crate) struct SimulatedCharge {
    /// When.
    pub at: Timestamp,
    /// What is available just before it.
    pub available: Credits,
    /// How many credits it brings.
    pub credits: Credits,
    /// What it costs.
    pub price: Money,
    /// Whether the cap left room for less than was wanted.
    pub capped: bool,
}

/// The account's forecast.
pub(super) async fn forecast(ctx: &Context<'_>, account_id: AccountId) -> Option<Result<Forecast, ApiError>> {
    visible(async {
        let scope = scope(ctx)?;
        let found = scope.services.forecasts.forecast(scope.actor(), account_id).await?;
        Ok(Some(found.into()))
    })
    .await
}

/// What settings would have done.
pub(super) async fn simulate(
    ctx: &Context<'_>,
    account_id: AccountId,
    trial: TrialSettings,
) -> Option<Result<AutoTopUpSimulation, ApiError>> {
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

/// A count of things that are bounded far below what an Int holds.
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
