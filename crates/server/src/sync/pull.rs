//! Pulls: what changed after a cursor, as one consistent page.

use std::collections::{BTreeSet, HashMap, HashSet};

use parley_domain::InboxId;
use parley_domain::entity::{Key, Root};
use parley_domain::limits::{PAGE_ROWS, PAGE_SCANNED, SLICE_ROWS, TOMBSTONE_KEPT};
use parley_domain::permission::{Actor, Permission, Role, allows};
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::change::{Mark, PullPage, PullRequest, ResyncReason, ResyncRequired, Row};

use super::cursor::{self, Cursor};
use super::mask::masked;
use super::scope::Scope;
use crate::app::Core;
use crate::db::pages::{self, Change};
use crate::db::{Txn, access, intents, rows};
use crate::error::Result;
use crate::session::WorkspaceCtx;

/// The answer to a pull, snapshot or backfill.
#[derive(Debug)]
pub enum Answer<T> {
    Page(T),
    /// HTTP 409.
    Resync(ResyncRequired),
}

/// The page after the cursor.
pub async fn pull(core: &Core, ctx: &WorkspaceCtx, request: &PullRequest) -> Result<Answer<PullPage>> {
    let txn = core.db.snapshot().await?;
    let answer = page(&txn, core, ctx, request).await;
    txn.rollback().await?;
    answer
}

async fn page(txn: &Txn, core: &Core, ctx: &WorkspaceCtx, request: &PullRequest) -> Result<Answer<PullPage>> {
    let workspace = ctx.workspace();
    let (head, lineage) = ctx.head();
    let after = match judge(core, ctx, lineage, cursor::take(&core.keys, cursor::PULL, &request.cursor)) {
        Ok(seq) => seq,
        Err(reason) => return Ok(Answer::Resync(resync(txn, ctx, reason, lineage.to_owned()).await?)),
    };
    let scanned = scan(txn, ctx, after, head).await?;
    let upto = scanned.upto;
    let outcomes = if planted(Bug::OutcomeForgotten) {
        Vec::new()
    } else {
        intents::between(txn, workspace, ctx.device(), after, upto).await?
    };

    // With an outcome go the rows it wrote, whatever their `seq`: the desk drops the intent and must have what it did.
    let mut sending = scanned.sending;
    let sent: HashSet<Key> = sending.iter().map(|change| change.key).collect();
    let ids: Vec<_> = outcomes.iter().map(|outcome| outcome.id).collect();
    let mut wrote = intents::wrote(txn, workspace, &ids).await?;
    wrote.retain(|key| !sent.contains(key));
    wrote.sort_unstable();
    wrote.dedup();
    let extra = pages::changes_of(txn, workspace, &wrote).await?;
    let scope =
        Scope::of_changes(txn, workspace, ctx.actor(), &extra.iter().map(|change| change.root).collect()).await?;
    sending.extend(extra.into_iter().filter(|change| scope.sees(change.root) && ctx.receives(change.key.kind)));
    sending.sort_by_key(|change| change.seq);
    if planted(Bug::OutcomeWithoutRows) {
        let wrote = intents::wrote(txn, workspace, &ids).await?;
        sending.retain(|change| !wrote.contains(&change.key));
    }

    let rows = read(txn, ctx, &sending).await?;
    let give = |seq: u64| cursor_at(core, ctx, lineage, seq);
    let plain = outcomes.is_empty() && scanned.enter.is_empty() && scanned.gone.is_empty();
    // Roots and outcomes belong to the page as a whole, so a page with any has no cursor inside.
    let marks = if plain { marks(&rows, give) } else { Vec::new() };
    Ok(Answer::Page(PullPage {
        rows,
        enter: scanned.enter,
        gone: scanned.gone,
        outcomes,
        upto,
        cursor: give(upto + u64::from(planted(Bug::CursorPlusOne))),
        more: upto < head,
        marks,
    }))
}

/// A cursor for this member at `seq`.
pub(super) fn cursor_at(core: &Core, ctx: &WorkspaceCtx, lineage: &str, seq: u64) -> String {
    let cursor = Cursor {
        lineage: lineage.to_owned(),
        seq,
        workspace: ctx.workspace(),
        member: ctx.member(),
        epoch: ctx.epoch(),
        at: core.now(),
    };
    cursor::give(&core.keys, cursor::PULL, &cursor)
}

/// Whether a cursor can be served, and from where.
fn judge(core: &Core, ctx: &WorkspaceCtx, lineage: &str, cursor: Option<Cursor>) -> Result<u64, ResyncReason> {
    let cursor = cursor.ok_or(ResyncReason::Invalid)?;
    if cursor.workspace != ctx.workspace() || cursor.member != ctx.member() {
        return Err(ResyncReason::Invalid);
    }
    if cursor.lineage != lineage {
        return Err(ResyncReason::Lineage);
    }
    if cursor.epoch != ctx.epoch() {
        return Err(ResyncReason::Permission);
    }
    if core.now().since(cursor.at) > TOMBSTONE_KEPT {
        return Err(ResyncReason::Age);
    }
    Ok(cursor.seq)
}

/// The refusal of a cursor, or of a place in a snapshot, that is of another lineage or not ours at all.
pub(super) async fn other_lineage(core: &Core, ctx: &WorkspaceCtx, place: &str) -> Result<Option<ResyncRequired>> {
    #[derive(serde::Deserialize)]
    struct Bound {
        lineage: String,
    }
    let bound = cursor::take::<Bound>(&core.keys, cursor::PULL, place)
        .or_else(|| cursor::take::<Bound>(&core.keys, cursor::WALK, place));
    let lineage = ctx.head().1.to_owned();
    let reason = match bound {
        Some(bound) if bound.lineage == lineage => return Ok(None),
        Some(_) => ResyncReason::Lineage,
        None => ResyncReason::Invalid,
    };
    let txn = core.db.snapshot().await?;
    let required = resync(&txn, ctx, reason, lineage).await?;
    txn.rollback().await?;
    Ok(Some(required))
}

/// The refusal of a cursor, with what stays allowed.
pub(super) async fn resync(
    txn: &Txn,
    ctx: &WorkspaceCtx,
    reason: ResyncReason,
    lineage: String,
) -> Result<ResyncRequired> {
    let allowed = access::inboxes_of(txn, ctx.workspace(), ctx.actor()).await?;
    Ok(ResyncRequired { reason, lineage, allowed })
}

struct Scanned {
    sending: Vec<Change>,
    enter: Vec<Root>,
    gone: Vec<Root>,
    upto: u64,
}

/// The inboxes outside of which nothing concerns the actor; `None` sees all. Changes of others are left out by the index: a
/// desk in scope of one inbox of fifty costs what its own changes cost.
pub(super) fn inboxes(actor: &Actor) -> Option<&BTreeSet<InboxId>> {
    (actor.role != Role::Admin).then_some(&actor.inboxes)
}

async fn scan(txn: &Txn, ctx: &WorkspaceCtx, after: u64, head: u64) -> Result<Scanned> {
    let (workspace, actor) = (ctx.workspace(), ctx.actor());
    // For those who see whatever is assigned to others, an assignment changes nothing.
    let moves_scope = !allows(actor.role, Permission::SeeAssignedToOthers);
    let upto = head.min(after.saturating_add(PAGE_SCANNED));
    let mut changes = pages::changes_between(txn, workspace, inboxes(actor), after, upto, PAGE_ROWS as u64 + 1).await?;
    let cut = changes.len() > PAGE_ROWS;
    changes.truncate(PAGE_ROWS);
    let upto = if cut { changes.last().map_or(upto, |change| change.seq) } else { upto };
    let mut found = Scanned { sending: Vec::new(), enter: Vec::new(), gone: Vec::new(), upto };
    let roots: BTreeSet<Root> = changes.iter().map(|change| change.root).collect();
    let scope = Scope::of_changes(txn, workspace, actor, &roots).await?;
    for change in changes {
        let visible = scope.sees(change.root);
        if change.key == change.root && change.scope_seq > after && moves_scope {
            if visible {
                found.enter.push(change.root);
            } else if !planted(Bug::ScopeLeakOnReassign) {
                found.gone.push(change.root);
            }
        }
        if visible && ctx.receives(change.key.kind) {
            found.sending.push(change);
        }
    }
    Ok(found)
}

async fn read(txn: &Txn, ctx: &WorkspaceCtx, changes: &[Change]) -> Result<Vec<Row>> {
    let keys = changes.iter().filter(|change| !change.deleted).map(|change| change.key);
    let mut stored: HashMap<Key, rows::Stored> =
        rows::load(txn, ctx.workspace(), keys, false).await?.into_iter().map(|row| (row.entity.key(), row)).collect();
    let mut found = Vec::with_capacity(changes.len());
    for change in changes {
        let entity = stored.remove(&change.key).map(|row| masked(row.entity, ctx));
        if entity.is_some() || change.deleted {
            found.push(Row { key: change.key, root: change.root, seq: change.seq, entity });
        }
    }
    Ok(found)
}

fn marks(rows: &[Row], give: impl Fn(u64) -> String) -> Vec<Mark> {
    (SLICE_ROWS..rows.len())
        .step_by(SLICE_ROWS)
        .filter_map(|index| {
            let row = rows.get(index - 1)?;
            Some(Mark { index, cursor: give(row.seq) })
        })
        .collect()
}
