//! What must be so in the end, whatever happened.

use std::collections::{BTreeMap, HashMap};

use ledgerbell::adapters::gateway::simulated::ChargedObject;
use ledgerbell::domain::ledger::verify::verify;
use ledgerbell::domain::top_up::model::{AttemptOutcome, target_of_return};
use ledgerbell::domain::top_up::{TopUp, TopUpStatus};
use ledgerbell::primitives::actor::Actor;

use crate::world::{CAP_MINOR, World};

/// What happened, to see that enough did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    top_ups: usize,
    attempts: usize,
    charges: u32,
    by_status: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.top_ups += other.top_ups;
        self.attempts += other.attempts;
        self.charges += other.charges;
        for (status, count) in &other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
    }
}

/// Everything that must be so, or what is not.
pub(crate) async fn check(world: &World) -> Result<Tally, Vec<String>> {
    let mut complaints = Vec::new();
    let mut tally = Tally::default();
    let top_ups = world.all().await;
    let mut paid: HashMap<String, Vec<ChargedObject>> = HashMap::new();
    for object in world.gateway.objects().into_iter().filter(|object| object.charges > 0) {
        tally.charges += object.charges;
        paid.entry(object.reference.clone()).or_default().push(object);
    }
    for top_up in &top_ups {
        let reference = top_up.id.global(world.account_id).to_string();
        complaints.extend(check_one(top_up, &paid.remove(&reference).unwrap_or_default()));
        tally.top_ups += 1;
        *tally.by_status.entry(top_up.status.as_str()).or_default() += 1;
    }
    for reference in paid.keys() {
        complaints.push(format!("{reference} was charged and is no top-up"));
    }
    let ids: Vec<_> = top_ups.iter().map(|top_up| top_up.id).collect();
    let attempts = world
        .top_ups
        .attempts(&Actor::System, world.account_id, &ids)
        .await
        .expect("reads");
    let mut spent: BTreeMap<String, i64> = BTreeMap::new();
    for attempt in attempts.values().flatten() {
        tally.attempts += 1;
        if let Some(month) = attempt
            .month
            .clone()
            .filter(|_| attempt.outcome == AttemptOutcome::Succeeded)
        {
            *spent.entry(month).or_default() += attempt.price_minor;
        }
    }
    for (month, minor) in spent.into_iter().filter(|(_, minor)| *minor > CAP_MINOR) {
        complaints.push(format!("{minor} were charged automatically in {month}, above the cap"));
    }
    let report = verify(&world.database, |_| {}).await.expect("verifies");
    complaints.extend(report.violations.iter().map(ToString::to_string));
    if complaints.is_empty() {
        Ok(tally)
    } else {
        Err(complaints)
    }
}

fn check_one(top_up: &TopUp, objects: &[ChargedObject]) -> Vec<String> {
    let charges: u32 = objects.iter().map(|object| object.charges).sum();
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{}: {what}", top_up.id.uuid()));
    if charges > 1 {
        complain(format!("charged {charges} times"));
    }
    if (charges == 1) != top_up.entry_id.is_some() {
        complain(format!(
            "charged {charges} times, {}",
            if top_up.entry_id.is_some() {
                "credited"
            } else {
                "not credited"
            }
        ));
    }
    for object in objects {
        let told = (top_up.returned_minor, top_up.dispute);
        if told != (object.returned_minor, object.dispute) {
            complain(format!(
                "{} went back, {:?}; we know of {told:?}",
                object.returned_minor, object.dispute
            ));
        }
    }
    let (_, wanted) = target_of_return(top_up);
    if top_up.entry_id.is_some() && top_up.credits_reversed != wanted {
        complain(format!(
            "{} credits were taken back, not {wanted}",
            top_up.credits_reversed
        ));
    }
    let is_open = matches!(
        top_up.status,
        TopUpStatus::Pending | TopUpStatus::Processing | TopUpStatus::RequiresAction
    );
    if is_open {
        complain(format!("still {}", top_up.status.as_str()));
    }
    complaints
}
