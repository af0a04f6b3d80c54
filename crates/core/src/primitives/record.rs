//! Rows of tables as structs: the columns follow from the fields. Behind the feature `sea-orm`.
//!
//! [`Record`] lists a struct's columns and writes their values. [`FromRow`] reads them back, one after the other, from a row
//! whose columns were selected by that list. So no second list of columns exists. Both are derived; values are those that the
//! ORM stores, so a type says once how it is stored.

use std::borrow::Cow;
use std::str::FromStr;

pub use record_derive::{FromRow, Record};
use sea_orm::sea_query::{ColumnType, ValueType};
use sea_orm::{DbErr, QueryResult, TryGetable};
pub use sea_orm::{TryGetError, Value};

use super::actor::Cause;
use super::credits::Credits;
use super::ids::{AccountId, RecipientId};
use super::local_time::LocalTime;
use super::money::{Currency, Money};
use super::timestamp::Timestamp;

#[doc(hidden)]
pub use sea_orm as orm;

/// Has the ORM store a value as another one: how it is written, and how it is read.
#[doc(hidden)]
#[macro_export]
macro_rules! stored {
    ($name:ty, $raw:ty, $write:expr, $read:expr) => {
        impl From<$name> for $crate::primitives::record::Value {
            fn from(value: $name) -> Self {
                $write(value).into()
            }
        }

        impl $crate::primitives::record::orm::TryGetable for $name {
            fn try_get_by<I: $crate::primitives::record::orm::ColIdx>(
                row: &$crate::primitives::record::orm::QueryResult,
                index: I,
            ) -> Result<Self, $crate::primitives::record::TryGetError> {
                let raw = <$raw as $crate::primitives::record::orm::TryGetable>::try_get_by(row, index)?;
                $read(raw)
            }
        }

        impl $crate::primitives::record::orm::sea_query::ValueType for $name {
            fn try_from(
                value: $crate::primitives::record::Value,
            ) -> Result<Self, $crate::primitives::record::orm::sea_query::ValueTypeErr> {
                let raw = <$raw as $crate::primitives::record::orm::sea_query::ValueType>::try_from(value)?;
                $read(raw).map_err(|_: $crate::primitives::record::TryGetError| {
                    $crate::primitives::record::orm::sea_query::ValueTypeErr
                })
            }

            fn type_name() -> String {
                stringify!($name).to_owned()
            }

            fn array_type() -> $crate::primitives::record::orm::sea_query::ArrayType {
                <$raw as $crate::primitives::record::orm::sea_query::ValueType>::array_type()
            }

            fn column_type() -> $crate::primitives::record::orm::sea_query::ColumnType {
                <$raw as $crate::primitives::record::orm::sea_query::ValueType>::column_type()
            }
        }

        impl $crate::primitives::record::orm::sea_query::Nullable for $name {
            fn null() -> $crate::primitives::record::Value {
                <$raw as $crate::primitives::record::orm::sea_query::Nullable>::null()
            }
        }
    };
}

crate::stored!(AccountId, i64, AccountId::number, |number| Ok(AccountId::from_number(
    number
)));
crate::stored!(Credits, i64, Credits::units, |units| Ok(Credits::from_units(units)));
crate::stored!(
    LocalTime,
    i32,
    |time: LocalTime| i32::from(time.minutes()),
    |minutes: i32| LocalTime::from_minutes(minutes).ok_or_else(|| unreadable(&minutes.to_string()))
);
crate::stored!(Timestamp, i64, Timestamp::millis, |millis| Ok(Timestamp::from_millis(
    millis
)));

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

impl Kind {
    /// The type of the column in which a value is stored.
    ///
    /// # Panics
    /// If no table has columns of this type.
    pub fn of<T: ValueType>() -> Self {
        match T::column_type() {
            ColumnType::BigInteger => Self::BigInt,
            ColumnType::Integer => Self::Int,
            ColumnType::String(_) | ColumnType::Text => Self::Text,
            ColumnType::Uuid => Self::Uuid,
            ColumnType::Boolean => Self::Bool,
            ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob => Self::Bytes,
            other => unreachable!("no table has a column of the type {other:?}"),
        }
    }

    const fn null(self) -> Value {
        match self {
            Self::BigInt => Value::BigInt(None),
            Self::Int => Value::Int(None),
            Self::Text => Value::String(None),
            Self::Uuid => Value::Uuid(None),
            Self::Bytes => Value::Bytes(None),
            Self::Bool => Value::Bool(None),
        }
    }
}

/// A struct whose fields are columns.
pub trait Record {
    /// Passes each column to `add`, in order.
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind));

    /// Passes the value of each column to `add`, in the same order.
    fn write(&self, add: &mut dyn FnMut(Value));
}

/// A struct that is read from the columns of a row, in their order.
pub trait FromRow: Sized {
    /// Reads the next columns.
    ///
    /// # Errors
    /// A column is missing or has another type. A value is null or unknown.
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError>;

    /// Reads a row that begins with these columns.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn from_row(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self::read(&mut Fields::of(row))?)
    }
}

/// Returns the columns of a record for a SELECT list: `id, kind`.
pub fn column_list<R: Record>() -> String {
    listed::<R>("")
}

/// Returns the columns of a record in a table with this alias: `t.id, t.kind`.
pub fn columns_of<R: Record>(alias: &str) -> String {
    listed::<R>(&format!("{alias}."))
}

fn listed<R: Record>(before: &str) -> String {
    let mut list = String::new();
    R::columns(&mut |name, _| {
        list.push_str(if list.is_empty() { "" } else { ", " });
        list.push_str(before);
        list.push_str(&name);
    });
    list
}

/// The columns of a row that were not read yet.
#[derive(Debug)]
pub struct Fields<'r> {
    row: &'r QueryResult,
    at: usize,
}

impl<'r> Fields<'r> {
    /// Begins with the first column of a row.
    pub const fn of(row: &'r QueryResult) -> Self {
        Self { row, at: 0 }
    }

    /// Reads the next column.
    ///
    /// # Errors
    /// As [`FromRow::read`].
    #[allow(clippy::should_implement_trait, reason = "each call chooses the type of its value")]
    pub fn next<T: TryGetable>(&mut self) -> Result<T, TryGetError> {
        self.at += 1;
        T::try_get_by_index(self.row, self.at - 1)
    }

    /// Reads the next column as an array of bytes.
    ///
    /// # Errors
    /// As [`FromRow::read`], and for another number of bytes.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], TryGetError> {
        let bytes: Vec<u8> = self.next()?;
        let length = bytes.len();
        bytes
            .try_into()
            .map_err(|_| unreadable(&format!("{length} bytes in place of {N}")))
    }

    /// Reads the next column as a text with a form of its own.
    ///
    /// # Errors
    /// As [`FromRow::read`], and for a text that has not that form.
    pub fn text<T: FromStr>(&mut self) -> Result<T, TryGetError> {
        let text: String = self.next()?;
        text.parse().map_err(|_| unreadable(&text))
    }
}

/// The error of a value that this program never writes.
pub fn unreadable(value: &str) -> TryGetError {
    TryGetError::DbErr(DbErr::Type(format!("the unknown value {value:?} in the database")))
}

impl<R: Record> Record for &R {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        R::columns(add);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        R::write(self, add);
    }
}

/// A row of an account, where the struct does not name the account.
impl<R: Record> Record for (AccountId, R) {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        add("account_id".into(), Kind::BigInt);
        R::columns(add);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        add(self.0.into());
        self.1.write(add);
    }
}

impl<R: FromRow> FromRow for (AccountId, R) {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        Ok((fields.next()?, R::read(fields)?))
    }
}

/// All columns are null where there is none.
impl<R: Record> Record for Option<R> {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        R::columns(add);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        match self {
            Some(record) => record.write(add),
            None => R::columns(&mut |_, kind| add(kind.null())),
        }
    }
}

/// `None` where a column is null that no record leaves empty: the other side of a LEFT JOIN.
impl<R: Record + FromRow> FromRow for Option<R> {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        let mut end = fields.at;
        R::columns(&mut |_, _| end += 1);
        let record = R::read(fields);
        fields.at = end;
        match record {
            Ok(record) => Ok(Some(record)),
            Err(TryGetError::Null(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A field gives the prefix: `actor_kind`, `actor_key_id`, `actor_member_id`.
impl Record for Cause {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        add("kind".into(), Kind::Text);
        add("key_id".into(), Kind::Uuid);
        add("member_id".into(), Kind::Uuid);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        let (kind, key, member) = Self::columns(*self);
        add(kind.into());
        add(key.into());
        add(member.into());
    }
}

impl FromRow for Cause {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        let kind: String = fields.next()?;
        Self::from_columns(&kind, fields.next()?, fields.next()?).ok_or_else(|| unreadable(&kind))
    }
}

/// A field gives the prefix: `recipient_kind`, `recipient_id`.
impl Record for RecipientId {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        add("kind".into(), Kind::Text);
        add("id".into(), Kind::Uuid);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        add(self.kind().into());
        add(self.uuid().into());
    }
}

impl FromRow for RecipientId {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        let kind: String = fields.next()?;
        Self::from_columns(&kind, fields.next()?).ok_or_else(|| unreadable(&kind))
    }
}

/// A price.
impl Record for Money {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        add("price_minor".into(), Kind::BigInt);
        add("currency".into(), Kind::Text);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        add(self.minor.into());
        add(self.currency.code().into());
    }
}

impl FromRow for Money {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        let minor = fields.next()?;
        let currency: Currency = fields.text()?;
        Ok(Self { minor, currency })
    }
}
