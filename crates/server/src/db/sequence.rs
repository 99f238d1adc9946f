//! The order of changes: each workspace has one counter, taken in blocks, last thing before the rows are written.
//!
//! Promise: readers never see a hole. The counter's row stays locked from [`take`] to the commit, so blocks become visible in
//! their order. `change` holds one row per entity, moved forward on each change.

use std::collections::BTreeSet;

use parley_domain::entity::{Entity, Key, Kind, Root};
use parley_domain::{InboxId, Timestamp, WorkspaceId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect};

use super::rows::{self, Written, count, whole};
use super::table;
use crate::error::{Error, Result};

/// Numbers that belong to this transaction.
#[derive(Debug)]
pub struct Block {
    next: u64,
    next_order: u64,
}

impl Block {
    /// The next `seq`.
    pub fn seq(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// The `seq` that comes next, without taking it.
    pub fn peek(&self) -> u64 {
        self.next
    }

    /// The next order number.
    pub fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order - 1
    }
}

/// What became visible with a commit; decides who is poked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    pub workspace: WorkspaceId,
    /// The workspace's counter.
    pub seq: u64,
    /// Inboxes in which something changed.
    pub inboxes: BTreeSet<InboxId>,
    /// Something changed that everybody in the workspace sees.
    pub everyone: bool,
}

impl Moved {
    /// Both, when they became visible together.
    pub fn and(mut self, later: Self) -> Self {
        self.seq = std::cmp::Ord::max(self.seq, later.seq);
        self.inboxes.extend(later.inboxes);
        self.everyone |= later.everyone;
        self
    }
}

/// Takes `changes` values of `seq` and `orders` order numbers. Nothing may be locked afterwards but rows that are new.
pub async fn take<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, changes: usize, orders: usize) -> Result<Block> {
    use table::workspace::{Column, Entity};
    let (changes, orders) = (whole(changes as u64), whole(orders as u64));
    let updated = Entity::update_many()
        .col_expr(Column::Seq, Expr::col(Column::Seq).add(changes))
        .col_expr(Column::Orders, Expr::col(Column::Orders).add(orders))
        .filter(Column::Id.eq(workspace.to_string()))
        .exec(txn)
        .await?;
    if updated.rows_affected != 1 {
        return Err(Error::Damaged("workspace"));
    }
    let (seq, order): (i64, i64) = Entity::find_by_id(workspace.to_string())
        .select_only()
        .column(Column::Seq)
        .column(Column::Orders)
        .into_tuple()
        .one(txn)
        .await?
        .ok_or(Error::Damaged("workspace"))?;
    Ok(Block { next: count(seq - changes + 1), next_order: count(order - orders + 1) })
}

/// The workspace's counter and lineage.
pub async fn head<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId) -> Result<(u64, String)> {
    use table::workspace::{Column, Entity};
    let (seq, lineage): (i64, String) = Entity::find_by_id(workspace.to_string())
        .select_only()
        .column(Column::Seq)
        .column(Column::Lineage)
        .into_tuple()
        .one(connection)
        .await?
        .ok_or(Error::Damaged("workspace"))?;
    Ok((count(seq), lineage))
}

/// Writes rows with one `seq` each, in the given order, and their `change` rows. A new message gets its position here.
pub async fn write<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    block: &mut Block,
    written: Vec<Written>,
    now: Timestamp,
) -> Result<Moved> {
    let mut moved = Moved { workspace, seq: 0, inboxes: BTreeSet::new(), everyone: false };
    let mut placed = Vec::with_capacity(written.len());
    let mut changes = Vec::with_capacity(written.len());
    let mut workspace_rows = Vec::new();
    for mut row in written {
        let seq = block.seq();
        if let Entity::Message(message) = &mut row.entity
            && row.new
        {
            message.position = seq;
        }
        let (key, root) = (row.entity.key(), row.entity.root(workspace));
        match row.inbox {
            Some(inbox) => {
                moved.inboxes.insert(inbox);
            }
            None => moved.everyone = true,
        }
        if is_workspace_row(key.kind) {
            workspace_rows.push((seq, key));
        }
        changes.push(change(workspace, key, root, row.inbox, seq, row.rescoped, now));
        moved.seq = seq;
        placed.push((seq, row));
    }
    rows::put(txn, workspace, &placed).await?;
    rows::stamp(txn, workspace, &workspace_rows).await?;
    put_changes(txn, changes).await?;
    Ok(moved)
}

fn is_workspace_row(kind: Kind) -> bool {
    matches!(kind, Kind::Workspace | Kind::Member | Kind::Inbox | Kind::Label | Kind::Pipeline | Kind::Stage)
}

fn change(
    workspace: WorkspaceId,
    key: Key,
    root: Root,
    inbox: Option<InboxId>,
    seq: u64,
    rescoped: bool,
    now: Timestamp,
) -> table::change::Model {
    table::change::Model {
        workspace: workspace.to_string(),
        kind: key.kind.as_str().to_owned(),
        id: key.id.to_string(),
        root_kind: root.kind.as_str().to_owned(),
        root_id: root.id.to_string(),
        // A contact may be visible through any of its conversations, not only through the one that changed it.
        inbox: inbox.filter(|_| root.kind != Kind::Contact).map(|inbox| inbox.to_string()),
        seq: whole(seq),
        scope_seq: if rescoped { whole(seq) } else { 0 },
        deleted: false,
        at: now.0,
    }
}

async fn put_changes<C: ConnectionTrait>(txn: &C, changes: Vec<table::change::Model>) -> Result<()> {
    use table::change::{ActiveModel, Column};
    let key = [Column::Workspace, Column::Kind, Column::Id];
    let (rescoped, moved): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.scope_seq > 0);
    // An earlier change of scope is not forgotten by a later change of the row.
    rows::upsert::<ActiveModel, _, _, _, _>(
        txn,
        moved,
        &key,
        &[Column::Inbox, Column::Seq, Column::Deleted, Column::At],
    )
    .await?;
    rows::upsert::<ActiveModel, _, _, _, _>(
        txn,
        rescoped,
        &key,
        &[Column::Inbox, Column::Seq, Column::ScopeSeq, Column::Deleted, Column::At],
    )
    .await
}

/// Forgets deletions that every desk has seen, or is too far behind to ask for.
pub async fn forget_tombstones<C: ConnectionTrait>(txn: &C, before: Timestamp) -> Result<()> {
    use table::change::{Column, Entity};
    Entity::delete_many().filter(Column::Deleted.eq(true)).filter(Column::At.lt(before.0)).exec(txn).await?;
    Ok(())
}
