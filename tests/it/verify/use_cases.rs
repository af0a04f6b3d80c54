//! Accounts that several callers have changed at once through all use cases: their verification succeeds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledgerbell::domain::event::SilentBell;
use ledgerbell::domain::ledger::model::{Command, LotKind, MemberRef, Policy, SessionRef};
use ledgerbell::domain::ledger::verify::verify;
use ledgerbell::domain::ledger::{EngineSettings, Ledger, LedgerError, LedgerSettings};
use ledgerbell::domain::member::{Accounts, NewAccount, NewMember, open_installation};
use ledgerbell::primitives::actor::{Actor, MemberRole};
use ledgerbell::primitives::clock::{Clock, HOUR, Timestamp};
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::{AccountId, EntryId, SessionId};
use ledgerbell::primitives::money::CreditPrice;
use sea_orm::DbBackend;

use crate::harness::{Dice, citus_coordinator};
use crate::scratch::{Scratch, each_database};

fn credits(dice: &mut Dice) -> Credits {
    Credits::from_units(1 + dice.number(200_000))
}

fn one_of<T: Copy>(dice: &mut Dice, items: &[T]) -> Option<T> {
    (!items.is_empty()).then(|| dice.pick(items))
}

/// Objects of one account, for later commands.
#[derive(Default)]
struct Known {
    sessions: Vec<SessionId>,
    entries: Vec<EntryId>,
}

fn command(dice: &mut Dice, known: &Known, now: Timestamp) -> Command {
    let session = one_of(dice, &known.sessions).map(SessionRef::Id);
    let in_hours = |dice: &mut Dice, from: i64, end: i64| now.plus_millis((from + dice.number(end)) * HOUR);
    match (dice.number(16), session) {
        (0..=1, _) => Command::Grant {
            credits: credits(dice),
            description: "A present".to_owned(),
            kind: if dice.number(2) == 0 {
                LotKind::Paid
            } else {
                LotKind::Promotional
            },
            expires_at: (dice.number(3) > 0).then(|| in_hours(dice, 1, 100)),
            priority: i32::try_from(dice.number(3)).expect("small"),
        },
        (2..=6, _) | (_, None) => {
            let starts_at = in_hours(dice, 0, 20);
            Command::Book {
                member: MemberRef::ExternalId("owner".to_owned()),
                external_id: (dice.number(2) == 0).then(|| format!("lesson-{}", dice.number(40))),
                title: "A lesson".to_owned(),
                starts_at,
                ends_at: starts_at.plus_millis(HOUR),
                credits: credits(dice),
                metadata: None,
            }
        }
        (7, Some(session)) => {
            let starts_at = in_hours(dice, 0, 20);
            Command::Reschedule {
                session,
                starts_at,
                ends_at: starts_at.plus_millis(HOUR),
                credits: (dice.number(2) == 0).then(|| credits(dice)),
            }
        }
        (8..=9, Some(session)) => Command::Complete {
            session,
            credits: (dice.number(2) == 0).then(|| credits(dice)),
            allow_overage: dice.number(2) == 0,
        },
        (10, Some(session)) => Command::Cancel {
            session,
            reason: None,
            fee: (dice.number(2) == 0).then(|| credits(dice)),
            no_show: dice.number(2) == 0,
        },
        (11..=12, Some(session)) => Command::Refund {
            session,
            credits: credits(dice),
            reason: "It was short".to_owned(),
        },
        (_, Some(_)) => {
            let sign = if dice.number(2) == 0 { 1 } else { -1 };
            Command::Adjust {
                amount: Credits::from_units(credits(dice).units() * sign),
                description: "A correction".to_owned(),
                reverses: one_of(dice, &known.entries).filter(|_| dice.number(2) == 0),
            }
        }
    }
}

struct World {
    clock: Clock,
    ledger: Ledger,
    accounts: Vec<AccountId>,
}

async fn world(scratch: &Scratch, accounts_per_transaction: usize) -> World {
    let database = &scratch.database;
    scratch.migrate().await;
    let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
    let installation = open_installation(database, &clock).await.expect("opens");
    let engine = match database.backend() {
        DbBackend::Sqlite => EngineSettings::ONE_WRITER,
        _ => EngineSettings::MANY_WRITERS,
    };
    let settings = LedgerSettings {
        engine: EngineSettings {
            accounts_per_transaction,
            ..engine
        },
        policy: Policy {
            overage_limit: Credits::whole(5),
        },
    };
    let ledger = Ledger::start(
        database.clone(),
        clock.clone(),
        installation.epoch,
        settings,
        Arc::new(SilentBell),
    );
    let rooms = Accounts::new(clock.clone(), database.clone(), ledger.clone());
    let mut accounts = Vec::new();
    for number in 0..4 {
        let new = NewAccount {
            external_id: Some(format!("team-{number}")),
            name: "A team".to_owned(),
            credit_price: CreditPrice::from_millionths(1_000_000),
            currency: "EUR".parse().expect("a currency"),
            timezone: chrono_tz::UTC,
            owner: Some(NewMember {
                external_id: Some("owner".to_owned()),
                name: "An owner".to_owned(),
                email: None,
                role: MemberRole::Owner,
                locale: None,
                email_verified: false,
            }),
        };
        accounts.push(rooms.create(&Actor::System, new).await.expect("creates").id);
    }
    World {
        clock,
        ledger,
        accounts,
    }
}

/// Posts commands to all accounts in rounds: those of a round at once, each round somewhat later.
async fn live(world: &World, rounds: usize) -> (usize, BTreeMap<String, usize>) {
    let mut dice = Dice::new(1);
    let mut known: Vec<Known> = world.accounts.iter().map(|_| Known::default()).collect();
    let mut accepted = 0;
    let mut refusals = BTreeMap::new();
    for round in 0..rounds {
        let mut running = tokio::task::JoinSet::new();
        for turn in 0..24 {
            let at = turn % world.accounts.len();
            let command = command(&mut dice, &known[at], world.clock.now());
            let (ledger, account_id) = (world.ledger.clone(), world.accounts[at]);
            let key = format!("{round}-{turn}");
            running.spawn(async move {
                // Every command is sent twice at once: one execution, and one replay.
                let send = || ledger.post(&Actor::System, account_id, None, key.clone(), command.clone());
                let (one, other) = tokio::join!(send(), send());
                (at, one, other)
            });
        }
        while let Some(done) = running.join_next().await {
            match done.expect("no panic") {
                (at, Ok(one), Ok(other)) => {
                    assert_ne!(one.replayed, other.replayed);
                    assert_eq!(one.outcome, other.outcome);
                    accepted += 1;
                    known[at].sessions.extend(one.outcome.session_id);
                    known[at].entries.extend(one.outcome.entry_id);
                }
                (_, Err(LedgerError::Refused(refusal)), _) | (_, _, Err(LedgerError::Refused(refusal))) => {
                    let text = format!("{refusal:?}");
                    let name = text.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
                    *refusals.entry(name).or_default() += 1;
                }
                (_, one, other) => panic!("{one:?} {other:?}"),
            }
        }
        let frozen = world.accounts[round % world.accounts.len()];
        match round % 10 {
            3 => {
                let freeze = world
                    .ledger
                    .freeze_account(&Actor::System, frozen, "A pause".to_owned());
                freeze.await.expect("freezes");
            }
            4 => {
                for account_id in &world.accounts {
                    let unfreeze = world.ledger.unfreeze_account(&Actor::System, *account_id);
                    unfreeze.await.expect("unfreezes");
                }
            }
            7 => {
                world.ledger.sweep(100).await.expect("sweeps");
            }
            _ => {}
        }
        world.clock.advance(Duration::from_hours(5));
    }
    (accepted, refusals)
}

async fn verify_a_busy_life(accounts_per_transaction: usize) {
    for scratch in each_database().await {
        // Accounts of a cluster are on different servers.
        let is_cluster = citus_coordinator().is_some() && scratch.database.backend() == DbBackend::Postgres;
        let world = world(&scratch, if is_cluster { 1 } else { accounts_per_transaction }).await;
        let (accepted, refusals) = live(&world, 40).await;
        assert!(accepted > 300, "accepted {accepted}, refused {refusals:?}");
        assert!(refusals.len() > 4, "refused {refusals:?}");
        let [first, ..] = world.accounts[..] else {
            panic!("no accounts")
        };
        let close = world.ledger.close_account(&Actor::System, first, "The end".to_owned());
        close.await.expect("closes");
        world.clock.advance(Duration::from_hours(200));
        while world.ledger.sweep(100).await.expect("sweeps") > 0 {}
        world.ledger.shutdown().await;
        let report = verify(&scratch.database, |_| {}).await.expect("verifies");
        assert_eq!(report.violations, []);
        assert_eq!(report.accounts, 4);
        assert!(report.entries > 200, "{report:?}");
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_have_been_through_everything_verify() {
    verify_a_busy_life(256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_they_do_with_one_account_a_transaction() {
    verify_a_busy_life(1).await;
}
