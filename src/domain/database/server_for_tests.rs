//! The Postgres of tests that run on both databases whatever the front-door suite runs on.
//!
//! Used by unit tests, and included by its path in `tests/it`, so that all of them look for it, and miss it, alike.

use std::io::Write;
use std::time::Duration;

use sea_orm::sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;

/// Whoever has not answered by then is not there. A port that nobody listens on refuses at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `LEDGERBELL_TEST_POSTGRES_URL` names, else the usual port of this machine.
///
/// `None` where nobody lets us in. That is said aloud, once, and is a failure under `LEDGERBELL_TEST_STRICT=1`: a test that
/// skips itself quietly looks like one that passed.
pub(crate) async fn postgres_server() -> Option<&'static str> {
    static FOUND: OnceCell<Result<String, String>> = OnceCell::const_new();
    let strict = std::env::var("LEDGERBELL_TEST_STRICT").is_ok_and(|strict| strict == "1");
    match FOUND.get_or_init(look).await {
        Ok(server) => Some(server),
        Err(reason) if strict => panic!("no Postgres to test on, and nothing may be skipped: {reason}"),
        Err(_) => None,
    }
}

async fn look() -> Result<String, String> {
    let server = std::env::var("LEDGERBELL_TEST_POSTGRES_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let reason = match tokio::time::timeout(PATIENCE, PgConnection::connect(&server)).await {
        Ok(Ok(connection)) => {
            // It has answered; how it says goodbye does not matter.
            let _ = connection.close().await;
            return Ok(server);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    // Not by `eprintln!`, which the test runner keeps to itself while tests pass.
    let _ = writeln!(
        std::io::stderr(),
        "\n!!! SKIPPED on Postgres: tests that run on both databases. LEDGERBELL_TEST_POSTGRES_URL names the server. {reason}"
    );
    Err(reason)
}
