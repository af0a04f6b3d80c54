//! Many concurrent callers.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use futures_util::future::join_all;

use super::*;
use crate::domain::ledger::model::Refusal;

/// Counts the rings of a bell: at most one for an account and transaction.
#[derive(Default)]
struct Rings(Mutex<Vec<(AccountId, i64)>>);

impl Bell for Rings {
    fn ring(&self, account_id: AccountId, event_sequence: i64) {
        self.0
            .lock()
            .expect("never poisoned")
            .push((account_id, event_sequence));
    }
}

#[tokio::test]
async fn commands_share_transactions_under_load() {
    for scratch in each_database().await {
        let rings = Arc::new(Rings::default());
        let settings = scratch.settings();
        let room = Room::with(scratch, settings, model::decide, Arc::clone(&rings) as Arc<dyn Bell>);
        let account = room.account(2).await;
        let posts = (0..400).map(|n| room.engine.post(account, keyed(&format!("{n}"), grant(1))));
        assert!(join_all(posts).await.iter().all(Result::is_ok));
        let rings = rings.0.lock().expect("never poisoned").clone();
        assert!(rings.len() < 20, "{} transactions for 400 commands", rings.len());
        assert_eq!(rings.last(), Some(&(account, 400)));
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn f35_of_fifty_bookings_on_one_credit_exactly_one_succeeds() {
    for room in Room::each().await {
        let account = room.account(2).await;
        room.grant(account, 1).await;
        let posts = (0..50).map(|n| {
            let engine = Arc::clone(&room.engine);
            tokio::spawn(async move { engine.post(account, keyed(&format!("{n}"), book(None, 1, HOUR))).await })
        });
        let results: Vec<_> = join_all(posts)
            .await
            .into_iter()
            .map(|result| result.expect("ends"))
            .collect();
        let refused = LedgerError::Refused(Refusal::InsufficientCredits {
            missing: Credits::whole(1),
            available: Credits::ZERO,
            held: Credits::whole(1),
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(
            results.iter().filter(|result| **result == Err(refused.clone())).count(),
            49
        );
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn f36_balances_chain_when_many_write_at_once_from_several_engines() {
    for room in Room::each().await {
        let accounts = [room.account(2).await, room.account(3).await];
        // Two engines behave as two processes: only the row lock separates them.
        let bell: Arc<dyn Bell> = Arc::new(SilentBell);
        let other = Arc::new(Engine::start(&room.poster, &bell, room.scratch.settings()));
        let posts = (0..200_usize).map(|n| {
            let engine = Arc::clone([&room.engine, &other][n % 2]);
            let account = accounts[n / 2 % 2];
            tokio::spawn(async move { engine.post(account, keyed(&format!("{n}"), grant(1))).await })
        });
        let mut after: Vec<_> = join_all(posts)
            .await
            .into_iter()
            .map(|result| result.expect("ends").expect("posts"))
            .map(|posted| (posted.account_id, posted.balance.posted, posted.balance.sequence))
            .collect();
        after.sort_unstable();
        let expected = accounts
            .iter()
            .flat_map(|account| (1..=100).map(|n| (*account, Credits::whole(n), n)))
            .collect::<Vec<_>>();
        assert_eq!(after, expected, "each saw the balance right after its own command");
        other.shutdown().await;
        room.end(&accounts).await;
    }
}

#[tokio::test]
async fn f66_an_account_that_is_stormed_is_busy_and_others_are_served() {
    let scratch = sqlite().await;
    let settings = EngineSettings {
        queue_limit: 8,
        ..scratch.settings()
    };
    let room = Room::with(scratch, settings, model::decide, Arc::new(SilentBell));
    let (stormed, other) = (room.account(2).await, room.account(3).await);
    let posts = (0..100).map(|n| room.engine.post(stormed, keyed(&format!("{n}"), grant(1))));
    let (results, calm) = tokio::join!(join_all(posts), room.engine.post(other, keyed("a", grant(1))));
    let busy = results
        .iter()
        .filter(|result| matches!(result, Err(LedgerError::Busy { retry_after_seconds: 1 })))
        .count();
    assert!(busy >= 50, "{busy} of 100 are told to come back");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 100 - busy);
    assert!(calm.is_ok());
    let too_many = (0..9).map(|n| keyed(&format!("list {n}"), grant(1))).collect();
    assert!(matches!(
        room.engine.post_all(stormed, too_many).await,
        Err(LedgerError::Busy { .. })
    ));
    room.end(&[stormed, other]).await;
}

/// One caller that sends every kind of command, again and again.
async fn a_bit_of_everything(room: Arc<(Arc<Engine>, Arc<Poster>)>, account: AccountId, task: usize) {
    let (engine, poster) = &*room;
    for round in 0..3 {
        let name = format!("{task}.{round}");
        let session = || SessionRef::ExternalId(name.clone());
        let commands = [
            grant(20),
            book(Some(&name), 5, HOUR),
            Command::Reschedule {
                session: session(),
                starts_at: START.plus_millis(2 * HOUR),
                ends_at: START.plus_millis(3 * HOUR),
                credits: Some(Credits::whole(6)),
            },
            complete(&name, Some(4)),
            Command::Refund {
                session: session(),
                credits: Credits::whole(1),
                reason: "Late".to_owned(),
            },
            Command::Adjust {
                amount: Credits::whole(-2),
                description: "Correction".to_owned(),
                reverses: None,
            },
            Command::Freeze {
                reason: "Renewal".to_owned(),
            },
            Command::Unfreeze,
            Command::Sweep,
        ];
        for (n, command) in commands.into_iter().enumerate() {
            let answer = engine.post(account, keyed(&format!("{name}.{n}"), command)).await;
            assert!(!matches!(answer, Err(LedgerError::Fault(_))), "{answer:?}");
        }
        let (poster, key) = (Arc::clone(poster), format!("inside {name}"));
        let database = poster.database.clone();
        let inside: Result<(), Fault> = database
            .transaction(move |tx| {
                let (poster, key) = (Arc::clone(&poster), key.clone());
                Box::pin(async move {
                    let found = super::super::begin(tx, &[account], &poster.clock).await?;
                    let (mut header, now) = found.into_iter().next().expect("the account exists");
                    let answer =
                        super::super::post_one(&poster, tx, (&mut header, &mut Vec::new()), now, keyed(&key, grant(1)))
                            .await?;
                    answer.map(drop).or_else(|refusal| match refusal {
                        Refusal::AccountFrozen { .. } => Ok(()),
                        other => Err(Fault::Internal(other.to_string())),
                    })
                })
            })
            .await;
        inside.expect("posts inside a transaction");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_tasks_of_every_use_case_on_one_account_never_deadlock() {
    for one_account in [false, true] {
        for scratch in each_database().await {
            let settings = EngineSettings {
                accounts_per_transaction: if one_account { 1 } else { 256 },
                lanes: NonZeroUsize::new(2),
                ..scratch.settings()
            };
            let room = Room::with(scratch, settings, model::decide, Arc::new(SilentBell));
            let accounts = [room.account(2).await, room.account(3).await];
            let shared = Arc::new((Arc::clone(&room.engine), Arc::clone(&room.poster)));
            let tasks = (0..16).flat_map(|task| accounts.map(|account| (task, account)));
            let tasks: Vec<_> = tasks
                .filter(|(task, account)| *account == accounts[0] || task % 4 == 0)
                .map(|(task, account)| tokio::spawn(a_bit_of_everything(Arc::clone(&shared), account, task)))
                .collect();
            for task in tasks {
                task.await.expect("nothing went wrong");
            }
            drop(shared);
            room.end(&accounts).await;
        }
    }
}

#[tokio::test]
async fn callers_who_hang_up_harm_nothing() {
    for room in Room::each().await {
        let account = room.account(2).await;
        let mut kept = Vec::new();
        for n in 0..300 {
            let engine = Arc::clone(&room.engine);
            let post = tokio::spawn(async move { engine.post(account, keyed(&format!("{n}"), grant(1))).await });
            if n % 3 == 0 {
                kept.push(post);
            } else {
                if n % 3 == 1 {
                    tokio::task::yield_now().await;
                }
                post.abort();
            }
        }
        for post in kept {
            post.await.expect("ends").expect("posts");
        }
        // Whether or not the canceled calls were in time: sent again, each counts once.
        for n in 0..300 {
            room.post(account, &format!("{n}"), grant(1))
                .await
                .expect("posts or replays");
        }
        let posted = room.grant(account, 1).await.balance.posted;
        assert_eq!(posted, Credits::whole(301));
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn what_waits_at_shutdown_is_still_served() {
    for room in Room::each().await {
        let account = room.account(2).await;
        let posts: Vec<_> = (0..50)
            .map(|n| {
                let engine = Arc::clone(&room.engine);
                tokio::spawn(async move { engine.post(account, keyed(&format!("{n}"), grant(1))).await })
            })
            .collect();
        tokio::task::yield_now().await;
        room.engine.shutdown().await;
        let mut served = 0;
        for post in posts {
            match post.await.expect("ends") {
                Ok(_) => served += 1,
                Err(LedgerError::Fault(Fault::Unavailable(_))) => {}
                other => panic!("{other:?}"),
            }
        }
        let entries = room.scratch.number("SELECT COUNT(*) FROM credit_entry").await;
        assert_eq!(entries, served);
        room.end(&[account]).await;
    }
}
