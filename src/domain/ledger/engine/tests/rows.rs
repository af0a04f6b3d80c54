//! The loader provides all that the core needs, and the writer stores what was decided: random histories through the
//! database have the same hashes as those through the core with everything in memory.

use std::sync::Mutex;

use super::*;
use crate::domain::ledger::model::{AccountState, ContraAccount, EntryKind, MemberStanding, Refusal, decide};
use crate::primitives::ids::{EntryId, SessionId, TopUpId};

/// Deterministic, so that a failure can be reproduced.
struct Dice(fastrand::Rng);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.u64(..bound)
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn credits(&mut self, most: u64) -> Credits {
        Credits::from_units(i64::try_from(self.below(most * 10_000)).expect("small") + 1)
    }

    fn hours(&mut self, most: u64) -> i64 {
        i64::try_from(self.below(most) + 1).expect("small") * HOUR
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(of.len().max(1) as u64)).expect("small");
        of.get(at).copied()
    }
}

/// An account that is kept in memory as a whole.
struct Twin {
    state: AccountState,
    sessions: Vec<SessionId>,
    entries: Vec<(EntryId, EntryKind)>,
    booked: u32,
}

impl Twin {
    fn new(account_id: AccountId) -> Self {
        let mut state = AccountState::new(AccountHeader::new(account_id, GRACE, START));
        let id = member(account_id);
        state.members.insert(id, MemberStanding { id, is_removed: false });
        state.members_by_external_id.insert("ann".to_owned(), id);
        Self {
            state,
            sessions: Vec::new(),
            entries: Vec::new(),
            booked: 0,
        }
    }

    /// Returns a command that is valid more often than not.
    fn command(&mut self, dice: &mut Dice, now: Timestamp) -> Command {
        let recent = self.sessions.len().saturating_sub(12);
        let session = match dice.pick(&self.sessions[recent..]) {
            Some(id) if dice.one_in(3) => self.state.sessions[&id]
                .external_id
                .clone()
                .map_or(SessionRef::Id(id), SessionRef::ExternalId),
            Some(id) => SessionRef::Id(id),
            None => SessionRef::ExternalId("nobody's".to_owned()),
        };
        let top_up_id = TopUpId::from_uuid(Uuid::from_u128(u128::from(dice.below(20))));
        match dice.below(20) {
            0..4 => Command::Grant {
                credits: dice.credits(60),
                description: "Grant".to_owned(),
                kind: dice.pick(LotKind::ALL).expect("some"),
                expires_at: (!dice.one_in(3)).then(|| now.plus_millis(dice.hours(60))),
                priority: i32::try_from(dice.below(3)).expect("small"),
            },
            4 => Command::CreditTopUp {
                top_up_id,
                credits: dice.credits(40),
                automatic: dice.one_in(2),
            },
            5..10 => {
                self.booked += 1;
                let starts_at = now.plus_millis(dice.hours(20));
                Command::Book {
                    member: if dice.one_in(2) {
                        MemberRef::Id(member(self.state.header.account_id))
                    } else {
                        MemberRef::ExternalId("ann".to_owned())
                    },
                    external_id: dice.one_in(2).then(|| format!("s{}", self.booked)),
                    title: format!("Session {}", self.booked),
                    starts_at,
                    ends_at: starts_at.plus_millis(dice.hours(4)),
                    credits: dice.credits(15),
                    metadata: dice.one_in(4).then(|| "{\"a\":\"\\u00e4\"}".to_owned()),
                }
            }
            10 => {
                let starts_at = now.plus_millis(dice.hours(30));
                Command::Reschedule {
                    session,
                    starts_at,
                    ends_at: starts_at.plus_millis(dice.hours(4)),
                    credits: dice.one_in(2).then(|| dice.credits(20)),
                }
            }
            11..14 => Command::Complete {
                session,
                credits: dice.one_in(2).then(|| dice.credits(25)),
                allow_overage: dice.one_in(2),
            },
            14 => Command::Cancel {
                session,
                reason: Some("Ill".to_owned()),
                fee: dice.one_in(2).then(|| dice.credits(5)),
                no_show: dice.one_in(3),
            },
            15 | 16 => Command::Refund {
                session,
                credits: dice.credits(8),
                reason: "Late".to_owned(),
            },
            17 => {
                let reverses = dice.pick(&self.entries).filter(|_| dice.one_in(2)).map(|(id, _)| id);
                let amount = dice.credits(20);
                Command::Adjust {
                    amount: if dice.one_in(2) { amount } else { -amount },
                    description: "Correction".to_owned(),
                    reverses,
                }
            }
            18 => {
                let top_ups: Vec<EntryId> = self.credited();
                match dice.pick(&top_ups) {
                    Some(entry_id) => Command::TakeBack {
                        entry_id,
                        target: dice.credits(30),
                        kind: EntryKind::Reversal,
                        contra: ContraAccount::CardPayments,
                        description: "Refunded".to_owned(),
                    },
                    None => Command::Sweep,
                }
            }
            _ => match dice.below(4) {
                0 => Command::Freeze {
                    reason: "Renewal".to_owned(),
                },
                1 | 2 => Command::Unfreeze,
                _ => Command::Sweep,
            },
        }
    }

    fn credited(&self) -> Vec<EntryId> {
        let is_top_up = |kind| matches!(kind, EntryKind::TopUp | EntryKind::AutoTopUp);
        let credited = self.entries.iter().filter(|(_, kind)| is_top_up(*kind));
        credited.map(|(id, _)| *id).collect()
    }

    /// Provides what the loader guarantees, from everything in memory.
    fn ask(&mut self, request: &Request, now: Timestamp, policy: Policy) -> Result<(), Refusal> {
        let expiry_now = self.state.header.expiry_now(now);
        let parts: Vec<_> = self
            .state
            .sessions
            .values()
            .flat_map(|session| &session.holds)
            .collect();
        let expired = self
            .state
            .lots
            .values()
            .filter(|lot| lot.remaining.is_positive() && lot.is_expired(expiry_now));
        let held_before = expired.map(|lot| {
            let before = parts
                .iter()
                .filter(|part| lot.expires_at.is_some_and(|at| part.booked_at < at));
            (lot.id, before.map(|part| part.amount).sum())
        });
        self.state.held_before = held_before.collect();
        let decision = decide(&self.state, request, now, &policy)?;
        self.state.apply(&decision);
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
        self.entries
            .extend(decision.entries.iter().map(|new| (new.entry.id, new.entry.kind)));
        if matches!(request.command, Command::Book { .. }) && !decision.replayed {
            self.sessions.extend(decision.outcome.session_id);
        }
        Ok(())
    }

    /// The stored figures are the same, and no future instant is missed.
    fn check(&self, stored: &AccountHeader, now: Timestamp) {
        let mine = &self.state.header;
        let times = |header: &AccountHeader| AccountHeader {
            next_lot_expiry_at: None,
            next_hold_expiry_at: None,
            next_processing_at: None,
            ..header.clone()
        };
        assert_eq!(times(stored), times(mine));
        let expiry_now = mine.expiry_now(now);
        let lots = self
            .state
            .lots
            .values()
            .filter(|lot| lot.remaining.is_positive() && !lot.is_expired(expiry_now));
        let open = || self.state.sessions.values().filter(|session| session.is_open());
        for (what, next, first) in [
            (
                "lot",
                stored.next_lot_expiry_at,
                lots.filter_map(|lot| lot.expires_at).min(),
            ),
            (
                "hold",
                stored.next_hold_expiry_at,
                open().map(|session| session.hold_expires_at).min(),
            ),
            (
                "end",
                stored.next_processing_at,
                open()
                    .filter(|session| !session.processing_announced)
                    .map(|session| session.ends_at)
                    .min(),
            ),
        ] {
            if let Some(first) = first {
                assert!(
                    next.is_some_and(|next| next <= first),
                    "{what}: {next:?} is after {first:?}"
                );
            }
        }
    }
}

async fn a_history(mut scratch: Scratch, accounts_per_transaction: usize, seed: u64) {
    if accounts_per_transaction == 1 {
        scratch.database = scratch.database.sharded();
    }
    let settings = EngineSettings {
        accounts_per_transaction,
        ..scratch.settings()
    };
    let room = Room::with(scratch, settings, model::decide, Arc::new(SilentBell));
    // All accounts of one lane, so that they share transactions.
    let accounts = [room.account(2).await, room.account(4).await];
    let mut twins = accounts.map(Twin::new);
    let mut dice = Dice(fastrand::Rng::with_seed(seed));
    let mut accepted = 0;
    for round in 0..120 {
        let now = room.clock.now();
        let mut lists = Vec::new();
        for twin in &mut twins {
            let commands: Vec<Command> = (0..=dice.below(5)).map(|_| twin.command(&mut dice, now)).collect();
            let list = commands.into_iter().enumerate().map(|(n, command)| Request {
                cause: Cause::Member(member(twin.state.header.account_id)),
                ..keyed(&format!("{round}.{}", n.min(3)), command)
            });
            lists.push(list.collect::<Vec<_>>());
        }
        let posts = accounts
            .iter()
            .zip(&lists)
            .map(|(account, list)| room.engine.post_all(*account, list.clone()));
        let answers = futures_util::future::join_all(posts).await;
        for ((twin, list), answers) in twins.iter_mut().zip(&lists).zip(answers) {
            for (request, answer) in list.iter().zip(answers.expect("there is room")) {
                let expected = twin.ask(request, now, room.poster.policy);
                match (&answer, expected) {
                    (Ok(posted), Ok(())) => {
                        assert_eq!(posted.balance, (&twin.state.header).into(), "{request:?}");
                        accepted += 1;
                    }
                    (Err(LedgerError::Refused(refusal)), Err(expected)) => assert_eq!(*refusal, expected),
                    (answer, expected) => panic!("{answer:?} instead of {expected:?} to {request:?}"),
                }
            }
        }
        let stored = store::headers(room.scratch.database.read(), &accounts)
            .await
            .expect("reads");
        for twin in &twins {
            twin.check(&stored[&twin.state.header.account_id], now);
        }
        if !dice.one_in(4) {
            let wait = dice.hours(9).unsigned_abs();
            room.clock.advance(std::time::Duration::from_millis(wait));
        }
    }
    assert!(accepted > 200, "{accepted} commands were accepted");
    room.end(&accounts).await;
}

#[tokio::test]
async fn a_history_through_the_database_is_the_same_as_in_memory() {
    for seed in 1..=3 {
        a_history(sqlite().await, 256, seed).await;
    }
    if let Some(scratch) = postgres().await {
        a_history(scratch, 256, 4).await;
    }
}

#[tokio::test]
async fn with_one_account_in_a_transaction_it_is_the_same() {
    a_history(sqlite().await, 1, 5).await;
    if let Some(scratch) = postgres().await {
        a_history(scratch, 1, 6).await;
    }
}

/// Returns the statements of a posting other than those that read.
async fn written(mut scratch: Scratch) -> Vec<String> {
    let texts = Arc::<Mutex<Vec<String>>>::default();
    let observed = Arc::clone(&texts);
    scratch.database = scratch.database.observed_by(move |statement| {
        if !statement.sql.starts_with("SELECT") {
            observed.lock().expect("lock").push(statement.sql.clone());
        }
    });
    let room = Room::new(scratch);
    let account = room.account(2).await;
    room.post(account, "first", grant(5)).await.expect("granted");
    texts.lock().expect("lock").clear();
    room.post(account, "second", grant(5)).await.expect("granted");
    let written = std::mem::take(&mut *texts.lock().expect("lock"));
    room.end(&[account]).await;
    written
}

#[tokio::test]
async fn the_rows_of_all_tables_are_one_statement_where_the_database_can() {
    let tables = [
        "credit_entry",
        "lot_movement",
        "credit_lot",
        "idempotency_key",
        "event",
        "account_state",
    ];
    let insert = |table: &str| format!("INSERT INTO {table} (");
    let are_separate = |written: &[String]| {
        written.len() == tables.len()
            && tables
                .iter()
                .zip(written)
                .all(|(table, text)| text.starts_with(&insert(table)))
    };
    let by_sqlite = written(sqlite().await).await;
    assert!(are_separate(&by_sqlite), "{by_sqlite:#?}");
    if let (Some(one), Some(mut several)) = (postgres().await, postgres().await) {
        let joined = written(one).await;
        let has_all = |text: &String| tables.iter().all(|table| text.contains(&insert(table)));
        assert!(joined.len() == 1 && joined.iter().all(has_all), "{joined:#?}");
        several.database = several.database.sharded();
        let sharded = written(several).await;
        assert!(are_separate(&sharded), "{sharded:#?}");
    }
}

#[tokio::test]
async fn lots_beyond_what_a_batch_draws_stay_where_they_are() {
    for room in Room::each().await {
        let account = room.account(2).await;
        let grants = (0..150).map(|n| keyed(&format!("{n}"), grant(1))).collect();
        room.engine.post_all(account, grants).await.expect("there is room");
        room.post(account, "book", book(Some("long"), 100, HOUR))
            .await
            .expect("books");
        room.post(account, "complete", complete("long", None))
            .await
            .expect("completes");
        let left = room
            .scratch
            .number("SELECT COUNT(*) FROM credit_lot WHERE remaining > 0")
            .await;
        assert_eq!(left, 50);
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn what_is_due_beyond_one_command_is_dealt_with_in_turns() {
    for room in Room::each().await {
        let account = room.account(2).await;
        room.grant(account, 2_000).await;
        for part in 0..3 {
            // 600 that end early, then 600 that end late.
            for (name, starts_in) in [("early", HOUR), ("late", 500 * HOUR)] {
                let of_part = (0..200).map(|n| {
                    let key = format!("{name} {part} {n}");
                    keyed(&key, book(Some(&key), 1, starts_in))
                });
                let booked = room.engine.post_all(account, of_part.collect()).await;
                assert!(booked.expect("there is room").iter().all(Result::is_ok));
            }
        }
        let sweep = || Request {
            key: None,
            ..keyed("", Command::Sweep)
        };
        let due = || async {
            let now = room.clock.now();
            !store::due_accounts(room.scratch.database.read(), now, 10)
                .await
                .expect("reads")
                .is_empty()
        };
        room.clock.advance(std::time::Duration::from_millis(
            // They ended an hour ago, so the rest has not ended just now.
            u64::try_from(3 * HOUR).expect("positive"),
        ));
        let announced = "SELECT COUNT(*) FROM session WHERE processing_announced";
        for expected in [500, 600] {
            assert!(due().await);
            room.engine.post(account, sweep()).await.expect("sweeps");
            assert_eq!(room.scratch.number(announced).await, expected);
        }
        assert!(!due().await, "nothing is due until holds expire");
        room.clock.advance(std::time::Duration::from_millis(
            u64::try_from(GRACE).expect("positive"),
        ));
        let expired = "SELECT COUNT(*) FROM session WHERE status = 'EXPIRED'";
        for expected in [500, 600] {
            assert!(due().await);
            room.engine.post(account, sweep()).await.expect("sweeps");
            assert_eq!(room.scratch.number(expired).await, expected);
        }
        assert!(!due().await);
        let close = Command::Close {
            reason: "Gone".to_owned(),
        };
        room.post(account, "close", close).await.expect("closes");
        let canceled = "SELECT COUNT(*) FROM session WHERE status = 'CANCELED'";
        assert_eq!(room.scratch.number(canceled).await, 500);
        assert!(due().await);
        room.engine.post(account, sweep()).await.expect("sweeps");
        assert_eq!(room.scratch.number(canceled).await, 600);
        assert!(!due().await);
        room.end(&[account]).await;
    }
}
