use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectOptions, ConnectionTrait, Statement};

use super::*;

/// Two connections to one new SQLite file with a table of numbers.
async fn database(directory: &tempfile::TempDir) -> Database {
    let path = directory.path().join("test.db");
    let connect = || {
        let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
        options
            .max_connections(1)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| sqlite.pragma("journal_mode", "WAL").pragma("busy_timeout", "50"));
        sea_orm::Database::connect(options)
    };
    let database = Database::new(connect().await.expect("opens"), connect().await.expect("opens"));
    database
        .writer
        .execute_unprepared("CREATE TABLE number (n BIGINT NOT NULL PRIMARY KEY)")
        .await
        .expect("creates");
    database
}

async fn insert(tx: &Transaction, number: u32) -> Result<(), Fault> {
    tx.execute_unprepared(&format!("INSERT INTO number VALUES ({number})"))
        .await?;
    Ok(())
}

async fn count(database: &Database) -> i64 {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) AS n FROM number");
    let row = database
        .read()
        .query_one_raw(statement)
        .await
        .expect("reads")
        .expect("a row");
    row.try_get("", "n").expect("a number")
}

#[tokio::test]
async fn what_fails_writes_nothing_and_is_not_run_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let result: Result<(), Fault> = database
        .transaction(move |tx| {
            let runs = Arc::clone(&counter);
            Box::pin(async move {
                runs.fetch_add(1, Ordering::SeqCst);
                insert(tx, 1).await?;
                insert(tx, 1).await
            })
        })
        .await;
    assert!(matches!(result, Err(Fault::Internal(_))), "{result:?}");
    assert_eq!((runs.load(Ordering::SeqCst), count(&database).await), (1, 0));
}

#[tokio::test]
async fn what_passes_is_run_again_as_it_was_and_given_up_in_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    for (failures, succeeds) in [(RETRIES, true), (RETRIES + 1, false)] {
        let runs = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&runs);
        let result = database
            .transaction(move |tx| {
                let runs = Arc::clone(&counter);
                Box::pin(async move {
                    insert(tx, failures).await?;
                    if runs.fetch_add(1, Ordering::SeqCst) < failures {
                        return Err(Fault::Unavailable("the other one won".into()));
                    }
                    Ok(())
                })
            })
            .await;
        assert_eq!(result.is_ok(), succeeds);
        assert_eq!(runs.load(Ordering::SeqCst), RETRIES + 1);
    }
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_half_done() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    for number in 0..200 {
        let transaction = database.transaction(move |tx| Box::pin(async move { insert(tx, number).await }));
        // Dropped at whatever point it has reached by then.
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(number) * 10), transaction).await;
    }
    let last: Result<(), Fault> = database
        .transaction(|tx| Box::pin(async move { insert(tx, 1_000).await }))
        .await;
    assert_eq!(last, Ok(()));
    assert_eq!(count(&database).await, 201, "each was carried to its end");
}

#[tokio::test]
async fn a_panic_ends_its_own_transaction_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    let result: Result<(), Fault> = database
        .transaction(|tx| {
            Box::pin(async move {
                insert(tx, 1).await?;
                panic!("a bug");
            })
        })
        .await;
    assert!(matches!(result, Err(Fault::Internal(_))), "{result:?}");
    let next: Result<(), Fault> = database
        .transaction(|tx| Box::pin(async move { insert(tx, 2).await }))
        .await;
    assert_eq!((next, count(&database).await), (Ok(()), 1));
}

#[tokio::test]
async fn a_busy_database_is_unavailable_and_a_broken_statement_is_a_bug() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    database
        .reader
        .execute_unprepared("BEGIN IMMEDIATE")
        .await
        .expect("locks");
    let busy: Result<(), Fault> = database
        .transaction(|tx| Box::pin(async move { insert(tx, 1).await }))
        .await;
    assert!(matches!(busy, Err(Fault::Unavailable(_))), "{busy:?}");
    database.reader.execute_unprepared("ROLLBACK").await.expect("unlocks");
    let broken: Fault = database
        .reader
        .execute_unprepared("SELEC")
        .await
        .expect_err("nonsense")
        .into();
    assert!(matches!(broken, Fault::Internal(_)), "{broken:?}");
}

#[tokio::test]
async fn a_snapshot_does_not_see_what_is_committed_after_it_began() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    let handle = database.clone();
    let seen: Result<(i64, i64), Fault> = database
        .snapshot(move |tx| {
            let database = handle.clone();
            Box::pin(async move {
                let read = || Statement::from_string(DbBackend::Sqlite, "SELECT COUNT(*) AS n FROM number");
                let before = tx.query_one_raw(read()).await?.expect("a row").try_get("", "n")?;
                database
                    .transaction(|tx| Box::pin(async move { insert(tx, 1).await }))
                    .await?;
                let after = tx.query_one_raw(read()).await?.expect("a row").try_get("", "n")?;
                Ok((before, after))
            })
        })
        .await;
    assert_eq!(seen, Ok((0, 0)));
    assert_eq!(count(&database).await, 1);
}
