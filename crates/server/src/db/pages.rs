//! What pulls, snapshots and backfills read. Every function takes the connection of one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parley_domain::entity::{Key, Kind, Root};
use parley_domain::permission::{Actor, Permission, Role, allows};
use parley_domain::{ContactId, ConversationId, InboxId, MemberId, OrderId, Timestamp, WorkspaceId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{self, Stored, among, count, id, maybe, typed, whole};
use super::table;
use crate::error::{Error, Result};

/// One row of `change`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub key: Key,
    pub root: Root,
    pub seq: u64,
    /// For a root: when last who may see it changed.
    pub scope_seq: u64,
    pub deleted: bool,
}

fn change(row: table::change::Model) -> Result<Change> {
    let kind = |text: &str| Kind::parse(text).ok_or(Error::Damaged("kind"));
    Ok(Change {
        key: Key { kind: kind(&row.kind)?, id: id(&row.id)? },
        root: Key { kind: kind(&row.root_kind)?, id: id(&row.root_id)? },
        seq: count(row.seq),
        scope_seq: count(row.scope_seq),
        deleted: row.deleted,
    })
}

/// Changes with `after < seq <= upto`, in order, that may concern who sees these inboxes; `None` sees all. A change without
/// an inbox may concern anybody: what its root is decides.
pub async fn changes_between<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    inboxes: Option<&BTreeSet<InboxId>>,
    after: u64,
    upto: u64,
    limit: u64,
) -> Result<Vec<Change>> {
    use table::change::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Seq.gt(whole(after)))
        .filter(Column::Seq.lte(whole(upto)))
        .filter(concerns(inboxes))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter().map(change).collect()
}

/// Changes of one kind that may concern who sees these inboxes, newest id first, below one.
pub async fn changes_of_kind<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    inboxes: Option<&BTreeSet<InboxId>>,
    kind: Kind,
    below: Option<uuid::Uuid>,
    limit: u64,
) -> Result<Vec<Change>> {
    use table::change::{Column, Entity};
    let mut query = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Kind.eq(kind.as_str()))
        .filter(concerns(inboxes));
    if let Some(below) = below {
        query = query.filter(Column::Id.lt(below.to_string()));
    }
    let rows = query.order_by_desc(Column::Id).limit(limit).all(connection).await?;
    rows.into_iter().map(change).collect()
}

fn concerns(inboxes: Option<&BTreeSet<InboxId>>) -> Condition {
    use table::change::Column;
    let Some(inboxes) = inboxes else { return Condition::all() };
    Condition::any().add(Column::Inbox.is_null()).add(Column::Inbox.is_in(inboxes.iter().map(InboxId::to_string)))
}

/// The `change` rows of these keys.
pub async fn changes_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    keys: &[Key],
) -> Result<Vec<Change>> {
    use table::change::{Column, Entity};
    let mut by_kind: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for key in keys {
        by_kind.entry(key.kind).or_default().push(key.id.to_string());
    }
    let mut found = Vec::new();
    for (kind, ids) in by_kind {
        let rows = Entity::find()
            .filter(Column::Workspace.eq(workspace.to_string()))
            .filter(Column::Kind.eq(kind.as_str()))
            .filter(among(Column::Id, &ids))
            .all(connection)
            .await?;
        for row in rows {
            found.push(change(row)?);
        }
    }
    Ok(found)
}

/// What visibility needs of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub inbox: InboxId,
    pub assignee: Option<MemberId>,
}

/// The places of conversations by their ids or by their contacts.
pub async fn places<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    conversations: &[String],
    contacts: &[String],
) -> Result<Vec<Place>> {
    use table::conversation::{Column, Entity};
    let mut found = Vec::new();
    for (column, values) in [(Column::Id, conversations), (Column::Contact, contacts)] {
        for values in values.chunks(1_000) {
            let rows: Vec<(String, String, String, Option<String>)> = Entity::find()
                .select_only()
                .columns([Column::Id, Column::Contact, Column::Inbox, Column::Assignee])
                .filter(Column::Workspace.eq(workspace.to_string()))
                .filter(among(column, values))
                .into_tuple()
                .all(connection)
                .await?;
            for (conversation, contact, inbox, assignee) in rows {
                found.push(Place {
                    conversation: typed(&conversation)?,
                    contact: typed(&contact)?,
                    inbox: typed(&inbox)?,
                    assignee: maybe(assignee.as_ref())?,
                });
            }
        }
    }
    Ok(found)
}

/// The conversations of orders.
pub async fn conversations_of_orders<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    orders: &[String],
) -> Result<HashMap<OrderId, ConversationId>> {
    use table::sales_order::{Column, Entity};
    let mut found = HashMap::new();
    for orders in orders.chunks(1_000) {
        let rows: Vec<(String, String)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Conversation])
            .filter(Column::Workspace.eq(workspace.to_string()))
            .filter(among(Column::Id, orders))
            .into_tuple()
            .all(connection)
            .await?;
        for (order, conversation) in rows {
            found.insert(typed(&order)?, typed(&conversation)?);
        }
    }
    Ok(found)
}

/// The orders of conversations.
pub async fn orders_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    conversations: &[ConversationId],
) -> Result<Vec<Stored>> {
    use table::sales_order::{Column, Entity};
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = conversations.iter().map(ConversationId::to_string).collect();
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Conversation, &ids))
        .order_by_desc(Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(rows::of_order).collect()
}

/// The lines of orders.
pub async fn items_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    orders: &[OrderId],
) -> Result<Vec<Stored>> {
    use table::order_item::{Column, Entity};
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = orders.iter().map(OrderId::to_string).collect();
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::SalesOrder, &ids))
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(rows::of_order_item).collect()
}

/// Everything that hangs on the workspace itself, with the inboxes that the actor sees.
pub async fn workspace_rows<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    actor: &Actor,
) -> Result<Vec<Stored>> {
    let mut found = rows::load(connection, workspace, [Key::new(Kind::Workspace, workspace)], false).await?;
    let own = workspace.to_string();
    macro_rules! read {
        ($table:ident, $of:path) => {
            for row in table::$table::Entity::find()
                .filter(table::$table::Column::Workspace.eq(&own))
                .order_by_asc(table::$table::Column::Id)
                .all(connection)
                .await?
            {
                found.push($of(row)?);
            }
        };
    }
    read!(member, rows::of_member);
    read!(inbox, rows::of_inbox);
    found.retain(|row| row.inbox.is_none_or(|inbox| actor.sees_inbox(inbox)));
    read!(label, rows::of_label);
    read!(pipeline, rows::of_pipeline);
    read!(stage, rows::of_stage);
    Ok(found)
}

/// Where a walk through conversations is: below this one, newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Below {
    pub active_at: Timestamp,
    pub id: ConversationId,
}

/// Conversations that the actor sees, newest first, below a place.
pub async fn conversations_below<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    actor: &Actor,
    below: Option<Below>,
    limit: u64,
) -> Result<Vec<Stored>> {
    use table::conversation::{Column, Entity};
    let mut query = Entity::find().filter(in_scope(workspace, actor));
    if let Some(below) = below {
        query = query.filter(Condition::any().add(Column::ActiveAt.lt(below.active_at.0)).add(
            Condition::all().add(Column::ActiveAt.eq(below.active_at.0)).add(Column::Id.lt(below.id.to_string())),
        ));
    }
    let rows = query.order_by_desc(Column::ActiveAt).order_by_desc(Column::Id).limit(limit).all(connection).await?;
    rows.into_iter().map(rows::of_conversation).collect()
}

/// Conversations that the actor sees and that changed after `seq`, in order of id, after `id`.
pub async fn conversations_moved<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    actor: &Actor,
    seq: u64,
    after: Option<ConversationId>,
    limit: u64,
) -> Result<Vec<Stored>> {
    use table::conversation::{Column, Entity};
    let mut query = Entity::find().filter(in_scope(workspace, actor)).filter(Column::RowSeq.gt(whole(seq)));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.to_string()));
    }
    let rows = query.order_by_asc(Column::Id).limit(limit).all(connection).await?;
    rows.into_iter().map(rows::of_conversation).collect()
}

fn in_scope(workspace: WorkspaceId, actor: &Actor) -> Condition {
    use table::conversation::Column;
    let mut condition = Condition::all().add(Column::Workspace.eq(workspace.to_string()));
    if actor.role != Role::Admin {
        condition = condition.add(Column::Inbox.is_in(actor.inboxes.iter().map(InboxId::to_string)));
    }
    if !allows(actor.role, Permission::SeeAssignedToOthers) {
        condition = condition
            .add(Condition::any().add(Column::Assignee.is_null()).add(Column::Assignee.eq(actor.member.to_string())));
    }
    condition
}

/// How many messages each conversation has.
pub async fn message_counts<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, u64>> {
    use table::message::{Column, Entity};
    if conversations.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = conversations.iter().map(ConversationId::to_string).collect();
    let rows: Vec<(String, i64)> = Entity::find()
        .select_only()
        .column(Column::Conversation)
        .column_as(Column::Position.count(), "messages")
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Conversation, &ids))
        .group_by(Column::Conversation)
        .into_tuple()
        .all(connection)
        .await?;
    rows.into_iter().map(|(conversation, messages)| Ok((typed(&conversation)?, count(messages)))).collect()
}

/// All messages of conversations, newest first within each.
pub async fn messages_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    conversations: &[ConversationId],
) -> Result<Vec<Stored>> {
    use table::message::{Column, Entity};
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = conversations.iter().map(ConversationId::to_string).collect();
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(among(Column::Conversation, &ids))
        .order_by_desc(Column::Position)
        .all(connection)
        .await?;
    rows.into_iter().map(rows::of_message).collect()
}

/// Messages of one conversation below a position, newest first.
pub async fn messages_below<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    conversation: ConversationId,
    below: Option<u64>,
    limit: u64,
) -> Result<Vec<Stored>> {
    use table::message::{Column, Entity};
    let mut query = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Conversation.eq(conversation.to_string()));
    if let Some(below) = below {
        query = query.filter(Column::Position.lt(whole(below)));
    }
    let rows = query.order_by_desc(Column::Position).limit(limit).all(connection).await?;
    rows.into_iter().map(rows::of_message).collect()
}

/// Rows that a member could be sent at most, for a progress bar.
pub async fn rows_in_all<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId) -> Result<u64> {
    use table::change::{Column, Entity};
    Ok(Entity::find().filter(Column::Workspace.eq(workspace.to_string())).count(connection).await?)
}
