//! A failing command does not affect the others of its batch.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::domain::ledger::engine::{job, wait};
use crate::domain::ledger::model::{AccountState, Decision, KeyRefusal, Refusal};
use crate::primitives::ids::ApiKeyId;

/// The core, which panics for grants with the description `panic`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of the core")]
fn panicking(state: &AccountState, request: &Request, now: Timestamp, policy: &Policy) -> Result<Decision, Refusal> {
    if let Command::Grant { description, .. } = &request.command {
        assert_ne!(description, "panic", "as asked");
    }
    model::decide(state, request, now, policy)
}

/// A batch for three accounts, whose second has five commands: a grant, one with the description `bad`, a refusal, and an equal
/// key twice.
async fn a_batch_with(room: &Room, bad: &str) -> Vec<Vec<Result<Posted, LedgerError>>> {
    let accounts = [room.account(1).await, room.account(3).await, room.account(5).await];
    let lists = [
        vec![keyed("a", grant(1))],
        vec![
            keyed("a", grant(10)),
            keyed("b", described_grant(1_000, bad)),
            keyed("c", book(None, 500, HOUR)),
            keyed("d", grant(7)),
            keyed("d", grant(7)),
        ],
        vec![keyed("a", grant(3))],
    ];
    // The lane takes them one after another, or all at once behind this one. The results are the same in both
    // cases.
    let blocker = room.account(7).await;
    let first = room.engine.post(blocker, keyed("first", grant(1)));
    let posts = accounts
        .into_iter()
        .zip(lists)
        .map(|(account, list)| room.engine.post_all(account, list));
    let (first, lists) = tokio::join!(first, futures_util::future::join_all(posts));
    first.expect("grants");
    lists.into_iter().map(|list| list.expect("there is room")).collect()
}

fn check_answers(answers: &[Vec<Result<Posted, LedgerError>>]) {
    let [one, two, three] = answers else {
        panic!("three accounts");
    };
    assert!(one[0].is_ok() && three[0].is_ok(), "other accounts: {answers:?}");
    assert!(two[0].is_ok(), "the command before: {two:?}");
    assert!(
        matches!(two[1], Err(LedgerError::Fault(Fault::Internal(_)))),
        "the culprit: {two:?}"
    );
    let refused = LedgerError::Refused(Refusal::InsufficientCredits {
        missing: Credits::whole(490),
        available: Credits::whole(10),
        held: Credits::ZERO,
    });
    assert_eq!(two[2], Err(refused));
    let (first, again) = (two[3].as_ref().expect("posts"), two[4].as_ref().expect("replays"));
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.outcome, again.outcome);
    assert_eq!(again.balance.posted, Credits::whole(17));
}

#[tokio::test]
async fn a_panic_in_the_core_is_answered_internal_for_its_command_alone() {
    for scratch in each_database().await {
        let settings = scratch.settings();
        let room = Room::with(scratch, settings, panicking, Arc::new(SilentBell));
        check_answers(&a_batch_with(&room, "panic").await);
        room.end(&[1, 3, 5, 7].map(AccountId::from_number)).await;
    }
}

#[tokio::test]
async fn a_statement_that_fails_is_answered_internal_for_its_command_alone() {
    for room in Room::each().await {
        room.scratch.change(refusing_trigger(&room.scratch)).await;
        check_answers(&a_batch_with(&room, "fail").await);
        room.end(&[1, 3, 5, 7].map(AccountId::from_number)).await;
    }
}

/// A trigger by which the database refuses entries with the description `fail`.
fn refusing_trigger(scratch: &Scratch) -> &'static [&'static str] {
    if scratch.url.starts_with("sqlite") {
        &[
            "CREATE TRIGGER refuse BEFORE INSERT ON credit_entry WHEN NEW.description = 'fail'
           BEGIN SELECT RAISE(ABORT, 'as asked'); END",
        ]
    } else {
        &[
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.description = 'fail' THEN RAISE 'as asked'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON credit_entry FOR EACH ROW EXECUTE FUNCTION refuse()",
        ]
    }
}

#[tokio::test]
async fn an_account_whose_row_is_held_by_somebody_keeps_nobody_else_from_posting() {
    // SQLite has no row locks.
    for room in Room::each().await {
        if room.scratch.url.starts_with("sqlite") {
            room.end(&[]).await;
            continue;
        }
        let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.description = 'held' THEN RAISE 'as asked' USING ERRCODE = '55P03'; END IF; RETURN NEW; END $$";
        let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON credit_entry FOR EACH ROW EXECUTE FUNCTION refuse()";
        room.scratch.change(&[refuse, trigger]).await;
        let answers = a_batch_with(&room, "held").await;
        let [one, two, three] = &answers[..] else {
            panic!("three accounts");
        };
        assert!(one[0].is_ok() && three[0].is_ok(), "other accounts: {answers:?}");
        // All commands that waited for the account get the same error, and none was executed.
        assert!(
            two.iter()
                .all(|answer| matches!(answer, Err(LedgerError::Fault(Fault::Contended(_))))),
            "{two:?}"
        );
        let held = AccountId::from_number(3);
        assert_eq!(
            room.post(held, "later", grant(2)).await.expect("posts").balance.posted,
            Credits::whole(2)
        );
        room.end(&[1, 3, 5, 7].map(AccountId::from_number)).await;
    }
}

#[tokio::test]
async fn f01_equal_keys_gathered_together_are_first_and_replay() {
    for room in Room::each().await {
        let account = room.account(2).await;
        let equal = (0..40).map(|_| keyed("same", grant(5))).collect();
        let answers = room.engine.post_all(account, equal).await.expect("there is room");
        let firsts = answers.iter().flatten().filter(|posted| !posted.replayed).count();
        assert_eq!((answers.iter().flatten().count(), firsts), (40, 1));
        let other = room.post(account, "same", grant(6)).await;
        assert_eq!(
            other,
            Err(LedgerError::Refused(Refusal::IdempotencyKey(KeyRefusal::Reused)))
        );
        let again = room.post(account, "same", grant(5)).await.expect("replays");
        assert_eq!(again.balance.posted, Credits::whole(5));
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_not_found_and_harms_nobody() {
    for room in Room::each().await {
        let account = room.account(2).await;
        let nobody = AccountId::from_number(404);
        let (found, missing) = tokio::join!(
            room.engine.post(account, keyed("a", grant(1))),
            room.engine.post(nobody, keyed("a", grant(1)))
        );
        assert!(found.is_ok());
        assert!(matches!(missing, Err(LedgerError::Access(_))), "{missing:?}");
        room.end(&[account]).await;
    }
}

/// Panics at its first ring, which ends the lane.
#[derive(Default)]
struct BrokenBell(AtomicBool);

impl Bell for BrokenBell {
    fn ring(&self, _: AccountId, _: i64) {
        assert!(self.0.swap(true, Ordering::SeqCst), "the lane dies now");
    }
}

#[tokio::test]
async fn a_lane_that_dies_is_started_again() {
    for scratch in each_database().await {
        let settings = scratch.settings();
        let room = Room::with(scratch, settings, model::decide, Arc::new(BrokenBell::default()));
        let account = room.account(2).await;
        let posts = (0..20).map(|n| room.engine.post(account, keyed(&format!("{n}"), grant(1))));
        let posted = futures_util::future::join_all(posts).await;
        assert!(
            posted.iter().all(Result::is_ok),
            "answers come before the bell: {posted:?}"
        );
        assert_eq!(room.grant(account, 1).await.balance.posted, Credits::whole(21));
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn whoever_waits_for_a_lane_that_died_is_told() {
    let (job, answer) = job(keyed("a", grant(1)));
    drop(job);
    assert!(matches!(
        wait(answer).await,
        Err(LedgerError::Fault(Fault::Internal(_)))
    ));
}

#[tokio::test]
async fn a_negative_amount_that_is_refused_leaves_its_neighbours_their_lots() {
    for room in Room::each().await {
        let account = room.account(2).await;
        room.grant(account, 10).await;
        room.post(account, "book", book(Some("s"), 4, HOUR))
            .await
            .expect("books");
        let complete = Command::Complete {
            session: SessionRef::ExternalId("s".to_owned()),
            credits: None,
            allow_overage: false,
        };
        let answers = room
            .engine
            .post_all(
                account,
                vec![keyed("bad", book(None, -1_000_000_000, HOUR)), keyed("good", complete)],
            )
            .await
            .expect("there is room");
        assert!(
            matches!(answers[0], Err(LedgerError::Refused(Refusal::Invalid { .. }))),
            "{answers:?}"
        );
        assert!(answers[1].is_ok(), "{answers:?}");
        room.end(&[account]).await;
    }
}

#[tokio::test]
async fn whoever_a_key_acts_for_is_looked_up_under_the_lock_and_a_replay_asks_no_more() {
    for room in Room::each().await {
        let account = room.account(1).await;
        let ask = |key: &str, acting| Request {
            cause: Cause::ApiKey(ApiKeyId::from_uuid(Uuid::nil()), Some(acting)),
            ..keyed(key, grant(1))
        };
        let stranger = MemberId::from_uuid(Uuid::nil());
        let refused = room.engine.post(account, ask("b", stranger)).await;
        assert_eq!(
            refused.unwrap_err(),
            LedgerError::Refused(Refusal::ActingMemberNotFound)
        );
        room.engine
            .post(account, ask("a", member(account)))
            .await
            .expect("granted");
        room.scratch.change(&["UPDATE member SET removed_at = 1"]).await;
        let again = room.engine.post(account, ask("a", member(account))).await;
        assert!(again.expect("as before").replayed, "{}", room.scratch.url);
        let refused = room.engine.post(account, ask("b", member(account))).await;
        assert_eq!(refused.unwrap_err(), LedgerError::Refused(Refusal::ActingMemberRemoved));
        room.end(&[account]).await;
    }
}
