//! One server per SQLite database.

use crate::harness::{MAKE_KEY, Place, TestDatabase, postgres_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_sqlite_database_is_refused_and_commands_are_not() {
    if postgres_server().is_some() {
        return;
    }
    let database = TestDatabase::make().await;
    let place = Place::new(&database.url);
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    for role in ["serve", "worker"] {
        let mut other = Place::new(&database.url);
        other.settings = place.settings.clone();
        let refused = other.command(&database, &[role]).output().expect("it runs");
        assert_eq!(refused.status.code(), Some(1));
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            complaint.contains("another process serves this SQLite database, process "),
            "{complaint}"
        );
    }
    assert!(place.print(&database, &["verify"]).ends_with(" 0 violations"));
    assert!(place.print(&database, &["api-key", "list"]).contains("Chaos"));
    assert!(place.print(&database, &MAKE_KEY).starts_with("lb_"));
    // The system releases the lock of a killed process.
    serving.kill_now();
    drop(serving);
    drop(place.serve(&database, &key).await);
}
