//! Tables and their rows, as the text of COPY: a line for each row, with tabs between its values.

use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::CopyError;

/// A table of the target.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// In the order of their numbers.
    pub(super) columns: Vec<Column>,
    /// The columns of the primary key: their positions in it, by which they are sorted, and in `columns`.
    pub(super) key: Vec<(i32, usize)>,
}

/// A column of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// The type of a column of Postgres. The migrations use no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    BigInt,
    Boolean,
    Text,
    Uuid,
    Bytes,
}

impl Kind {
    /// Parses the name by which Postgres shows the type.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "integer" => Self::Integer,
            "bigint" => Self::BigInt,
            "boolean" => Self::Boolean,
            "text" => Self::Text,
            "uuid" => Self::Uuid,
            "bytea" => Self::Bytes,
            _ => return None,
        })
    }
}

impl Table {
    /// Returns the names of all columns, quoted.
    pub(super) fn column_list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }

    /// Returns the key as an order. `bytewise` is added to texts.
    pub(super) fn order(&self, bytewise: &str) -> String {
        let columns = self.key.iter().map(|(_, at)| &self.columns[*at]);
        let names = columns.map(|column| match column.kind {
            Kind::Text => format!("{}{bytewise}", quoted(&column.name)),
            _ => quoted(&column.name),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn differs(&self, row: u64) -> CopyError {
        CopyError::Differs {
            table: self.name.clone(),
            row,
        }
    }

    /// Writes a row of SQLite, whose values are in the order of the columns, as a line into `line`, exactly as Postgres writes it. `number` is
    /// that of the row.
    pub(super) fn write_line(&self, row: &SqliteRow, number: u64, line: &mut Vec<u8>) -> Result<(), CopyError> {
        line.clear();
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                line.push(b'\t');
            }
            write_value(row, at, column.kind, line).map_err(|problem| CopyError::Value {
                table: self.name.clone(),
                row: number,
                column: column.name.clone(),
                problem,
            })?;
        }
        line.push(b'\n');
        Ok(())
    }
}

/// Quotes the name of a table or column, which are the same in both databases.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQLite stores values of any type in any column, so each value is checked.
fn write_value(row: &SqliteRow, at: usize, kind: Kind, line: &mut Vec<u8>) -> Result<(), &'static str> {
    const UNREADABLE: &str = "the value cannot be read";
    let value = row.try_get_raw(at).map_err(|_| UNREADABLE)?;
    if value.is_null() {
        line.extend_from_slice(b"\\N");
        return Ok(());
    }
    let stored = value.type_info();
    match (kind, stored.name()) {
        (Kind::BigInt, "INTEGER") => {
            let number: i64 = row.try_get_unchecked(at).map_err(|_| UNREADABLE)?;
            line.extend_from_slice(number.to_string().as_bytes());
        }
        (Kind::Integer, "INTEGER") => {
            let number: i64 = row.try_get_unchecked(at).map_err(|_| UNREADABLE)?;
            let number = i32::try_from(number).map_err(|_| "the number has more than 32 bits")?;
            line.extend_from_slice(number.to_string().as_bytes());
        }
        (Kind::Boolean, "INTEGER") => match row.try_get_unchecked::<i64, _>(at).map_err(|_| UNREADABLE)? {
            0 => line.push(b'f'),
            1 => line.push(b't'),
            _ => return Err("the value is neither 0 nor 1"),
        },
        (Kind::Text, "TEXT") => {
            let text: &str = row.try_get_unchecked(at).map_err(|_| "the text is not valid UTF-8")?;
            if text.contains('\0') {
                return Err("the text contains the character 0, which Postgres does not store");
            }
            write_escaped(text.as_bytes(), line);
        }
        (Kind::Uuid, "BLOB") => {
            let bytes: &[u8] = row.try_get_unchecked(at).map_err(|_| UNREADABLE)?;
            let uuid = Uuid::from_slice(bytes).map_err(|_| "the value has not the 16 bytes of a UUID")?;
            line.extend_from_slice(uuid.hyphenated().to_string().as_bytes());
        }
        (Kind::Bytes, "BLOB") => {
            let bytes: &[u8] = row.try_get_unchecked(at).map_err(|_| UNREADABLE)?;
            line.extend_from_slice(b"\\\\x");
            line.extend_from_slice(data_encoding::HEXLOWER.encode(bytes).as_bytes());
        }
        _ => return Err("the value has another type than the column"),
    }
    Ok(())
}

/// Escapes what Postgres escapes in the text of COPY.
fn write_escaped(text: &[u8], line: &mut Vec<u8>) {
    for byte in text {
        let escaped = match byte {
            b'\\' => b'\\',
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            other => {
                line.push(*other);
                continue;
            }
        };
        line.extend_from_slice(&[b'\\', escaped]);
    }
}
