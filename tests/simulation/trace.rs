//! A digest of everything that happens in a world: each step, and at the end every row with a result. Rows are digested on SQLite
//! only, where a seed repeats exactly.

use data_encoding::HEXLOWER;
use ledgerbell::domain::database::Database;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use sha2::{Digest as _, Sha256};

/// Tables, their digested columns, and the order of rows. Random ids and numbers of the ledger are left out.
const ROWS: [(&str, &str, &str); 10] = [
    ("top_up", "*", "id"),
    ("top_up_attempt", "*", "id"),
    ("top_up_refund", "*", "id"),
    ("top_up_decision", "*", "id"),
    ("payment_method", "*", "id"),
    ("auto_top_up", "*", "account_id"),
    ("gateway_object", "*", "object_id"),
    ("webhook_inbox", "*", "event_id"),
    (
        "credit_entry",
        "sequence, occurred_at, kind, contra, amount, balance_after, description, actor_kind, top_up_id, taken_back",
        "sequence",
    ),
    (
        "event",
        "sequence, kind, occurred_at, top_up_id, status, balance_version",
        "sequence",
    ),
];

/// A digest that grows.
#[derive(Clone, Default)]
pub(crate) struct Trace(Sha256);

impl Trace {
    pub(crate) fn note(&mut self, what: &str) {
        self.0.update(what.as_bytes());
        self.0.update([0]);
    }

    /// Returns the digest of all steps, and on SQLite of the final rows.
    pub(crate) async fn end(mut self, database: &Database) -> String {
        if database.backend() == DbBackend::Sqlite {
            self.note_rows(database).await;
        }
        HEXLOWER.encode(&self.0.finalize())
    }

    async fn note_rows(&mut self, database: &Database) {
        for (table, columns, order) in ROWS {
            // SQLite converts each row to a text, whatever its columns are.
            let names = match columns {
                "*" => columns_of(database, table).await,
                listed => listed.to_owned(),
            };
            let quoted: Vec<String> = names.split(", ").map(|name| format!("quote({name})")).collect();
            let sql = format!(
                "SELECT {} AS line FROM {table} ORDER BY {order}",
                quoted.join(" || ',' || ")
            );
            for row in texts(database, sql, "line").await {
                self.note(&row);
            }
        }
    }
}

async fn columns_of(database: &Database, table: &str) -> String {
    let sql = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
    texts(database, sql, "name").await.join(", ")
}

async fn texts(database: &Database, sql: String, column: &str) -> Vec<String> {
    let statement = Statement::from_string(database.backend(), sql);
    let rows = database.read().query_all_raw(statement).await.expect("reads");
    rows.iter()
        .map(|row| row.try_get("", column).expect("a text"))
        .collect()
}
