//! Forecasts and simulations: how long credits last at the current rate, and what other settings of the automatic top-up would
//! have done.
//!
//! Called by the shells. This module writes nothing. Both results are pure functions of rows (`burn`, `replay`). The simulated
//! rule is the one that buys: `top_up::model::AutoTopUp::evaluate`.
//!
//! Invariant: the work of an answer is bounded. It reads at most the last [`MOST`] entries and as many changes of holds. Where
//! there are more, the answer covers fewer days, and reports their number.

mod store;

use crate::domain::database::Database;
use crate::domain::fault::{Fault, InvalidInput, QueryError};
use crate::domain::ledger::Ledger;
use crate::domain::ledger::credit_log::CreditLog;
use crate::domain::ledger::lots::Lots;
use crate::domain::ledger::model::{AccountStatus, Lot, LotKind, MAX_LOTS};
use crate::domain::top_up::model::AutoTopUpState;
use crate::domain::top_up::{AutoTopUps, require_to_see};
use crate::primitives::actor::{AccessError, Actor};
use crate::primitives::clock::{Clock, DAY, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, LotId};
use crate::primitives::money::Money;
use crate::primitives::page::PageRequest;

use ledgerbell_core::forecast::{BURN_DAYS, Burn, InvalidTrial, Replay, burn};

pub use ledgerbell_core::forecast::{
    BalanceChange, Replayed, RuleTerms, SimulatedMonth, SimulatedTopUp, TrialSettings,
};

/// Entries, and changes of holds, that one answer reads at most.
const MOST: i64 = 1_000_000;
/// Up to this number of each, changes are replayed one by one; more of them hour by hour.
const ONE_BY_ONE: i64 = 20_000;
/// How far the simulation looks back.
const SIMULATED_DAYS: i64 = 90;

/// How long credits last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The time of the forecast.
    pub now: Timestamp,
    /// The use of sessions in a day.
    pub credits_per_day: Credits,
    /// Number of days that the rate is computed from.
    pub based_on_days: u16,
    /// When nothing is left for bookings, if nothing is bought.
    pub depleted_at: Option<Timestamp>,
    /// When the automatic top-up buys next.
    pub next_auto_top_up_at: Option<Timestamp>,
    /// The cost of the use of a month.
    pub expected_monthly_cost: Money,
}

impl Forecast {
    /// Days until nothing is left, to the hundredth.
    #[allow(clippy::cast_precision_loss, reason = "a span of time is short of 2^53 milliseconds")]
    pub fn days_left(&self) -> Option<f64> {
        let millis = self.depleted_at?.millis() - self.now.millis();
        Some((millis as f64 / DAY as f64 * 100.0).round() / 100.0)
    }
}

/// What settings would have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The beginning of the simulated time.
    pub from: Timestamp,
    /// The end of the simulated time.
    pub until: Timestamp,
    /// Whether every change was replayed one by one.
    pub is_exact: bool,
    /// The result of the replay.
    pub replayed: Replayed,
}

impl From<InvalidTrial> for QueryError {
    fn from(InvalidTrial { field, message }: InvalidTrial) -> Self {
        Self::Invalid(InvalidInput { field, message })
    }
}

/// Forecasts of accounts.
#[derive(Clone, Debug)]
pub struct Forecasts {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    credit_log: CreditLog,
    lots: Lots,
    rules: AutoTopUps,
}

impl Forecasts {
    /// Creates forecasts from these dependencies.
    pub fn new(
        (database, clock): (Database, Clock),
        ledger: Ledger,
        credit_log: CreditLog,
        lots: Lots,
        rules: AutoTopUps,
    ) -> Self {
        Self {
            database,
            clock,
            ledger,
            credit_log,
            lots,
            rules,
        }
    }

    /// Returns how long the account's credits last at the current rate.
    pub async fn forecast(&self, actor: &Actor, account_id: AccountId) -> Result<Forecast, QueryError> {
        require_to_see(actor, account_id)?;
        let now = self.clock.now();
        let burn = self.burn(account_id, now).await?;
        let balances = self.ledger.balances(&[account_id]).await?;
        let balance = balances.get(&account_id).ok_or(AccessError::NotFound)?;
        let lots = self.live_lots(account_id).await?;
        let (terms, minimum_minor) = self.rules.terms(account_id).await?;
        let view = self.rules.view(&Actor::System, account_id).await?;
        let use_of = |level: Credits, lots: Vec<Lot>, available: Credits| {
            burn::falls_to(level, lots, balance.held, available, burn.per_day, now)
        };
        let next_auto_top_up_at = match (view.state, view.card.clone(), view.rule.trigger) {
            (AutoTopUpState::Active, Some(card), Some(trigger)) => {
                let coming = balance
                    .available()
                    .checked_add(balance.incoming)
                    .unwrap_or(Credits::MAX);
                let falls_at = use_of(trigger, with_incoming(&lots, balance.incoming, now), coming);
                let mut replay = Replay::of_rule(&view.rule, card, terms, minimum_minor, coming);
                replay.has_spent(terms.month(now), view.spent.minor);
                falls_at.and_then(|at| replay.next_from(at))
            }
            _ => None,
        };
        // While an account is halted nothing is used, and nothing expires.
        let depleted_at = match balance.status {
            AccountStatus::Active => use_of(Credits::ZERO, lots, balance.available()),
            AccountStatus::Frozen | AccountStatus::Closed => Some(now).filter(|_| !balance.available().is_positive()),
        };
        Ok(Forecast {
            now,
            credits_per_day: burn.per_day,
            based_on_days: burn.based_on_days,
            depleted_at,
            next_auto_top_up_at,
            expected_monthly_cost: terms
                .price_of(burn.per_month())
                .unwrap_or_else(|| terms.money(i64::MAX)),
        })
    }

    /// Returns what other settings of the rule would have done over the last 90 days. Assumes that every charge succeeds at
    /// once and at today's price.
    pub async fn simulate(
        &self,
        actor: &Actor,
        account_id: AccountId,
        trial: &TrialSettings,
    ) -> Result<Simulation, QueryError> {
        require_to_see(actor, account_id)?;
        let now = self.clock.now();
        let (terms, minimum_minor) = self.rules.terms(account_id).await?;
        let rule = RuleTerms::check(trial, terms, minimum_minor)?;
        let wanted = now.plus_millis(-SIMULATED_DAYS * DAY);
        let is_exact = store::begin(&self.database, account_id, wanted, ONE_BY_ONE)
            .await?
            .is_none();
        let from = if is_exact {
            wanted
        } else {
            let begin = store::begin(&self.database, account_id, wanted, MOST).await?;
            begin.map_or(wanted, |begin| begin.plus_millis(1))
        };
        let log = &self.credit_log;
        let before = Some(from.plus_millis(-1));
        let opening = log.balance_at(&Actor::System, account_id, before, now).await?;
        let (database, within) = (&self.database, (from, now));
        let steps = if is_exact {
            store::steps(database, account_id, within, trial.keeps_manual).await?
        } else {
            store::hours(database, account_id, within, trial.keeps_manual).await?
        };
        let mut replay = Replay::new(rule, opening.available());
        // Before its first credits an account needs no top-up.
        let has_begun = opening.sequence > 0;
        let from = if has_begun {
            replay.look(from);
            from
        } else {
            steps.first().map_or(now, |step| step.at)
        };
        for step in steps {
            replay.play(step);
        }
        Ok(Simulation {
            from,
            until: now,
            is_exact,
            replayed: replay.finish(now),
        })
    }

    async fn burn(&self, account_id: AccountId, now: Timestamp) -> Result<Burn, Fault> {
        let wanted = now.plus_millis(-i64::from(BURN_DAYS) * DAY);
        let begin = store::begin(&self.database, account_id, wanted, MOST).await?;
        let from = begin.map_or(wanted, |begin| begin.plus_millis(1));
        let (first, used) = store::used_by_hour(&self.database, account_id, (from, now)).await?;
        let Some(first) = first else {
            return Ok(Burn::NOTHING);
        };
        Ok(Burn::of(&used, now.millis() - first.max(from).millis()))
    }

    async fn live_lots(&self, account_id: AccountId) -> Result<Vec<Lot>, QueryError> {
        let all = PageRequest::forward(u32::try_from(MAX_LOTS).unwrap_or(u32::MAX), None);
        let page = self.lots.page(&Actor::System, account_id, false, &all).await?;
        Ok(page.items.into_iter().map(|(_, lot)| lot).collect())
    }
}

/// Returns the lots and one more: the credits of top-ups that are being charged.
fn with_incoming(lots: &[Lot], incoming: Credits, now: Timestamp) -> Vec<Lot> {
    let mut lots = lots.to_vec();
    if incoming.is_positive() {
        lots.push(Lot {
            id: LotId::from_uuid(uuid::Uuid::max()),
            kind: LotKind::Paid,
            granted: incoming,
            remaining: incoming,
            priority: 0,
            expires_at: None,
            created_at: now,
            entry_id: EntryId::from_uuid(uuid::Uuid::max()),
        });
    }
    lots
}
