//! Builds reading statements: one text for both databases, values always bound, the account first where there is one.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, TryGetableMany};
use uuid::Uuid;

use super::bulk::{Record, Rows};
use super::records::{self, FromRow, column_list};
use super::{Database, Reader, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;

/// A value to bind.
pub(in crate::domain) use sea_orm::Value;

/// A row of a result.
pub(in crate::domain) type Row = QueryResult;

/// What executes statements: the database, for single statements; a transaction; or a connection.
pub(in crate::domain) trait Source: Sync {
    /// The type of connection.
    type Connection: ConnectionTrait;

    /// The connection that executes statements.
    fn connection(&self) -> &Self::Connection;
}

impl<C: ConnectionTrait> Source for C {
    type Connection = C;

    fn connection(&self) -> &C {
        self
    }
}

impl Source for Database {
    type Connection = Reader;

    fn connection(&self) -> &Reader {
        self.read()
    }
}

/// Returns the account's rows of a table that have one of these ids, each by its id.
pub(in crate::domain) async fn by_ids<R: Record + FromRow, I: Copy + Eq + Hash + Into<Uuid>>(
    source: &impl Source,
    account_id: AccountId,
    table: &str,
    ids: &[I],
    id: impl Fn(&R) -> I,
) -> Result<HashMap<I, R>, Fault> {
    let select = Select::by_ids::<R>(source, account_id, table, ids);
    Ok(records::by_id(select.records(source).await?, id))
}

/// A `SELECT`. `$1` is the account's number in every statement about one account, so that a sharded database knows where to send it.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Select {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Select {
    /// Begins a statement about one account.
    pub(in crate::domain) fn of(source: &impl Source, account_id: AccountId, text: &str) -> Self {
        Self::across(source, text).with([account_id.number().into()])
    }

    /// Begins a statement across accounts.
    pub(in crate::domain) fn across(source: &impl Source, text: &str) -> Self {
        Self {
            backend: source.connection().get_database_backend(),
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    /// Binds values whose placeholders the text already contains.
    pub(in crate::domain) fn with(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }

    /// Selects the columns of a record from the account's rows of a table.
    pub(in crate::domain) fn from<R: Record>(source: &impl Source, account_id: AccountId, table: &str) -> Self {
        let columns = column_list::<R>();
        let text = format!("SELECT {columns} FROM {table} WHERE account_id = $1");
        Self::of(source, account_id, &text)
    }

    /// As [`Self::from`], those that have one of these ids.
    pub(in crate::domain) fn by_ids<R: Record>(
        source: &impl Source,
        account_id: AccountId,
        table: &str,
        ids: &[impl Copy + Into<Uuid>],
    ) -> Self {
        let mut select = Self::from::<R>(source, account_id, table);
        let ids = ids.iter().map(|id| (*id).into());
        select.and_all(&[Condition::Uuids("id", ids.collect())]);
        select
    }

    /// Adds text. Never add external input: bind it by [`Self::bind`].
    pub(in crate::domain) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder for a value.
    pub(in crate::domain) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        let placeholder = self.placeholder(value);
        self.push(&placeholder)
    }

    /// Binds a value and returns its placeholder, which may be used repeatedly.
    pub(in crate::domain) fn placeholder(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Binds several values and returns their placeholders as a list.
    pub(in crate::domain) fn placeholders(&mut self, values: Vec<Value>) -> String {
        let placeholders: Vec<String> = values.into_iter().map(|value| self.placeholder(value)).collect();
        placeholders.join(", ")
    }

    /// The collation by which texts compare as bytes.
    pub(in crate::domain) fn byte_collation(&self) -> &'static str {
        if self.backend == DbBackend::Sqlite {
            "BINARY"
        } else {
            "\"C\""
        }
    }

    pub(in crate::domain) fn condition(&mut self, condition: &Condition) -> &mut Self {
        match condition {
            Condition::Uuids(column, ids) => self.push(column).uuids(ids),
            Condition::Accounts(column, accounts) => self.push(column).accounts(accounts),
            Condition::Texts(column, texts) => self.push(column).texts(texts),
            Condition::AtLeast(expression, least) => self.push(expression).push(" >= ").bind(*least),
            Condition::AtMost(expression, most) => self.push(expression).push(" <= ").bind(*most),
            Condition::Like(column, pattern) => self.push(column).push(" LIKE ").bind(pattern.clone()),
            Condition::Plain(text) => self.push(text),
            Condition::Around(before, number, after) => self.push(before).bind(*number).push(after),
            Condition::Any(conditions) => {
                self.push("(");
                for (n, condition) in conditions.iter().enumerate() {
                    self.push(if n == 0 { "" } else { " OR " }).condition(condition);
                }
                self.push(")")
            }
        }
    }

    /// Adds ` AND` and the condition, for each condition.
    pub(in crate::domain) fn and_all<'a>(&mut self, conditions: impl IntoIterator<Item = &'a Condition>) -> &mut Self {
        for condition in conditions {
            self.push(" AND ").condition(condition);
        }
        self
    }

    /// Adds rows as a relation named `r`.
    pub(in crate::domain) fn relation(&mut self, rows: &Rows) -> &mut Self {
        let relation = self.place_rows(rows);
        self.push(&relation)
    }

    /// Binds rows and returns the text of their relation, named `r`.
    pub(in crate::domain) fn place_rows(&mut self, rows: &Rows) -> String {
        self.values.push(rows.value());
        rows.relation(self.backend, self.values.len())
    }

    /// Returns all rows.
    pub(in crate::domain) async fn all(self, source: &impl Source) -> Result<Vec<Row>, Fault> {
        Ok(source.connection().query_all_raw(self.into_statement()).await?)
    }

    /// Returns all rows as records, whose columns are the first ones of the list.
    pub(in crate::domain) async fn records<R: FromRow>(self, source: &impl Source) -> Result<Vec<R>, Fault> {
        records::read(&self.all(source).await?)
    }

    /// Returns the values of all rows: of a single column, or of several as a tuple.
    pub(in crate::domain) async fn values<T: TryGetableMany>(self, source: &impl Source) -> Result<Vec<T>, Fault> {
        records::tuples(&self.all(source).await?)
    }

    /// As [`Self::values`], of the first row, if there is one.
    pub(in crate::domain) async fn value<T: TryGetableMany>(self, source: &impl Source) -> Result<Option<T>, Fault> {
        let row = self.one(source).await?;
        Ok(row.map(|row| row.try_get_many_by_index()).transpose()?)
    }

    /// Returns the first row, if there is one.
    pub(in crate::domain) async fn one(self, source: &impl Source) -> Result<Option<Row>, Fault> {
        Ok(source.connection().query_one_raw(self.into_statement()).await?)
    }

    /// Runs a statement that changes rows, and returns their number.
    pub(in crate::domain) async fn execute(self, tx: &Transaction) -> Result<u64, Fault> {
        Ok(tx.execute_raw(self.into_statement()).await?.rows_affected())
    }

    fn into_statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }

    // A list is one parameter, so that the statement is the same for any number of values. Postgres receives an array. It would
    // not evaluate the cast of a text to an array once: a sequential scan would parse the text again for each row.

    fn uuids(&mut self, ids: &[Uuid]) -> &mut Self {
        if self.backend == DbBackend::Sqlite {
            let hex: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.simple())).collect();
            self.push(" IN (SELECT unhex(value) FROM json_each(")
                .bind(format!("[{}]", hex.join(",")))
                .push("))")
        } else {
            self.push(" = ANY(").bind(ids.to_vec()).push(")")
        }
    }

    fn accounts(&mut self, accounts: &[AccountId]) -> &mut Self {
        if let [account_id] = accounts {
            // A sharded database then knows where to send the statement.
            return self.push(" = ").bind(account_id.number());
        }
        let numbers = accounts.iter().map(|account| account.number());
        if self.backend == DbBackend::Sqlite {
            self.push(" IN (SELECT value FROM json_each(")
                .bind(numbers.collect::<serde_json::Value>().to_string())
                .push("))")
        } else {
            self.push(" = ANY(").bind(numbers.collect::<Vec<i64>>()).push(")")
        }
    }

    fn texts(&mut self, texts: &[String]) -> &mut Self {
        if self.backend == DbBackend::Sqlite {
            self.push(" IN (SELECT value FROM json_each(")
                .bind(serde_json::Value::from(texts.to_vec()).to_string())
                .push("))")
        } else {
            self.push(" = ANY(").bind(texts.to_vec()).push(")")
        }
    }
}

/// A condition on a row. Its texts are constants; external input is bound.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::domain) enum Condition {
    /// The column equals one of these ids.
    Uuids(&'static str, Vec<Uuid>),
    /// The column equals one of these accounts.
    Accounts(&'static str, Vec<AccountId>),
    /// The column equals one of these texts.
    Texts(&'static str, Vec<String>),
    /// The expression is at least this number.
    AtLeast(&'static str, i64),
    /// The expression is at most this number.
    AtMost(&'static str, i64),
    /// The column matches a pattern.
    Like(&'static str, String),
    /// SQL without a value.
    Plain(&'static str),
    /// SQL with a number in the middle.
    Around(&'static str, i64, &'static str),
    /// At least one of these is true.
    Any(Vec<Condition>),
}

impl Condition {
    /// Whether no row can meet it: its list is empty.
    pub(in crate::domain) fn matches_nothing(&self) -> bool {
        match self {
            Self::Uuids(_, ids) => ids.is_empty(),
            Self::Accounts(_, accounts) => accounts.is_empty(),
            Self::Texts(_, texts) => texts.is_empty(),
            Self::Any(conditions) => conditions.iter().all(Self::matches_nothing),
            Self::AtLeast(..) | Self::AtMost(..) | Self::Like(..) | Self::Plain(_) | Self::Around(..) => false,
        }
    }
}
