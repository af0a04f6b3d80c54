//! What [`Needs`] names is enough: a decision on it equals the decision on everything.

use proptest::prelude::*;

use super::properties::{History, any_step};
use super::*;
use crate::primitives::ids::{EntryId, SessionId};

/// Acts as the store: loads only the named rows and what expires.
struct Narrow<'a> {
    all: &'a AccountState,
    needs: &'a Needs,
    now: Timestamp,
    state: AccountState,
}

fn narrow(all: &AccountState, needs: &Needs, now: Timestamp) -> AccountState {
    let mut narrow = Narrow {
        all,
        needs,
        now: now.max(all.header.last_at),
        state: AccountState::new(all.header.clone()),
    };
    narrow.add_keys_and_members();
    let is_due = narrow.add_sessions();
    narrow.add_entries();
    narrow.add_lots(is_due);
    narrow.state
}

impl Narrow<'_> {
    fn add_keys_and_members(&mut self) {
        let keys = self.all.keys.iter().filter(|(key, _)| self.needs.keys.contains(key));
        self.state.keys = keys.map(|(key, record)| (key.clone(), record.clone())).collect();
        for member in &self.needs.members {
            let id = match member {
                MemberRef::Id(id) => Some(id),
                MemberRef::ExternalId(external_id) => self.all.members_by_external_id.get(external_id),
            };
            if let Some((id, standing)) = id.and_then(|id| self.all.members.get_key_value(id)) {
                self.state.members.insert(*id, standing.clone());
                if let MemberRef::ExternalId(external_id) = member {
                    self.state.members_by_external_id.insert(external_id.clone(), *id);
                }
            }
        }
    }

    fn named(&self, session: &SessionRef) -> Option<SessionId> {
        match session {
            SessionRef::Id(id) => Some(*id),
            SessionRef::ExternalId(external_id) => self.all.sessions_by_external_id.get(external_id).copied(),
        }
    }

    /// Adds the named sessions. Returns whether the time of a hold has come.
    fn add_sessions(&mut self) -> bool {
        let mut wanted: Vec<SessionId> = self.needs.sessions.iter().filter_map(|name| self.named(name)).collect();
        let taken = self.needs.free_external_ids.iter();
        let taken = taken.filter_map(|external_id| self.named(&SessionRef::ExternalId(external_id.clone())));
        wanted.extend(taken.filter(|id| self.all.sessions[id].is_open()));
        let is_halted = self.all.header.halted_at.is_some();
        let is_closed = self.all.header.status == AccountStatus::Closed;
        let cancels = self.needs.booked_sessions || (self.needs.ended_sessions && is_closed);
        let mut is_due = false;
        for session in self.all.sessions.values().filter(|session| session.is_open()) {
            let has_ended = session.ends_at <= self.now;
            let hold_is_due = !is_halted && session.hold_expires_at <= self.now;
            is_due |= hold_is_due;
            let is_announced = session.processing_announced;
            if hold_is_due || (cancels && !has_ended) || (self.needs.ended_sessions && has_ended && !is_announced) {
                wanted.push(session.id);
            }
        }
        for session in wanted.iter().filter_map(|id| self.all.sessions.get(id)) {
            self.state.sessions.insert(session.id, session.clone());
            if let Some(external_id) = &session.external_id
                && self.named(&SessionRef::ExternalId(external_id.clone())) == Some(session.id)
            {
                self.state
                    .sessions_by_external_id
                    .insert(external_id.clone(), session.id);
            }
        }
        is_due
    }

    fn add_entries(&mut self) {
        let charges = self.needs.charges.iter().filter_map(|name| self.named(name));
        let charges = charges.filter_map(|id| self.all.sessions.get(&id)?.charge_entry_id);
        let wanted: Vec<EntryId> = self.needs.entries.iter().copied().chain(charges).collect();
        for past in wanted.iter().filter_map(|id| self.all.entries.get(id)) {
            self.state.entries.insert(past.entry.id, past.clone());
            if let Some(top_up_id) = past.entry.top_up_id.filter(|_| self.needs.top_up_holds)
                && let Some(hold) = self.all.top_up_holds.get(&top_up_id)
            {
                self.state.top_up_holds.insert(top_up_id, *hold);
            }
        }
        let credited = self.needs.credited_top_ups.iter();
        let credited = credited.filter_map(|id| Some((*id, *self.all.credited_top_ups.get(id)?)));
        self.state.credited_top_ups = credited.collect();
    }

    fn add_lots(&mut self, hold_is_due: bool) {
        let expiry_now = self.all.header.expiry_now(self.now);
        let lot_is_due = self.all.header.next_lot_expiry_at.is_some_and(|at| at <= expiry_now);
        let with_remainder = self.all.lots.values().filter(|lot| lot.remaining.is_positive());
        let (expired, mut live): (Vec<&Lot>, Vec<&Lot>) = with_remainder.partition(|lot| lot.is_expired(expiry_now));
        live.sort_by_key(|lot| lot.spending_key());
        let mut wanted: Vec<&Lot> = Vec::new();
        if hold_is_due || lot_is_due || self.needs.draws.is_some() {
            wanted.extend(expired);
            let sessions = self
                .state
                .sessions
                .values()
                .map(|session| session.held().max(session.booked));
            let mut demand: Credits = sessions.chain([self.needs.demand()]).sum();
            for lot in live {
                if !demand.is_positive() {
                    break;
                }
                demand = demand.checked_sub(lot.remaining).expect("fits");
                wanted.push(lot);
            }
        }
        let moved = self.state.entries.values().flat_map(|entry| &entry.movements);
        wanted.extend(moved.filter_map(|movement| self.all.lots.get(&movement.lot_id?)));
        for lot in wanted {
            self.state.lots.insert(lot.id, lot.clone());
            if lot.remaining.is_positive() && lot.is_expired(expiry_now) {
                self.state.held_before.insert(lot.id, held_before(self.all, lot));
            }
        }
    }
}

/// Returns what is written, or the refusal. Credits that expired lots keep are compared if both decisions
/// know the lot.
fn compare(all: Result<Decision, Refusal>, needed: Result<Decision, Refusal>) {
    let (mut all, needed) = match (all, needed) {
        (Ok(all), Ok(needed)) => (all, needed),
        (all, needed) => return assert_eq!(all, needed),
    };
    all.held_before.retain(|id, _| needed.held_before.contains_key(id));
    assert_eq!(all, needed);
}

proptest! {
    #[test]
    fn deciding_on_everything_equals_deciding_on_what_needs_names(steps in proptest::collection::vec(any_step(), 1..80)) {
        let mut history = History::new();
        for step in &steps {
            if let Some(command) = history.command(step) {
                // The number of the previous request would create the same ids.
                history.world.requests += 1;
                let world = &history.world;
                let all = world.load();
                let asks = [None, Some("key 3"), Some("a new key")];
                for request in asks.map(|key| world.request(command.clone(), key)) {
                    let needed = narrow(&all, &request.needs(), world.now);
                    compare(
                        decide(&all, &request, world.now, &world.policy),
                        decide(&needed, &request, world.now, &world.policy),
                    );
                }
            }
            history.play(step);
        }
    }
}

#[test]
fn a_batch_needs_what_its_commands_need() {
    let mut world = World::new();
    world.grant("20", None);
    let session = world.book("3");
    let book = world.book_command("4", HOUR);
    let complete = Command::Complete {
        session: session.clone(),
        credits: Some(credits("5")),
        allow_overage: true,
    };
    let refund = Command::Refund {
        session: session.clone(),
        credits: credits("1"),
        reason: "Sorry".into(),
    };
    let commands = [book, complete, refund, Command::Sweep];
    let needs: Needs = commands.iter().map(Command::needs).collect();
    assert_eq!(needs.sessions.iter().collect::<Vec<_>>(), [&session]);
    assert_eq!(needs.charges.iter().collect::<Vec<_>>(), [&session]);
    assert_eq!(needs.members.len(), 1);
    assert_eq!((needs.draws, needs.holds), (Some(credits("5")), credits("4")));
    assert_eq!(
        needs.demand(),
        credits("9"),
        "a booking may be charged in the batch that makes it"
    );
    assert!(needs.ended_sessions && !needs.booked_sessions && !needs.top_up_holds);
}

#[test]
fn a_key_and_the_member_it_acts_for_are_needed() {
    use crate::primitives::ids::ApiKeyId;
    let acting = member();
    let request = Request {
        cause: Cause::ApiKey(ApiKeyId::from_uuid(uuid::Uuid::from_u128(9)), Some(acting)),
        ..World::new().request(Command::Unfreeze, Some("one"))
    };
    let needs = request.needs();
    assert!(needs.members.contains(&MemberRef::Id(acting)));
    assert!(needs.keys.contains(&(Origin::Platform, "one".to_owned())));
}
