//! The Postgres server for tests that run on both databases, whatever database the integration suite uses.
//!
//! Used by unit tests, and included by its path in `tests/it`, so that all of them find the same server.

use std::io::Write;
use std::time::Duration;

use sea_orm::sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;

/// A server that has not answered by then counts as missing. A port without a listener refuses at once.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the server that `LEDGERBELL_TEST_POSTGRES_URL` names, else that on the usual port of this machine.
///
/// `None` where no server accepts the connection. That is printed once, and is a failure under `LEDGERBELL_TEST_STRICT=1`:
/// a test that is skipped without a message looks like one that passed.
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
    let reason = match tokio::time::timeout(TIMEOUT, PgConnection::connect(&server)).await {
        Ok(Ok(connection)) => {
            // The server has answered; the result of closing does not matter.
            let _ = connection.close().await;
            return Ok(server);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
    };
    // Not by `eprintln!`, which the test runner captures while tests pass.
    let _ = writeln!(
        std::io::stderr(),
        "\n!!! SKIPPED on Postgres: tests that run on both databases. LEDGERBELL_TEST_POSTGRES_URL names the server. {reason}"
    );
    Err(reason)
}
