//! A database that was restored to an earlier state.

use std::time::Duration;

use crate::harness::{Place, TestDatabase, postgres_server};

/// The state after a `cp` of the database file without its log, while a server runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_without_its_write_ahead_log_is_told_by_the_anchor_alone() {
    if postgres_server().is_some() {
        return;
    }
    let database = TestDatabase::make().await;
    let place = Place::new(&database.url);
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    let account = serving.account("anchored").await;
    let anchor = database.directory.path().join("anchor");
    let anchor = anchor.to_str().expect("text");
    for number in 0..3 {
        serving
            .grant(&account, &number.to_string(), Duration::from_secs(10))
            .await
            .expect("granted");
    }
    // A checkpoint moves the content into the file; later content is only in the log.
    let direct = sea_orm::Database::connect(&database.url).await.expect("opens");
    let checkpoint = sea_orm::ConnectionTrait::execute_unprepared(&direct, "PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint.await.expect("a checkpoint");
    direct.close().await.expect("closes");
    for number in 3..8 {
        serving
            .grant(&account, &number.to_string(), Duration::from_secs(10))
            .await
            .expect("granted");
    }
    assert!(
        place
            .print(&database, &["verify", "--write-anchor", anchor])
            .ends_with(" 0 violations")
    );
    assert!(
        place
            .print(&database, &["verify", "--anchor", anchor])
            .ends_with(" 0 violations")
    );
    let copy = database.directory.path().join("copy.db");
    std::fs::copy(database.directory.path().join("ledgerbell.db"), &copy).expect("copied");
    let copied = Place::new(&format!("sqlite://{}?mode=rwc", copy.display()));
    assert!(
        copied
            .print(&database, &["verify"])
            .ends_with("3 entries of 1 accounts checked, 0 violations")
    );
    let output = copied
        .command(&database, &["verify", "--anchor", anchor])
        .output()
        .expect("it runs");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("entry 8 of the anchor is missing"), "{report}");
}
