//! Pushes: edits in order, each applied once in a transaction that also records its outcome.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parley_domain::content::Content;
use parley_domain::decide::{Decision, activity, decide, needed};
use parley_domain::delivery::DeliveryState;
use parley_domain::entity::{Entity, Key, Kind, RowSet};
use parley_domain::fact::{self, Circumstances};
use parley_domain::limits::{OUTCOME_KEPT, PUSH_INTENTS};
use parley_domain::message::{Direction, Message};
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::intent::{
    Answer, Command, Intent, Outcome, OutcomesAnswer, OutcomesRequest, PushAnswer, PushRequest, Verdict,
};
use parley_domain::{Code, ConversationId, FactId, InboxId, IntentId, MessageId, MessageText, Timestamp, WorkspaceId};
use tokio::sync::oneshot;

use super::pull::{self, Answer as Page};
use crate::app::Core;
use crate::db::outbox::{self, Entry, State};
use crate::db::rows::{self, Written};
use crate::db::sequence::{self, Moved};
use crate::db::{Txn, intents, pages, transaction};
use crate::error::{Error, Result};
use crate::session::WorkspaceCtx;

/// Intents applied in one transaction: enough to share its commit, few enough that webhooks need not wait long for it.
const TOGETHER: usize = 64;

/// A push that waits for its turn.
struct Waiting {
    ctx: WorkspaceCtx,
    intents: Vec<Intent>,
    /// Ids of the activity lines and of the facts that the edits may make.
    made: Vec<(MessageId, FactId)>,
    /// Those that may have been offered before a restore.
    before: BTreeSet<IntentId>,
    answer: oneshot::Sender<Result<Vec<Answer>>>,
}

/// Pushes of one workspace. They take turns anyway, at the workspace's counter; here they share a commit as well.
#[derive(Default)]
pub struct Lane {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

/// The lanes of this node.
#[derive(Default)]
pub struct Lanes(Mutex<HashMap<WorkspaceId, Arc<Lane>>>);

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanes")
    }
}

/// Applies a batch in its order. The answers are hints: a desk drops an intent when a pull brings its outcome.
///
/// Pushes that come in while another is being written are written together, in one transaction. A push from before a restore is
/// refused as a whole: what it offers must be marked first (SYNC.md S71).
pub async fn push(core: &Arc<Core>, ctx: &WorkspaceCtx, request: PushRequest) -> Result<Page<PushAnswer>> {
    if request.intents.len() > PUSH_INTENTS {
        return Err(Error::Refused(Code::BadRequest, "too many intents in one push"));
    }
    if let Some(cursor) = &request.cursor
        && let Some(required) = pull::other_lineage(core, ctx, cursor).await?
    {
        return Ok(Page::Resync(required));
    }
    let made = request.intents.iter().map(|_| (MessageId(core.new_id()), FactId(core.new_id()))).collect();
    let before = request.offered_before.into_iter().collect();
    let (answer, answered) = oneshot::channel();
    let lane = Arc::clone(held(&core.pushes.0).entry(ctx.workspace()).or_default());
    held(&lane.waiting).push(Waiting { ctx: ctx.clone(), intents: request.intents, made, before, answer });
    // In a task of its own: a desk that hangs up must not undo what others share with it.
    let core = core.clone();
    tokio::spawn(async move {
        let _turn = lane.turn.lock().await;
        // Whoever had the turn before may have taken this push along.
        let waiting = std::mem::take(&mut *held(&lane.waiting));
        write_together(&core, waiting).await;
    });
    let answers = answered.await.map_err(|_| Error::Stopping)??;
    Ok(Page::Page(PushAnswer { answers }))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Applies what waits, as many as fit into a transaction at a time. When that fails, each push is applied by itself, so that
/// none is held up by another.
async fn write_together(core: &Core, waiting: Vec<Waiting>) {
    let mut waiting = waiting.into_iter().peekable();
    while let Some(first) = waiting.next() {
        let mut size = first.intents.len();
        let mut group = vec![first];
        while let Some(next) = waiting.next_if(|next| size + next.intents.len() <= TOGETHER) {
            size += next.intents.len();
            group.push(next);
        }
        let edits: Vec<Edit<'_>> = group.iter().flat_map(edits).collect();
        match commit(core, &edits).await {
            Ok(done) => {
                let mut done = done.into_iter();
                for push in group {
                    let own = done.by_ref().take(push.intents.len()).collect();
                    let _ = push.answer.send(Ok(tell(core, &push.intents, own)));
                }
            }
            Err(_) => {
                for push in group {
                    let answer = one_by_one(core, &push).await;
                    let _ = push.answer.send(answer);
                }
            }
        }
    }
}

async fn one_by_one(core: &Core, push: &Waiting) -> Result<Vec<Answer>> {
    let mut answers = Vec::with_capacity(push.intents.len());
    for edit in edits(push) {
        let one = std::slice::from_ref(&edit);
        let done = commit(core, one).await?;
        answers.extend(tell(core, std::slice::from_ref(edit.intent), done));
    }
    Ok(answers)
}

async fn commit(core: &Core, edits: &[Edit<'_>]) -> Result<Vec<Done>> {
    transaction!(core.db, |txn| apply_all(&txn, core, edits))
}

/// One edit of somebody.
struct Edit<'a> {
    ctx: &'a WorkspaceCtx,
    intent: &'a Intent,
    /// Ids for what it may make: drawn before, so that the transaction can run again.
    made: (MessageId, FactId),
    /// It may have been offered before a restore.
    before: bool,
}

fn edits(push: &Waiting) -> impl Iterator<Item = Edit<'_>> {
    push.intents.iter().zip(&push.made).map(|(intent, made)| Edit {
        ctx: &push.ctx,
        intent,
        made: *made,
        before: push.before.contains(&intent.id),
    })
}

/// Wakes who waits for what was committed.
fn tell(core: &Core, intents: &[Intent], done: Vec<Done>) -> Vec<Answer> {
    if done.iter().any(|done| done.queued) {
        core.outbox_wake.notify_one();
    }
    let mut answers = Vec::with_capacity(done.len());
    let mut moved: Option<Moved> = None;
    for (intent, done) in intents.iter().zip(done) {
        answers.push(Answer { id: intent.id, result: done.verdict });
        moved = match (moved, done.moved) {
            (Some(before), Some(after)) => Some(before.and(after)),
            (before, after) => before.or(after),
        };
    }
    if let Some(moved) = moved {
        core.pokes.moved(moved);
    }
    answers
}

/// The recorded outcomes of this device's intents.
pub async fn outcomes(core: &Core, ctx: &WorkspaceCtx, request: &OutcomesRequest) -> Result<OutcomesAnswer> {
    if request.ids.len() > PUSH_INTENTS {
        return Err(Error::Refused(Code::BadRequest, "too many ids in one request"));
    }
    let recorded = intents::recorded(core.db.reader(), ctx.workspace(), &request.ids).await?;
    let mut outcomes: Vec<Outcome> = recorded
        .into_values()
        .filter(|recorded| recorded.device == ctx.device())
        .map(|recorded| recorded.outcome)
        .collect();
    outcomes.sort_by_key(|outcome| outcome.at_seq);
    Ok(OutcomesAnswer { outcomes })
}

struct Done {
    verdict: Verdict,
    moved: Option<Moved>,
    /// Something waits in the outbox.
    queued: bool,
}

impl Done {
    fn only(verdict: Verdict) -> Self {
        Self { verdict, moved: None, queued: false }
    }
}

async fn apply_all(txn: &Txn, core: &Core, edits: &[Edit<'_>]) -> Result<Vec<Done>> {
    if let [first, _, ..] = edits {
        // Every row that they name is locked before the first takes its number, in one order.
        let named: BTreeSet<Key> = edits
            .iter()
            .flat_map(|edit| needed(&edit.intent.command, &RowSet::default()))
            .filter(|key| is_locked(key.kind))
            .collect();
        rows::load(txn, first.ctx.workspace(), named, true).await?;
    }
    let mut done = Vec::with_capacity(edits.len());
    for edit in edits {
        done.push(apply(txn, core, edit.ctx, edit.intent, edit.made, edit.before).await?);
    }
    Ok(done)
}

/// Kinds whose rows an edit may change.
fn is_locked(kind: Kind) -> bool {
    matches!(kind, Kind::Conversation | Kind::Message | Kind::Order)
}

async fn apply(
    txn: &Txn,
    core: &Core,
    ctx: &WorkspaceCtx,
    intent: &Intent,
    made: (MessageId, FactId),
    before: bool,
) -> Result<Done> {
    let workspace = ctx.workspace();
    let now = core.now();
    let asked: Vec<_> = intent.after.iter().copied().chain([intent.id]).collect();
    let recorded = intents::recorded(txn, workspace, &asked).await?;
    if let Some(known) = recorded.get(&intent.id)
        && !planted(Bug::IntentAppliedTwice)
    {
        // The id of another device's intent is never this one's.
        let own = known.device == ctx.device();
        return Ok(Done::only(if own { known.outcome.verdict } else { Verdict::Refused { code: Code::Conflict } }));
    }
    let accepted = |id| {
        recorded.get(id).is_some_and(|known| {
            known.device == ctx.device() && matches!(known.outcome.verdict, Verdict::Applied | Verdict::NoOp)
        })
    };
    if !intent.after.iter().all(accepted) {
        return Ok(Done::only(Verdict::Blocked));
    }
    let rows = load(txn, ctx, &intent.command).await?;
    let decision = if minted_at(intent).is_some_and(|at| now.since(at) > OUTCOME_KEPT) {
        Decision::Refuse(Code::TooOld)
    } else {
        decide(intent, ctx.actor(), &rows, now)
    };
    match decision {
        Decision::NoOp => settle(txn, ctx, intent, Verdict::NoOp, now).await,
        Decision::Refuse(code) => settle(txn, ctx, intent, Verdict::Refused { code }, now).await,
        Decision::Write(mut entities) => {
            let sends = !(before && unconfirm(&mut entities, now)) && entities.iter().all(unsent);
            if let Command::CancelSend { message, .. } = &intent.command
                && !outbox::withdraw(txn, workspace, *message).await?
            {
                // A sender has it in hand.
                return settle(txn, ctx, intent, Verdict::Refused { code: Code::Conflict }, now).await;
            }
            write(txn, ctx, intent, &rows, entities, made, sends, now).await
        }
    }
}

/// A send that was offered before a restore may have gone out then: whether it did is not known.
fn unconfirm(entities: &mut [Entity], now: Timestamp) -> bool {
    let mut any = false;
    for entity in entities {
        if let Entity::Message(Message { delivery: Some(delivery), .. }) = entity {
            any |= delivery.observe(DeliveryState::Unconfirmed, now);
        }
    }
    any
}

/// False of a message that Meta has reported on: what was lost in a restore and found again is not sent again.
fn unsent(entity: &Entity) -> bool {
    match entity {
        Entity::Message(Message { delivery: Some(delivery), .. }) => delivery.state == DeliveryState::Queued,
        _ => true,
    }
}

/// The time that a UUIDv7 was made at.
fn minted_at(intent: &Intent) -> Option<Timestamp> {
    let (seconds, nanos) = intent.id.0.get_timestamp()?.to_unix();
    Some(Timestamp::from_seconds(i64::try_from(seconds).ok()?) + i64::from(nanos / 1_000_000))
}

/// Reads what the decision needs, locking what it may change.
async fn load(txn: &Txn, ctx: &WorkspaceCtx, command: &Command) -> Result<RowSet> {
    let mut rows = RowSet::default();
    let mut asked = BTreeSet::new();
    loop {
        let (locked, read): (Vec<Key>, Vec<Key>) =
            needed(command, &rows).into_iter().filter(|key| asked.insert(*key)).partition(|key| is_locked(key.kind));
        if locked.is_empty() && read.is_empty() {
            return Ok(rows);
        }
        for (keys, lock) in [(read, false), (locked, true)] {
            for stored in rows::load(txn, ctx.workspace(), keys, lock).await? {
                rows.put(stored.entity);
            }
        }
    }
}

/// Records an intent that changes nothing.
async fn settle(txn: &Txn, ctx: &WorkspaceCtx, intent: &Intent, verdict: Verdict, now: Timestamp) -> Result<Done> {
    let mut block = sequence::take(txn, ctx.workspace(), 1, 0).await?;
    let outcome = Outcome { id: intent.id, verdict, at_seq: block.seq() };
    intents::record(txn, ctx.workspace(), ctx.device(), &outcome, &[], now).await?;
    Ok(Done::only(verdict))
}

#[expect(clippy::too_many_arguments, reason = "everything that the transaction has found out")]
async fn write(
    txn: &Txn,
    ctx: &WorkspaceCtx,
    intent: &Intent,
    rows: &RowSet,
    entities: Vec<Entity>,
    (line, fact): (MessageId, FactId),
    sends: bool,
    now: Timestamp,
) -> Result<Done> {
    let workspace = ctx.workspace();
    let conversation = conversation_of(&intent.command, rows).ok_or(Error::Damaged("conversation"))?;
    let row = rows.conversation(conversation).ok_or(Error::Damaged("conversation"))?;
    let (inbox, contact) = (row.inbox, row.contact);
    let reassigned = matches!(intent.command, Command::Assign { .. });

    let of = Circumstances { conversation: row, member: Some(ctx.member()), at: now };
    let fact = entities.iter().find_map(|entity| fact::fact(fact, rows.get(entity.key()), entity, of));
    let mut written: Vec<Written> =
        entities.into_iter().map(|entity| placed(entity, rows, inbox, reassigned)).collect();
    if let Some(event) = activity(&intent.command) {
        let detail = match &intent.command {
            Command::Assign { assignee: Some(id), .. } => {
                rows.member(*id).map(|member| MessageText::new(member.name.expose()))
            }
            _ => None,
        };
        let entry = Message {
            id: line,
            conversation,
            direction: Direction::Activity,
            author: Some(ctx.member()),
            content: Content::System { event, detail },
            sent_at: now,
            position: 0,
            delivery: None,
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        };
        written.push(Written::new(Entity::Message(entry), Some(inbox)));
    }
    if reassigned {
        // What follows the conversation's visibility moves with it: its contact and its orders.
        let follow = rows::load(txn, workspace, [Key::new(Kind::Contact, contact)], true).await?;
        let orders = pages::orders_of(txn, workspace, &[conversation]).await?;
        for stored in follow.into_iter().chain(orders) {
            written.push(placed(stored.entity, rows, inbox, true));
        }
    }
    let keys: Vec<Key> = written.iter().map(|row| row.entity.key()).collect();
    written.extend(fact.map(|fact| Written::new(Entity::Fact(fact), Some(inbox))));
    let mut block = sequence::take(txn, workspace, written.len() + 1, 0).await?;
    let mut queued = Vec::new();
    if let Command::SendMessage { message, resend_of, .. } = &intent.command
        && sends
    {
        queued.push(Entry {
            workspace,
            message: *message,
            conversation,
            inbox,
            contact,
            resend_of: *resend_of,
            // The message is the first row that is written.
            place: block.peek(),
            state: State::Queued,
            node: None,
            lease_until: None,
            attempt: 0,
            started_at: None,
            not_before: now,
            settle_by: None,
        });
    }
    let mut moved = sequence::write(txn, workspace, &mut block, written, now).await?;
    outbox::queue(txn, &queued).await?;
    let outcome = Outcome { id: intent.id, verdict: Verdict::Applied, at_seq: block.seq() };
    intents::record(txn, workspace, ctx.device(), &outcome, &keys, now).await?;
    moved.seq = outcome.at_seq;
    Ok(Done { verdict: Verdict::Applied, moved: Some(moved), queued: !queued.is_empty() })
}

fn placed(entity: Entity, rows: &RowSet, inbox: InboxId, reassigned: bool) -> Written {
    let key = entity.key();
    let new = key.kind == Kind::Message && !rows.contains(key);
    let root = matches!(key.kind, Kind::Conversation | Kind::Contact | Kind::Order);
    Written { entity, inbox: Some(inbox), wamid: None, new, rescoped: reassigned && root }
}

fn conversation_of(command: &Command, rows: &RowSet) -> Option<ConversationId> {
    match command {
        Command::SendMessage { conversation, .. }
        | Command::CancelSend { conversation, .. }
        | Command::AddNote { conversation, .. }
        | Command::Assign { conversation, .. }
        | Command::SetStatus { conversation, .. }
        | Command::Label { conversation, .. }
        | Command::MarkRead { conversation, .. } => Some(*conversation),
        Command::MoveOrder { order, .. } => rows.order(*order).map(|order| order.conversation),
    }
}
