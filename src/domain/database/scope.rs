//! Statements about the rows of one account, or of several.
//!
//! Where all given rows are of one account, a statement names it as `account_id = $2` on each table that it reads: a sharded
//! database then sends the statement to one machine. For rows of several accounts each table is joined by its `account_id`.
//! So each purpose has two constant texts on Postgres, and one on SQLite.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};

use super::bulk::Rows;
use crate::domain::fault::Fault;

/// The account of the rows `$1`, which a statement then names as `$2`; none for several accounts.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct AccountScope {
    backend: DbBackend,
    account: Option<i64>,
}

impl AccountScope {
    /// Returns the scope of these rows. SQLite has one file, and joins each table by its `account_id`.
    pub(in crate::domain) fn of(backend: DbBackend, rows: &Rows) -> Self {
        Self {
            backend,
            account: rows.account().filter(|_| backend == DbBackend::Postgres),
        }
    }

    /// Joins the rows of the relation `r` to those of `table`, as `t`, that are of the same account and meet `condition`: by an
    /// index, row by row.
    ///
    /// On Postgres the join is a subquery that it may not flatten. Otherwise it plans these statements once, while the tables
    /// are small, as a hash join over all their rows. It keeps that plan until the tables are analyzed.
    pub(in crate::domain) fn probe(self, table: &str, condition: &str) -> String {
        let scope = self.condition("t");
        if self.backend == DbBackend::Sqlite {
            format!("CROSS JOIN {table} AS t ON t.account_id = r.account_id AND {condition}")
        } else {
            format!(
                "CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.account_id = r.account_id{scope} AND {condition} \
                 OFFSET 0) AS t"
            )
        }
    }

    /// As [`Self::probe`], but for each row of `r` only the first `limit` in the order of the column `order`.
    pub(in crate::domain) fn probe_first(self, table: &str, condition: &str, order: &str, limit: usize) -> String {
        let scope = self.condition("t");
        let found = format!(
            "FROM {table} AS t WHERE t.account_id = r.account_id{scope} AND {condition} ORDER BY {order} LIMIT {limit}"
        );
        if self.backend == DbBackend::Sqlite {
            format!("CROSS JOIN {table} AS t ON t.rowid IN (SELECT t.rowid {found})")
        } else {
            format!("CROSS JOIN LATERAL (SELECT t.* {found}) AS t")
        }
    }

    /// Adds to each row of `t` the rows of `table`, as `p`, that meet `condition`, or none.
    pub(in crate::domain) fn parts(self, table: &str, condition: &str) -> String {
        self.left_join("t", table, "p", condition)
    }

    /// Adds to each row of `r` the row of `table`, as `name`, that meets `condition`, or none.
    pub(in crate::domain) fn optional(self, table: &str, name: &str, condition: &str) -> String {
        self.left_join("r", table, name, condition)
    }

    fn left_join(self, to: &str, table: &str, name: &str, condition: &str) -> String {
        let scope = self.condition(name);
        if self.backend == DbBackend::Sqlite {
            format!("LEFT JOIN {table} AS {name} ON {name}.account_id = {to}.account_id AND {condition}")
        } else {
            format!(
                "LEFT JOIN LATERAL (SELECT * FROM {table} AS {name} WHERE {name}.account_id = {to}.account_id{scope} \
                 AND {condition} OFFSET 0) AS {name} ON true"
            )
        }
    }

    /// Returns ` AND table.account_id = $2`, or nothing for several accounts.
    pub(in crate::domain) fn condition(self, table: &str) -> String {
        match self.account {
            Some(_) => format!(" AND {table}.account_id = $2"),
            None => String::new(),
        }
    }

    /// Returns the result of a statement about these rows; nothing where there are none. `sql` gets the relation `r` of the rows.
    pub(in crate::domain) async fn select(
        connection: &impl ConnectionTrait,
        rows: &Rows,
        sql: impl FnOnce(Self, String) -> String,
    ) -> Result<Vec<QueryResult>, Fault> {
        match Self::made(connection.get_database_backend(), rows, sql) {
            Some(statement) => Ok(connection.query_all_raw(statement).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Executes a statement as [`Self::select`] does, for its effect.
    pub(in crate::domain) async fn execute(
        connection: &impl ConnectionTrait,
        rows: &Rows,
        sql: impl FnOnce(Self, String) -> String,
    ) -> Result<(), Fault> {
        if let Some(statement) = Self::made(connection.get_database_backend(), rows, sql) {
            connection.execute_raw(statement).await?;
        }
        Ok(())
    }

    fn made(backend: DbBackend, rows: &Rows, sql: impl FnOnce(Self, String) -> String) -> Option<Statement> {
        if rows.is_empty() {
            return None;
        }
        let scope = Self::of(backend, rows);
        Some(scope.statement(sql(scope, rows.relation(backend, 1)), rows))
    }

    /// Returns `sql` with `rows` as `$1`, and the account as `$2` where there is only one.
    pub(in crate::domain) fn statement(self, sql: impl Into<String>, rows: &Rows) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, self.values(rows))
    }

    /// Returns the parameters of a statement: `rows`, and the account where there is only one.
    pub(in crate::domain) fn values(self, rows: &Rows) -> Vec<Value> {
        let account = self.account.map(Value::from);
        std::iter::once(rows.value()).chain(account).collect()
    }
}
