//! Queries: answered from the local files, each in one snapshot.

use parley_domain::entity::Entity;
use parley_domain::{ConversationId, MessageText, PipelineId};

use super::Engine;
use crate::live::{Live, lock};
use crate::store::outbox::{DraftMode, Pending, PendingState};
use crate::store::{lists, orders, overlay, search, timeline};
use crate::views::{
    Board, Connection, ConversationDetail, ConversationPage, ListCursor, OutboxItem, OutboxState, SearchResult,
    Sidebar, TimelineCursor, TimelinePage, View,
};
use crate::{Result, notify::Front};
use parley_domain::protocol::intent::Command;

impl Engine {
    /// The status bar. Signed out it says offline.
    pub fn connection(&self) -> Connection {
        let live = self.live().ok();
        let pending = live.as_ref().map(|live| live.pending()).unwrap_or_default();
        let review = pending.iter().filter(|item| item.state != PendingState::Queued).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mended = live.as_ref().and_then(|live| *lock(&live.mended));
        let link = match live {
            Some(live) => lock(&live.link).clone(),
            None => crate::sync::machine::Machine::new(self.inner.config.clock.now()).link().clone(),
        };
        Connection {
            state: link.state,
            since: link.since,
            heard_at: link.heard_at,
            queued: count(pending.len() - review),
            needs_review: count(review),
            syncing: link.syncing,
            problem: link.problem,
            mended,
        }
    }

    /// Every row that this desk holds, with the `seq` at which the server last changed it: to compare with the server's.
    pub async fn held(&self) -> Result<Vec<(u64, Entity)>> {
        self.live()?.stores.replica.read(crate::store::all_rows).await
    }

    /// Everything that the server changed up to this `seq` is in [`Engine::held`]; `None` while a snapshot or a backfill runs, or
    /// something hidden is still to be deleted.
    pub async fn reached(&self) -> Result<Option<u64>> {
        let at = self.live()?.stores.replica.read(crate::store::session::position).await?;
        let whole = at.cursor.is_some() && at.backfill.is_empty() && !at.gone && !at.sweep && at.upto > 0;
        Ok(whole.then_some(at.upto))
    }

    /// Counts and the workspace's own rows.
    pub async fn sidebar(&self) -> Result<Sidebar> {
        let live = self.live()?;
        let looker = live.looker();
        live.stores.replica.read(move |c| lists::sidebar(c, &looker)).await
    }

    /// A page of a view, at most 500 rows.
    pub async fn conversations(&self, view: View, after: Option<ListCursor>, limit: u32) -> Result<ConversationPage> {
        let live = self.live()?;
        let looker = live.looker();
        live.stores.replica.read(move |c| lists::page(c, &looker, view, after, limit)).await
    }

    /// One conversation, if this desk holds it.
    pub async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationDetail>> {
        let live = self.live()?;
        let looker = live.looker();
        live.stores.replica.read(move |c| lists::detail(c, &looker, id)).await
    }

    /// A page of a timeline, at most 500 entries.
    pub async fn timeline(
        &self,
        conversation: ConversationId,
        before: Option<TimelineCursor>,
        limit: u32,
    ) -> Result<TimelinePage> {
        let live = self.live()?;
        live.stores.replica.read(move |c| timeline::page(c, conversation, before, limit)).await
    }

    /// A board: the one asked for, or the first.
    pub async fn board(&self, pipeline: Option<PipelineId>) -> Result<Option<Board>> {
        let live = self.live()?;
        let looker = live.looker();
        live.stores.replica.read(move |c| orders::board(c, &looker, pipeline)).await
    }

    /// What waits to be sent or was refused, in order of making.
    pub async fn outbox(&self) -> Result<Vec<OutboxItem>> {
        let live = self.live()?;
        let pending = live.pending();
        live.stores.replica.read(move |c| pending.iter().map(|item| outbox_item(c, &pending, item)).collect()).await
    }

    /// Messages, contacts and orders that hold all the words, on this desk; operators narrow messages down.
    pub async fn search(&self, text: &str, limit: u32) -> Result<SearchResult> {
        let live = self.live()?;
        let (text, me) = (text.to_owned(), live.signed_in().member);
        live.stores.replica.read(move |c| search::search(c, &text, limit, me)).await
    }

    /// What the member typed and did not send.
    pub async fn draft(&self, conversation: ConversationId, mode: DraftMode) -> Result<Option<MessageText>> {
        let live = self.live()?;
        Ok(lock(&live.drafts).get(&(conversation, mode)).cloned())
    }

    /// What the member looks at; decides about notifications only.
    pub async fn focus(&self, conversation: Option<ConversationId>, window_focused: bool) -> Result<()> {
        self.active();
        *lock(&self.inner.front) = Front { conversation, window_focused };
        Ok(())
    }
}

fn outbox_item(connection: &rusqlite::Connection, all: &[Pending], item: &Pending) -> Result<OutboxItem> {
    let conversation = overlay::conversation_of(connection, &item.intent.command)?.map(ConversationId);
    let contact_name = match conversation {
        Some(conversation) => overlay::contact_name(connection, conversation)?,
        None => None,
    };
    let state = match item.state {
        PendingState::NeedsReview(_) => OutboxState::NeedsReview,
        PendingState::Queued if Live::is_blocked(all, item.intent.id) => OutboxState::Blocked,
        PendingState::Queued if item.offered => OutboxState::Sending,
        PendingState::Queued => OutboxState::Queued,
    };
    Ok(OutboxItem {
        id: item.intent.id,
        made_at: item.intent.made_at,
        state,
        action: action(&item.intent.command).to_owned(),
        conversation,
        contact_name,
        text: item.text().cloned(),
        code: item.refused(),
    })
}

fn action(command: &Command) -> &'static str {
    match command {
        Command::SendMessage { .. } => "send_message",
        Command::CancelSend { .. } => "cancel_send",
        Command::AddNote { .. } => "add_note",
        Command::Assign { .. } => "assign",
        Command::SetStatus { .. } => "set_status",
        Command::Label { .. } => "label",
        Command::MarkRead { .. } => "mark_read",
        Command::MoveOrder { .. } => "move_order",
    }
}
