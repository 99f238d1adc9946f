//! One transaction of the apply worker: read and lock what its items need, let each change rows in memory, write it all.

use std::collections::{BTreeSet, HashMap, HashSet};

use parley_domain::contact::{Contact, Identity, phone_aliases};
use parley_domain::content::{Content, SystemEvent};
use parley_domain::conversation::Conversation;
use parley_domain::delivery::{Delivery, DeliveryState};
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::fact::{self, Circumstances};
use parley_domain::limits::DEDUPE_KEPT;
use parley_domain::message::{Direction, Message};
use parley_domain::planted::{Bug, planted};
use parley_domain::{
    Bsuid, ContactId, ConversationId, FactId, InboxId, MessageId, MessageText, Phone, StageId, Timestamp, Wamid,
    WorkspaceId,
};
use parley_meta::webhook::{Fact, InboundContent};
use uuid::Uuid;

use super::status::{self, Report};
use super::{Work, message};
use crate::app::Core;
use crate::db::applying::{self, Orphan, Route};
use crate::db::rows::{self, Stored, Written};
use crate::db::sequence::{self, Moved};
use crate::db::{Txn, outbox, raw};
use crate::error::Result;

/// What a transaction of the worker did.
#[derive(Debug)]
pub(super) struct Done {
    pub moved: Moved,
    /// A message of ours was settled by evidence, so a lane may be free.
    pub settled: bool,
}

/// Applies items in their order and deletes `bodies`. `None` when nothing changed that a desk could see.
pub(super) async fn apply(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    batch: &[Work],
    bodies: &[Uuid],
) -> Result<Option<Done>> {
    let batch = unknown(txn, batch).await?;
    let mut draft = Draft::load(txn, core, workspace, &batch).await?;
    for work in &batch {
        match &work.fact {
            Fact::Message(inbound) => message::apply(&mut draft, &work.route, inbound),
            Fact::Status(update) => draft.status(&work.route, update),
            _ => {}
        }
    }
    let hashes = batch.iter().filter_map(|work| work.hash.clone()).collect();
    applying::remember(txn, hashes, core.now() + DEDUPE_KEPT).await?;
    let done = draft.write(txn, workspace).await?;
    raw::delete(txn, bodies).await?;
    Ok(done)
}

/// The items that were not applied before, each natural key once.
async fn unknown(txn: &Txn, batch: &[Work]) -> Result<Vec<Work>> {
    let hashes: Vec<String> = batch.iter().filter_map(|work| work.hash.clone()).collect();
    let mut seen = applying::known(txn, &hashes).await?;
    if planted(Bug::DedupeDropped) {
        return Ok(batch
            .iter()
            .map(|work| again(work, !work.hash.as_ref().is_none_or(|hash| seen.insert(hash.clone()))))
            .collect());
    }
    Ok(batch.iter().filter(|work| work.hash.as_ref().is_none_or(|hash| seen.insert(hash.clone()))).cloned().collect())
}

/// The defect [`Bug::DedupeDropped`]: a repeated message comes as if it were another one.
fn again(work: &Work, repeated: bool) -> Work {
    let mut work = work.clone();
    if let (Fact::Message(inbound), true) = (&mut work.fact, repeated) {
        inbound.wamid = Wamid(format!("{}/{}", inbound.wamid.as_str(), work.body));
        work.hash = None;
    }
    work
}

struct Row {
    entity: Entity,
    inbox: Option<InboxId>,
    wamid: Option<Wamid>,
    new: bool,
}

/// Rows read under lock, and what the items made of them.
pub(super) struct Draft<'a> {
    core: &'a Core,
    pub(super) now: Timestamp,
    rows: HashMap<Key, Row>,
    /// Conversations as they were read.
    before: HashMap<ConversationId, Conversation>,
    /// Changed rows in the order in which they were first changed.
    changed: Vec<Key>,
    changed_set: HashSet<Key>,
    identities: Vec<(Identity, bool, bool)>,
    by_bsuid: HashMap<(String, Bsuid), usize>,
    by_parent: HashMap<(String, Bsuid), usize>,
    by_phone: HashMap<(String, String), usize>,
    conversations: HashMap<(InboxId, ContactId), ConversationId>,
    by_wamid: HashMap<(InboxId, Wamid), MessageId>,
    stage: Option<StageId>,
    orphans: Vec<Orphan>,
    bound: Vec<(MessageId, InboxId, Wamid)>,
    settled: Vec<MessageId>,
}

impl<'a> Draft<'a> {
    async fn load(txn: &Txn, core: &'a Core, workspace: WorkspaceId, batch: &[Work]) -> Result<Self> {
        let mut draft = Self {
            core,
            now: core.now(),
            rows: HashMap::new(),
            before: HashMap::new(),
            changed: Vec::new(),
            changed_set: HashSet::new(),
            identities: Vec::new(),
            by_bsuid: HashMap::new(),
            by_parent: HashMap::new(),
            by_phone: HashMap::new(),
            conversations: HashMap::new(),
            by_wamid: HashMap::new(),
            stage: None,
            orphans: Vec::new(),
            bound: Vec::new(),
            settled: Vec::new(),
        };
        let wanted = Wanted::of(batch);
        if !wanted.inboxes.is_empty() {
            applying::lock_inboxes(txn, workspace, &wanted.inboxes.iter().copied().collect::<Vec<_>>()).await?;
        }
        for (scope, people) in &wanted.people {
            let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
            let (bsuids, parents, phones) = (list(&people.bsuids), list(&people.parents), list(&people.phones));
            for identity in applying::identities(txn, workspace, scope, &bsuids, &parents, &phones).await? {
                draft.know(identity, false);
            }
        }
        let contacts: BTreeSet<ContactId> = draft.identities.iter().map(|(identity, _, _)| identity.contact).collect();
        let keys = contacts.iter().map(|id| Key::new(Kind::Contact, *id));
        for stored in rows::load(txn, workspace, keys, true).await? {
            draft.hold(stored);
        }
        let contacts: Vec<ContactId> = contacts.into_iter().collect();
        for stored in applying::conversations_of(txn, workspace, &contacts).await? {
            draft.hold(stored);
        }
        let ids: Vec<MessageId> = wanted.messages.iter().copied().collect();
        let wamids: Vec<(InboxId, Wamid)> = wanted.wamids.iter().cloned().collect();
        for stored in applying::messages(txn, workspace, &wamids, &ids).await? {
            draft.hold(stored);
        }
        draft.load_recipients_of_lost(txn, workspace, batch).await?;
        if wanted.order {
            draft.stage = applying::first_stage(txn, workspace).await?;
        }
        Ok(draft)
    }

    /// Reads whom statuses are about whose message is not there though we wrote it: it was sent before a restore.
    async fn load_recipients_of_lost(&mut self, txn: &Txn, workspace: WorkspaceId, batch: &[Work]) -> Result<()> {
        let mut people: HashMap<&str, People> = HashMap::new();
        for work in batch {
            if let Fact::Status(update) = &work.fact
                && let Some(id) = update.opaque.as_deref().and_then(status::named)
                && !self.rows.contains_key(&Key::new(Kind::Message, id))
            {
                let of_scope = people.entry(&work.route.scope).or_default();
                of_scope.add(update.recipient_user_id.as_ref(), None, update.recipient_phone.as_ref());
            }
        }
        for (scope, people) in people {
            let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
            let (bsuids, phones) = (list(people.bsuids), list(people.phones));
            let found = applying::identities(txn, workspace, scope, &bsuids, &[], &phones).await?;
            let contacts: BTreeSet<ContactId> = found.iter().map(|identity| identity.contact).collect();
            for identity in found {
                self.know(identity, false);
            }
            for stored in applying::conversations_of(txn, workspace, &contacts.into_iter().collect::<Vec<_>>()).await? {
                if !self.rows.contains_key(&stored.entity.key()) {
                    self.hold(stored);
                }
            }
        }
        Ok(())
    }

    fn hold(&mut self, stored: Stored) {
        match &stored.entity {
            Entity::Conversation(row) => {
                self.conversations.insert((row.inbox, row.contact), row.id);
                self.before.insert(row.id, row.clone());
            }
            Entity::Message(row) => {
                if let (Some(inbox), Some(wamid)) = (stored.inbox, stored.wamid.clone()) {
                    self.by_wamid.insert((inbox, wamid), row.id);
                }
            }
            _ => {}
        }
        let row = Row { entity: stored.entity, inbox: stored.inbox, wamid: stored.wamid, new: false };
        self.rows.insert(row.entity.key(), row);
    }

    /// A new id.
    pub(super) fn new_id(&self) -> Uuid {
        self.core.new_id()
    }

    /// Where new orders come in; `None` when the workspace has no pipeline.
    pub(super) fn stage(&self) -> Option<StageId> {
        self.stage
    }

    // Rows.

    fn touch(&mut self, key: Key) {
        if self.changed_set.insert(key) {
            self.changed.push(key);
        }
    }

    /// Adds a row that is not stored yet.
    pub(super) fn add(&mut self, entity: Entity, inbox: InboxId, wamid: Option<Wamid>) {
        let key = entity.key();
        if let Entity::Conversation(row) = &entity {
            self.conversations.insert((row.inbox, row.contact), row.id);
        }
        if let (Entity::Message(row), Some(wamid)) = (&entity, &wamid) {
            self.by_wamid.insert((inbox, wamid.clone()), row.id);
        }
        self.rows.insert(key, Row { entity, inbox: Some(inbox), wamid, new: true });
        self.touch(key);
    }

    /// Changes a contact; `change` says whether it did.
    pub(super) fn contact(&mut self, id: ContactId, inbox: InboxId, change: impl FnOnce(&mut Contact) -> bool) {
        let key = Key::new(Kind::Contact, id);
        let changed = match self.rows.get_mut(&key) {
            Some(row) => {
                row.inbox = Some(inbox);
                match &mut row.entity {
                    Entity::Contact(contact) => change(contact),
                    _ => false,
                }
            }
            None => false,
        };
        if changed {
            self.touch(key);
        }
    }

    /// Changes a conversation.
    pub(super) fn conversation(&mut self, id: ConversationId, change: impl FnOnce(&mut Conversation) -> bool) {
        let key = Key::new(Kind::Conversation, id);
        let changed = self.rows.get_mut(&key).is_some_and(|row| match &mut row.entity {
            Entity::Conversation(row) => change(row),
            _ => false,
        });
        if changed {
            self.touch(key);
        }
    }

    /// Changes a message.
    pub(super) fn message(&mut self, id: MessageId, change: impl FnOnce(&mut Message) -> bool) {
        let key = Key::new(Kind::Message, id);
        let changed = self.rows.get_mut(&key).is_some_and(|row| match &mut row.entity {
            Entity::Message(row) => change(row),
            _ => false,
        });
        if changed {
            self.touch(key);
        }
    }

    /// The message with that wamid in the inbox.
    pub(super) fn by_wamid(&self, inbox: InboxId, wamid: &Wamid) -> Option<MessageId> {
        self.by_wamid.get(&(inbox, wamid.clone())).copied()
    }

    /// Conversation and contact of a message at hand.
    pub(super) fn place_of(&self, message: MessageId) -> Option<(ConversationId, ContactId)> {
        let Entity::Message(message) = &self.rows.get(&Key::new(Kind::Message, message))?.entity else { return None };
        let conversation = &self.rows.get(&Key::new(Kind::Conversation, message.conversation))?.entity;
        let Entity::Conversation(conversation) = conversation else { return None };
        Some((conversation.id, conversation.contact))
    }

    /// The conversation of a contact in the inbox.
    pub(super) fn conversation_with(&self, inbox: InboxId, contact: ContactId) -> Option<ConversationId> {
        self.conversations.get(&(inbox, contact)).copied()
    }

    // Identities.

    pub(super) fn know(&mut self, identity: Identity, new: bool) -> usize {
        let place = self.identities.len();
        self.identities.push((identity, new, new));
        self.index(place);
        place
    }

    fn index(&mut self, place: usize) {
        let Some((identity, _, _)) = self.identities.get(place) else { return };
        let scope = identity.scope.clone();
        if let Some(bsuid) = identity.bsuid.clone().filter(|_| identity.until.is_none()) {
            self.by_bsuid.insert((scope.clone(), bsuid), place);
        }
        if let Some(parent) = identity.parent_bsuid.clone() {
            self.by_parent.insert((scope.clone(), parent), place);
        }
        if let Some(phone) = &identity.phone {
            self.by_phone.insert((scope, phone.digits()), place);
        }
    }

    /// Looks a person up: BSUID, then parent BSUID, then the phone in any of its forms (meta-platform.md §3.3).
    pub(super) fn find_identity(
        &self,
        scope: &str,
        bsuid: Option<&Bsuid>,
        parent: Option<&Bsuid>,
        phone: Option<&Phone>,
    ) -> Option<usize> {
        let by = |map: &HashMap<(String, Bsuid), usize>, id: Option<&Bsuid>| {
            id.and_then(|id| map.get(&(scope.to_owned(), id.clone())).copied())
        };
        by(&self.by_bsuid, bsuid).or_else(|| by(&self.by_parent, parent)).or_else(|| {
            let forms = phone.map(phone_aliases).unwrap_or_default();
            forms.into_iter().find_map(|digits| self.by_phone.get(&(scope.to_owned(), digits)).copied())
        })
    }

    /// A known identity.
    pub(super) fn identity(&self, place: usize) -> Option<&Identity> {
        self.identities.get(place).map(|(identity, _, _)| identity)
    }

    /// Changes an identity; `change` says whether it did.
    pub(super) fn change_identity(&mut self, place: usize, change: impl FnOnce(&mut Identity) -> bool) {
        if let Some((identity, _, dirty)) = self.identities.get_mut(place) {
            let before = (identity.scope.clone(), identity.bsuid.clone());
            if change(identity) {
                *dirty = true;
                if let (scope, Some(bsuid)) = before
                    && (identity.until.is_some() || identity.bsuid.as_ref() != Some(&bsuid))
                {
                    self.by_bsuid.remove(&(scope, bsuid));
                }
                self.index(place);
            }
        }
    }

    // Statuses.

    fn status(&mut self, route: &Route, update: &parley_meta::webhook::StatusUpdate) {
        let inbox = route.inbox;
        let Some(report) = Report::of(update) else { return };
        let named = update.opaque.as_deref().and_then(status::named).filter(|_| !planted(Bug::EvidenceIgnored));
        if let Some(id) = named
            && self.by_wamid(inbox, &update.wamid).is_none()
        {
            self.recover_lost(route, id, update);
        }
        let found = self.by_wamid(inbox, &update.wamid).or(named).filter(|id| {
            // An opaque id names a message of this inbox, or nothing.
            self.rows.get(&Key::new(Kind::Message, *id)).is_some_and(|row| row.inbox == Some(inbox))
        });
        // A message of ours that was erased learns nothing more: its wamid would bring the number back.
        let erased =
            |row: &Row| matches!(&row.entity, Entity::Message(Message { revoked: true, delivery: Some(_), .. }));
        if found.is_some_and(|id| self.rows.get(&Key::new(Kind::Message, id)).is_some_and(erased)) {
            return;
        }
        let Some(id) = found else {
            let body = serde_json::to_string(&report).unwrap_or_default();
            let expires_at = self.now + parley_domain::limits::ORPHAN_STATUS_WAITS;
            self.orphans.push(Orphan { id: self.new_id(), inbox, wamid: update.wamid.clone(), body, expires_at });
            return;
        };
        let key = Key::new(Kind::Message, id);
        if let Some(row) = self.rows.get_mut(&key)
            && row.wamid.is_none()
        {
            row.wamid = Some(update.wamid.clone());
            self.by_wamid.insert((inbox, update.wamid.clone()), id);
            self.bound.push((id, inbox, update.wamid.clone()));
        }
        let mut open = false;
        self.message(id, |message| match &mut message.delivery {
            Some(delivery) => {
                open = matches!(
                    delivery.state,
                    DeliveryState::Queued | DeliveryState::Sending | DeliveryState::Unconfirmed
                );
                report.apply(delivery)
            }
            None => false,
        });
        if open {
            self.settled.push(id);
        }
    }

    /// Shows a message of ours that Meta reports on and that is not there: it was sent before a restore, and its text is lost
    /// (SYNC.md S74). Not where the person is not known any more.
    fn recover_lost(&mut self, route: &Route, id: MessageId, update: &parley_meta::webhook::StatusUpdate) {
        if self.rows.contains_key(&Key::new(Kind::Message, id)) {
            return;
        }
        let (bsuid, phone) = (update.recipient_user_id.as_ref(), update.recipient_phone.as_ref());
        let contact = self.find_identity(&route.scope, bsuid, None, phone).and_then(|place| self.identity(place));
        let conversation = contact.and_then(|identity| self.conversation_with(route.inbox, identity.contact));
        let Some(conversation) = conversation else { return };
        let mut delivery = Delivery::queued();
        delivery.observe(DeliveryState::Accepted, update.at);
        let message = Message {
            id,
            conversation,
            direction: Direction::Outgoing,
            author: None,
            content: Content::lost(),
            sent_at: update.at,
            position: 0,
            delivery: Some(delivery),
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        };
        self.add(Entity::Message(message), route.inbox, None);
    }

    // Writing.

    async fn write(mut self, txn: &Txn, workspace: WorkspaceId) -> Result<Option<Done>> {
        let mut settled = false;
        for message in std::mem::take(&mut self.settled) {
            settled = true;
            outbox::remove(txn, workspace, message).await?;
            // Evidence that the first one arrived takes back its repetition, while that is still possible.
            for resend in outbox::resends(txn, workspace, message).await? {
                if outbox::withdraw(txn, workspace, resend.message).await? {
                    let key = Key::new(Kind::Message, resend.message);
                    for stored in rows::load(txn, workspace, [key], true).await? {
                        self.hold(stored);
                    }
                    let now = self.now;
                    self.message(resend.message, |message| {
                        message
                            .delivery
                            .as_mut()
                            .is_some_and(|delivery| delivery.observe(DeliveryState::Cancelled, now))
                    });
                }
            }
        }
        // A message became known by its opaque id: statuses that named only its wamid wait for it no longer.
        for (message, inbox, wamid) in self.bound.clone() {
            for body in applying::unpark(txn, workspace, inbox, &wamid).await? {
                let Ok(report) = serde_json::from_str::<Report>(&body) else { continue };
                self.message(message, |row| row.delivery.as_mut().is_some_and(|delivery| report.apply(delivery)));
            }
        }
        applying::park(txn, workspace, std::mem::take(&mut self.orphans)).await?;
        let facts = self.facts();
        let mut written = self.changed_rows();
        written.extend(facts);
        let done = if written.is_empty() {
            None
        } else {
            let orders = written.iter().filter(|row| row.new && matches!(row.entity, Entity::Order(_))).count();
            let mut block = sequence::take(txn, workspace, written.len(), orders).await?;
            let mut numbered = Vec::new();
            for row in &mut written {
                if let Entity::Order(order) = &mut row.entity
                    && row.new
                {
                    order.number = block.order();
                    numbered.push((order.conversation, order.number));
                }
            }
            name_orders(&mut written, numbered);
            let moved = sequence::write(txn, workspace, &mut block, written, self.now).await?;
            Some(Done { moved, settled })
        };
        for (message, _, wamid) in &self.bound {
            rows::bind_wamid(txn, workspace, *message, wamid).await?;
        }
        let dirty: Vec<(Identity, bool)> = self
            .identities
            .into_iter()
            .filter(|(_, _, dirty)| *dirty)
            .map(|(identity, new, _)| (identity, new))
            .collect();
        applying::put_identities(txn, workspace, &dirty).await?;
        Ok(done)
    }

    /// What the changes say for reports.
    fn facts(&self) -> Vec<Written> {
        let conversation = |id: ConversationId| match self.rows.get(&Key::new(Kind::Conversation, id)) {
            Some(Row { entity: Entity::Conversation(row), .. }) => Some(row),
            _ => None,
        };
        let changed = self.changed.iter().filter_map(|key| self.rows.get(key));
        let told = changed.filter_map(|row| {
            let (before, of) = match &row.entity {
                Entity::Conversation(after) => (self.before.get(&after.id), Some(after)),
                Entity::Order(after) if row.new => (None, conversation(after.conversation)),
                _ => return None,
            };
            let of = Circumstances { conversation: of?, member: None, at: self.now };
            let before = before.map(|before| Entity::Conversation(before.clone()));
            let fact = fact::fact(FactId(self.new_id()), before.as_ref(), &row.entity, of)?;
            Some(Written::new(Entity::Fact(fact), row.inbox.or(Some(of.conversation.inbox))))
        });
        told.collect()
    }

    /// Changed rows, parents before children, else in the order of the items.
    fn changed_rows(&mut self) -> Vec<Written> {
        let mut keys = std::mem::take(&mut self.changed);
        keys.sort_by_key(|key| key.kind);
        keys.into_iter()
            .filter_map(|key| self.rows.remove(&key))
            .map(|row| Written {
                entity: row.entity,
                inbox: row.inbox,
                wamid: row.wamid,
                new: row.new,
                rescoped: false,
            })
            .collect()
    }
}

/// What the items of a batch refer to.
#[derive(Default)]
struct Wanted {
    inboxes: BTreeSet<InboxId>,
    people: HashMap<String, People>,
    wamids: BTreeSet<(InboxId, Wamid)>,
    messages: BTreeSet<MessageId>,
    order: bool,
}

#[derive(Default)]
struct People {
    bsuids: BTreeSet<String>,
    parents: BTreeSet<String>,
    phones: BTreeSet<String>,
}

impl People {
    fn add(&mut self, bsuid: Option<&Bsuid>, parent: Option<&Bsuid>, phone: Option<&Phone>) {
        self.bsuids.extend(bsuid.map(|id| id.expose().to_owned()));
        self.parents.extend(parent.map(|id| id.expose().to_owned()));
        self.phones.extend(phone.map(phone_aliases).unwrap_or_default());
    }
}

impl Wanted {
    fn of(batch: &[Work]) -> Self {
        let mut wanted = Self::default();
        for work in batch {
            let inbox = work.route.inbox;
            match &work.fact {
                Fact::Message(inbound) => {
                    wanted.inboxes.insert(inbox);
                    let people = wanted.people.entry(work.route.scope.clone()).or_default();
                    let sender = &inbound.sender;
                    people.add(sender.bsuid.as_ref(), sender.parent_bsuid.as_ref(), sender.phone.as_ref());
                    let mut other = None;
                    match &inbound.content {
                        InboundContent::Reaction { to, .. } => other = Some(to),
                        InboundContent::Edit { original, .. } | InboundContent::Revoke { original } => {
                            other = Some(original);
                        }
                        InboundContent::IdentityChange(change) => {
                            people.add(change.user_id.as_ref(), change.parent_user_id.as_ref(), change.wa_id.as_ref());
                            people.add(change.previous_user_id.as_ref(), change.previous_parent_user_id.as_ref(), None);
                        }
                        InboundContent::Order { .. } => wanted.order = true,
                        InboundContent::Plain(_) => {}
                    }
                    let context = inbound.context.as_ref().and_then(|context| context.wamid.as_ref());
                    wanted.wamids.extend(other.into_iter().chain(context).map(|wamid| (inbox, wamid.clone())));
                }
                Fact::Status(update) => {
                    wanted.wamids.insert((inbox, update.wamid.clone()));
                    wanted.messages.extend(update.opaque.as_deref().and_then(status::named));
                }
                _ => {}
            }
        }
        wanted
    }
}

/// Writes the numbers of new orders into the lines that tell of them, per conversation in order.
fn name_orders(written: &mut [Written], mut numbered: Vec<(ConversationId, u64)>) {
    for row in written {
        let Entity::Message(message) = &mut row.entity else { continue };
        let Content::System { event: SystemEvent::OrderAdded, detail: detail @ None } = &mut message.content else {
            continue;
        };
        if let Some(place) = numbered.iter().position(|(conversation, _)| *conversation == message.conversation) {
            *detail = Some(MessageText::new(numbered.remove(place).1.to_string()));
        }
    }
}
