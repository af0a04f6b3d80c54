//! Many rows as one parameter, so that a statement's text is the same whatever their number.
//!
//! The rows are sent as one JSON text. The database turns it into a relation named `r` with typed columns, which is used in a
//! FROM clause: `INSERT INTO t (…) SELECT … FROM <relation>`, `UPDATE t SET … FROM <relation> WHERE …`, or a join instead of a
//! list of ids. So each purpose has one short text, which each connection prepares once.

use std::fmt::Write as _;

use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit integer.
    BigInt,
    /// 32-bit integer.
    Int,
    /// Text.
    Text,
    /// UUID.
    Uuid,
    /// Bytes.
    Bytes,
    /// True or false.
    Bool,
}

/// The columns of a set of rows: name and type. Names are written into statements, so they are constants.
pub type Columns = &'static [(&'static str, Kind)];

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// For [`Kind::BigInt`] and [`Kind::Int`].
    Integer(i64),
    /// For [`Kind::Text`].
    Text(&'a str),
    /// For [`Kind::Uuid`].
    Uuid(Uuid),
    /// For [`Kind::Bytes`].
    Bytes(&'a [u8]),
    /// For [`Kind::Bool`].
    Bool(bool),
}

/// Rows as a parameter of a statement.
#[derive(Clone, Debug)]
pub struct Rows {
    columns: Columns,
    json: String,
    count: usize,
}

impl Rows {
    /// Creates an empty set of rows.
    pub fn new(columns: Columns) -> Self {
        Self {
            columns,
            json: String::from("["),
            count: 0,
        }
    }

    /// Adds a row: one cell for each column, in order.
    pub fn push<const N: usize>(&mut self, cells: [Cell<'_>; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.json.push_str(if self.count == 0 { "{" } else { ",{" });
        self.count += 1;
        for (at, ((name, _), cell)) in self.columns.iter().zip(cells).enumerate() {
            if at > 0 {
                self.json.push(',');
            }
            // Writing to a string does not fail.
            let _ = write!(self.json, "\"{name}\":");
            match cell {
                Cell::Null => self.json.push_str("null"),
                Cell::Integer(number) => {
                    let _ = write!(self.json, "{number}");
                }
                Cell::Bool(flag) => self.json.push_str(if flag { "true" } else { "false" }),
                Cell::Text(text) => self.json.push_str(&serde_json::Value::from(text).to_string()),
                Cell::Uuid(uuid) => {
                    let _ = write!(self.json, "\"{}\"", uuid.as_simple());
                }
                Cell::Bytes(bytes) => {
                    self.json.push('"');
                    data_encoding::HEXLOWER.encode_append(bytes, &mut self.json);
                    self.json.push('"');
                }
            }
        }
        self.json.push('}');
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the names of the columns, for a list in a statement.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// Returns the FROM item `r` whose JSON is the parameter of this number.
    pub fn relation(&self, backend: DbBackend, parameter: usize) -> String {
        relation(self.columns, backend, parameter)
    }

    /// Returns all rows as one parameter.
    pub fn value(&self) -> Value {
        Value::from(format!("{}]", self.json))
    }

    /// Returns `INSERT INTO table (…) SELECT … FROM r WHERE true`, followed by `conflict`, such as `ON CONFLICT (…) DO UPDATE
    /// SET …`.
    pub fn insert(&self, backend: DbBackend, table: &str, conflict: &str) -> Statement {
        let (names, relation) = (self.names(), self.relation(backend, 1));
        // Without WHERE, SQLite reads ON CONFLICT as the condition of a join.
        let sql = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {relation} WHERE true {conflict}");
        self.statement(backend, sql)
    }

    /// Returns a statement whose only parameter, `$1`, is these rows.
    pub fn statement(&self, backend: DbBackend, sql: impl Into<String>) -> Statement {
        Statement::from_sql_and_values(backend, sql, [self.value()])
    }
}

/// Joins the rows of the relation `r` to those of `table`, as `t`, that are of the same account and meet `condition`: by an index,
/// row by row.
///
/// On Postgres the join is a subquery that it may not flatten. Otherwise it plans these statements once, while the tables are
/// small, as a hash join over all their rows. It keeps that plan until the tables are analyzed.
pub fn probe(backend: DbBackend, table: &str, condition: &str) -> String {
    if backend == DbBackend::Sqlite {
        format!("CROSS JOIN {table} AS t ON t.account_id = r.account_id{condition}")
    } else {
        format!(
            "CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.account_id = r.account_id{condition} OFFSET 0) AS t"
        )
    }
}

fn relation(columns: Columns, backend: DbBackend, parameter: usize) -> String {
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

macro_rules! cells {
    ($($from:ty => $variant:ident;)*) => {$(
        impl<'a> From<$from> for Cell<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

cells! {
    i64 => Integer;
    i32 => Integer;
    &'a str => Text;
    Uuid => Uuid;
    &'a [u8] => Bytes;
    bool => Bool;
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Cell<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

    use super::*;
    use crate::domain::database::server_for_tests::postgres_server;

    const ALL: Columns = &[
        ("big", Kind::BigInt),
        ("small", Kind::Int),
        ("words", Kind::Text),
        ("id", Kind::Uuid),
        ("raw", Kind::Bytes),
        ("flag", Kind::Bool),
    ];

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
            let mut rows = Rows::new(ALL);
            rows.push([
                i64::MAX.into(),
                i32::MIN.into(),
                awkward.into(),
                id.into(),
                (&[0_u8, 255, 39]).into(),
                true.into(),
            ]);
            rows.push([
                i64::MIN.into(),
                0.into(),
                "".into(),
                Uuid::nil().into(),
                (&[]).into(),
                false.into(),
            ]);
            rows.push([Cell::Null; 6]);
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
            let rows = Rows::new(ALL);
            assert!(rows.is_empty());
            assert_eq!(read_back(&database, &rows).await, []);
        }
    }

    #[tokio::test]
    async fn rows_are_inserted_and_those_that_exist_are_changed() {
        const COLUMNS: Columns = &[("id", Kind::Uuid), ("amount", Kind::BigInt)];
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
                let mut rows = Rows::new(COLUMNS);
                for id in 0..300_u128 {
                    rows.push([Uuid::from_u128(id).into(), amount.into()]);
                }
                assert_eq!(rows.len(), 300);
                let upsert = "ON CONFLICT (id) DO UPDATE SET amount = bulk_target.amount + excluded.amount";
                let done = tx
                    .execute_raw(rows.insert(backend, "bulk_target", upsert))
                    .await
                    .expect("inserts");
                assert_eq!(done.rows_affected(), 300);
            }
            let mut rows = Rows::new(COLUMNS);
            rows.push([Uuid::from_u128(7).into(), 40_i64.into()]);
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
