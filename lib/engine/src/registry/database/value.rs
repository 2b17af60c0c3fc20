//! Values that go into statements, and rows that come out of them, of whichever database.

use std::borrow::Cow;
use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::registry::{RegistryError, Result};

/// The values of a statement, in the order of their numbers.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$(crate::registry::database::value::Value::from($value)),*]
    };
}

/// A value of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::registry) enum Value<'a> {
    /// None.
    Null,
    /// A number.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u8> for Value<'_> {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value.as_str().into())
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value.into())
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Blob(value.as_slice().into())
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Blob(value.as_slice().into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Flag(value) => ValueRef::Integer((*value).into()),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

/// The kinds of values that columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Kind {
    /// A number.
    Int,
    /// Yes or no.
    Flag,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

/// A table, as both databases show it.
#[derive(Debug)]
pub(in crate::registry) struct Table {
    /// Its name.
    pub(in crate::registry) name: &'static str,
    /// Its columns.
    pub(in crate::registry) columns: &'static [(&'static str, Kind)],
    /// What its rows are sorted by.
    pub(in crate::registry) order: &'static str,
}

/// A row that a statement has selected.
#[derive(Debug)]
pub(in crate::registry) struct Fetched<'a> {
    name: &'a Path,
    row: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    #[cfg(feature = "postgres")]
    Postgres(&'a postgres::Row),
}

impl<'a> Fetched<'a> {
    /// One of SQLite.
    pub(super) fn sqlite(row: &'a rusqlite::Row<'_>, name: &'a Path) -> Self {
        Self { name, row: Source::Sqlite(row) }
    }

    /// One of PostgreSQL.
    #[cfg(feature = "postgres")]
    pub(super) fn postgres(row: &'a postgres::Row, name: &'a Path) -> Self {
        Self { name, row: Source::Postgres(row) }
    }

    /// The value of a column, counted from 0.
    pub(in crate::registry) fn get<T: Column>(&self, column: usize) -> Result<T> {
        T::read(self, column)
    }

    /// The text of a column.
    pub(in crate::registry) fn text(&self, column: usize) -> Result<&'a str> {
        self.text_or_null(column)?.ok_or_else(|| self.strange(column))
    }

    /// The text of a column that can be empty.
    pub(in crate::registry) fn text_or_null(&self, column: usize) -> Result<Option<&'a str>> {
        let text = match self.row {
            Source::Sqlite(row) => {
                row.get_ref(column).ok().and_then(|value| value.as_str_or_null().ok())
            }
            #[cfg(feature = "postgres")]
            Source::Postgres(row) => row.try_get(column).ok(),
        };
        text.ok_or_else(|| self.strange(column))
    }

    /// The bytes of a column.
    pub(in crate::registry) fn blob(&self, column: usize) -> Result<&'a [u8]> {
        let blob = match self.row {
            Source::Sqlite(row) => row.get_ref(column).ok().and_then(|value| value.as_blob().ok()),
            #[cfg(feature = "postgres")]
            Source::Postgres(row) => row.try_get(column).ok(),
        };
        blob.ok_or_else(|| self.strange(column))
    }

    /// The value of a column of that kind, of its own.
    pub(in crate::registry) fn value(&self, column: usize, kind: Kind) -> Result<Value<'static>> {
        Ok(match kind {
            Kind::Int => self.int_or_null(column)?.into(),
            Kind::Flag => Value::Flag(self.flag(column)?),
            Kind::Text => self.text_or_null(column)?.map(str::to_owned).into(),
            Kind::Blob => Value::Blob(self.blob(column)?.to_vec().into()),
        })
    }

    fn int_or_null(&self, column: usize) -> Result<Option<i64>> {
        let int = match self.row {
            Source::Sqlite(row) => {
                row.get_ref(column).ok().and_then(|value| value.as_i64_or_null().ok())
            }
            #[cfg(feature = "postgres")]
            Source::Postgres(row) => row.try_get(column).ok(),
        };
        int.ok_or_else(|| self.strange(column))
    }

    fn flag(&self, column: usize) -> Result<bool> {
        match self.row {
            Source::Sqlite(_) => self.get::<i64>(column).map(|value| value != 0),
            #[cfg(feature = "postgres")]
            Source::Postgres(row) => row.try_get(column).map_err(|_| self.strange(column)),
        }
    }

    /// That a column is not what the schema says: somebody else has written it.
    pub(in crate::registry) fn strange(&self, column: usize) -> RegistryError {
        let reason = format!("the column {column} of a row has an unexpected value");
        RegistryError::damaged(self.name, reason)
    }
}

/// What a column can be read as.
pub(in crate::registry) trait Column: Sized {
    /// Reads it.
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self>;
}

impl Column for i64 {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        row.int_or_null(column)?.ok_or_else(|| row.strange(column))
    }
}

impl Column for Option<i64> {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        row.int_or_null(column)
    }
}

impl Column for u8 {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        u8::try_from(row.get::<i64>(column)?).map_err(|_| row.strange(column))
    }
}

impl Column for Option<u8> {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        let value = row.int_or_null(column)?;
        value.map(|value| u8::try_from(value).map_err(|_| row.strange(column))).transpose()
    }
}

impl Column for bool {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        row.flag(column)
    }
}

impl Column for String {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        row.text(column).map(str::to_owned)
    }
}

impl Column for Option<String> {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        Ok(row.text_or_null(column)?.map(str::to_owned))
    }
}

impl Column for Vec<u8> {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        row.blob(column).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(row: &Fetched<'_>, column: usize) -> Result<Self> {
        Self::try_from(row.blob(column)?).map_err(|_| row.strange(column))
    }
}
