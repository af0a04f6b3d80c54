//! The core with its rows in memory: [`World`] replaces the store, and checks the invariants after every decision.

mod golden;
mod needs;
mod properties;
mod rules;

use std::collections::BTreeMap;

use crate::event::Event;
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, IdSeed, MemberId};
use crate::primitives::timestamp::{DAY, HOUR, Timestamp};

use super::*;

const GRACE: i64 = 72 * HOUR;
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// One account with all rows it ever had, and a clock.
struct World {
    now: Timestamp,
    state: AccountState,
    entries: Vec<NewEntry>,
    events: Vec<Event>,
    requests: u64,
    policy: Policy,
}

fn credits(text: &str) -> Credits {
    text.parse().expect("credits")
}

fn member() -> MemberId {
    MemberId::from_uuid(uuid::Uuid::from_u128(1))
}

fn removed_member() -> MemberId {
    MemberId::from_uuid(uuid::Uuid::from_u128(2))
}

impl World {
    fn new() -> Self {
        let mut state = AccountState::new(AccountHeader::new(AccountId::from_number(1), GRACE, START));
        for (id, is_removed) in [(member(), false), (removed_member(), true)] {
            state.members.insert(id, MemberStanding { id, is_removed });
        }
        state.members_by_external_id.insert("anna".to_owned(), member());
        let policy = Policy {
            overage_limit: Credits::whole(10_000),
        };
        Self {
            now: START,
            state,
            entries: Vec::new(),
            events: Vec::new(),
            requests: 0,
            policy,
        }
    }

    fn wait(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
    }

    /// Returns what the loader provides: all rows, and what open holds keep of expired lots.
    fn load(&self) -> AccountState {
        let mut state = self.state.clone();
        let expiry_now = state.header.expiry_now(self.now);
        let expired = state
            .lots
            .values()
            .filter(|lot| lot.remaining.is_positive() && lot.is_expired(expiry_now));
        state.held_before = expired.map(|lot| (lot.id, held_before(&state, lot))).collect();
        state
    }

    fn request(&self, command: Command, key: Option<&str>) -> Request {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.requests.to_be_bytes());
        Request {
            command,
            key: key.map(|key| (Origin::Platform, key.to_owned())),
            cause: Cause::System,
            seed: IdSeed::from_bytes(seed),
        }
    }

    fn ask(&mut self, command: Command, key: Option<&str>) -> Result<Decision, Refusal> {
        self.requests += 1;
        let request = self.request(command, key);
        let state = self.load();
        let decision = decide(&state, &request, self.now, &self.policy)?;
        self.keep(&state, &decision);
        Ok(decision)
    }

    /// Sends a command under a key of its own.
    fn run(&mut self, command: Command) -> Result<Decision, Refusal> {
        let key = format!("key {}", self.requests);
        self.ask(command, Some(&key))
    }

    /// Empties a stored key, as retention does, and returns what it was.
    fn expire_key(&mut self, key: &str) -> KeyRecord {
        let stored = self.state.keys.get_mut(&(Origin::Platform, key.to_owned()));
        let stored = stored.expect("a stored key");
        let expired = KeyRecord {
            binding: Binding::Expired,
            outcome: Outcome::default(),
            used_at: stored.used_at,
        };
        std::mem::replace(stored, expired)
    }

    fn keep(&mut self, before: &AccountState, decision: &Decision) {
        self.state.apply(decision);
        if let Some(shift) = decision.shift_expiries_by {
            for lot in self.state.lots.values_mut().filter(|lot| lot.remaining.is_positive()) {
                lot.expires_at = lot.expires_at.map(|at| {
                    if at > shift.not_expired_at {
                        at.plus_millis(shift.millis)
                    } else {
                        at
                    }
                });
            }
            for session in self.state.sessions.values_mut().filter(|session| session.is_open()) {
                session.hold_expires_at = session.hold_expires_at.plus_millis(shift.millis);
            }
        }
        self.entries.extend(decision.entries.iter().cloned());
        self.events.extend(decision.events.iter().cloned());
        self.check(before, decision);
    }

    /// Checks the invariants after an accepted command.
    fn check(&self, before: &AccountState, decision: &Decision) {
        let header = &self.state.header;
        let sum: Credits = self.entries.iter().map(|new| new.entry.amount).sum();
        assert_eq!(header.posted, sum, "posted = sum of entries");
        let of_sessions = self.state.sessions.values().map(Session::held);
        let of_top_ups = self.state.top_up_holds.values().map(|hold| hold.amount);
        let held: Credits = of_sessions.chain(of_top_ups).sum();
        assert_eq!(header.held, held, "held = holds of sessions and of top-ups");
        let moved: Credits = decision.hold_movements.iter().map(|movement| movement.amount).sum();
        assert_eq!(
            Some(header.held),
            before.header.held.checked_add(moved),
            "holds change by their movements"
        );
        if let Some(last) = decision.hold_movements.last() {
            assert_eq!(
                (last.held_after, last.occurred_at),
                (header.held, self.now),
                "and say what is held then"
            );
        }
        let remainders: Credits = self.state.lots.values().map(|lot| lot.remaining).sum();
        assert_eq!(
            remainders,
            header.posted.checked_add(header.debt).expect("fits"),
            "lots = posted + debt"
        );
        assert!(!header.debt.is_negative());
        let with_remainder = self
            .state
            .lots
            .values()
            .filter(|lot| lot.remaining.is_positive())
            .count();
        assert_eq!(header.lot_count, i64::try_from(with_remainder).expect("few"));
        // A replay expires nothing: it changes nothing.
        if !decision.replayed {
            self.check_lots();
        }
        self.check_entries();
        for (index, event) in self.events.iter().enumerate() {
            assert_eq!(
                event.position.sequence,
                i64::try_from(index).expect("few") + 1,
                "events without holes"
            );
        }
        for session in self.state.sessions.values().filter(|session| !session.is_open()) {
            assert!(session.holds.is_empty(), "resolved sessions hold nothing");
        }
        if decision.replayed {
            assert_eq!(before.header, decision.header, "a replay changes nothing");
        }
        let changed = (before.header.posted, before.header.held) != (header.posted, header.held);
        assert_eq!(
            header.balance_version,
            before.header.balance_version + i64::from(changed)
        );
    }

    fn check_lots(&self) {
        let expiry_now = self.state.header.expiry_now(self.now);
        let mut moved: BTreeMap<_, i64> = BTreeMap::new();
        for movement in self.entries.iter().flat_map(|entry| &entry.movements) {
            *moved.entry(movement.lot_id).or_default() += movement.amount.units();
        }
        assert_eq!(
            moved.remove(&None).unwrap_or_default(),
            -self.state.header.debt.units(),
            "debt is what moved"
        );
        let mut kept = Credits::ZERO;
        let mut lots: Vec<_> = self.state.lots.values().collect();
        lots.sort_by_key(|lot| (lot.expires_at, lot.id));
        for lot in lots {
            assert!(!lot.remaining.is_negative(), "no lot below zero");
            assert!(lot.remaining <= lot.granted, "no lot above what came in");
            assert_eq!(
                moved.remove(&Some(lot.id)).unwrap_or_default(),
                lot.remaining.units(),
                "a lot is what moved"
            );
            if lot.remaining.is_zero() {
                continue;
            }
            if lot.is_expired(expiry_now) {
                kept = kept.checked_add(lot.remaining).expect("fits");
                assert!(
                    kept <= held_before(&self.state, lot),
                    "no credits outlive their expiry but for holds"
                );
            } else {
                assert!(
                    self.state.header.debt.is_zero(),
                    "debt and a live remainder never coexist"
                );
            }
        }
        assert!(moved.is_empty(), "every movement has its lot");
    }

    fn check_entries(&self) {
        let mut previous = genesis_hash(self.state.header.account_id);
        let mut balance = Credits::ZERO;
        for (index, NewEntry { entry, movements, .. }) in self.entries.iter().enumerate() {
            assert_eq!(
                entry.sequence,
                i64::try_from(index).expect("few") + 1,
                "no hole in sequence"
            );
            assert!(!entry.amount.is_zero());
            balance = balance.checked_add(entry.amount).expect("fits");
            assert_eq!(entry.balance_after, balance, "balances chain");
            let moved: Credits = movements.iter().map(|movement| movement.amount).sum();
            assert_eq!(moved, entry.amount, "an entry is what it moved");
            assert_eq!(entry.account_id, self.state.header.account_id);
            previous = entry.hash_after(&previous, HASH_VERSION).expect("known version");
            assert_eq!(entry.hash, previous, "hashes chain");
        }
        assert_eq!(self.state.header.last_hash, previous);
        for PastEntry { entry, movements } in self.state.entries.values() {
            assert!(entry.taken_back >= Credits::ZERO && entry.taken_back <= entry.amount.abs());
            let drawn = movements.iter().filter(|movement| movement.amount.is_negative());
            let mut returned = Credits::ZERO;
            for movement in drawn {
                assert!(
                    movement.returned <= movement.amount.abs(),
                    "no more is returned than was drawn"
                );
                returned = returned.checked_add(movement.returned).expect("fits");
            }
            if entry.amount.is_negative() {
                assert_eq!(
                    returned, entry.taken_back,
                    "what is given back is returned draw by draw"
                );
            }
        }
    }

    fn grant(&mut self, amount: &str, lives: Option<i64>) -> LotKind {
        let kind = LotKind::Promotional;
        let expires_at = lives.map(|millis| self.now.plus_millis(millis));
        self.run(Command::Grant {
            credits: credits(amount),
            description: "Gift".into(),
            kind,
            expires_at,
            priority: 0,
        })
        .expect("granted");
        kind
    }

    fn book_command(&self, amount: &str, lasts: i64) -> Command {
        Command::Book {
            member: MemberRef::ExternalId("anna".into()),
            external_id: None,
            title: "Coaching".into(),
            starts_at: self.now,
            ends_at: self.now.plus_millis(lasts),
            credits: credits(amount),
            metadata: None,
        }
    }

    fn book(&mut self, amount: &str) -> SessionRef {
        let command = self.book_command(amount, HOUR);
        let decision = self.run(command).expect("booked");
        SessionRef::Id(decision.outcome.session_id.expect("a session"))
    }

    fn complete(
        &mut self,
        session: &SessionRef,
        amount: Option<&str>,
        allow_overage: bool,
    ) -> Result<Decision, Refusal> {
        let session = session.clone();
        self.run(Command::Complete {
            session,
            credits: amount.map(credits),
            allow_overage,
        })
    }

    fn cancel(&mut self, session: &SessionRef, fee: Option<&str>) -> Result<Decision, Refusal> {
        let session = session.clone();
        self.run(Command::Cancel {
            session,
            reason: None,
            fee: fee.map(credits),
            no_show: false,
        })
    }

    fn refund(&mut self, session: &SessionRef, amount: &str) -> Result<Decision, Refusal> {
        let session = session.clone();
        self.run(Command::Refund {
            session,
            credits: credits(amount),
            reason: "Sorry".into(),
        })
    }

    fn adjust(&mut self, amount: &str, reverses: Option<crate::primitives::ids::EntryId>) -> Result<Decision, Refusal> {
        self.run(Command::Adjust {
            amount: credits(amount),
            description: "Correction".into(),
            reverses,
        })
    }

    fn sweep(&mut self) {
        self.ask(Command::Sweep, None).expect("swept");
    }

    fn figures(&self) -> (String, String, String) {
        let header = &self.state.header;
        (
            header.posted.to_string(),
            header.held.to_string(),
            header.debt.to_string(),
        )
    }

    /// What is left in each lot, in the order of creation.
    fn remainders(&self) -> Vec<String> {
        let mut lots: Vec<_> = self.state.lots.values().collect();
        lots.sort_by_key(|lot| {
            let made = |entry: &NewEntry| entry.movements.iter().any(|movement| movement.lot_id == Some(lot.id));
            (lot.created_at, self.entries.iter().position(made))
        });
        lots.iter().map(|lot| lot.remaining.to_string()).collect()
    }
}

fn held_before(state: &AccountState, lot: &Lot) -> Credits {
    let parts = state.sessions.values().flat_map(|session| &session.holds);
    parts
        .filter(|part| lot.expires_at.is_some_and(|at| part.booked_at < at))
        .map(|part| part.amount)
        .sum()
}
