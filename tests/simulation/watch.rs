//! What must be true at every moment, whatever faults occur.

use ledgerbell::primitives::clock::DAY;
use std::collections::HashMap;

use ledgerbell::adapters::gateway::simulated::ChargedObject;
use ledgerbell::domain::top_up::TopUp;
use ledgerbell::domain::top_up::gateway::{ChargeStatus, DisputeStatus};
use ledgerbell::domain::top_up::model::{Attempt, AttemptOutcome};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::ids::{TopUpAttemptId, TopUpId};
use sea_orm::{ConnectionTrait as _, Statement};

use crate::world::World;

/// The number of declines of a card within 30 days after which it is not tried again.
const MAX_DECLINES: usize = 15;
/// The maximum number of automatic charges within a day.
const MAX_CHARGES: usize = 10;

/// The account's figures: its last event, and the posted, held and incoming credits.
pub(crate) type Figures = [i64; 4];

/// The state at the last check.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) complaints: Vec<String>,
    last_event: i64,
    top_ups: HashMap<TopUpId, TopUp>,
    attempts: HashMap<TopUpAttemptId, Attempt>,
}

impl Watch {
    /// Checks the current state if anything has changed.
    pub(crate) async fn look(&mut self, world: &World) -> Figures {
        let figures = figures(world).await;
        if figures[0] == self.last_event {
            return figures;
        }
        self.last_event = figures[0];
        let top_ups = world.all().await;
        let ids: Vec<_> = top_ups.iter().map(|top_up| top_up.id).collect();
        let attempts = world.top_ups.attempts(&Actor::System, world.account_id, &ids).await;
        let attempts: Vec<Attempt> = attempts.expect("reads").into_values().flatten().collect();
        let objects = world.gateway.objects();
        let cap = world.rules.view(&Actor::System, world.account_id).await;
        let cap = cap.expect("reads").rule.monthly_cap_minor;
        let mut complaints: Vec<String> = one_automatic(&top_ups).into_iter().collect();
        complaints.extend(one_object_each(&objects));
        for top_up in &top_ups {
            complaints.extend(self.only_grows(top_up));
        }
        let entered: HashMap<_, _> = top_ups.iter().map(|top_up| (top_up.id, top_up)).collect();
        complaints.extend(no_failure_twice(&attempts));
        for attempt in &attempts {
            let is_credited = entered[&attempt.top_up_id].entry_id.is_some();
            complaints.extend(given_up_only_when_canceled(attempt, is_credited, &objects));
            if !self.attempts.contains_key(&attempt.id) {
                complaints.extend(may_begin(attempt, &attempts, cap));
            }
        }
        self.top_ups = top_ups.into_iter().map(|top_up| (top_up.id, top_up)).collect();
        self.attempts = attempts.into_iter().map(|attempt| (attempt.id, attempt)).collect();
        for complaint in complaints {
            if !self.complaints.contains(&complaint) {
                self.complaints.push(complaint);
            }
        }
        figures
    }

    /// Known returns are never forgotten. Credits come back only after a won dispute or a failed refund.
    fn only_grows(&self, top_up: &TopUp) -> Option<String> {
        let before = self.top_ups.get(&top_up.id)?;
        let returned = |top_up: &TopUp| (top_up.returned_minor, top_up.disputed_minor, top_up.came_back_minor);
        let (was, is) = (returned(before), returned(top_up));
        let is_won = top_up.dispute == Some(DisputeStatus::Won);
        let has_failed = is.2 > was.2;
        let is_forgotten = is.0 < was.0 || is.1 < was.1 || is.2 < was.2 || top_up.dispute < before.dispute;
        if is_forgotten || (top_up.credits_reversed < before.credits_reversed && !is_won && !has_failed) {
            return Some(format!(
                "{}: {was:?} {:?} with {} taken back became {is:?} {:?} with {}",
                top_up.id.uuid(),
                before.dispute,
                before.credits_reversed,
                top_up.dispute,
                top_up.credits_reversed
            ));
        }
        None
    }
}

/// Returns the account's figures in one statement: most checks end here.
pub(crate) async fn figures(world: &World) -> Figures {
    let sql = "SELECT event_sequence, posted, held, incoming FROM account_state WHERE account_id = $1";
    let values = [world.account_id.number().into()];
    let statement = Statement::from_sql_and_values(world.database.backend(), sql, values);
    let row = world.database.read().query_one_raw(statement).await.expect("reads");
    let row = row.expect("the account");
    [0, 1, 2, 3].map(|at| row.try_get_by_index(at).expect("a number"))
}

fn one_automatic(top_ups: &[TopUp]) -> Option<String> {
    let open = top_ups.iter().filter(|top_up| top_up.is_open_automatic()).count();
    (open > 1).then(|| format!("{open} automatic top-ups are under way"))
}

/// Another object is created only when the previous one can never be charged.
fn one_object_each(objects: &[ChargedObject]) -> Vec<String> {
    let mut alive: HashMap<&str, usize> = HashMap::new();
    for object in objects.iter().filter(|object| object.status != ChargeStatus::Canceled) {
        *alive.entry(&object.reference).or_default() += 1;
    }
    let mut complaints: Vec<String> = alive
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(reference, count)| format!("{reference} has {count} objects that can be charged"))
        .collect();
    complaints.sort();
    complaints
}

/// An attempt that was sent fails only by a decline, or when it can never be charged.
fn given_up_only_when_canceled(attempt: &Attempt, is_credited: bool, objects: &[ChargedObject]) -> Option<String> {
    if attempt.outcome != AttemptOutcome::Error || attempt.confirm_sent_at.is_none() || is_credited {
        return None;
    }
    let object = objects
        .iter()
        .find(|object| Some(&object.id) == attempt.object_id.as_ref());
    let status = object.map(|object| object.status);
    (status != Some(ChargeStatus::Canceled)).then(|| {
        format!(
            "attempt {} was given up while its object was {status:?}",
            attempt.id.uuid()
        )
    })
}

/// A failure belongs to one attempt only.
fn no_failure_twice(attempts: &[Attempt]) -> Vec<String> {
    let mut marks: Vec<&String> = attempts
        .iter()
        .filter_map(|attempt| attempt.failure_mark.as_ref())
        .collect();
    marks.sort();
    let twice = marks.windows(2).filter(|pair| pair[0] == pair[1]);
    twice
        .map(|pair| format!("two attempts failed by {}", pair[0]))
        .collect()
}

/// A new attempt stays within the limits of card networks, the cap and the ceilings.
fn may_begin(new: &Attempt, all: &[Attempt], cap_minor: Option<i64>) -> Vec<String> {
    let mut complaints = Vec::new();
    let at = new.created_at.millis();
    let is_decline = |one: &&Attempt| {
        one.outcome == AttemptOutcome::Declined
            && one.fingerprint == new.fingerprint
            && one.id != new.id
            && one
                .finished_at
                .is_some_and(|ended| ended.millis() <= at && ended.millis() > at - 30 * DAY)
    };
    let declines = all.iter().filter(is_decline).count();
    if declines >= MAX_DECLINES {
        complaints.push(format!("{} was tried after {declines} declines", new.fingerprint));
    }
    if !new.is_automatic {
        return complaints;
    }
    let automatic = || all.iter().filter(|one| one.is_automatic);
    let unpaid = |one: &Attempt| matches!(one.outcome, AttemptOutcome::Declined | AttemptOutcome::Error);
    let spent: i64 = automatic()
        .filter(|one| one.month == new.month && !unpaid(one))
        .map(|one| one.price_minor)
        .sum();
    if cap_minor.is_some_and(|cap| spent > cap) {
        complaints.push(format!(
            "attempt {} began with {spent} of {cap_minor:?} in {:?}",
            new.id.uuid(),
            new.month
        ));
    }
    let that_day = automatic()
        .filter(|one| one.top_up_id != new.top_up_id)
        .filter(|one| one.created_at.millis() > at - DAY && one.created_at.millis() <= at)
        .count();
    if that_day >= MAX_CHARGES {
        complaints.push(format!("{} automatic charges within a day", that_day + 1));
    }
    complaints
}
