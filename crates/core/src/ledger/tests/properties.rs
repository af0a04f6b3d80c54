//! Random sequences of commands: [`World::check`] runs after each. The properties here are those of whole
//! histories.

use proptest::prelude::*;

use super::*;
use crate::primitives::ids::{EntryId, TopUpId};

/// A command that names its objects by their position in the history, so that any sequence is meaningful.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Wait(i64),
    Grant(i64, Option<i64>, i32),
    TopUp(i64),
    TakeBack(usize, i64),
    HoldTopUp(usize, bool, i64),
    HoldRefund(usize, Option<i64>, bool),
    Book(i64, i64),
    /// Books under one of a few external ids.
    BookAs(i64, i64, u8),
    Reschedule(usize, Option<i64>, i64),
    Complete(usize, Option<i64>, bool),
    Cancel(usize, Option<i64>, bool),
    Refund(usize, i64),
    Adjust(i64, Option<usize>),
    Freeze,
    Unfreeze,
    Close,
    Sweep,
    /// Sends the n-th command again under its key.
    Repeat(usize),
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![1..=12_i64, Just(3), Just(5)]
}

fn hours() -> impl Strategy<Value = i64> {
    prop_oneof![0..=4_i64, 20..=100_i64]
}

/// The everyday commands of teams: none of them may ever make a balance negative.
fn plain_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => hours().prop_map(Step::Wait),
        3 => (amount(), proptest::option::of(1..=120_i64), -1..=1_i32).prop_map(|(c, e, p)| Step::Grant(c, e, p)),
        5 => (amount(), 1..=60_i64).prop_map(|(c, h)| Step::Book(c, h)),
        2 => (any::<usize>(), proptest::option::of(amount()), 1..=60_i64).prop_map(|(s, c, h)| Step::Reschedule(s, c, h)),
        4 => (any::<usize>(), proptest::option::of(0..=12_i64)).prop_map(|(s, c)| Step::Complete(s, c, false)),
        2 => (any::<usize>(), proptest::option::of(0..=12_i64), any::<bool>()).prop_map(|(s, f, n)| Step::Cancel(s, f, n)),
        2 => (any::<usize>(), amount()).prop_map(|(s, c)| Step::Refund(s, c)),
        1 => Just(Step::Freeze),
        2 => Just(Step::Unfreeze),
        1 => Just(Step::Sweep),
        2 => any::<usize>().prop_map(Step::Repeat),
    ]
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => plain_step(),
        3 => amount().prop_map(Step::TopUp),
        2 => (any::<usize>(), 0..=12_i64).prop_map(|(t, c)| Step::TakeBack(t, c)),
        1 => (any::<usize>(), any::<bool>(), 0..=6_i64).prop_map(|(t, d, r)| Step::HoldTopUp(t, d, r)),
        2 => (any::<usize>(), proptest::option::of(amount()), any::<bool>()).prop_map(|(t, c, d)| Step::HoldRefund(t, c, d)),
        3 => (amount(), 1..=60_i64, 0..=2_u8).prop_map(|(c, h, n)| Step::BookAs(c, h, n)),
        2 => (any::<usize>(), proptest::option::of(0..=20_i64)).prop_map(|(s, c)| Step::Complete(s, c, true)),
        3 => (-12..=12_i64, proptest::option::of(any::<usize>())).prop_map(|(a, e)| Step::Adjust(a, e)),
        1 => proptest::bool::weighted(0.1).prop_map(|close| if close { Step::Close } else { Step::Sweep }),
    ]
}

/// Applies steps to a world and records the requests.
pub(super) struct History {
    pub(super) world: World,
    asked: Vec<(String, Command, Outcome)>,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            world: World::new(),
            asked: Vec::new(),
        }
    }

    fn session(&self, at: usize) -> Option<SessionRef> {
        let count = self.world.state.sessions.len();
        let session = self.world.state.sessions.values().nth(at.checked_rem(count)?)?;
        let external_id = session.external_id.clone().filter(|_| at.is_multiple_of(3));
        Some(external_id.map_or(SessionRef::Id(session.id), SessionRef::ExternalId))
    }

    fn entry(&self, at: usize, of: impl Fn(&Entry) -> bool) -> Option<EntryId> {
        let entries: Vec<_> = self
            .world
            .entries
            .iter()
            .filter(|new| of(&new.entry))
            .map(|new| new.entry.id)
            .collect();
        entries.get(at.checked_rem(entries.len())?).copied()
    }

    pub(super) fn command(&self, step: &Step) -> Option<Command> {
        let now = self.world.now;
        let later = |hours: i64| now.plus_millis(hours * HOUR);
        let whole = |option: &Option<i64>| option.map(Credits::whole);
        Some(match step {
            Step::Wait(_) | Step::Repeat(_) => return None,
            Step::Grant(credits, lives, priority) => Command::Grant {
                credits: Credits::whole(*credits),
                description: "Gift".into(),
                kind: if credits % 2 == 0 {
                    LotKind::Paid
                } else {
                    LotKind::Promotional
                },
                expires_at: lives.map(later),
                priority: *priority,
            },
            Step::TopUp(credits) => Command::CreditTopUp {
                top_up_id: TopUpId::from_uuid(uuid::Uuid::from_u128(u128::from(self.world.requests))),
                credits: Credits::whole(*credits),
                automatic: credits % 2 == 0,
            },
            Step::TakeBack(at, target) => Command::TakeBack {
                entry_id: self.entry(*at, |entry| entry.kind == EntryKind::TopUp)?,
                target: Credits::whole(*target),
                kind: EntryKind::Chargeback,
                contra: ContraAccount::Chargebacks,
                description: "Dispute".into(),
            },
            Step::HoldTopUp(at, is_disputed, refunding) => Command::HoldTopUp {
                entry_id: self.entry(*at, |entry| entry.kind == EntryKind::TopUp)?,
                is_disputed: *is_disputed,
                refunding: Credits::whole(*refunding),
            },
            Step::HoldRefund(at, credits, allow_debt) => Command::HoldRefund {
                entry_id: self.entry(*at, |entry| entry.kind == EntryKind::TopUp)?,
                credits: whole(credits),
                allow_debt: *allow_debt,
                allow_inactive: at % 2 == 0,
            },
            Step::Book(credits, hours) | Step::BookAs(credits, hours, _) => Command::Book {
                member: if credits % 2 == 0 {
                    MemberRef::Id(member())
                } else {
                    MemberRef::ExternalId("anna".into())
                },
                external_id: match step {
                    Step::BookAs(_, _, name) => Some(format!("lesson {name}")),
                    _ => None,
                },
                title: "Coaching".into(),
                starts_at: now,
                ends_at: later(*hours),
                credits: Credits::whole(*credits),
                metadata: None,
            },
            Step::Reschedule(at, credits, hours) => Command::Reschedule {
                session: self.session(*at)?,
                starts_at: now,
                ends_at: later(*hours),
                credits: whole(credits),
            },
            Step::Complete(at, credits, allow_overage) => Command::Complete {
                session: self.session(*at)?,
                credits: whole(credits),
                allow_overage: *allow_overage,
            },
            Step::Cancel(at, fee, no_show) => Command::Cancel {
                session: self.session(*at)?,
                reason: None,
                fee: whole(fee),
                no_show: *no_show,
            },
            Step::Refund(at, credits) => Command::Refund {
                session: self.session(*at)?,
                credits: Credits::whole(*credits),
                reason: "Sorry".into(),
            },
            Step::Adjust(amount, at) => Command::Adjust {
                amount: Credits::whole(*amount),
                description: "Correction".into(),
                reverses: at.and_then(|at| self.entry(at, |_| true)),
            },
            Step::Freeze => Command::Freeze {
                reason: "Unpaid".into(),
            },
            Step::Unfreeze => Command::Unfreeze,
            Step::Close => Command::Close { reason: "Left".into() },
            Step::Sweep => Command::Sweep,
        })
    }

    /// Plays one step; a refused command must leave everything as it was.
    pub(super) fn play(&mut self, step: &Step) {
        match step {
            Step::Wait(hours) => self.world.wait(hours * HOUR),
            Step::Repeat(at) => self.repeat(*at),
            _ => {
                if let Some(command) = self.command(step) {
                    let before = self.world.state.header.clone();
                    let key = format!("key {}", self.world.requests);
                    match self.world.ask(command.clone(), Some(&key)) {
                        Ok(decision) => self.asked.push((key, command, decision.outcome)),
                        Err(refusal) => {
                            assert_eq!(self.world.state.header, before, "refused: {refusal}");
                            assert_ne!(refusal, Refusal::Overflow);
                        }
                    }
                }
            }
        }
    }

    fn repeat(&mut self, at: usize) {
        let Some((key, command, outcome)) = at
            .checked_rem(self.asked.len())
            .and_then(|at| self.asked.get(at))
            .cloned()
        else {
            return;
        };
        let (entries, events) = (self.world.entries.len(), self.world.events.len());
        let again = self
            .world
            .ask(command.clone(), Some(&key))
            .expect("a replay is never refused");
        assert!(again.replayed);
        assert_eq!(again.outcome, outcome, "a replay names the same object");
        assert_eq!((self.world.entries.len(), self.world.events.len()), (entries, events));
        let other = Command::Adjust {
            amount: Credits::whole(77),
            description: "Other".into(),
            reverses: None,
        };
        assert_eq!(
            self.world.ask(other.clone(), Some(&key)).unwrap_err(),
            KeyRefusal::Reused.into()
        );
        let stored = self.world.expire_key(&key);
        let expired = Refusal::from(KeyRefusal::Expired {
            used_at: stored.used_at,
        });
        for command in [command, other] {
            assert_eq!(self.world.ask(command, Some(&key)).unwrap_err(), expired);
        }
        assert_eq!((self.world.entries.len(), self.world.events.len()), (entries, events));
        self.world.state.keys.insert((Origin::Platform, key), stored);
    }
}

proptest! {


    #[test]
    fn any_history_keeps_the_books(steps in proptest::collection::vec(any_step(), 1..80)) {
        let mut history = History::new();
        for step in &steps {
            history.play(step);
        }
    }

    #[test]
    fn grants_and_sessions_alone_never_make_a_balance_negative(steps in proptest::collection::vec(plain_step(), 1..80)) {
        let mut history = History::new();
        for step in &steps {
            history.play(step);
            let header = &history.world.state.header;
            prop_assert!(!header.posted.is_negative(), "posted {}", header.posted);
            prop_assert!(!header.available().is_negative(), "available {}", header.available());
            prop_assert!(header.debt.is_zero());
        }
    }

    #[test]
    fn nothing_expires_early_and_holds_keep_what_they_need(steps in proptest::collection::vec(plain_step(), 1..80)) {
        let mut history = History::new();
        for step in &steps {
            let seen = history.world.entries.len();
            history.play(step);
            let world = &history.world;
            for new in world.entries[seen..].iter().filter(|new| new.entry.kind == EntryKind::Expiry) {
                let lot = &world.state.lots[&new.movements[0].lot_id.expect("a lot expires")];
                prop_assert!(lot.is_expired(world.state.header.expiry_now(world.now)));
            }
            // Every open hold can be charged in full from what is left.
            prop_assert!(world.state.header.held <= world.state.header.posted);
        }
    }

    #[test]
    fn deciding_twice_decides_the_same(steps in proptest::collection::vec(any_step(), 1..40)) {
        let (mut one, mut other) = (History::new(), History::new());
        for step in &steps {
            one.play(step);
            other.play(step);
        }
        prop_assert_eq!(one.world.state.header, other.world.state.header);
        prop_assert_eq!(one.world.entries, other.world.entries);
    }

    #[test]
    fn commands_that_differ_have_different_digests(one in plain_step(), other in plain_step()) {
        let mut history = History::new();
        history.play(&Step::Grant(12, None, 0));
        history.play(&Step::Book(3, 1));
        if let (Some(one), Some(other)) = (history.command(&one), history.command(&other)) {
            // No fee and a fee of 0 are the same input.
            let normal = |command: Command| match command {
                Command::Cancel { session, reason, fee, no_show } => {
                    Command::Cancel { session, reason, fee: Some(fee.unwrap_or_default()), no_show }
                }
                other => other,
            };
            prop_assert_eq!(one.digest() == other.digest(), normal(one) == normal(other));
        }
    }
}

#[test]
fn the_hash_of_an_entry_is_for_ever() {
    let mut world = World::new();
    world.grant("12.5", None);
    let hash = data_encoding::HEXLOWER.encode(&world.entries[0].entry.hash);
    assert_eq!(
        hash, "a91129ffc6766e9ad18023148df11867d8ebf5f9c79605ef6f92f8c4a2dc3b2e",
        "version 1 of the encoding"
    );
}
