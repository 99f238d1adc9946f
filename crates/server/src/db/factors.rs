//! Second factors: the sealed seed, the step used last, the hashes of recovery codes.

use parley_domain::{MemberId, WorkspaceId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::rows::{insert, upsert};
use super::table;
use crate::error::Result;

/// A member's second factor.
#[derive(Clone, Debug, Default)]
pub struct Factor {
    /// Sealed for its place. `None` while the first is being set up.
    pub seed: Option<Vec<u8>>,
    /// The seed of one that is being set up, sealed.
    pub pending: Option<Vec<u8>>,
    /// The step of the code used last; that step and earlier ones are used up.
    pub last_step: i64,
}

/// The member's second factor, locked.
pub async fn find<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, member: MemberId) -> Result<Option<Factor>> {
    let key = (workspace.to_string(), member.to_string());
    Ok(table::second_factor::Entity::find_by_id(key).lock_exclusive().one(txn).await?.map(|row| Factor {
        seed: row.seed,
        pending: row.pending,
        last_step: row.last_step,
    }))
}

/// Writes a second factor; the member has one when `seed` is there.
pub async fn put<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, member: MemberId, factor: Factor) -> Result<()> {
    use table::second_factor::{ActiveModel, Column, Model};
    let has = factor.seed.is_some();
    let row = Model {
        workspace: workspace.to_string(),
        member: member.to_string(),
        seed: factor.seed,
        pending: factor.pending,
        last_step: factor.last_step,
    };
    let update = [Column::Seed, Column::Pending, Column::LastStep];
    upsert::<ActiveModel, _, _, _, _>(txn, vec![row], &[Column::Workspace, Column::Member], &update).await?;
    mark(txn, workspace, member, has).await
}

/// Deletes a second factor with its recovery codes.
pub async fn delete<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, member: MemberId) -> Result<()> {
    let key = (workspace.to_string(), member.to_string());
    table::second_factor::Entity::delete_by_id(key).exec(txn).await?;
    set_codes(txn, workspace, member, Vec::new()).await?;
    mark(txn, workspace, member, false).await
}

async fn mark<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, member: MemberId, has: bool) -> Result<()> {
    use table::member::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::TwoFactor, Expr::value(has))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(member.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Replaces the recovery codes.
pub async fn set_codes<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    hashes: Vec<String>,
) -> Result<()> {
    use table::recovery_code::{ActiveModel, Column, Entity, Model};
    Entity::delete_many()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .exec(txn)
        .await?;
    let rows =
        hashes.into_iter().map(|hash| Model { workspace: workspace.to_string(), member: member.to_string(), hash });
    insert::<ActiveModel, _, _>(txn, rows.collect()).await
}

/// Uses a recovery code up. Whether it was one.
pub async fn spend_code<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    hash: &str,
) -> Result<bool> {
    let key = (workspace.to_string(), member.to_string(), hash.to_owned());
    Ok(table::recovery_code::Entity::delete_by_id(key).exec(txn).await?.rows_affected == 1)
}

/// How many recovery codes are left.
pub async fn codes_left<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId, member: MemberId) -> Result<u64> {
    use table::recovery_code::{Column, Entity};
    Ok(Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .count(connection)
        .await?)
}
