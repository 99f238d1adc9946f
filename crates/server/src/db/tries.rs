//! Wrong tries to sign in, counted per subject: the keyed hash of an e-mail address or of a network address.

use parley_domain::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect};

use super::rows::{count, upsert};
use super::table;
use crate::error::{Error, Result};

/// What is counted of a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tries {
    pub wrong: u64,
    /// When the last one was.
    pub at: Timestamp,
}

/// The tries of a subject, locked.
pub async fn lock<C: ConnectionTrait>(txn: &C, subject: &str) -> Result<Tries> {
    use table::sign_in_try::{ActiveModel, Column, Entity, Model};
    // A row that is not there cannot be locked, and two who count at once would count one.
    let none = Model { subject: subject.to_owned(), wrong: 0, at: 0 };
    upsert::<ActiveModel, _, _, _, _>(txn, vec![none], &[Column::Subject], &[Column::Subject]).await?;
    let row = Entity::find_by_id(subject.to_owned()).lock_exclusive().one(txn).await?;
    let row = row.ok_or(Error::Damaged("sign_in_try"))?;
    Ok(Tries { wrong: count(row.wrong), at: Timestamp(row.at) })
}

/// Writes the tries of a subject.
pub async fn set<C: ConnectionTrait>(txn: &C, subject: &str, wrong: i64, at: Timestamp) -> Result<()> {
    use table::sign_in_try::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Wrong, Expr::value(wrong))
        .col_expr(Column::At, Expr::value(at.0))
        .filter(Column::Subject.eq(subject))
        .exec(txn)
        .await?;
    Ok(())
}

/// Takes one try of a subject back.
pub async fn give_back<C: ConnectionTrait>(txn: &C, subject: &str) -> Result<()> {
    use table::sign_in_try::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Wrong, Expr::col(Column::Wrong).sub(1i64))
        .filter(Column::Subject.eq(subject))
        .filter(Column::Wrong.gt(0i64))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets a subject.
pub async fn forget<C: ConnectionTrait>(txn: &C, subject: &str) -> Result<()> {
    table::sign_in_try::Entity::delete_by_id(subject.to_owned()).exec(txn).await?;
    Ok(())
}

/// Forgets whatever was tried last before a time.
pub async fn expire<C: ConnectionTrait>(txn: &C, before: Timestamp) -> Result<()> {
    use table::sign_in_try::{Column, Entity};
    Entity::delete_many().filter(Column::At.lt(before.0)).exec(txn).await?;
    Ok(())
}
