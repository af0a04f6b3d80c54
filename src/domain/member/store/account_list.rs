//! SQL of the platform's list of accounts. The statements cover all accounts, so they name none.
//!
//! Each condition is tested on the row of one account. A condition on another table is a subquery of that account, which no database turns
//! into a join with all of its rows.

use entity::account;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use crate::domain::database::Database;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::database::select::Row;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::super::model::{Account, AccountOrder, AccountPosition};
use super::accounts::from_columns;

const IDS: Columns = &[("account_id", Kind::BigInt)];

/// A condition on an account.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum ListCondition {
    /// The searchable text contains this word, which begins with a space.
    Word(String),
    Status(Vec<AccountStatus>),
    AvailableBelow(Credits),
    Paused(bool),
    Findings(bool),
}

/// An index that finds the accounts of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Finder {
    /// A word of the name or the external id begins with this.
    Word(String),
    /// The status is not ACTIVE.
    Halted,
    AvailableBelow(Credits),
    Paused,
    Findings,
}

/// Values and text of one statement.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value and returns its placeholder.
    fn place(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn statement(self, backend: DbBackend) -> Statement {
        Statement::from_sql_and_values(backend, self.text, self.values)
    }
}

/// Returns accounts by the index of a condition. An account may occur several times.
pub(in super::super) async fn find_accounts(
    database: &Database,
    finder: &Finder,
    limit: usize,
) -> Result<Vec<AccountId>, Fault> {
    let mut sql = Sql::default();
    // The order is that of the index. Without it, a database that overestimates the matches would read the table instead.
    match finder {
        Finder::Word(word) => {
            let (from, before) = (sql.place(word.as_str()), sql.place(format!("{word}{}", char::MAX)));
            sql.push(&format!(
                "SELECT account_id FROM account_word WHERE word >= {from} AND word < {before} ORDER BY word, account_id"
            ));
        }
        Finder::Halted => {
            sql.push("SELECT account_id FROM account_state WHERE status <> 'ACTIVE' ORDER BY account_id");
        }
        Finder::AvailableBelow(credits) => {
            let credits = sql.place(credits.units());
            sql.push(&format!(
                "SELECT account_id FROM account_state WHERE posted - held < {credits} ORDER BY posted - held, account_id"
            ));
        }
        Finder::Paused => {
            sql.push("SELECT account_id FROM auto_top_up WHERE is_enabled AND pause IS NOT NULL ORDER BY account_id");
        }
        Finder::Findings => {
            sql.push("SELECT account_id FROM account_finding WHERE findings > 0 ORDER BY account_id");
        }
    }
    let limit = sql.place(i64::try_from(limit).unwrap_or(i64::MAX));
    sql.push(&format!(" LIMIT {limit}"));
    let rows = database.read().query_all_raw(sql.statement(database.backend())).await?;
    rows.iter()
        .map(|row| Ok(AccountId::from_number(row.try_get("", "account_id")?)))
        .collect()
}

/// A list of accounts, from a position on.
#[derive(Clone, Copy)]
pub(in super::super) struct AccountList<'a> {
    pub(in super::super) database: &'a Database,
    pub(in super::super) conditions: &'a [ListCondition],
    pub(in super::super) order: AccountOrder,
    pub(in super::super) after: Option<AccountPosition>,
}

impl AccountList<'_> {
    /// Returns the position at which a walk over `most` accounts ends. `None` if the list ends before.
    pub(in super::super) async fn horizon(&self, most: u32) -> Result<Option<AccountPosition>, Fault> {
        let mut sql = Sql::default();
        // Only the table of the key: the other one would be read for each account that is skipped.
        let (columns, table) = match self.order {
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => ("0 AS available, k.account_id", "account"),
            AccountOrder::LowestAvailableFirst => ("k.posted - k.held AS available, k.account_id", "account_state"),
        };
        sql.push(&format!("SELECT {columns} FROM {table} AS k WHERE true"));
        self.push_range(&mut sql, "k", None);
        let order = self.order_by("k");
        let skipped = sql.place(i64::from(most.saturating_sub(1)));
        sql.push(&format!(" ORDER BY {order} LIMIT 1 OFFSET {skipped}"));
        let statement = sql.statement(self.database.backend());
        let row = self.database.read().query_one_raw(statement).await?;
        row.map(|row| position(&row, self.order)).transpose()
    }

    /// Returns matching accounts in order, up to and including the horizon.
    pub(in super::super) async fn up_to(
        &self,
        horizon: Option<AccountPosition>,
        limit: u64,
    ) -> Result<Vec<(AccountPosition, Account)>, Fault> {
        let from = match self.order {
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => {
                format!("account AS a {}", self.each("a", "account_state AS s"))
            }
            AccountOrder::LowestAvailableFirst => format!("account_state AS s {}", self.each("s", "account AS a")),
        };
        let tables = (from.as_str(), "s.account_id = a.account_id");
        self.rows(Sql::default(), tables, horizon, limit).await
    }

    /// Returns those of these accounts that match, in order.
    pub(in super::super) async fn among(
        &self,
        candidates: &[AccountId],
        limit: u64,
    ) -> Result<Vec<(AccountPosition, Account)>, Fault> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = Rows::new(IDS);
        for id in candidates {
            rows.push([id.number().into()]);
        }
        let mut sql = Sql::default();
        sql.values.push(rows.value());
        let relation = rows.relation(self.database.backend(), sql.values.len());
        let (accounts, states) = (self.each("r", "account AS a"), self.each("a", "account_state AS s"));
        let from = format!("{relation} {accounts} {states}");
        let tables = (
            from.as_str(),
            "a.account_id = r.account_id AND s.account_id = a.account_id",
        );
        self.rows(sql, tables, None, limit).await
    }

    /// Joins the row of another table to each account of `key`, one by one. Without it, Postgres may read all rows of that table because
    /// it expects few matches. SQLite joins tables in the order in which they are written here.
    fn each(&self, key: &str, table: &str) -> String {
        if self.database.backend() == DbBackend::Sqlite {
            return format!("CROSS JOIN {table}");
        }
        let alias = table.rsplit(' ').next().unwrap_or(table);
        format!(
            "CROSS JOIN LATERAL (SELECT {alias}.* FROM {table} WHERE {alias}.account_id = {key}.account_id OFFSET 0) AS {alias}"
        )
    }

    /// Reads accounts from these tables.
    async fn rows(
        &self,
        mut sql: Sql,
        (from, joined): (&str, &str),
        horizon: Option<AccountPosition>,
        limit: u64,
    ) -> Result<Vec<(AccountPosition, Account)>, Fault> {
        sql.push(&format!(
            "SELECT a.*, s.status, s.session_grace_millis, s.posted - s.held AS available FROM {from} WHERE {joined}"
        ));
        let key = match self.order {
            AccountOrder::OldestFirst | AccountOrder::NewestFirst => "a",
            AccountOrder::LowestAvailableFirst => "s",
        };
        self.push_range(&mut sql, key, horizon);
        for condition in self.conditions {
            sql.push(" AND ");
            condition.push_to(&mut sql);
        }
        let order = self.order_by(key);
        let limit = sql.place(i64::try_from(limit).unwrap_or(i64::MAX));
        sql.push(&format!(" ORDER BY {order} LIMIT {limit}"));
        let statement = sql.statement(self.database.backend());
        let rows = self.database.read().query_all_raw(statement).await?;
        let read = |row: &Row| {
            let model = account::Model::from_query_result(row, "")?;
            let status: String = row.try_get("", "status")?;
            let (account, _) = from_columns(model, &status, row.try_get("", "session_grace_millis")?)?;
            Ok((position(row, self.order)?, account))
        };
        rows.iter().map(read).collect()
    }

    fn order_by(&self, table: &str) -> String {
        match self.order {
            AccountOrder::OldestFirst => format!("{table}.account_id"),
            AccountOrder::NewestFirst => format!("{table}.account_id DESC"),
            AccountOrder::LowestAvailableFirst => format!("{table}.posted - {table}.held, {table}.account_id"),
        }
    }

    /// Restricts the list to what comes after the cursor, up to and including the horizon.
    fn push_range(&self, sql: &mut Sql, table: &str, horizon: Option<AccountPosition>) {
        let (after, until) = match self.order {
            AccountOrder::NewestFirst => ("<", ">="),
            AccountOrder::OldestFirst | AccountOrder::LowestAvailableFirst => (">", "<="),
        };
        for (position, comparison, bound) in [(self.after, after, ">="), (horizon, until, "<=")] {
            let Some(position) = position else { continue };
            let number = position.id.number();
            if self.order == AccountOrder::LowestAvailableFirst {
                let (available, number) = (sql.place(position.available.units()), sql.place(number));
                // SQLite does not see that the pair bounds the index of its first part.
                sql.push(&format!(
                    " AND ({table}.posted - {table}.held, {table}.account_id) {comparison} ({available}, {number}) \
                     AND {table}.posted - {table}.held {bound} {available}"
                ));
            } else {
                let number = sql.place(number);
                sql.push(&format!(" AND {table}.account_id {comparison} {number}"));
            }
        }
    }
}

impl ListCondition {
    fn push_to(&self, sql: &mut Sql) {
        match self {
            Self::Word(word) => {
                let pattern = sql.place(format!("%{word}%"));
                sql.push(&format!("a.search_text LIKE {pattern}"));
            }
            Self::Status(statuses) => {
                let names: Vec<String> = statuses.iter().map(|status| format!("'{}'", status.as_str())).collect();
                sql.push(&format!("s.status IN ({})", names.join(", ")));
            }
            Self::AvailableBelow(credits) => {
                let credits = sql.place(credits.units());
                sql.push(&format!("s.posted - s.held < {credits}"));
            }
            Self::Paused(is_paused) => {
                let not = if *is_paused { "NOT " } else { "" };
                sql.push(&format!(
                    "(SELECT t.pause FROM auto_top_up AS t WHERE t.account_id = a.account_id AND t.is_enabled) IS {not}NULL"
                ));
            }
            Self::Findings(has_findings) => {
                let comparison = if *has_findings { ">" } else { "=" };
                sql.push(&format!(
                    "COALESCE((SELECT f.findings FROM account_finding AS f WHERE f.account_id = a.account_id), 0) \
                     {comparison} 0"
                ));
            }
        }
    }
}

fn position(row: &Row, order: AccountOrder) -> Result<AccountPosition, Fault> {
    let available = match order {
        AccountOrder::LowestAvailableFirst => Credits::from_units(row.try_get("", "available")?),
        AccountOrder::OldestFirst | AccountOrder::NewestFirst => Credits::ZERO,
    };
    Ok(AccountPosition {
        available,
        id: AccountId::from_number(row.try_get("", "account_id")?),
    })
}
