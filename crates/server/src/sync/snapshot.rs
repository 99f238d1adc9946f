//! Snapshots and backfills: everything in scope, or everything under one root, in pages.
//!
//! Promise: a snapshot notes `seq` S at its start, and whatever exists at S and stays in scope is in some page. Conversations
//! go newest first, so one that wakes up during the snapshot may jump over the place that is reached; those that changed
//! after S are therefore sent once more at the end, whole.

use std::collections::{BTreeSet, HashMap};

use parley_domain::conversation::Conversation;
use parley_domain::entity::{Entity, Key, Kind, Root};
use parley_domain::limits::{FACTS_ON_DESKS, PAGE_ROWS};
use parley_domain::protocol::change::{BackfillRequest, ResyncReason, Row, SnapshotPage, SnapshotRequest};
use parley_domain::{Code, ContactId, ConversationId, MemberId, OrderId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

use super::cursor;
use super::mask::masked;
use super::pull::{Answer, cursor_at, inboxes, resync};
use super::scope::Scope;
use crate::app::Core;
use crate::db::pages::{self, Below};
use crate::db::rows::{self, Stored};
use crate::db::{Txn, sequence};
use crate::error::{Error, Result};
use crate::session::WorkspaceCtx;

/// Conversations read at a time.
const CONVERSATIONS: u64 = 64;

/// Where a walk is, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Walk {
    lineage: String,
    workspace: WorkspaceId,
    member: MemberId,
    epoch: u64,
    /// S, for snapshots.
    seq: u64,
    at: At,
    /// Inside this conversation, below this position.
    inside: Option<(ConversationId, u64)>,
    sent: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum At {
    Start,
    Newest {
        below: Option<(Timestamp, ConversationId)>,
    },
    Moved {
        after: Option<ConversationId>,
    },
    Root {
        kind: Kind,
        id: uuid::Uuid,
    },
    /// Every row of a kind, newest first, below this one; for facts, the last part of a snapshot.
    Kind {
        kind: Kind,
        below: Option<uuid::Uuid>,
    },
    End,
}

/// The next page of a snapshot.
pub async fn snapshot(core: &Core, ctx: &WorkspaceCtx, request: &SnapshotRequest) -> Result<Answer<SnapshotPage>> {
    let txn = core.db.snapshot().await?;
    let answer = async {
        let (head, lineage) = sequence::head(&txn, ctx.workspace()).await?;
        let walk = match &request.after {
            None => begin(ctx, lineage, head, At::Start),
            Some(token) => match judge(core, ctx, &lineage, token) {
                Ok(walk) => walk,
                Err(reason) => return Ok(Answer::Resync(resync(&txn, ctx, reason, lineage).await?)),
            },
        };
        page(&txn, core, ctx, walk).await.map(Answer::Page)
    }
    .await;
    txn.rollback().await?;
    answer
}

/// The next page of everything under one root.
///
/// # Errors
/// [`Code::OutOfScope`] when the member does not see the root.
pub async fn backfill(core: &Core, ctx: &WorkspaceCtx, request: &BackfillRequest) -> Result<Answer<SnapshotPage>> {
    let txn = core.db.snapshot().await?;
    let answer = async {
        let root = request.root;
        let (head, lineage) = sequence::head(&txn, ctx.workspace()).await?;
        let whole_kind = !root.kind.is_root();
        let scope = Scope::load(&txn, ctx.workspace(), ctx.actor(), &BTreeSet::from([root])).await?;
        let visible =
            if whole_kind { root.id == ctx.workspace().0 && ctx.receives(root.kind) } else { scope.sees(root) };
        if !visible {
            return Err(Error::Refused(Code::OutOfScope, "the root is not visible"));
        }
        let start = if whole_kind {
            At::Kind { kind: root.kind, below: None }
        } else {
            At::Root { kind: root.kind, id: root.id }
        };
        let walk = match &request.after {
            None => begin(ctx, lineage, head, start),
            Some(token) => match judge(core, ctx, &lineage, token) {
                Ok(walk) if matches!(walk.at, At::Root { kind, id } if kind == root.kind && id == root.id) => walk,
                Ok(walk) if matches!(walk.at, At::Kind { kind, .. } if kind == root.kind && whole_kind) => walk,
                Ok(_) => return Err(Error::Refused(Code::BadRequest, "the place is of another root")),
                Err(reason) => return Ok(Answer::Resync(resync(&txn, ctx, reason, lineage).await?)),
            },
        };
        page(&txn, core, ctx, walk).await.map(Answer::Page)
    }
    .await;
    txn.rollback().await?;
    answer
}

fn begin(ctx: &WorkspaceCtx, lineage: String, seq: u64, at: At) -> Walk {
    Walk {
        lineage,
        workspace: ctx.workspace(),
        member: ctx.member(),
        epoch: ctx.epoch(),
        seq,
        at,
        inside: None,
        sent: 0,
    }
}

fn judge(core: &Core, ctx: &WorkspaceCtx, lineage: &str, token: &str) -> Result<Walk, ResyncReason> {
    let walk: Walk = cursor::take(&core.keys, cursor::WALK, token).ok_or(ResyncReason::Invalid)?;
    if walk.workspace != ctx.workspace() || walk.member != ctx.member() {
        return Err(ResyncReason::Invalid);
    }
    if walk.lineage != lineage {
        return Err(ResyncReason::Lineage);
    }
    if walk.epoch != ctx.epoch() {
        return Err(ResyncReason::Permission);
    }
    Ok(walk)
}

async fn page(txn: &Txn, core: &Core, ctx: &WorkspaceCtx, mut walk: Walk) -> Result<SnapshotPage> {
    let mut found = Vec::new();
    while found.len() < PAGE_ROWS && !matches!(walk.at, At::End) {
        if let Some((conversation, below)) = walk.inside {
            inside(txn, ctx, &mut walk, &mut found, conversation, Some(below)).await?;
            continue;
        }
        let at = walk.at.clone();
        let more = match at {
            At::Start => {
                found.extend(pages::workspace_rows(txn, ctx.workspace(), ctx.actor()).await?);
                walk.at = At::Newest { below: None };
                true
            }
            At::Newest { below } => {
                let below = below.map(|(active_at, id)| Below { active_at, id });
                let next = pages::conversations_below(txn, ctx.workspace(), ctx.actor(), below, CONVERSATIONS).await?;
                if next.is_empty() {
                    walk.at = At::Moved { after: None };
                    true
                } else {
                    conversations(txn, ctx, &mut walk, &mut found, next).await?
                }
            }
            At::Moved { after } => {
                let next =
                    pages::conversations_moved(txn, ctx.workspace(), ctx.actor(), walk.seq, after, CONVERSATIONS)
                        .await?;
                if next.is_empty() {
                    let facts = At::Kind { kind: Kind::Fact, below: None };
                    walk.at = if ctx.receives(Kind::Fact) { facts } else { At::End };
                    true
                } else {
                    conversations(txn, ctx, &mut walk, &mut found, next).await?
                }
            }
            At::Kind { kind, below } => {
                of_kind(txn, ctx, &mut walk, &mut found, (kind, below), core.now()).await?;
                true
            }
            At::Root { kind, id } => {
                root(txn, ctx, &mut walk, &mut found, Key { kind, id }).await?;
                true
            }
            At::End => false,
        };
        if !more {
            break;
        }
    }
    walk.sent += found.len() as u64;
    let rows: Vec<Row> = found.into_iter().map(|stored| row(stored, ctx)).collect();
    let over = matches!(walk.at, At::End) && walk.inside.is_none();
    let total = if over { walk.sent } else { pages::rows_in_all(txn, ctx.workspace()).await? };
    Ok(SnapshotPage {
        rows,
        cursor: cursor_at(core, ctx, &walk.lineage, walk.seq),
        remaining: total.saturating_sub(walk.sent),
        after: (!over).then(|| cursor::give(&core.keys, cursor::WALK, &walk)),
    })
}

fn row(stored: Stored, ctx: &WorkspaceCtx) -> Row {
    let (key, root) = (stored.entity.key(), stored.entity.root(ctx.workspace()));
    Row { key, root, seq: stored.seq, entity: Some(masked(stored.entity, ctx)) }
}

/// Takes as many of `next` as fit the page, whole; a conversation that is larger than a page is walked by itself. Returns
/// whether the page goes on.
async fn conversations(
    txn: &Txn,
    ctx: &WorkspaceCtx,
    walk: &mut Walk,
    found: &mut Vec<Stored>,
    next: Vec<Stored>,
) -> Result<bool> {
    let ids: Vec<ConversationId> = next.iter().filter_map(conversation_of).map(|row| row.id).collect();
    let counts = pages::message_counts(txn, ctx.workspace(), &ids).await?;
    let room = PAGE_ROWS.saturating_sub(found.len()) as u64;
    let mut used = 0;
    let mut fitting = Vec::new();
    let all = next.len();
    let mut first_too_large = None;
    for stored in next {
        let Some(row) = conversation_of(&stored).cloned() else { continue };
        let size = 2 + counts.get(&row.id).copied().unwrap_or(0);
        if used + size > room {
            if fitting.is_empty() && size > PAGE_ROWS as u64 {
                first_too_large = Some((stored, row));
            }
            break;
        }
        used += size;
        fitting.push((stored, row));
    }
    if let Some((stored, row)) = first_too_large {
        pass(walk, &row);
        head_of(txn, ctx, found, vec![(stored, row.clone())], HashMap::new()).await?;
        inside(txn, ctx, walk, found, row.id, None).await?;
        return Ok(true);
    }
    let taken = fitting.len();
    let ids: Vec<ConversationId> = fitting.iter().map(|(_, row)| row.id).collect();
    let mut messages: HashMap<ConversationId, Vec<Stored>> = HashMap::new();
    for message in pages::messages_of(txn, ctx.workspace(), &ids).await? {
        if let Entity::Message(row) = &message.entity {
            messages.entry(row.conversation).or_default().push(message);
        }
    }
    if let Some((_, last)) = fitting.last() {
        pass(walk, last);
    }
    head_of(txn, ctx, found, fitting, messages).await?;
    Ok(taken == all)
}

/// Notes that everything up to this conversation is done.
fn pass(walk: &mut Walk, row: &Conversation) {
    match &mut walk.at {
        At::Newest { below } => *below = Some((row.active_at, row.id)),
        At::Moved { after } => *after = Some(row.id),
        _ => {}
    }
}

/// Contact, conversation, messages, orders and their lines of each conversation.
async fn head_of(
    txn: &Txn,
    ctx: &WorkspaceCtx,
    found: &mut Vec<Stored>,
    conversations: Vec<(Stored, Conversation)>,
    mut messages: HashMap<ConversationId, Vec<Stored>>,
) -> Result<()> {
    let workspace = ctx.workspace();
    let ids: Vec<ConversationId> = conversations.iter().map(|(_, row)| row.id).collect();
    let contacts: HashMap<ContactId, Stored> =
        rows::load(txn, workspace, conversations.iter().map(|(_, row)| Key::new(Kind::Contact, row.contact)), false)
            .await?
            .into_iter()
            .map(|stored| (ContactId(stored.entity.key().id), stored))
            .collect();
    let mut orders: HashMap<ConversationId, Vec<Stored>> = HashMap::new();
    let mut order_ids = Vec::new();
    for stored in pages::orders_of(txn, workspace, &ids).await? {
        if let Entity::Order(row) = &stored.entity {
            order_ids.push(row.id);
            orders.entry(row.conversation).or_default().push(stored);
        }
    }
    let mut items: HashMap<OrderId, Vec<Stored>> = HashMap::new();
    for stored in pages::items_of(txn, workspace, &order_ids).await? {
        if let Entity::OrderItem(row) = &stored.entity {
            items.entry(row.order).or_default().push(stored);
        }
    }
    for (stored, row) in conversations {
        found.extend(contacts.get(&row.contact).cloned());
        found.push(stored);
        found.extend(messages.remove(&row.id).unwrap_or_default());
        for order in orders.remove(&row.id).unwrap_or_default() {
            let lines = items.remove(&OrderId(order.entity.key().id)).unwrap_or_default();
            found.push(order);
            found.extend(lines);
        }
    }
    Ok(())
}

/// The messages of one conversation, as many as fit.
async fn inside(
    txn: &Txn,
    ctx: &WorkspaceCtx,
    walk: &mut Walk,
    found: &mut Vec<Stored>,
    conversation: ConversationId,
    below: Option<u64>,
) -> Result<()> {
    let room = PAGE_ROWS.saturating_sub(found.len()).max(1) as u64;
    let messages = pages::messages_below(txn, ctx.workspace(), conversation, below, room).await?;
    let last = messages.last().and_then(|stored| match &stored.entity {
        Entity::Message(row) => Some(row.position),
        _ => None,
    });
    walk.inside = match last {
        Some(position) if messages.len() as u64 == room => Some((conversation, position)),
        _ => None,
    };
    found.extend(messages);
    if walk.inside.is_none() && matches!(walk.at, At::Root { .. }) {
        walk.at = At::End;
    }
    Ok(())
}

/// Rows of one kind that the member sees, as many as fit.
async fn of_kind(
    txn: &Txn,
    ctx: &WorkspaceCtx,
    walk: &mut Walk,
    found: &mut Vec<Stored>,
    (kind, below): (Kind, Option<uuid::Uuid>),
    now: Timestamp,
) -> Result<()> {
    let (workspace, actor) = (ctx.workspace(), ctx.actor());
    let room = PAGE_ROWS.saturating_sub(found.len()).max(1);
    let changes = pages::changes_of_kind(txn, workspace, inboxes(actor), kind, below, room as u64).await?;
    walk.at = match changes.last() {
        Some(last) if changes.len() == room => At::Kind { kind, below: Some(last.key.id) },
        _ => At::End,
    };
    let roots = changes.iter().map(|change| change.root).collect();
    let scope = Scope::of_changes(txn, workspace, actor, &roots).await?;
    let seen = changes.iter().filter(|change| !change.deleted && scope.sees(change.root)).map(|change| change.key);
    let mut rows = rows::load(txn, workspace, seen, false).await?;
    rows.reverse();
    let all = rows.len();
    rows.retain(|stored| !matches!(&stored.entity, Entity::Fact(fact) if now.since(fact.at) > FACTS_ON_DESKS));
    if rows.len() < all {
        // What follows is older still.
        walk.at = At::End;
    }
    found.extend(rows);
    Ok(())
}

async fn root(txn: &Txn, ctx: &WorkspaceCtx, walk: &mut Walk, found: &mut Vec<Stored>, root: Root) -> Result<()> {
    let workspace = ctx.workspace();
    match root.kind {
        Kind::Conversation => {
            let stored = rows::load(txn, workspace, [root], false).await?;
            let pair = stored.into_iter().filter_map(|stored| {
                let row = conversation_of(&stored)?.clone();
                Some((stored, row))
            });
            head_of(txn, ctx, found, pair.collect(), HashMap::new()).await?;
            return inside(txn, ctx, walk, found, ConversationId(root.id), None).await;
        }
        Kind::Workspace => found.extend(pages::workspace_rows(txn, workspace, ctx.actor()).await?),
        Kind::Order => {
            found.extend(rows::load(txn, workspace, [root], false).await?);
            found.extend(pages::items_of(txn, workspace, &[OrderId(root.id)]).await?);
        }
        _ => found.extend(rows::load(txn, workspace, [root], false).await?),
    }
    walk.at = At::End;
    Ok(())
}

fn conversation_of(stored: &Stored) -> Option<&Conversation> {
    match &stored.entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    }
}
