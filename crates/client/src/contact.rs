//! A contact: what the desk and its server tell each other before anything is offered (SYNC.md S80). And what follows from it on
//! the desk: a new lease, erasures, a changed policy.
//!
//! Promise: erasures are carried out, scrubbed and signed for before the outbox is looked at. A lease changes hands so that a
//! kill at any step leaves files that open (SECURITY.md, key protocol).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use parley_domain::lease::Heard;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::change::ResyncReason;
use parley_domain::protocol::device::{ContactAnswer, ContactRequest, Deed, Erasure, Receipt, ReceiptsRequest};
use parley_domain::protocol::endpoint::{Contact, Receipts};
use parley_domain::protocol::intent::Command;
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, ConversationId, Randomness};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::desk::lease_secret;
use crate::egress::Failure;
use crate::engine::blocking;
use crate::keyfile::{self, HeldLease, Opened, Parts};
use crate::keys::KeyVault;
use crate::live::{Live, lock};
use crate::standing::reading;
use crate::store::outbox::Pending;
use crate::store::pool::Urgency;
use crate::store::retention::Sweep;
use crate::store::{Touched, apply, custody, erasing, outbox, overlay};
use crate::views::Event;
use crate::{Error, Result, wipe};

/// What an open desk has in hand of its keys. Dropped with the desk, and wiped from memory then.
pub(crate) struct Hold {
    /// Base directory, and the desk's own name in it.
    pub base: PathBuf,
    pub dir: String,
    pub vault: Arc<dyn KeyVault>,
    /// What opened the key file: a new lease is wrapped with it.
    pub parts: Mutex<Parts>,
    /// Until the server keeps it.
    pub outbox_key: Mutex<Option<Zeroizing<[u8; 32]>>>,
    pub in_custody: AtomicBool,
    /// Held while the key file changes.
    pub changing: tokio::sync::Mutex<()>,
}

impl Hold {
    fn path(&self) -> PathBuf {
        self.base.join(&self.dir)
    }

    /// Replaces a part of what wraps the keys: new slot beside the old, `store` the new part, open with it, drop the old.
    pub fn rewrap(&self, fresh: Parts, randomness: &dyn Randomness, store: impl FnOnce() -> Result<()>) -> Result<()> {
        let (path, present) = (self.path(), lock(&self.parts).clone());
        let opened: Opened = keyfile::open_with(&path, &self.dir, &present)?;
        keyfile::add(&path, &self.dir, &opened, &fresh, randomness)?;
        drop(opened);
        store()?;
        let opened = keyfile::open_with(&path, &self.dir, &fresh)?;
        keyfile::keep_only(&path, &opened)?;
        *lock(&self.parts) = fresh;
        Ok(())
    }

    /// Takes a new lease into use.
    pub fn adopt(&self, lease: HeldLease, randomness: &dyn Randomness) -> Result<()> {
        let fresh = Parts { lease: Some(lease.clone()), ..lock(&self.parts).clone() };
        let name = lease_secret(&self.dir);
        self.rewrap(fresh, randomness, || {
            let bytes = lease.to_bytes();
            self.vault.set(&name, &bytes)?;
            let back = self.vault.get(&name)?;
            if back.is_some_and(|back| *back == *bytes) { Ok(()) } else { Err(Code::KeyringLocked.into()) }
        })
    }
}

/// Makes a contact; `true` when another should follow at once.
pub(crate) async fn contact(live: &Live) -> std::result::Result<bool, Failure> {
    let noted = live.stores.outbox.read(custody::read).await?;
    live.hold.in_custody.store(noted.acknowledged, Ordering::Release);
    live.count();
    let kept = live.watch.kept();
    let lease = lock(&live.hold.parts).lease.as_ref().map(|lease| lease.serial);
    let outbox_key = match noted.acknowledged {
        true => None,
        false => lock(&live.hold.outbox_key).as_ref().map(|key| Secret::new(hex::encode(**key))),
    };
    let request = ContactRequest {
        lease,
        renew: true,
        unsent: kept.unsent,
        drafts: kept.drafts,
        outbox_key,
        erased_upto: Some(noted.erased_upto),
        receipts: noted.receipts,
    };
    let (token, renewed) = live.auth.token(&live.egress).await?;
    if let Some(session) = renewed {
        live.renew(&session).await?;
    }
    let answer = match live.egress.call::<Contact>(Some(&token), &request).await {
        // A server of before contacts: nothing is renewed, and nothing is lost.
        Err(failure) if failure.code == Code::NotFound => return Ok(false),
        answer => answer?,
    };
    let more = answer.more_erasures || !answer.erasures.is_empty();
    take(live, answer).await?;
    report_wipes(live, &token).await;
    Ok(more)
}

async fn take(live: &Live, answer: ContactAnswer) -> Result<()> {
    let ContactAnswer { server_time, policy_epoch, policy, lease, erasures, in_custody, receipts_taken, .. } = answer;
    let before = live.watch.kept();
    let rules = DevicePolicy::of(&policy, live.signed_in().role);
    live.watch.change(|kept| {
        kept.heard = Heard::now(server_time, reading(live.clock.as_ref()));
        (kept.rules, kept.policy_epoch) = (rules, policy_epoch);
    })?;
    if in_custody && !live.in_custody() {
        live.stores.outbox.write(Urgency::Person, |tx| custody::acknowledge(tx)).await?;
        live.hold.in_custody.store(true, Ordering::Release);
        *lock(&live.hold.outbox_key) = None;
        live.events.send(Event::Lists);
    }
    if receipts_taken > 0 {
        live.stores.outbox.write(Urgency::Background, move |tx| custody::taken(tx, receipts_taken)).await?;
    }
    if let Some(lease) = HeldLease::parse(lease.serial, lease.secret.expose()) {
        renew(live, lease).await?;
    }
    for erasure in erasures {
        erase(live, erasure).await?;
    }
    if before.rules != rules {
        apply_policy(live, &before.rules, &rules).await?;
    }
    Ok(())
}

async fn renew(live: &Live, lease: HeldLease) -> Result<()> {
    if lock(&live.hold.parts).lease.as_ref().is_some_and(|held| held.serial == lease.serial) {
        return Ok(());
    }
    let _changing = live.hold.changing.lock().await;
    let (hold, randomness) = (live.hold.clone(), live.randomness.clone());
    let adopted = blocking(move || hold.adopt(lease, randomness.as_ref())).await;
    if let Err(error) = &adopted {
        // The lease that is in use goes on; the next contact brings this one again.
        tracing::warn!(code = error.code().as_str(), "a new lease could not be taken into use");
    }
    Ok(())
}

/// The policy changed: what it no longer allows goes, what it newly allows is fetched.
async fn apply_policy(
    live: &Live,
    before: &parley_domain::policy::DeviceRules,
    now: &parley_domain::policy::DeviceRules,
) -> Result<()> {
    *lock(&live.sweep) = Some(Sweep::begin());
    let wider = now.message_window_days > before.message_window_days
        || now.conversations_max > before.conversations_max
        || now.pipeline_days > before.pipeline_days
        || (now.orders, now.contacts) != (before.orders, before.contacts);
    let begun = live.stores.replica.read(crate::store::session::position).await?;
    if wider && (begun.cursor.is_some() || begun.snapshot_after.is_some()) {
        live.resync(ResyncReason::Schema, Vec::new()).await?;
    }
    live.events.send(Event::Phase);
    Ok(())
}

/// Carries out an erasure and signs for it.
async fn erase(live: &Live, erasure: Erasure) -> Result<()> {
    drop_edits(live, &erasure).await?;
    let mut rows = 0;
    let mut all = Touched::default();
    loop {
        let erasure = erasure.clone();
        let (gone, touched) = live
            .stores
            .replica
            .write(Urgency::Background, move |tx| {
                let mut touched = Touched::default();
                let gone = erasing::slice(tx, &erasure, &mut touched)?;
                apply::refresh(tx, &touched)?;
                Ok((gone, touched))
            })
            .await?;
        all.conversations.extend(touched.conversations);
        rows += gone;
        if gone == 0 {
            break;
        }
    }
    live.stores.scrub().await?;
    let deed = Deed::Erased { erasure: erasure.id, rows };
    let receipt = sign(live, deed).await?;
    live.stores.outbox.write(Urgency::Background, move |tx| custody::erased(tx, erasure.place, &receipt)).await?;
    all.lists = true;
    live.tell(all, true);
    Ok(())
}

/// What was to be said to the person, and what was being written, goes with them.
async fn drop_edits(live: &Live, erasure: &Erasure) -> Result<()> {
    let _edits = live.edits.lock().await;
    let of: BTreeSet<ConversationId> = erasure.conversations.iter().copied().collect();
    let about = |item: &Pending| match &item.intent.command {
        Command::SendMessage { conversation, .. }
        | Command::CancelSend { conversation, .. }
        | Command::AddNote { conversation, .. }
        | Command::Assign { conversation, .. }
        | Command::SetStatus { conversation, .. }
        | Command::Label { conversation, .. }
        | Command::MarkRead { conversation, .. } => of.contains(conversation),
        Command::MoveOrder { .. } => false,
    };
    let pending = live.pending();
    let (gone, mut left): (Vec<Pending>, Vec<Pending>) = pending.iter().cloned().partition(about);
    for item in &mut left {
        item.intent.after.retain(|earlier| !gone.iter().any(|gone| gone.intent.id == *earlier));
    }
    let (now, conversations) = (live.now(), erasure.conversations.clone());
    let since = parley_domain::Timestamp(i64::MIN);
    live.stores
        .outbox
        .write(Urgency::Background, move |tx| outbox::forget_drafts(tx, since, now, &conversations))
        .await?;
    lock(&live.drafts).retain(|(conversation, _), _| !of.contains(conversation));
    if !gone.is_empty() {
        live.replace_pending(left).await?;
        live.redraw().await?;
        live.events.send(Event::Outbox);
    }
    Ok(())
}

async fn sign(live: &Live, deed: Deed) -> Result<Receipt> {
    let (device, at) = (live.signed_in().device, live.now());
    let signature = live.auth.sign(Receipt::signed(device, at, deed)).await?;
    Ok(Receipt { device, at, deed, signature })
}

/// Tells of desks on this computer that deleted themselves.
async fn report_wipes(live: &Live, token: &Secret) {
    let signed_in = live.signed_in();
    let base = &live.hold.base;
    let receipts = wipe::waiting(base, &signed_in.server, signed_in.workspace);
    if receipts.is_empty() {
        return;
    }
    let request = ReceiptsRequest { receipts: receipts.clone() };
    let told = match live.egress.call::<Receipts>(Some(token), &request).await {
        Ok(_) => wipe::forget(base, &receipts),
        Err(failure) => Err(Error::Refused(failure.code)),
    };
    if let Err(error) = told {
        tracing::info!(code = error.code().as_str(), "a wipe was not reported yet");
    }
}

/// One slice of what the policy takes away; `true` while there is more.
pub(crate) async fn retain(live: &Live) -> Result<bool> {
    let holds = live.holds();
    let mut sweep = lock(&live.sweep).take().unwrap_or_else(Sweep::begin);
    let spared = spared(live).await?;
    let (sweep, touched) = live
        .stores
        .replica
        .write(Urgency::Background, move |tx| {
            let touched = sweep.step(tx, holds, &spared)?;
            Ok((sweep, touched))
        })
        .await?;
    live.tell(touched, true);
    if !sweep.is_done() {
        *lock(&live.sweep) = Some(sweep);
        return Ok(true);
    }
    let (since, now) = (holds.rules.drafts_since(holds.now), holds.now);
    let drafts = {
        let _edits = live.edits.lock().await;
        let (gone, drafts) = live
            .stores
            .outbox
            .write(Urgency::Background, move |tx| {
                Ok((outbox::forget_drafts(tx, since, now, &[])?, outbox::drafts(tx)?))
            })
            .await?;
        if gone > 0 {
            *lock(&live.drafts) = drafts;
        }
        gone
    };
    if sweep.deleted > 0 || drafts > 0 {
        live.stores.scrub().await?;
        live.events.send(Event::Lists);
    }
    Ok(false)
}

/// Conversations that an edit or a draft still needs.
async fn spared(live: &Live) -> Result<BTreeSet<Uuid>> {
    let pending = live.pending();
    let mut spared: BTreeSet<Uuid> = lock(&live.drafts).keys().map(|(conversation, _)| conversation.0).collect();
    let of = live
        .stores
        .replica
        .read(move |c| {
            pending.iter().map(|item| overlay::conversation_of(c, &item.intent.command)).collect::<Result<Vec<_>>>()
        })
        .await?;
    spared.extend(of.into_iter().flatten());
    Ok(spared)
}
