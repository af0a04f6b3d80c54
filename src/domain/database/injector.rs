//! Faults for tests: counts the requests to the database, and makes some of them fail.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sqlx;

const SOON: Duration = Duration::from_millis(100);

/// What happens to a statement, a BEGIN, a COMMIT, a ROLLBACK or a check of the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum How {
    /// The request is not run, and an error is reported.
    NotRun,
    /// The request is run, and an error is reported.
    AnswerLost,
    /// The request is not run, and nothing is reported.
    Silent,
    /// The request is run, and nothing is reported.
    RunAndSilent,
}

impl How {
    pub(in crate::domain) const ALL: [Self; 4] = [Self::NotRun, Self::AnswerLost, Self::Silent, Self::RunAndSilent];
}

#[derive(Clone, Copy)]
struct Plan {
    how: How,
    first: u64,
    strikes: u64,
    asked: u64,
}

/// Injects faults where [`Self::arm`] requests them.
#[derive(Default)]
pub(in crate::domain) struct Injector(Mutex<Option<Plan>>);

impl Injector {
    /// Fails the request number `first` from now on, counted from 0, and those after it, until `strikes` have failed.
    pub(in crate::domain) fn arm(&self, how: How, first: u64, strikes: u64) {
        *self.plan() = Some(Plan {
            how,
            first,
            strikes,
            asked: 0,
        });
    }

    /// Stops the injection. Returns whether a fault was injected.
    pub(in crate::domain) fn disarm(&self) -> bool {
        let plan = self.plan().take();
        plan.is_some_and(|plan| plan.asked > plan.first)
    }

    /// The deadline, which is short while silence is injected.
    pub(super) fn time_limit(&self, time: Duration) -> Duration {
        match self.plan().as_ref().map(|plan| plan.how) {
            Some(How::Silent | How::RunAndSilent) => SOON,
            _ => time,
        }
    }

    pub(super) async fn pass<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let strike = self.strike();
        if matches!(strike, None | Some(How::AnswerLost | How::RunAndSilent)) {
            let answer = answer.await;
            if strike.is_none() {
                return answer;
            }
        }
        match strike {
            Some(How::NotRun | How::AnswerLost) => Err(std::io::Error::other("injected").into()),
            _ => std::future::pending().await,
        }
    }

    fn strike(&self) -> Option<How> {
        let mut plan = self.plan();
        let plan = plan.as_mut()?;
        let at = plan.asked;
        plan.asked += 1;
        (plan.first..plan.first + plan.strikes)
            .contains(&at)
            .then_some(plan.how)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Option<Plan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
