//! An open desk: its stores, what the outbox holds in memory, and the steps that keep both files and the window in line.
//!
//! Promise: an edit is in `outbox.db` before anything shows it; an intent leaves `outbox.db` only after the replica
//! transaction that carried its outcome is on the platter.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use parley_domain::entity::Kind;
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::change::ResyncReason;
use parley_domain::protocol::intent::{Command, Outcome};
use parley_domain::{Clock, Code, ConversationId, InboxId, IntentId, MessageText, Randomness, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::auth::Auth;
use crate::contact::Hold;
use crate::egress::Egress;
use crate::events::Emitter;
use crate::notify::{Front, Notifier};
use crate::standing::{Watch, reading};
use crate::store::apply::{self, Applied, Arrival, Slice};
use crate::store::lists::Looker;
use crate::store::outbox::{self, DraftMode, Pending, PendingState};
use crate::store::pool::{Durability, Urgency};
use crate::store::retention::{Holds, Sweep};
use crate::store::session::{self, SignedIn};
use crate::store::{Stores, Touched, overlay};
use crate::sync::driver::Wish;
use crate::sync::machine::{Facts, Link};
use crate::views::Event;
use crate::{Error, Result, crash};

/// Locks, whatever happened to a former holder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open desk.
pub(crate) struct Live {
    pub stores: Stores,
    pub signed_in: RwLock<SignedIn>,
    /// What `outbox.db` holds, in order.
    pub pending: Mutex<Arc<Vec<Pending>>>,
    pub drafts: Mutex<HashMap<(ConversationId, DraftMode), MessageText>>,
    /// Held while intents are made, offered, discarded.
    pub edits: tokio::sync::Mutex<()>,
    /// Intents that a push has answered in this contact.
    pub answered: Mutex<BTreeSet<IntentId>>,
    pub auth: Auth,
    pub egress: Egress,
    pub events: Emitter,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
    pub link: Mutex<Link>,
    pub front: Arc<Mutex<Front>>,
    pub notifier: Mutex<Notifier>,
    /// What opening the files had to mend.
    pub mended: Mutex<Option<Code>>,
    pub wishes: mpsc::UnboundedSender<Wish>,
    /// When the server was heard, and what follows from it.
    pub watch: Arc<Watch>,
    pub hold: Arc<Hold>,
    /// The run of the policy that is under way.
    pub sweep: Mutex<Option<Sweep>>,
    /// Dropped last: tells that the files are closed and the folder is free.
    pub _open: oneshot::Sender<()>,
}

impl Live {
    /// Who is signed in, with what the policy lets this desk hold now.
    pub fn signed_in(&self) -> SignedIn {
        let signed_in = self.signed_in.read().unwrap_or_else(PoisonError::into_inner).clone();
        SignedIn { holds: Some(self.holds()), ..signed_in }
    }

    /// The trusted moment.
    pub fn now(&self) -> Timestamp {
        self.watch.now(reading(self.clock.as_ref()))
    }

    /// The policy now.
    pub fn holds(&self) -> Holds {
        Holds { rules: self.watch.kept().rules, now: self.now() }
    }

    /// Whether the server keeps the outbox's key: nothing is sent before.
    pub fn in_custody(&self) -> bool {
        self.hold.in_custody.load(Ordering::Acquire)
    }

    /// Counts what is not sent, for the server and for what remains after a wipe.
    pub fn count(&self) {
        let (unsent, drafts) = (self.pending().len(), lock(&self.drafts).len());
        self.watch.count(unsent, drafts);
    }

    pub fn pending(&self) -> Arc<Vec<Pending>> {
        lock(&self.pending).clone()
    }

    /// What views need beside the replica.
    pub fn looker(&self) -> Looker {
        let pending = self.pending();
        let mut looker = Looker {
            me: self.signed_in().member,
            now: self.clock.now(),
            drafts: lock(&self.drafts).clone(),
            unsent: Default::default(),
            moving: Default::default(),
            outbox: u32::try_from(pending.len()).unwrap_or(u32::MAX),
            in_custody: self.in_custody(),
        };
        for item in pending.iter() {
            match &item.intent.command {
                Command::SendMessage { conversation, .. } => {
                    looker.unsent.insert(*conversation);
                }
                Command::MoveOrder { order, .. } if item.state == PendingState::Queued => {
                    looker.moving.insert(*order);
                }
                _ => {}
            }
        }
        looker
    }

    /// What the planner must know of the stores.
    pub async fn facts(&self) -> Result<Facts> {
        let position = self.stores.replica.read(session::position).await?;
        let pending = self.pending();
        Ok(Facts {
            cursor: position.cursor.is_some(),
            upto: position.upto,
            push: !self.offerable(&pending, 1).is_empty(),
            ask: pending.iter().any(|item| item.ask && item.state == PendingState::Queued),
            backfill: !position.backfill.is_empty(),
            gone: position.gone,
            sweep: position.sweep,
        })
    }

    /// Intents that may be offered now, in order.
    pub fn offerable(&self, pending: &[Pending], most: usize) -> Vec<Pending> {
        let answered = lock(&self.answered);
        let mut stuck: BTreeSet<IntentId> = BTreeSet::new();
        let mut found = Vec::new();
        for item in pending {
            let blocked = item.intent.after.iter().any(|earlier| stuck.contains(earlier));
            if item.state != PendingState::Queued || item.ask || blocked {
                // What builds on it would be answered `blocked`.
                stuck.insert(item.intent.id);
            } else if !answered.contains(&item.intent.id) {
                found.push(item.clone());
            }
            if found.len() == most {
                break;
            }
        }
        found
    }

    /// Whether an intent waits for another that needs the member.
    pub fn is_blocked(pending: &[Pending], wanted: IntentId) -> bool {
        let mut stuck: BTreeSet<IntentId> = BTreeSet::new();
        for item in pending {
            let blocked = item.intent.after.iter().any(|earlier| stuck.contains(earlier));
            if item.intent.id == wanted {
                return blocked;
            }
            if item.state != PendingState::Queued || blocked {
                stuck.insert(item.intent.id);
            }
        }
        false
    }

    /// Stores one slice and carries out its outcomes. Returns the messages that were not known before.
    pub async fn store_slice(&self, slice: Slice) -> Result<Vec<Arrival>> {
        let (pending, signed_in) = (self.pending(), self.signed_in());
        let live = slice.live;
        let erased: BTreeSet<ConversationId> = slice
            .rows
            .iter()
            .filter(|row| row.entity.is_none() && row.key.kind == Kind::Conversation)
            .map(|row| ConversationId(row.key.id))
            .collect();
        let durability = if slice.outcomes.is_empty() { Durability::Usual } else { Durability::Full };
        let applied = self
            .stores
            .replica
            .write_durable(Urgency::Background, durability, move |tx| apply::apply(tx, &slice, &pending, &signed_in))
            .await?;
        let Applied { touched, arrivals, settled, hid } = applied;
        if !settled.is_empty() {
            crash::point("outcome_applied");
            self.carry_out(settled).await?;
        }
        if !erased.is_empty() {
            self.forget_erased(&erased).await?;
        }
        if hid {
            self.refuse_orphans().await?;
        }
        self.tell(touched, live);
        Ok(arrivals)
    }

    /// Takes out of the outbox what was written to conversations that exist no more: an erasure goes before what waits to be sent.
    async fn forget_erased(&self, erased: &BTreeSet<ConversationId>) -> Result<()> {
        let _edits = self.edits.lock().await;
        let left: Vec<Pending> = self
            .pending()
            .iter()
            .filter(|item| !item.intent.touches.iter().any(|root| erased.contains(&ConversationId(root.id))))
            .cloned()
            .collect();
        self.replace_pending(left).await?;
        let drafts: Vec<_> = lock(&self.drafts).keys().filter(|(id, _)| erased.contains(id)).copied().collect();
        lock(&self.drafts).retain(|key, _| !drafts.contains(key));
        let now = self.now();
        self.stores
            .outbox
            .write(Urgency::Background, move |tx| {
                drafts.iter().try_for_each(|(conversation, mode)| outbox::save_draft(tx, *conversation, *mode, "", now))
            })
            .await?;
        self.redraw().await?;
        self.events.send(Event::Outbox);
        Ok(())
    }

    /// Carries outcomes out in `outbox.db`; their replica transaction is durable.
    pub async fn carry_out(&self, settled: Vec<Outcome>) -> Result<()> {
        let _edits = self.edits.lock().await;
        let left = apply::after_outcomes(&self.pending(), &settled);
        self.replace_pending(left).await?;
        crash::point("outcome_carried_out");
        self.stores.replica.write(Urgency::Background, move |tx| apply::forget_settled(tx, &settled)).await?;
        self.events.send(Event::Outbox);
        self.events.send(Event::Connection);
        Ok(())
    }

    /// Brings `outbox.db` and the memory to `left`. Call with `edits` held.
    pub async fn replace_pending(&self, left: Vec<Pending>) -> Result<()> {
        let before = self.pending();
        let stored = left.clone();
        self.stores
            .outbox
            .write(Urgency::Person, move |tx| {
                for old in before.iter() {
                    if !stored.iter().any(|item| item.intent.id == old.intent.id) {
                        outbox::remove(tx, old.intent.id)?;
                    }
                }
                for item in &stored {
                    let same = before.iter().any(|old| {
                        old.intent == item.intent
                            && (old.state, old.offered, old.before, old.ask)
                                == (item.state, item.offered, item.before, item.ask)
                    });
                    if !same {
                        outbox::put(tx, item)?;
                    }
                }
                Ok(())
            })
            .await?;
        *lock(&self.pending) = Arc::new(left);
        Ok(())
    }

    /// Draws the pending intents again over the confirmed rows.
    pub async fn redraw(&self) -> Result<()> {
        let (pending, signed_in) = (self.pending(), self.signed_in());
        let touched = self
            .stores
            .edit(move |tx| {
                let mut touched = Touched::default();
                let left = apply::after_outcomes(&pending, &apply::settled(tx)?);
                overlay::rebase(tx, &left, &signed_in.actor(tx)?, &mut touched)?;
                apply::refresh(tx, &touched)?;
                Ok(touched)
            })
            .await?;
        self.tell(touched, true);
        Ok(())
    }

    /// Intents whose root went out of scope: one that was never offered is refused, its text kept; another is asked for.
    pub async fn refuse_orphans(&self) -> Result<()> {
        let _edits = self.edits.lock().await;
        let pending = self.pending();
        let looked_at = pending.clone();
        let orphans = self.stores.replica.read(move |c| apply::orphans(c, &looked_at)).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        let mut left = pending.as_ref().clone();
        for item in left.iter_mut().filter(|item| orphans.contains(&item.intent.id)) {
            if item.offered {
                item.ask = true;
            } else {
                item.state = PendingState::NeedsReview(Code::OutOfScope);
            }
        }
        self.replace_pending(left).await?;
        self.redraw().await?;
        self.events.send(Event::Outbox);
        Ok(())
    }

    /// Starts a snapshot over. When rights changed, everything outside `allowed` is hidden first. When the server was
    /// restored, what it may have had before is marked first, and what it answered then is void.
    pub async fn resync(&self, reason: ResyncReason, allowed: Vec<InboxId>) -> Result<()> {
        let restored = matches!(reason, ResyncReason::Lineage | ResyncReason::Invalid);
        if restored {
            self.mark_offered_before().await?;
        } else {
            self.ask_for_offered().await?;
        }
        let touched = self
            .stores
            .replica
            .write(Urgency::Background, move |tx| {
                let mut touched = Touched::default();
                if reason == ResyncReason::Permission && !planted(Bug::PermissionNotHidden) {
                    touched = apply::hide_outside(tx, &allowed.into_iter().collect())?;
                }
                if restored {
                    apply::void(tx)?;
                }
                apply::restart(tx)?;
                Ok(touched)
            })
            .await?;
        if reason == ResyncReason::Permission {
            self.auth.forget().await;
            self.refuse_orphans().await?;
        }
        self.tell(touched, true);
        Ok(())
    }

    /// What was offered before a snapshot may have been accepted before it, and then no pull brings its outcome: it is asked for.
    async fn ask_for_offered(&self) -> Result<()> {
        let _edits = self.edits.lock().await;
        let mut marked = self.pending().as_ref().clone();
        for item in marked.iter_mut().filter(|item| item.offered && item.state == PendingState::Queued) {
            item.ask = true;
        }
        self.replace_pending(marked).await
    }

    /// Offers these again: the server does not know them, and their roots are here.
    pub async fn offer_again(&self, ids: &BTreeSet<IntentId>) -> Result<()> {
        let _edits = self.edits.lock().await;
        let mut marked = self.pending().as_ref().clone();
        for item in marked.iter_mut().filter(|item| ids.contains(&item.intent.id)) {
            item.ask = false;
        }
        self.replace_pending(marked).await?;
        lock(&self.answered).retain(|id| !ids.contains(id));
        Ok(())
    }

    async fn mark_offered_before(&self) -> Result<()> {
        let _edits = self.edits.lock().await;
        let mut marked = self.pending().as_ref().clone();
        let held: BTreeSet<IntentId> = marked.iter().map(|item| item.intent.id).collect();
        for item in &mut marked {
            item.before |= item.offered;
            // What it built on was accepted by the server that is no more; the restored one never heard of it.
            item.intent.after.retain(|id| held.contains(id));
        }
        self.replace_pending(marked).await?;
        lock(&self.answered).clear();
        Ok(())
    }

    /// Notifications for messages that came in by a pull.
    pub async fn notify(&self, arrivals: Vec<Arrival>) -> Result<()> {
        if arrivals.is_empty() {
            return Ok(());
        }
        let candidates = self.stores.replica.read(move |c| apply::candidates(c, &arrivals)).await?;
        let (me, front, now) = (self.signed_in().member, *lock(&self.front), self.clock.now());
        let notices = lock(&self.notifier).decide(&candidates, me, front, now);
        for notice in notices {
            self.events.send(Event::Notify { conversation: notice.conversation, title: notice.title, body: None });
        }
        Ok(())
    }

    /// Tells the window what is stale. While a snapshot runs, only the conversation in front is named.
    pub fn tell(&self, touched: Touched, live: bool) {
        let lists = touched.lists || !touched.conversations.is_empty();
        let in_front = lock(&self.front).conversation;
        let ids: Vec<_> =
            touched.conversations.into_iter().map(ConversationId).filter(|id| live || Some(*id) == in_front).collect();
        if !ids.is_empty() {
            self.events.send(Event::Conversations { ids });
        }
        if lists {
            self.events.send(Event::Lists);
        }
        if touched.board {
            self.events.send(Event::Board);
        }
    }

    /// Asks the driver for something; nothing happens when it has ended.
    pub fn wish(&self, wish: Wish) {
        let _ = self.wishes.send(wish);
    }

    /// Stores who is signed in, as the server says now.
    pub async fn renew(&self, session: &parley_domain::protocol::session::Session) -> Result<()> {
        let fresh = SignedIn::new(self.egress.server().as_str(), session);
        let saved = fresh.clone();
        self.stores.replica.write(Urgency::Background, move |tx| session::save(tx, &saved)).await?;
        let mut signed_in = self.signed_in.write().map_err(|_| Error::Closed)?;
        let changed = signed_in.role != fresh.role || signed_in.member_name != fresh.member_name;
        *signed_in = fresh;
        drop(signed_in);
        if changed {
            self.events.send(Event::Phase);
        }
        Ok(())
    }
}
