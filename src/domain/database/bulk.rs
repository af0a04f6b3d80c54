//! Many rows as one parameter, so that a statement's text is the same whatever their number.
//!
//! The rows are sent as one JSON text. The database turns it into a relation named `r` with typed columns, which is used in a
//! FROM clause: `INSERT INTO t (…) SELECT … FROM <relation>`, `UPDATE t SET … FROM <relation> WHERE …`, or a join instead of a
//! list of ids. So each purpose has one short text, which each connection prepares once.

use std::borrow::Cow;
use std::fmt::Write as _;

use sea_orm::{DbBackend, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, Statement, Value};

use crate::primitives::record::Kind;
pub use crate::primitives::record::Record;

/// Rows as a parameter of a statement.
#[derive(Clone, Debug)]
pub struct Rows {
    columns: Vec<(Cow<'static, str>, Kind)>,
    json: String,
    count: usize,
    accounts: Accounts,
}

/// The accounts of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accounts {
    None,
    One(i64),
    Several,
}

impl Accounts {
    fn add(&mut self, account: i64) {
        *self = match *self {
            Self::None => Self::One(account),
            Self::One(known) if known == account => Self::One(account),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

impl Rows {
    /// Returns these records as rows.
    pub fn of<R: Record>(records: impl IntoIterator<Item = R>) -> Self {
        let mut columns = Vec::new();
        R::columns(&mut |name, kind| columns.push((name, kind)));
        let mut rows = Self {
            columns,
            json: String::from("["),
            count: 0,
            accounts: Accounts::None,
        };
        for record in records {
            rows.add(&record);
        }
        rows
    }

    fn add(&mut self, record: &impl Record) {
        let Self {
            columns,
            json,
            count,
            accounts,
        } = self;
        json.push_str(if *count == 0 { "{" } else { ",{" });
        *count += 1;
        let mut names = columns.iter();
        record.write(&mut |value| {
            let Some((name, _)) = names.next() else { return };
            if !json.ends_with('{') {
                json.push(',');
            }
            if let Value::BigInt(Some(account)) = value
                && name == "account_id"
            {
                accounts.add(account);
            }
            // Writing to a string does not fail.
            let _ = write!(json, "\"{name}\":");
            push_value(json, &value);
        });
        json.push('}');
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The account of all rows, by their column `account_id`; `None` if there are several accounts, or no such column.
    pub(super) fn account(&self) -> Option<i64> {
        match self.accounts {
            Accounts::One(account) => Some(account),
            Accounts::None | Accounts::Several => None,
        }
    }

    /// Returns the names of the columns, for a list in a statement.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_ref()).collect();
        names.join(", ")
    }

    /// Returns the FROM item `r` whose JSON is the parameter of this number.
    pub fn relation(&self, backend: DbBackend, parameter: usize) -> String {
        relation(&self.columns, backend, parameter)
    }

    /// Returns all rows as one parameter.
    pub fn value(&self) -> Value {
        Value::from(format!("{}]", self.json))
    }

    /// Returns `INSERT INTO table (…) SELECT … FROM r WHERE true`, followed by `conflict`, such as `ON CONFLICT (…) DO UPDATE
    /// SET …`.
    pub fn insert(&self, backend: DbBackend, table: &str, conflict: &str) -> Statement {
        self.statement(backend, self.insert_text(backend, 1, table, conflict))
    }

    /// Returns the statement that inserts these rows into the table of an entity.
    pub fn insert_into<E: EntityTrait>(&self, backend: DbBackend) -> Statement {
        self.statement(backend, self.insert_into_text::<E>(backend, 1))
    }

    /// Returns the statement that inserts these rows into the table of an entity, or replaces in rows with the same primary key
    /// all other columns of the record, where `condition` is empty or ` WHERE …` is met.
    pub fn save<E: EntityTrait>(&self, backend: DbBackend, condition: &str) -> Statement {
        let conflict = self.conflict::<E>(&[]) + condition;
        self.insert(backend, E::default().table_name(), &conflict)
    }

    /// As [`Self::save`], but these columns of a stored row become the value of an expression.
    pub fn save_with<E: EntityTrait>(&self, backend: DbBackend, computed: &[(&str, &str)]) -> Statement {
        self.insert(backend, E::default().table_name(), &self.conflict::<E>(computed))
    }

    /// Returns the text of [`Self::insert_into`], with the rows as the parameter of this number.
    pub(super) fn insert_into_text<E: EntityTrait>(&self, backend: DbBackend, parameter: usize) -> String {
        self.insert_text(backend, parameter, E::default().table_name(), "")
    }

    /// Returns the text of [`Self::save`] without a condition, with the rows as the parameter of this number.
    pub(super) fn save_text<E: EntityTrait>(&self, backend: DbBackend, parameter: usize) -> String {
        self.insert_text(backend, parameter, E::default().table_name(), &self.conflict::<E>(&[]))
    }

    fn insert_text(&self, backend: DbBackend, parameter: usize, table: &str, conflict: &str) -> String {
        let (names, relation) = (self.names(), self.relation(backend, parameter));
        // Without WHERE, SQLite reads ON CONFLICT as the condition of a join.
        format!("INSERT INTO {table} ({names}) SELECT {names} FROM {relation} WHERE true {conflict}")
    }

    fn conflict<E: EntityTrait>(&self, computed: &[(&str, &str)]) -> String {
        let keys: Vec<&'static str> = E::PrimaryKey::iter().map(|key| key.into_column().as_str()).collect();
        let others: Vec<String> = self
            .columns
            .iter()
            .filter(|(name, _)| !keys.contains(&name.as_ref()))
            .map(|(name, _)| match computed.iter().find(|(column, _)| column == name) {
                Some((_, expression)) => format!("{name} = {expression}"),
                None => format!("{name} = excluded.{name}"),
            })
            .collect();
        format!("ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), others.join(", "))
    }

    /// Returns a statement whose only parameter, `$1`, is these rows.
    pub fn statement(&self, backend: DbBackend, sql: impl Into<String>) -> Statement {
        Statement::from_sql_and_values(backend, sql, [self.value()])
    }
}

fn relation(columns: &[(Cow<'static, str>, Kind)], backend: DbBackend, parameter: usize) -> String {
    let list = |item: &dyn Fn(&str, Kind) -> String| {
        let items: Vec<String> = columns.iter().map(|(name, kind)| item(name, *kind)).collect();
        items.join(", ")
    };
    if backend == DbBackend::Sqlite {
        let fields = list(&|name, kind| match kind {
            Kind::Uuid | Kind::Bytes => format!("unhex(json_extract(value, '$.{name}')) AS {name}"),
            _ => format!("json_extract(value, '$.{name}') AS {name}"),
        });
        return format!("(SELECT {fields} FROM json_each(${parameter})) AS r");
    }
    let types = list(&|name, kind| {
        let sql_type = match kind {
            Kind::BigInt => "bigint",
            Kind::Int => "integer",
            Kind::Text | Kind::Bytes => "text",
            Kind::Uuid => "uuid",
            Kind::Bool => "boolean",
        };
        format!("{name} {sql_type}")
    });
    let source = format!("json_to_recordset(CAST(${parameter} AS json))");
    if columns.iter().all(|(_, kind)| *kind != Kind::Bytes) {
        return format!("{source} AS r({types})");
    }
    let fields = list(&|name, kind| match kind {
        Kind::Bytes => format!("decode(j.{name}, 'hex') AS {name}"),
        _ => format!("j.{name}"),
    });
    format!("(SELECT {fields} FROM {source} AS j({types})) AS r")
}

fn push_value(json: &mut String, value: &Value) {
    // Writing to a string does not fail.
    let _ = match value {
        Value::BigInt(Some(number)) => write!(json, "{number}"),
        Value::Int(Some(number)) => write!(json, "{number}"),
        Value::Bool(Some(flag)) => write!(json, "{flag}"),
        Value::String(Some(text)) => write!(json, "{}", serde_json::Value::from(text.as_str())),
        Value::Uuid(Some(uuid)) => write!(json, "\"{}\"", uuid.as_simple()),
        Value::Bytes(Some(bytes)) => write!(json, "\"{}\"", data_encoding::HEXLOWER.encode(bytes)),
        _ => write!(json, "null"),
    };
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
    use uuid::Uuid;

    use super::*;
    use crate::domain::database::server_for_tests::postgres_server;

    #[derive(Default, Record)]
    struct All {
        big: Option<i64>,
        small: Option<i32>,
        words: Option<String>,
        id: Option<Uuid>,
        raw: Option<Vec<u8>>,
        flag: Option<bool>,
    }

    #[derive(Record)]
    struct Target {
        id: Uuid,
        amount: i64,
    }

    type Row = (
        Option<i64>,
        Option<i32>,
        Option<String>,
        Option<Uuid>,
        Option<Vec<u8>>,
        Option<bool>,
    );

    /// SQLite in memory, and the Postgres of this machine if there is one.
    async fn databases() -> Vec<DatabaseConnection> {
        let sqlite = Database::connect("sqlite::memory:").await.expect("in memory");
        let mut databases = vec![sqlite];
        if let Some(server) = postgres_server().await {
            databases.push(Database::connect(server).await.expect("Postgres"));
        }
        databases
    }

    async fn read_back(database: &DatabaseConnection, rows: &Rows) -> Vec<Row> {
        let backend = database.get_database_backend();
        let sql = format!("SELECT {} FROM {}", rows.names(), rows.relation(backend, 1));
        let found = database
            .query_all_raw(rows.statement(backend, sql))
            .await
            .expect("reads");
        found
            .iter()
            .map(|row| row.try_get_many("", &["big", "small", "words", "id", "raw", "flag"].map(String::from)))
            .collect::<Result<_, _>>()
            .expect("types fit")
    }

    #[tokio::test]
    async fn every_value_comes_back_as_it_went() {
        let awkward = "ü \"quoted\" \\ $1 ?1 {} ' -- \u{1f514}\t\n";
        let id = Uuid::from_u128(u128::MAX - 5);
        for database in databases().await {
            let rows = Rows::of([
                All {
                    big: Some(i64::MAX),
                    small: Some(i32::MIN),
                    words: Some(awkward.to_owned()),
                    id: Some(id),
                    raw: Some(vec![0, 255, 39]),
                    flag: Some(true),
                },
                All {
                    big: Some(i64::MIN),
                    small: Some(0),
                    words: Some(String::new()),
                    id: Some(Uuid::nil()),
                    raw: Some(Vec::new()),
                    flag: Some(false),
                },
                All::default(),
            ]);
            assert_eq!(
                read_back(&database, &rows).await,
                [
                    (
                        Some(i64::MAX),
                        Some(i32::MIN),
                        Some(awkward.to_owned()),
                        Some(id),
                        Some(vec![0, 255, 39]),
                        Some(true)
                    ),
                    (
                        Some(i64::MIN),
                        Some(0),
                        Some(String::new()),
                        Some(Uuid::nil()),
                        Some(vec![]),
                        Some(false)
                    ),
                    (None, None, None, None, None, None),
                ]
            );
        }
    }

    #[tokio::test]
    async fn no_rows_are_a_relation_without_rows() {
        for database in databases().await {
            let rows = Rows::of::<All>([]);
            assert!(rows.is_empty());
            assert_eq!(read_back(&database, &rows).await, []);
        }
    }

    #[tokio::test]
    async fn rows_are_inserted_and_those_that_exist_are_changed() {
        for database in databases().await {
            let backend = database.get_database_backend();
            let (uuid, temporary) = if backend == DbBackend::Sqlite {
                ("BLOB", "TEMP")
            } else {
                ("UUID", "TEMPORARY")
            };
            // A temporary table is visible to one connection only, and a transaction stays on one.
            let tx = sea_orm::TransactionTrait::begin(&database).await.expect("begins");
            tx.execute_unprepared(&format!(
                "CREATE {temporary} TABLE bulk_target (id {uuid} PRIMARY KEY, amount BIGINT NOT NULL)"
            ))
            .await
            .expect("creates");
            for amount in [1_i64, 2] {
                let rows = Rows::of((0..300).map(|id| Target {
                    id: Uuid::from_u128(id),
                    amount,
                }));
                assert_eq!(rows.len(), 300);
                let upsert = "ON CONFLICT (id) DO UPDATE SET amount = bulk_target.amount + excluded.amount";
                let done = tx
                    .execute_raw(rows.insert(backend, "bulk_target", upsert))
                    .await
                    .expect("inserts");
                assert_eq!(done.rows_affected(), 300);
            }
            let rows = Rows::of([Target {
                id: Uuid::from_u128(7),
                amount: 40,
            }]);
            let relation = rows.relation(backend, 1);
            let update =
                format!("UPDATE bulk_target SET amount = r.amount FROM {relation} WHERE bulk_target.id = r.id");
            let done = tx.execute_raw(rows.statement(backend, update)).await.expect("updates");
            assert_eq!(done.rows_affected(), 1);
            let sum = Statement::from_string(backend, "SELECT CAST(SUM(amount) AS BIGINT) AS sum FROM bulk_target");
            let sum = tx.query_one_raw(sum).await.expect("reads").expect("a row");
            assert_eq!(sum.try_get::<i64>("", "sum").expect("a number"), 299 * 3 + 40);
        }
    }
}
