//! Every table as lines of values, and back: the same on every database, so that a backup of one opens on the other.

use futures_util::TryStreamExt;
use sea_orm::sea_query::{Alias, Expr, Query};
use sea_orm::{ConnectionTrait, QueryResult, StreamTrait};
use serde_json::Value;

use super::schema::{self, Form};
use super::{Db, Txn, table};
use crate::error::{Error, Result};

/// Values in one statement at most.
const STATEMENT_VALUES: usize = 4_000;

/// A table as the schema has it.
#[derive(Clone, Debug)]
pub struct Shape {
    pub table: &'static str,
    pub columns: Vec<&'static str>,
    forms: Vec<Form>,
}

/// Every table, parents before children.
pub fn shapes() -> Vec<Shape> {
    schema::tables()
        .into_iter()
        .map(|(table, columns)| {
            let (columns, forms) = columns.into_iter().unzip();
            Shape { table, columns, forms }
        })
        .collect()
}

/// Hands every row of the table to `take`, in one pass.
pub async fn read(txn: &Txn, shape: &Shape, mut take: impl FnMut(Vec<Value>) -> Result<()>) -> Result<u64> {
    let mut query = Query::select();
    query.from(Alias::new(shape.table)).columns(shape.columns.iter().map(|name| Alias::new(*name)));
    let mut rows = txn.stream(&query).await?;
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        let values = shape.forms.iter().enumerate().map(|(place, form)| value(&row, place, *form));
        take(values.collect::<Result<_>>()?)?;
        count += 1;
    }
    Ok(count)
}

fn value(row: &QueryResult, place: usize, form: Form) -> Result<Value> {
    Ok(match form {
        Form::Text => row.try_get_by_index::<Option<String>>(place)?.map_or(Value::Null, Value::String),
        Form::Whole => row.try_get_by_index::<Option<i64>>(place)?.map_or(Value::Null, Value::from),
        Form::Flag => row.try_get_by_index::<Option<bool>>(place)?.map_or(Value::Null, Value::Bool),
        Form::Bytes => row
            .try_get_by_index::<Option<Vec<u8>>>(place)?
            .map_or(Value::Null, |bytes| Value::String(hex::encode(bytes))),
    })
}

/// Inserts rows whose values are those of `columns`.
pub async fn write(txn: &Txn, shape: &Shape, columns: &[String], rows: Vec<Vec<Value>>) -> Result<()> {
    let forms: Vec<(Alias, Form)> = columns
        .iter()
        .map(|name| {
            let place = shape.columns.iter().position(|known| known == name);
            let form = place.and_then(|place| shape.forms.get(place)).ok_or(Error::Damaged("backup"))?;
            Ok((Alias::new(name), *form))
        })
        .collect::<Result<_>>()?;
    for part in rows.chunks((STATEMENT_VALUES / forms.len().max(1)).max(1)) {
        let mut insert = Query::insert();
        insert.into_table(Alias::new(shape.table)).columns(forms.iter().map(|(name, _)| name.clone()));
        for row in part {
            if row.len() != forms.len() {
                return Err(Error::Damaged("backup"));
            }
            let values =
                row.iter().zip(&forms).map(|(value, (_, form))| bound(value, *form)).collect::<Result<Vec<_>>>()?;
            insert.values(values).map_err(|_| Error::Damaged("backup"))?;
        }
        txn.execute(&insert).await?;
    }
    Ok(())
}

fn bound(value: &Value, form: Form) -> Result<Expr> {
    let damaged = || Error::Damaged("backup");
    Ok(match (form, value) {
        (Form::Text, Value::Null) => Expr::value(None::<String>),
        (Form::Whole, Value::Null) => Expr::value(None::<i64>),
        (Form::Flag, Value::Null) => Expr::value(None::<bool>),
        (Form::Bytes, Value::Null) => Expr::value(None::<Vec<u8>>),
        (Form::Text, Value::String(text)) => Expr::value(text.clone()),
        (Form::Whole, Value::Number(number)) => Expr::value(number.as_i64().ok_or_else(damaged)?),
        (Form::Flag, Value::Bool(flag)) => Expr::value(*flag),
        (Form::Bytes, Value::String(text)) => Expr::value(hex::decode(text).map_err(|_| damaged())?),
        _ => return Err(damaged()),
    })
}

/// Whether the database has no workspace yet.
pub async fn is_empty(db: &Db) -> Result<bool> {
    use sea_orm::EntityTrait;
    Ok(table::workspace::Entity::find().one(db.reader()).await?.is_none())
}

/// Gives the workspace another lineage.
pub async fn set_lineage(txn: &Txn, workspace: parley_domain::WorkspaceId, lineage: &str) -> Result<()> {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    use table::workspace::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Lineage, Expr::value(lineage))
        .filter(Column::Id.eq(workspace.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}
