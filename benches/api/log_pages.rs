//! Measures pages of the credit log: whether a page costs more when the log is a hundred times as long.

use std::time::{Duration, Instant};

use ledgerbell::adapters::database;
use ledgerbell::domain::fault::Fault;
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};

use crate::client::{Connection, Failure};
use crate::server::Server;

const CLIENTS: usize = 16;
const TIME: Duration = Duration::from_secs(5);
const PAGE: &str = "query Page($id: ID!, $after: String) { account(id: $id) { creditLog(first: 50, after: $after) { \
    pageInfo { endCursor } nodes { id sequence occurredAt kind amount balanceAfter description \
    actor { label } member { name } session { title } } } } }";

/// Prints pages per second, from the top of the log and from the position after 40 pages.
pub(crate) async fn measure(server: &Server, name: &str) -> Result<(), Failure> {
    let mut rates = Vec::new();
    for entries in [10_000_i64, 1_000_000] {
        let account = server.create_accounts(1).await?.remove(0);
        fill(server, entries).await?;
        let mut connection = server.connect().await?;
        let mut cursors = vec![Value::Null];
        for _ in 0..40 {
            cursors.push(page(&mut connection, &account, cursors.last().unwrap_or(&Value::Null)).await?);
        }
        let rate = page_rate(server, &account, &cursors).await?;
        println!("{name:<10} credit log pages of 50 a second at {entries:>9} entries: {rate:>8.0}");
        rates.push(rate);
    }
    if let [small, large] = rates[..] {
        println!(
            "{name:<10} a page at 1,000,000 entries takes {:.2} x as long as at 10,000",
            small / large
        );
    }
    if let Some(resident) = server.resident_mib() {
        println!("{name:<10} the server has {resident} MiB resident\n");
    }
    Ok(())
}

async fn page(connection: &mut Connection, account: &str, after: &Value) -> Result<Value, Failure> {
    let answer = connection.query(PAGE, &json!({"id": account, "after": after})).await?;
    let answer: Value = serde_json::from_str(&answer)?;
    let log = &answer["data"]["account"]["creditLog"];
    if log["nodes"].as_array().is_none_or(|nodes| nodes.len() != 50) {
        return Err(format!("not a page: {answer}").into());
    }
    Ok(log["pageInfo"]["endCursor"].clone())
}

async fn page_rate(server: &Server, account: &str, cursors: &[Value]) -> Result<f64, Failure> {
    let started = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let mut connection = server.connect().await?;
        let (account, cursors) = (account.to_owned(), cursors.to_vec());
        tasks.push(tokio::spawn(async move {
            let mut pages = 0_u32;
            while started.elapsed() < TIME {
                let at = (client + pages as usize) % cursors.len();
                page(&mut connection, &account, &cursors[at]).await?;
                pages += 1;
            }
            Ok::<_, Failure>(pages)
        }));
    }
    let mut pages = 0;
    for task in tasks {
        pages += task.await??;
    }
    Ok(f64::from(pages) / started.elapsed().as_secs_f64())
}

/// Adds `entries` entries to the newest account, in bulk and directly in the database. Their hash chain is not valid, because
/// no test verifies it.
async fn fill(server: &Server, entries: i64) -> Result<(), Failure> {
    let options = database::OpenOptions {
        statement_timeout: Duration::from_mins(10),
        ..Default::default()
    };
    let connection = database::open(&server.database_url, options).await?;
    let backend = connection.backend();
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {entries})");
    let (id, hash) = match backend {
        DbBackend::Sqlite => ("randomblob(16)", "randomblob(32)"),
        _ => ("gen_random_uuid()", "sha256('x')"),
    };
    let account = "(SELECT MAX(account_id) FROM account_state)";
    let statements = [
        format!(
            "{numbers} INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, \
             description, actor_kind, taken_back, search_text, hash_version, hash) \
             SELECT a.account_id, n.i, {id}, 1700000000000 + n.i, CASE n.i % 7 WHEN 0 THEN 'GRANT' ELSE 'ADJUSTMENT' END, \
             'ADJUSTMENTS', -1, 1000000 - n.i, 'Bench', 'SYSTEM', 0, ' bench', 1, {hash} \
             FROM n, (SELECT MAX(account_id) AS account_id FROM account_state) a"
        ),
        format!("UPDATE account_state SET entry_sequence = {entries} WHERE account_id = {account}"),
        "ANALYZE".to_owned(),
    ];
    connection
        .transaction(move |tx| {
            let statements = statements.clone();
            Box::pin(async move {
                for statement in &statements {
                    tx.execute_unprepared(statement).await.map_err(Fault::from)?;
                }
                Ok::<_, Fault>(())
            })
        })
        .await?;
    Ok(())
}
