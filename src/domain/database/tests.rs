use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectOptions, ConnectionTrait, Statement, TransactionTrait as _};

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
    let reader = connect().await.expect("opens");
    let database = Database::new(connect().await.expect("opens"), Some(&reader));
    database
        .schema()
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
    let other = tx_of_another(&directory).await;
    let busy: Result<(), Fault> = database
        .transaction(|tx| Box::pin(async move { insert(tx, 1).await }))
        .await;
    assert!(matches!(busy, Err(Fault::Unavailable(_))), "{busy:?}");
    other.rollback().await.expect("unlocks");
    let broken: Fault = database
        .read()
        .execute_unprepared("SELEC")
        .await
        .expect_err("nonsense")
        .into();
    assert!(matches!(broken, Fault::Internal(_)), "{broken:?}");
}

/// A transaction of another process, which holds the write lock.
async fn tx_of_another(directory: &tempfile::TempDir) -> sea_orm::DatabaseTransaction {
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    let other = sea_orm::Database::connect(url).await.expect("opens");
    let options = sea_orm::TransactionOptions {
        sqlite_transaction_mode: Some(sea_orm::SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    other.begin_with_options(options).await.expect("locks")
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

#[tokio::test]
async fn a_rollback_that_fails_or_is_not_answered_costs_the_connection_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    for (number, how) in (0..).zip(injector::How::ALL) {
        // BEGIN and one statement come first.
        database.injector().arm(how, 2, 1);
        let result: Result<(), Fault> = database
            .transaction(move |tx| {
                Box::pin(async move {
                    insert(tx, number).await?;
                    Err(Fault::Internal("not today".to_owned()))
                })
            })
            .await;
        assert_eq!(result, Err(Fault::Internal("not today".to_owned())));
        assert!(database.injector().disarm());
        assert_eq!(database.closed_connections(), u64::from(number) + 1);
        let next: Result<(), Fault> = database
            .transaction(move |tx| Box::pin(async move { insert(tx, 100 + number).await }))
            .await;
        assert_eq!(next, Ok(()));
    }
    assert_eq!(count(&database).await, 4);
}

#[tokio::test]
async fn work_that_hides_a_failed_statement_is_not_committed_and_runs_nothing_more() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    let result: Result<(), Fault> = database
        .transaction(|tx| {
            Box::pin(async move {
                insert(tx, 1).await?;
                assert!(insert(tx, 1).await.is_err());
                assert!(insert(tx, 2).await.is_err(), "the transaction has failed");
                Ok(())
            })
        })
        .await;
    assert!(matches!(result, Err(Fault::Internal(_))), "{result:?}");
    assert_eq!(count(&database).await, 0);
}

#[tokio::test]
async fn a_statement_that_is_given_up_costs_its_connection_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = database(&directory).await;
    let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT MAX(i) FROM n";
    let statement = Statement::from_string(DbBackend::Sqlite, slow);
    let read = database.read().query_one_raw(statement);
    assert!(
        tokio::time::timeout(Duration::from_millis(5), read).await.is_err(),
        "given up"
    );
    assert_eq!(database.closed_connections(), 1);
    assert_eq!(count(&database).await, 0, "another connection reads");
}

/// A pool of this many connections to one new SQLite file.
async fn pool_of(connections: u32, directory: &tempfile::TempDir) -> Database {
    let path = directory.path().join("test.db");
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
    options
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(20))
        .sqlx_logging(false);
    Database::new(sea_orm::Database::connect(options).await.expect("opens"), None)
}

async fn seven(database: Database) -> i32 {
    let statement = Statement::from_string(DbBackend::Sqlite, "SELECT 7 AS n");
    let row = database.read().query_one_raw(statement).await.expect("reads");
    row.expect("a row").try_get("", "n").expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_few_connections() {
    let directory = tempfile::tempdir().expect("a directory");
    for connections in [1, 3] {
        let database = pool_of(connections, &directory).await;
        let caller = |database: Database| async move {
            let mut sum = 0;
            for _ in 0..25 {
                sum += seven(database.clone()).await;
            }
            sum
        };
        let callers: Vec<_> = (0..60).map(|_| tokio::spawn(caller(database.clone()))).collect();
        for caller in callers {
            assert_eq!(caller.await.expect("ends"), 175);
        }
        // Waits for the connections that are kept: a forgotten one would make it wait for ever.
        let closed = tokio::time::timeout(Duration::from_secs(20), database.close()).await;
        assert_eq!(closed, Ok(Ok(())));
        let statement = Statement::from_string(DbBackend::Sqlite, "SELECT 7 AS n");
        assert!(database.read().query_one_raw(statement).await.is_err(), "it is closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_statement_uses_the_connection_of_the_last_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = pool_of(3, &directory).await;
    // Opens all three.
    let all = Arc::new(tokio::sync::Barrier::new(3));
    let wait = || {
        let all = Arc::clone(&all);
        database.snapshot(move |_| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                all.wait().await;
                Ok::<_, Fault>(())
            })
        })
    };
    assert_eq!(tokio::join!(wait(), wait(), wait()), (Ok(()), Ok(()), Ok(())));
    let begun = std::time::Instant::now();
    let made = database.read().execute_unprepared("CREATE TEMP TABLE mine (n INT)");
    made.await.expect("creates");
    for _ in 0..9 {
        // Only the connection that made it knows a temporary table.
        let found = database.read().execute_unprepared("SELECT n FROM mine").await;
        // On a machine that was busy for a second it is not kept.
        assert!(found.is_ok() || begun.elapsed() > Duration::from_secs(1), "{found:?}");
    }
}
