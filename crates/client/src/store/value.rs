//! How domain values stand in columns: ids as 16 bytes, enums by their text form, times as milliseconds.

use parley_domain::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{Error, Result};

/// An id of any kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub Uuid);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// An id to bind.
pub fn id(value: impl Into<Uuid>) -> Id {
    Id(value.into())
}

/// An id to bind, or NULL.
pub fn maybe(value: Option<impl Into<Uuid>>) -> Option<Id> {
    value.map(|value| Id(value.into()))
}

/// A time to bind, or NULL.
pub fn at(value: Option<Timestamp>) -> Option<i64> {
    value.map(|time| time.0)
}

/// The text form of an enum.
pub fn word<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(text) => Ok(text),
        _ => Err(Error::Value("enum")),
    }
}

/// The enum with that text form.
pub fn parse<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text))
        .map_err(|_| Error::Value(column))
}
