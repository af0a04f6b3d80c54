//! Faults at each statement in turn: acknowledged postings exist, and refused ones do not.

use std::collections::HashSet;

use super::*;
use crate::domain::database::injector::How;

/// Returns the stored keys, read by a separate connection.
async fn keys(url: &str) -> HashSet<String> {
    let database = open(url, OpenOptions::default()).await.expect("opens");
    let sql = "SELECT key FROM idempotency_key WHERE account_id = 1";
    let statement = Statement::from_string(database.backend(), sql);
    let rows = database.read().query_all_raw(statement).await.expect("reads");
    database.close().await.expect("closes");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a key")).collect()
}

/// Posts a grant with a fault at the statement number `first` and those after it. Returns `None` where there are
/// fewer statements.
async fn grant_with_a_fault(
    room: &Room,
    (how, first, strikes): (How, u64, u64),
    key: &str,
) -> Option<Result<Posted, LedgerError>> {
    let injector = room.poster.database.injector();
    injector.arm(how, first, strikes);
    let answer = room.post(AccountId::from_number(1), key, grant(1)).await;
    if injector.disarm() {
        return Some(answer);
    }
    answer.expect("there was no fault");
    None
}

#[tokio::test]
async fn a_fault_at_any_statement_neither_loses_what_was_acknowledged_nor_keeps_what_was_refused() {
    for scratch in each_database().await {
        let is_sqlite = scratch.url.starts_with("sqlite");
        let room = Room::new(scratch);
        let account = room.account(1).await;
        let (mut acknowledged, mut refused, mut unknown) = (HashSet::new(), HashSet::new(), 0);
        let mut points = 0;
        for how in How::ALL {
            let is_quick = matches!(how, How::NotRun | How::AnswerLost);
            // Once, so that the second attempt succeeds; and at all attempts, where that takes no time.
            let strikes: &[u64] = if is_quick { &[1, 200] } else { &[1] };
            for strikes in strikes.iter().copied() {
                for first in 0.. {
                    let key = format!("{how:?} {first} {strikes}");
                    let Some(answer) = grant_with_a_fault(&room, (how, first, strikes), &key).await else {
                        acknowledged.insert(key);
                        break;
                    };
                    points += 1;
                    match answer {
                        Ok(_) => _ = acknowledged.insert(key),
                        Err(LedgerError::Fault(Fault::Unavailable(_))) if how == How::NotRun => _ = refused.insert(key),
                        Err(LedgerError::Fault(Fault::Unavailable(_))) => unknown += 1,
                        Err(error) => panic!("{key}: {error:?}"),
                    }
                }
            }
        }
        let found = keys(&room.scratch.url).await;
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", room.scratch.url);
        // The witness checks after the commit. Without its check the commit may be visible or not, as the error
        // says.
        let kept: Vec<_> = refused.intersection(&found).collect();
        assert!(kept.len() <= usize::from(is_sqlite), "{}: {kept:?}", room.scratch.url);
        eprintln!(
            "{}: {points} injection points, {} acknowledged, {} refused, {unknown} of unknown outcome, {} found",
            if is_sqlite { "SQLite" } else { "Postgres" },
            acknowledged.len(),
            refused.len(),
            found.len()
        );
        room.end(&[account]).await;
    }
}

/// The tables that a grant writes.
const TABLES: [(&str, &str); 6] = [
    ("account_state", "UPDATE"),
    ("credit_entry", "INSERT"),
    ("credit_lot", "INSERT"),
    ("lot_movement", "INSERT"),
    ("event", "INSERT"),
    ("idempotency_key", "INSERT"),
];

/// The trigger rolls back as SQLite does when the disk is full, at whatever statement.
#[tokio::test]
async fn a_transaction_that_sqlite_rolled_back_is_nobodys_outer_transaction() {
    let room = Room::new(sqlite().await);
    let account = room.account(1).await;
    room.scratch.change(&["CREATE TABLE armed (name TEXT NOT NULL)"]).await;
    let mut acknowledged = HashSet::new();
    for (table, action) in TABLES {
        let trigger: &'static str = format!(
            "CREATE TRIGGER full_{table} BEFORE {action} ON {table} WHEN EXISTS (SELECT 1 FROM armed) \
             BEGIN SELECT RAISE(ROLLBACK, 'full'); END"
        )
        .leak();
        room.scratch
            .change(&[trigger, "INSERT INTO armed VALUES ('now')"])
            .await;
        for number in 0..2 {
            let answer = room.post(account, &format!("{table} {number} full"), grant(1)).await;
            assert!(matches!(answer, Err(LedgerError::Fault(_))), "{table}: {answer:?}");
        }
        let drop: &'static str = format!("DROP TRIGGER full_{table}").leak();
        room.scratch.change(&["DELETE FROM armed", drop]).await;
        for number in 0..7 {
            let key = format!("{table} {number}");
            room.post(account, &key, grant(1)).await.expect("there is space again");
            acknowledged.insert(key);
        }
    }
    assert!(room.poster.database.closed_connections() >= 12, "each was closed");
    assert_eq!(keys(&room.scratch.url).await, acknowledged);
    room.end(&[account]).await;
}

/// The limit belongs to the connection, so it ends with it, like a disk on which space is freed.
#[tokio::test]
async fn what_is_acknowledged_around_a_full_disk_is_there() {
    let room = Room::new(sqlite().await);
    let account = room.account(1).await;
    let mut acknowledged = HashSet::new();
    for round in 0..4 {
        room.scratch.change(&["PRAGMA max_page_count = 1"]).await;
        for number in 0..40 {
            let key = format!("{round} {number}");
            if room
                .post(account, &key, described_grant(1, &"x".repeat(300)))
                .await
                .is_ok()
            {
                acknowledged.insert(key);
            }
        }
    }
    let full = room
        .poster
        .database
        .troubles()
        .into_iter()
        .find(|(trouble, _)| trouble.name() == "full");
    assert!(full.expect("a count").1 >= 4, "the disk was full each time");
    assert!(room.poster.database.trouble().is_none(), "it has ended");
    assert_eq!(keys(&room.scratch.url).await, acknowledged);
    assert_eq!(acknowledged.len(), 160, "each was tried again on another connection");
    room.end(&[account]).await;
}
