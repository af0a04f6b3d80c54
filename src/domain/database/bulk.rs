//! Many rows as one parameter, so that a statement's text is the same whatever their number.
//!
//! Rows travel as one JSON text. The database takes it apart again into a relation named `r` with properly typed columns, which
//! stands in a FROM clause: `INSERT INTO t (…) SELECT … FROM <relation>`, `UPDATE t SET … FROM <relation> WHERE …`, or a join
//! instead of a list of ids. One text a purpose means that it is prepared once a connection, and is short.

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
    /// Nothing.
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

/// Rows on their way into a statement.
#[derive(Clone, Debug)]
pub struct Rows {
    columns: Columns,
    json: String,
    count: usize,
}

impl Rows {
    /// No rows yet.
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

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The names of the columns, for a list in a statement.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// The FROM item `r` whose JSON is the parameter of this number.
    pub fn relation(&self, backend: DbBackend, parameter: usize) -> String {
        relation(self.columns, backend, parameter)
    }

    /// The parameter: all rows.
    pub fn value(&self) -> Value {
        Value::from(format!("{}]", self.json))
    }

    /// `INSERT INTO table (…) SELECT … FROM r WHERE true` and what `conflict` adds, such as `ON CONFLICT (…) DO UPDATE SET …`.
    pub fn insert(&self, backend: DbBackend, table: &str, conflict: &str) -> Statement {
        let (names, relation) = (self.names(), self.relation(backend, 1));
        // Without WHERE, SQLite reads ON CONFLICT as the condition of a join.
        let sql = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {relation} WHERE true {conflict}");
        self.statement(backend, sql)
    }

    /// A statement whose only parameter, `$1`, are these rows.
    pub fn statement(&self, backend: DbBackend, sql: impl Into<String>) -> Statement {
        Statement::from_sql_and_values(backend, sql, [self.value()])
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
