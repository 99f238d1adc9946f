//! Edits. Each becomes an intent: decided on the shown rows, committed to `outbox.db`, drawn over the replica, offered.

use std::collections::BTreeSet;
use std::sync::Arc;

use parley_domain::content::Content;
use parley_domain::conversation::Status;
use parley_domain::decide::Decision;
use parley_domain::entity::{Entity, Key, Kind, Root};
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::intent::{Command, Intent};
use parley_domain::{
    Code, ConversationId, IntentId, LabelId, MemberId, MessageId, MessageText, OrderId, StageId, Timestamp, time,
};

use super::Engine;
use crate::live::{Live, lock};
use crate::store::outbox::{self, DraftMode, Pending, PendingState};
use crate::store::overlay::creates;
use crate::store::pool::Urgency;
use crate::store::{Touched, apply, overlay};
use crate::sync::driver::Wish;
use crate::views::Event;
use crate::{Error, Result, crash};

impl Engine {
    /// Writes to the customer. Refused with the gate's code when the rules forbid it; nothing is stored then.
    pub async fn send_reply(
        &self,
        conversation: ConversationId,
        text: &str,
        reply_to: Option<MessageId>,
        newest_shown: Option<MessageId>,
    ) -> Result<MessageId> {
        let live = self.live()?;
        let message = MessageId(new_id(&live));
        let content = Content::Text { body: MessageText::new(text) };
        let command = Command::SendMessage { message, conversation, content, reply_to, resend_of: None, newest_shown };
        edit(&live, command, Some((conversation, DraftMode::Reply))).await?;
        Ok(message)
    }

    /// Sends a failed, unconfirmed or cancelled message again, as a new one.
    pub async fn resend(&self, message: MessageId) -> Result<MessageId> {
        let live = self.live()?;
        let Some(Entity::Message(earlier)) = shown(&live, Key::new(Kind::Message, message)).await? else {
            return Err(Code::NotFound.into());
        };
        let fresh = MessageId(new_id(&live));
        let command = Command::SendMessage {
            message: fresh,
            conversation: earlier.conversation,
            content: earlier.content,
            reply_to: earlier.reply_to,
            resend_of: Some(message),
            newest_shown: None,
        };
        edit(&live, command, None).await?;
        Ok(fresh)
    }

    /// Takes back a message that was not sent yet. One that never left this desk is simply dropped.
    pub async fn cancel_send(&self, message: MessageId, conversation: ConversationId) -> Result<()> {
        let live = self.live()?;
        {
            let _edits = live.edits.lock().await;
            let unsent = live.pending().iter().find(|item| creates(&item.intent.command) == Some(message)).cloned();
            if let Some(unsent) = unsent.filter(|item| !item.offered) {
                return drop_intents(&live, unsent.intent.id, false).await;
            }
        }
        edit(&live, Command::CancelSend { message, conversation }, None).await
    }

    /// Writes for colleagues.
    pub async fn add_note(&self, conversation: ConversationId, text: &str) -> Result<MessageId> {
        let live = self.live()?;
        let message = MessageId(new_id(&live));
        let command = Command::AddNote { message, conversation, body: MessageText::new(text) };
        edit(&live, command, Some((conversation, DraftMode::Note))).await?;
        Ok(message)
    }

    /// Gives a conversation to a member, or to nobody.
    pub async fn assign(&self, conversation: ConversationId, assignee: Option<MemberId>) -> Result<()> {
        let live = self.live()?;
        let shown = shown_conversation(&live, conversation).await?.assignee;
        edit(&live, Command::Assign { conversation, assignee, shown }, None).await
    }

    /// Opens, snoozes, resolves.
    pub async fn set_status(
        &self,
        conversation: ConversationId,
        status: Status,
        snoozed_until: Option<Timestamp>,
    ) -> Result<()> {
        let live = self.live()?;
        let shown = shown_conversation(&live, conversation).await?.status;
        edit(&live, Command::SetStatus { conversation, status, snoozed_until, shown }, None).await
    }

    /// Adds and removes labels.
    pub async fn label(
        &self,
        conversation: ConversationId,
        add: BTreeSet<LabelId>,
        remove: BTreeSet<LabelId>,
    ) -> Result<()> {
        edit(&self.live()?, Command::Label { conversation, add, remove }, None).await
    }

    /// The team has seen everything up to this position.
    pub async fn mark_read(&self, conversation: ConversationId, upto: u64) -> Result<()> {
        // No position is that high, and the column is signed.
        let upto = upto.min(1 << 50);
        edit(&self.live()?, Command::MarkRead { conversation, upto }, None).await
    }

    /// Moves an order to another stage.
    pub async fn move_order(&self, order: OrderId, stage: StageId) -> Result<()> {
        let live = self.live()?;
        let Some(Entity::Order(row)) = shown(&live, Key::new(Kind::Order, order)).await? else {
            return Err(Code::NotFound.into());
        };
        edit(&live, Command::MoveOrder { order, stage, shown: row.stage }, None).await
    }

    /// Keeps what the member typed; an empty text forgets it.
    pub async fn save_draft(&self, conversation: ConversationId, mode: DraftMode, text: &str) -> Result<()> {
        let live = self.live()?;
        let (stored, now) = (text.to_owned(), live.now());
        live.stores
            .outbox
            .write(Urgency::Person, move |tx| outbox::save_draft(tx, conversation, mode, &stored, now))
            .await?;
        keep_draft(&live, conversation, mode, text);
        live.events.send(Event::Lists);
        Ok(())
    }

    /// Gives up an item of the outbox that was refused, or that was never offered. Its text goes back to the draft.
    pub async fn discard_intent(&self, id: IntentId) -> Result<()> {
        let live = self.live()?;
        let _edits = live.edits.lock().await;
        drop_intents(&live, id, true).await
    }

    /// Offers a refused item again, as a new intent with the same entity.
    pub async fn retry_intent(&self, id: IntentId) -> Result<()> {
        let live = self.live()?;
        let _edits = live.edits.lock().await;
        let mut left = live.pending().as_ref().clone();
        let fresh = IntentId(new_id(&live));
        let now = live.clock.now();
        let Some(item) = left.iter_mut().find(|item| item.intent.id == id) else {
            return Err(Code::NotFound.into());
        };
        if item.state == PendingState::Queued {
            return Err(Code::Conflict.into());
        }
        item.intent.id = fresh;
        item.intent.made_at = now;
        item.state = PendingState::Queued;
        (item.offered, item.ask) = (false, false);
        // What the member sees now is what they overwrite.
        match &mut item.intent.command {
            Command::MoveOrder { order, shown: seen, .. } => {
                if let Some(Entity::Order(row)) = shown(&live, Key::new(Kind::Order, *order)).await? {
                    *seen = row.stage;
                }
            }
            Command::Assign { conversation, shown: seen, .. } => {
                *seen = shown_conversation(&live, *conversation).await?.assignee;
            }
            Command::SetStatus { conversation, shown: seen, .. } => {
                *seen = shown_conversation(&live, *conversation).await?.status;
            }
            _ => {}
        }
        let held: BTreeSet<IntentId> = left.iter().map(|item| item.intent.id).collect();
        for item in &mut left {
            for earlier in &mut item.intent.after {
                if *earlier == id {
                    *earlier = fresh;
                }
            }
            if item.intent.id == fresh {
                item.intent.after.retain(|earlier| held.contains(earlier));
            }
        }
        live.replace_pending(left).await?;
        live.redraw().await?;
        settle_down(&live);
        Ok(())
    }

    /// Asks the server now.
    pub async fn sync_now(&self) -> Result<()> {
        self.live()?.wish(Wish::SyncNow);
        Ok(())
    }
}

/// Decides, commits, draws, offers. `clears` is the draft that became this edit.
async fn edit(live: &Arc<Live>, command: Command, clears: Option<(ConversationId, DraftMode)>) -> Result<()> {
    // An edit is finished once it was begun, also when the window no longer waits for the answer.
    let live = live.clone();
    tokio::spawn(async move { edit_now(&live, command, clears).await }).await.map_err(|_| Error::Closed)?
}

async fn edit_now(live: &Live, command: Command, clears: Option<(ConversationId, DraftMode)>) -> Result<()> {
    if matches!(command, Command::SendMessage { .. }) && !live.in_custody() {
        // What cannot be recovered after a loss of the keyring is not begun.
        return Err(Code::NotInCustody.into());
    }
    let _edits = live.edits.lock().await;
    let pending = live.pending();
    let now = live.clock.now();
    let intent = Intent {
        id: IntentId(new_id(live)),
        made_at: now,
        touches: touches(&command),
        after: builds_on(&pending, &command),
        command,
    };
    let (signed_in, asked) = (live.signed_in(), intent.clone());
    let decision =
        live.stores.replica.read(move |c| overlay::decide_shown(c, &asked, &signed_in.actor(c)?, now)).await?;
    match decision {
        Decision::Write(_) => {}
        Decision::NoOp => return Ok(()),
        Decision::Refuse(code) => return Err(code.into()),
    }
    let mut item = Pending { place: 0, intent, state: PendingState::Queued, offered: false, before: false, ask: false };
    let stored = item.clone();
    let durable = !planted(Bug::EditNotDurable);
    item.place = live
        .stores
        .outbox
        .write(Urgency::Person, move |tx| {
            if let Some((conversation, mode)) = clears {
                outbox::save_draft(tx, conversation, mode, "", now)?;
            }
            if durable { outbox::put(tx, &stored) } else { Ok(0) }
        })
        .await?;
    crash::point("edit_stored");
    if let Some((conversation, mode)) = clears {
        keep_draft(live, conversation, mode, "");
    }
    Arc::make_mut(&mut lock(&live.pending)).push(item.clone());
    let signed_in = live.signed_in();
    let drawn = live
        .stores
        .edit(move |tx| {
            let mut touched = Touched::default();
            overlay::draw(tx, &item, &signed_in.actor(tx)?, &mut touched)?;
            apply::refresh(tx, &touched)?;
            Ok(touched)
        })
        .await;
    match drawn {
        Ok(touched) => live.tell(touched, true),
        // It is durable and will be sent; the next opening draws it.
        Err(error) => tracing::warn!(code = error.code().as_str(), "an edit could not be shown"),
    }
    settle_down(live);
    Ok(())
}

fn settle_down(live: &Live) {
    live.events.send(Event::Outbox);
    live.events.send(Event::Connection);
    live.wish(Wish::Edited);
}

/// Drops an intent and what cannot stand without it. Call with `edits` held.
async fn drop_intents(live: &Live, id: IntentId, keep_text: bool) -> Result<()> {
    let pending = live.pending();
    let Some(item) = pending.iter().find(|item| item.intent.id == id) else {
        return Err(Code::NotFound.into());
    };
    if item.offered && item.state == PendingState::Queued {
        // Whether the server took it is not known yet.
        return Err(Code::Conflict.into());
    }
    let dead = creates(&item.intent.command);
    let uses_dead = |command: &Command| match command {
        Command::CancelSend { message, .. } => Some(*message) == dead,
        Command::SendMessage { resend_of, .. } => resend_of.is_some() && *resend_of == dead,
        _ => false,
    };
    let (dropped, mut left): (Vec<Pending>, Vec<Pending>) = pending
        .iter()
        .cloned()
        .partition(|other| other.intent.id == id || (!other.offered && uses_dead(&other.intent.command)));
    for item in &mut left {
        item.intent.after.retain(|earlier| !dropped.iter().any(|gone| gone.intent.id == *earlier));
        if let Command::SendMessage { reply_to, .. } = &mut item.intent.command
            && reply_to.is_some()
            && *reply_to == dead
        {
            *reply_to = None;
        }
    }
    if keep_text {
        for item in &dropped {
            back_to_draft(live, item).await?;
        }
    }
    live.replace_pending(left).await?;
    live.redraw().await?;
    settle_down(live);
    Ok(())
}

async fn back_to_draft(live: &Live, item: &Pending) -> Result<()> {
    let (conversation, mode) = match &item.intent.command {
        Command::SendMessage { conversation, .. } => (*conversation, DraftMode::Reply),
        Command::AddNote { conversation, .. } => (*conversation, DraftMode::Note),
        _ => return Ok(()),
    };
    let Some(text) = item.text() else { return Ok(()) };
    let joined = match lock(&live.drafts).get(&(conversation, mode)) {
        Some(draft) => format!("{}\n{}", draft.expose(), text.expose()),
        None => text.expose().to_owned(),
    };
    let (stored, now) = (joined.clone(), live.now());
    live.stores
        .outbox
        .write(Urgency::Person, move |tx| outbox::save_draft(tx, conversation, mode, &stored, now))
        .await?;
    keep_draft(live, conversation, mode, &joined);
    Ok(())
}

fn keep_draft(live: &Live, conversation: ConversationId, mode: DraftMode, text: &str) {
    let mut drafts = lock(&live.drafts);
    if text.is_empty() {
        drafts.remove(&(conversation, mode));
    } else {
        drafts.insert((conversation, mode), MessageText::new(text));
    }
}

async fn shown(live: &Live, key: Key) -> Result<Option<Entity>> {
    live.stores.replica.read(move |c| overlay::shown_row(c, key)).await
}

async fn shown_conversation(
    live: &Live,
    conversation: ConversationId,
) -> Result<parley_domain::conversation::Conversation> {
    match shown(live, Key::new(Kind::Conversation, conversation)).await? {
        Some(Entity::Conversation(row)) => Ok(row),
        _ => Err(Code::NotFound.into()),
    }
}

fn new_id(live: &Live) -> uuid::Uuid {
    time::new_uuid(live.clock.as_ref(), live.randomness.as_ref())
}

fn touches(command: &Command) -> Vec<Root> {
    let conversation = |id: &ConversationId| vec![Key::new(Kind::Conversation, *id)];
    match command {
        Command::SendMessage { conversation: id, .. }
        | Command::CancelSend { conversation: id, .. }
        | Command::AddNote { conversation: id, .. }
        | Command::Assign { conversation: id, .. }
        | Command::SetStatus { conversation: id, .. }
        | Command::Label { conversation: id, .. }
        | Command::MarkRead { conversation: id, .. } => conversation(id),
        Command::MoveOrder { order, .. } => vec![Key::new(Kind::Order, *order)],
    }
}

/// Earlier pending intents that this one builds on: the last on the same field, the one that creates an entity it uses, the
/// previous message of the conversation. A refused one is no ground to build on.
fn builds_on(pending: &[Pending], command: &Command) -> Vec<IntentId> {
    let creator = |message: MessageId| last(pending, |earlier| creates(earlier) == Some(message));
    let previous = |wanted: ConversationId| {
        last(pending, |earlier| match earlier {
            Command::SendMessage { conversation, .. } | Command::AddNote { conversation, .. } => {
                *conversation == wanted
            }
            _ => false,
        })
    };
    let found = match command {
        Command::SendMessage { conversation, reply_to, resend_of, .. } => {
            vec![previous(*conversation), reply_to.and_then(creator), resend_of.and_then(creator)]
        }
        Command::AddNote { conversation, .. } => vec![previous(*conversation)],
        Command::CancelSend { message, .. } => vec![creator(*message)],
        Command::Assign { conversation: id, .. } => {
            vec![last(pending, |c| matches!(c, Command::Assign { conversation, .. } if conversation == id))]
        }
        Command::SetStatus { conversation: id, .. } => {
            vec![last(pending, |c| matches!(c, Command::SetStatus { conversation, .. } if conversation == id))]
        }
        Command::Label { conversation: id, .. } => {
            vec![last(pending, |c| matches!(c, Command::Label { conversation, .. } if conversation == id))]
        }
        // The mark only goes forward, whatever came before.
        Command::MarkRead { .. } => Vec::new(),
        Command::MoveOrder { order: id, .. } => {
            vec![last(pending, |c| matches!(c, Command::MoveOrder { order, .. } if order == id))]
        }
    };
    let unique: BTreeSet<IntentId> = found.into_iter().flatten().collect();
    unique.into_iter().collect()
}

/// The last pending intent that fits.
fn last(pending: &[Pending], wanted: impl Fn(&Command) -> bool) -> Option<IntentId> {
    let fits = |item: &&Pending| item.state == PendingState::Queued && wanted(&item.intent.command);
    pending.iter().rev().find(fits).map(|item| item.intent.id)
}
