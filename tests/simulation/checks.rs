//! What must be true at the end, whatever happened.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use ledgerbell::adapters::gateway::simulated::ChargedObject;
use ledgerbell::domain::ledger::verify::verify;
use ledgerbell::domain::top_up::gateway::DisputeStatus;
use ledgerbell::domain::top_up::{TopUp, TopUpStatus};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::credits::Credits;
use sea_orm::{ConnectionTrait as _, Statement};
use uuid::Uuid;

use crate::watch::figures;
use crate::world::{UNITS_PER_CENT, World};

/// Counts of what happened, to check that enough happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn count(&mut self, what: &'static str, more: u64) {
        *self.counts.entry(what).or_default() += more;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, more) in &other.counts {
            self.count(what, *more);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().map(|(what, count)| format!("{count} {what}"));
        f.write_str(&counts.collect::<Vec<_>>().join(", "))
    }
}

/// Returns the counts, and every violated condition.
pub(crate) async fn check(world: &World) -> (Tally, Vec<String>) {
    let mut complaints = Vec::new();
    let mut tally = Tally::default();
    tally.count("crashes", world.crashes);
    let top_ups = world.all().await;
    let asked_back = asked_back(world).await;
    let mut paid: HashMap<String, Vec<ChargedObject>> = HashMap::new();
    for object in world.gateway.objects() {
        tally.count("charges", object.charges.into());
        tally.count("refunds", (object.returned_minor > 0).into());
        tally.count("failed refunds", (object.came_back_minor > 0).into());
        tally.count("disputes", object.dispute.is_some().into());
        if object.charges > 0 {
            paid.entry(object.reference.clone()).or_default().push(object);
        }
    }
    for top_up in &top_ups {
        let reference = top_up.id.global(world.account_id).to_string();
        let objects = paid.remove(&reference).unwrap_or_default();
        let asked = asked_back.get(&top_up.id.uuid()).copied().unwrap_or_default();
        let by_operators = world.given_back.get(&reference).copied().unwrap_or_default();
        complaints.extend(check_one(top_up, &objects, world.by_hand(top_up.id)));
        complaints.extend(nothing_back_unasked(&objects, asked + by_operators));
        tally.count("top-ups", 1);
        tally.count(top_up.status.as_str(), 1);
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
    tally.count("attempts", attempts.values().flatten().count() as u64);
    let [_, posted, held, incoming] = figures(world).await;
    let credited = top_ups.iter().filter(|top_up| top_up.entry_id.is_some());
    let bought: i64 = credited
        .map(|top_up| top_up.credits.units() - top_up.credits_reversed.units())
        .sum();
    let by_hand: i64 = world.taken_by_hand.values().sum();
    if posted != bought - by_hand - world.spent {
        complaints.push(format!(
            "{posted} units are posted, {bought} were bought, {by_hand} taken by hand and {} spent",
            world.spent
        ));
    }
    let is_disputed = |top_up: &&TopUp| top_up.dispute == Some(DisputeStatus::Open);
    let left =
        |top_up: &TopUp| top_up.credits.units() - top_up.credits_reversed.units() - world.by_hand(top_up.id).units();
    let disputed: i64 = top_ups.iter().filter(is_disputed).map(left).sum();
    if held != disputed {
        let (held, disputed) = (Credits::from_units(held), Credits::from_units(disputed));
        complaints.push(format!("{held} credits are held and {disputed} are disputed"));
    }
    if incoming != 0 {
        complaints.push(format!("{} credits are still coming in", Credits::from_units(incoming)));
    }
    let pending = pending_refunds(world).await;
    if pending > 0 {
        complaints.push(format!("{pending} refunds are still to be made"));
    }
    let report = verify(&world.database, |_| {}).await.expect("verifies");
    complaints.extend(report.violations.iter().map(ToString::to_string));
    (tally, complaints)
}

async fn pending_refunds(world: &World) -> i64 {
    let sql = "SELECT COUNT(*) FROM top_up_refund WHERE status = 'PENDING'";
    let statement = Statement::from_string(world.database.backend(), sql);
    let row = world.database.read().query_one_raw(statement).await.expect("reads");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

/// Returns the cents that members requested as refunds, by top-up.
async fn asked_back(world: &World) -> HashMap<Uuid, i64> {
    let sql = "SELECT top_up_id, amount_minor FROM top_up_refund WHERE account_id = $1 AND status <> 'FAILED'";
    let values = [world.account_id.number().into()];
    let statement = Statement::from_sql_and_values(world.database.backend(), sql, values);
    let mut asked: HashMap<Uuid, i64> = HashMap::new();
    for row in world.database.read().query_all_raw(statement).await.expect("reads") {
        let top_up_id = row.try_get("", "top_up_id").expect("an id");
        let minor: i64 = row.try_get("", "amount_minor").expect("a number");
        *asked.entry(top_up_id).or_default() += minor;
    }
    asked
}

/// Money is returned only by requested refunds, each once, and by late failures.
fn nothing_back_unasked(objects: &[ChargedObject], asked_minor: i64) -> Option<String> {
    let reference = &objects.first()?.reference;
    let went = |object: &ChargedObject| object.returned_minor - object.failed_late_minor;
    let went_minor: i64 = objects.iter().map(went).sum();
    (went_minor != asked_minor).then(|| format!("{asked_minor} was asked back of {reference}, and {went_minor} went"))
}

/// Returns the cents that are gone: returned and not come back, or taken by a lost dispute.
fn gone_minor(top_up: &TopUp, objects: &[ChargedObject]) -> i64 {
    let went = objects
        .iter()
        .map(|object| object.returned_minor - object.came_back_minor)
        .sum::<i64>();
    let is_lost = top_up.dispute == Some(DisputeStatus::Lost);
    went + if is_lost { top_up.disputed_minor } else { 0 }
}

fn check_one(top_up: &TopUp, objects: &[ChargedObject], by_hand: Credits) -> Vec<String> {
    let charges: u32 = objects.iter().map(|object| object.charges).sum();
    let is_credited = top_up.entry_id.is_some();
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{}: {what}", top_up.id.uuid()));
    if charges > 1 {
        complain(format!("charged {charges} times"));
    }
    if (charges == 1) != is_credited {
        let credited = if is_credited { "credited" } else { "not credited" };
        complain(format!("charged {charges} times, {credited}"));
    }
    for object in objects {
        let told = (top_up.returned_minor, top_up.came_back_minor, top_up.dispute);
        let is = (object.returned_minor, object.came_back_minor, object.dispute);
        if told != is {
            complain(format!("went back, came back, dispute: {is:?}; we know of {told:?}"));
        }
    }
    // What an operator took may count as part of what money took, or be additional; it is never restored.
    let gone = Credits::from_units(gone_minor(top_up, objects) * UNITS_PER_CENT).min(top_up.credits);
    let taken = Credits::from_units(top_up.credits_reversed.units() + by_hand.units());
    let both = Credits::from_units(gone.units() + by_hand.units()).min(top_up.credits);
    if is_credited && !(gone.max(by_hand)..=both).contains(&taken) {
        complain(format!(
            "{taken} credits were taken back, {by_hand} of them by hand, and the money of {gone} is gone"
        ));
    }
    let is_right = match top_up.status {
        TopUpStatus::Pending | TopUpStatus::Processing | TopUpStatus::RequiresAction => false,
        TopUpStatus::Failed | TopUpStatus::Canceled => !is_credited,
        TopUpStatus::Disputed => top_up.dispute == Some(DisputeStatus::Open),
        TopUpStatus::Reversed => taken >= top_up.credits,
        TopUpStatus::Succeeded => {
            top_up.credits_reversed < top_up.credits && top_up.dispute != Some(DisputeStatus::Open)
        }
    };
    if !is_right {
        complain(format!(
            "still {} with {} of {} taken back, {:?}",
            top_up.status.as_str(),
            top_up.credits_reversed,
            top_up.credits,
            top_up.dispute
        ));
    }
    complaints
}
