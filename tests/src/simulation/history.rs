//! The history of a run and what it must satisfy: the one checker of I1 to I10 (docs/TESTING.md).
//!
//! Promise: what is expected is worked out here, from what went over the wires and what Meta accepted, and by none of the
//! functions that the programs use for it: ranks of deliveries, who sees what, what labels and marks edits come to.

use std::collections::{BTreeMap, BTreeSet};

use parley_domain::content::Content;
use parley_domain::conversation::Status;
use parley_domain::delivery::DeliveryState;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::message::{Direction, Message};
use parley_domain::permission::Role;
use parley_domain::protocol::change::Row;
use parley_domain::protocol::intent::{Command, Intent, Outcome, Verdict};
use parley_domain::{ContactId, ConversationId, InboxId, IntentId, MemberId, MessageId, OrderId, WorkspaceId};
use parley_sim::LedgerEntry;
use serde_json::Value;

use super::tally::Tally;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub text: String,
}

/// An edit that a desk took from its member.
#[derive(Clone, Debug)]
pub struct Made {
    pub desk: usize,
    pub action: String,
    pub conversation: Option<ConversationId>,
    pub message: Option<MessageId>,
    /// The pending message of the same conversation that it follows.
    pub follows: Option<IntentId>,
    /// The member took it back, or gave it up after a refusal.
    pub withdrawn: bool,
}

/// A row of the server with what is noted of it.
#[derive(Clone, Debug)]
pub struct ServerRow {
    pub entity: Entity,
    pub seq: u64,
    pub scope_seq: u64,
    pub wamid: Option<String>,
}

/// A workspace as the server has it.
pub type ServerRows = BTreeMap<Key, ServerRow>;

/// What a member may see, as the run gave it.
#[derive(Clone, Debug)]
pub struct Sight {
    pub workspace: WorkspaceId,
    pub member: MemberId,
    pub role: Role,
    pub inboxes: BTreeSet<InboxId>,
}

impl Sight {
    /// Whether this member may see a conversation that stands so.
    pub fn sees(&self, inbox: InboxId, assignee: Option<MemberId>) -> bool {
        let theirs = self.role != Role::Agent || assignee.is_none() || assignee == Some(self.member);
        (self.role == Role::Admin || self.inboxes.contains(&inbox)) && theirs
    }

    /// Whether rows of this kind are for this member at all: facts are for who reads reports.
    fn takes(&self, kind: Kind) -> bool {
        kind != Kind::Fact || self.role != Role::Agent
    }
}

/// What happened, and what was found.
#[derive(Default)]
pub struct History {
    pub tally: Tally,
    pub violations: Vec<Violation>,
    /// Customers' messages that the server answered for: wamid and text.
    acked: BTreeMap<String, String>,
    /// The furthest state of each message of ours that the server answered for.
    reported: BTreeMap<MessageId, DeliveryState>,
    pub made: BTreeMap<IntentId, Made>,
    /// Edits as they came to the server.
    commands: BTreeMap<IntentId, Command>,
    /// Newest form of each message on any wire: `seq`, state, position.
    seen: BTreeMap<MessageId, (u64, Option<DeliveryState>, u64)>,
    /// Conversations of people who were erased.
    pub erased: BTreeSet<ConversationId>,
    /// Those people.
    pub erased_contacts: BTreeSet<ContactId>,
    /// Wamids of what they had written: erased, too.
    pub forgotten: BTreeSet<String>,
}

/// How far a delivery has come. Written down a second time, so that it is not compared with itself.
fn far(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Queued => 0,
        DeliveryState::Sending => 1,
        DeliveryState::Unconfirmed => 2,
        DeliveryState::Cancelled => 3,
        DeliveryState::Held => 4,
        DeliveryState::Accepted => 5,
        DeliveryState::Sent => 6,
        DeliveryState::Failed => 7,
        DeliveryState::Delivered => 8,
        DeliveryState::Read => 9,
        DeliveryState::Played => 10,
    }
}

/// The text by which a run knows a message.
pub fn text_of(message: &Message) -> Option<&str> {
    match &message.content {
        Content::Text { body } => Some(body.expose()),
        Content::Order { text, .. } => text.as_ref().map(|text| text.expose()),
        _ => None,
    }
}

impl History {
    /// Notes a violation.
    pub fn violated(&mut self, invariant: &'static str, text: String) {
        self.violations.push(Violation { invariant, text });
    }

    fn must(&mut self, invariant: &'static str, holds: bool, text: impl FnOnce() -> String) {
        self.tally.checked(invariant, 1);
        if !holds {
            self.violated(invariant, text());
        }
    }

    /// The server answered 200 for a webhook body.
    pub fn hook_acked(&mut self, body: &[u8]) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for change in list(&body["entry"]).iter().flat_map(|entry| list(&entry["changes"])) {
            for message in list(&change["value"]["messages"]) {
                let text = message["text"]["body"].as_str().or(message["order"]["text"].as_str()).unwrap_or_default();
                let wamid = message["id"].as_str().unwrap_or_default().to_owned();
                self.acked.insert(wamid, text.to_owned());
            }
            for status in list(&change["value"]["statuses"]) {
                let opaque = status["biz_opaque_callback_data"].as_str().unwrap_or_default();
                let named = serde_json::from_str::<Value>(opaque).ok();
                let id = named.and_then(|named| named["o"].as_str()?.parse::<MessageId>().ok());
                let state = match status["status"].as_str().unwrap_or_default() {
                    "sent" => DeliveryState::Sent,
                    "delivered" => DeliveryState::Delivered,
                    "read" => DeliveryState::Read,
                    "failed" => DeliveryState::Failed,
                    _ => continue,
                };
                if let Some(id) = id {
                    let known = self.reported.entry(id).or_insert(state);
                    if far(state) > far(*known) {
                        *known = state;
                    }
                }
            }
        }
    }

    /// Every edit that came to the server.
    pub fn offered_ids(&self) -> impl Iterator<Item = IntentId> + '_ {
        self.commands.keys().copied()
    }

    /// Edits came to the server.
    pub fn offered(&mut self, intents: &[Intent]) {
        for intent in intents {
            self.commands.insert(intent.id, intent.command.clone());
        }
    }

    /// Rows went to a desk: no delivery goes back, no message moves.
    pub fn sent(&mut self, rows: &[Row]) {
        for row in rows {
            let Some(Entity::Message(message)) = &row.entity else { continue };
            self.message(row.seq, message);
        }
    }

    fn message(&mut self, seq: u64, message: &Message) {
        let now = message.delivery.as_ref().map(|delivery| delivery.state);
        if let Some((before_seq, before, position)) = self.seen.get(&message.id).copied() {
            let forward = match (before, now) {
                (Some(before), Some(now)) if seq >= before_seq => far(now) >= far(before),
                _ => true,
            };
            let id = message.id;
            self.must("I5", forward, || format!("{id} went from {before:?} (seq {before_seq}) to {now:?} (seq {seq})"));
            let at = message.position;
            self.must("I6", position == at, || format!("{id} moved from place {position} to {at}"));
            if seq < before_seq {
                return;
            }
        }
        self.seen.insert(message.id, (seq, now, message.position));
    }

    /// What every member may be sent of these rows; `places` tells of each conversation that they hang on.
    pub fn within(&mut self, sight: &Sight, rows: &[Row], places: &Places) {
        for row in rows {
            let visible = places.sees(sight, row.root) && sight.takes(row.key.kind);
            let key = row.key;
            self.must("I8", visible, || format!("{key:?} was sent to {} who may not see it", sight.member));
        }
    }

    /// Everything about one workspace, when everything is at rest.
    pub fn at_rest(
        &mut self,
        workspace: WorkspaceId,
        server: &ServerRows,
        outcomes: &BTreeMap<IntentId, Outcome>,
        desks: &[Sight],
    ) {
        self.inbound_kept(server);
        self.edits_once(workspace, server, outcomes, desks);
        for row in server.values() {
            if let Entity::Message(message) = &row.entity {
                self.message(row.seq, message);
            }
        }
    }

    /// Messages that Meta was answered for, in the workspaces together.
    pub fn all_there(&mut self, servers: &[ServerRows]) {
        let stored: BTreeSet<&str> =
            servers.iter().flat_map(|rows| rows.values()).filter_map(|row| row.wamid.as_deref()).collect();
        let lost: Vec<String> = self
            .acked
            .iter()
            .filter(|(wamid, _)| !stored.contains(wamid.as_str()) && !self.forgotten.contains(*wamid))
            .map(|(_, text)| format!("“{text}” was acknowledged and is not there"))
            .collect();
        self.tally.checked("I1", self.acked.len() as u64);
        for text in lost {
            self.violated("I1", text);
        }
        let states: BTreeMap<MessageId, DeliveryState> = servers
            .iter()
            .flat_map(|rows| rows.values())
            .filter_map(|row| match &row.entity {
                Entity::Message(message) => Some((message.id, message.delivery.as_ref()?.state)),
                _ => None,
            })
            .collect();
        let erased: BTreeSet<MessageId> = servers
            .iter()
            .flat_map(|rows| rows.values())
            .filter_map(|row| match &row.entity {
                Entity::Message(message) if self.erased.contains(&message.conversation) => Some(message.id),
                _ => None,
            })
            .collect();
        for (id, reported) in self.reported.clone() {
            if erased.contains(&id) {
                continue;
            }
            let Some(state) = states.get(&id).copied() else {
                self.violated("I1", format!("{id} was reported {reported:?} and is not there"));
                continue;
            };
            self.must("I1", far(state) >= far(reported), || {
                format!("{id} was reported {reported:?} and stands at {state:?}")
            });
        }
    }

    fn inbound_kept(&mut self, server: &ServerRows) {
        let mut by_text: BTreeMap<&str, usize> = BTreeMap::new();
        let incoming = server.values().filter_map(|row| match &row.entity {
            Entity::Message(message) if message.direction == Direction::Incoming => text_of(message),
            _ => None,
        });
        for text in incoming.filter(|text| !text.is_empty()) {
            *by_text.entry(text).or_default() += 1;
        }
        let twice: Vec<String> = by_text
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(text, count)| format!("“{text}” is stored {count} times"))
            .collect();
        self.tally.checked("I2", by_text.len() as u64);
        for text in twice {
            self.violated("I2", text);
        }
    }

    fn edits_once(
        &mut self,
        workspace: WorkspaceId,
        server: &ServerRows,
        outcomes: &BTreeMap<IntentId, Outcome>,
        desks: &[Sight],
    ) {
        let mut texts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut lines: BTreeMap<ConversationId, usize> = BTreeMap::new();
        for row in server.values() {
            let Entity::Message(message) = &row.entity else { continue };
            match message.direction {
                Direction::Outgoing | Direction::Note if message.resend_of.is_none() => {
                    if let Some(text) = text_of(message).filter(|text| !text.is_empty()) {
                        *texts.entry(text).or_default() += 1;
                    }
                }
                Direction::Activity if message.author.is_some() => {
                    *lines.entry(message.conversation).or_default() += 1;
                }
                _ => {}
            }
        }
        let twice: Vec<_> =
            texts.iter().filter(|(_, n)| **n > 1).map(|(text, n)| format!("“{text}” was written {n} times")).collect();
        for text in twice {
            self.violated("I3", text);
        }
        for (id, made) in self.made.clone() {
            if desks.get(made.desk).is_none_or(|sight| sight.workspace != workspace) || made.withdrawn {
                continue;
            }
            let verdict = outcomes.get(&id).map(|outcome| outcome.verdict);
            // A desk that is told of an erasure drops what it had not sent to that person.
            let dropped = made.conversation.is_some_and(|conversation| self.erased.contains(&conversation));
            self.must("I3", verdict.is_some() || dropped, || {
                format!("{} {id} of desk {} is neither recorded nor withdrawn", made.action, made.desk)
            });
            if verdict != Some(Verdict::Applied) {
                continue;
            }
            if let Some(message) = made.message {
                let there = server.contains_key(&Key::new(Kind::Message, message));
                self.must("I3", there, || format!("{} {id} was applied and its message is not there", made.action));
            }
            if let Some(follows) = made.follows.and_then(|follows| Some((follows, outcomes.get(&follows)?))) {
                let accepted = matches!(follows.1.verdict, Verdict::Applied | Verdict::NoOp);
                self.must("I3", accepted, || {
                    format!("{id} was applied though {}, which it follows, was refused", follows.0)
                });
            }
        }
        let mut applied: Vec<(u64, &Command)> = outcomes
            .values()
            .filter(|outcome| outcome.verdict == Verdict::Applied)
            .filter_map(|outcome| Some((outcome.at_seq, self.commands.get(&outcome.id)?)))
            .collect();
        applied.sort_by_key(|(at, _)| *at);
        let mut expected = Expected::default();
        for (_, command) in applied {
            expected.apply(command);
        }
        self.compare(server, &expected, &lines);
    }

    fn compare(&mut self, server: &ServerRows, expected: &Expected, lines: &BTreeMap<ConversationId, usize>) {
        for row in server.values() {
            match &row.entity {
                Entity::Conversation(row) => {
                    let id = row.id;
                    let assignee = expected.assignee.get(&id).copied().flatten();
                    self.must("I3", row.assignee == assignee, || {
                        format!("{id} is assigned to {:?}, the last edit said {assignee:?}", row.assignee)
                    });
                    let labels = expected.labels.get(&id).cloned().unwrap_or_default();
                    let erased = self.erased.contains(&id);
                    self.must("I3", erased || row.labels == labels, || {
                        format!("{id} has labels {:?}, the edits come to {labels:?}", row.labels)
                    });
                    let read = expected.read.get(&id).copied().unwrap_or_default();
                    self.must("I3", row.read_upto == read, || {
                        format!("{id} is read up to {}, the edits say {read}", row.read_upto)
                    });
                    let (has, wants) = (lines.get(&id).copied(), expected.lines.get(&id).copied());
                    self.must("I3", has == wants, || format!("{id} tells of {has:?} acts, {wants:?} were applied"));
                }
                Entity::Order(row) => {
                    if let Some(stage) = expected.stage.get(&row.id).copied() {
                        let id = row.id;
                        self.must("I3", row.stage == stage, || format!("{id} is not in the stage of the last edit"));
                    }
                }
                _ => {}
            }
        }
    }

    /// A row of a person who was erased: a desk that was told deletes it, though the server keeps its empty frame.
    fn is_of_erased(&self, entity: &Entity, server: &ServerRows) -> bool {
        match entity {
            Entity::Contact(row) => self.erased_contacts.contains(&row.id),
            Entity::Conversation(row) => self.erased.contains(&row.id),
            Entity::Message(row) => self.erased.contains(&row.conversation),
            Entity::Order(row) => self.erased.contains(&row.conversation),
            Entity::OrderItem(row) => {
                let order = server.get(&Key::new(Kind::Order, row.order));
                order.is_some_and(|order| self.is_of_erased(&order.entity, server))
            }
            _ => false,
        }
    }

    /// A desk at rest against the server: every row that its member may see, and no other.
    pub fn same(&mut self, desk: usize, sight: &Sight, server: &ServerRows, held: &[(u64, Entity)]) {
        let places = Places::of(sight.workspace, server);
        let here: BTreeMap<Key, (u64, &Entity)> =
            held.iter().map(|(seq, entity)| (entity.key(), (*seq, entity))).collect();
        let mut found = Vec::new();
        for (key, (seq, entity)) in &here {
            match server.get(key) {
                None => found.push(("I7", format!("desk {desk} holds {key:?}, which the server does not have"))),
                Some(_) if !places.sees(sight, entity.root(sight.workspace)) || !sight.takes(key.kind) => {
                    found.push(("I8", format!("desk {desk} holds {key:?}, which its member may not see")));
                }
                Some(row) if row.entity != **entity || row.seq != *seq => {
                    found.push(("I7", format!("desk {desk} holds {key:?} as of {seq}, the server as of {}", row.seq)));
                }
                Some(_) => {}
            }
        }
        let mut visible = 0;
        for (key, row) in server {
            if places.sees(sight, row.entity.root(sight.workspace)) && sight.takes(key.kind) {
                visible += 1;
                if !here.contains_key(key) && !self.is_of_erased(&row.entity, server) {
                    found.push(("I7", format!("desk {desk} lacks {key:?} of seq {}", row.seq)));
                }
            }
        }
        self.tally.checked("I7", visible);
        self.tally.checked("I8", here.len() as u64);
        for (invariant, text) in found.into_iter().take(4) {
            self.violated(invariant, text);
        }
    }

    /// A desk in the middle of things, which says that everything up to `upto` is there.
    pub fn reached(&mut self, desk: usize, sight: &Sight, server: &ServerRows, held: &[(u64, Entity)], upto: u64) {
        let places = Places::of(sight.workspace, server);
        let here: BTreeMap<Key, u64> = held.iter().map(|(seq, entity)| (entity.key(), *seq)).collect();
        let mut missing = None;
        let mut looked_at = 0;
        for (key, row) in server.iter().filter(|(_, row)| row.seq <= upto) {
            let root = row.entity.root(sight.workspace);
            // Whoever sees it may have changed after what this desk knows.
            let since = places.scope_of(root, server);
            if since > upto || !places.sees(sight, root) || !sight.takes(key.kind) {
                continue;
            }
            looked_at += 1;
            let lacks = match here.get(key) {
                Some(seq) => *seq < row.seq,
                None => !self.is_of_erased(&row.entity, server),
            };
            if lacks {
                missing = Some(format!("desk {desk} stands at {upto} and lacks {key:?} of {}", row.seq));
            }
        }
        self.tally.checked("I9", looked_at);
        if let Some(text) = missing {
            self.violated("I9", text);
        }
    }

    /// A timeline as a desk shows it, against the server's order; `shown` are its entries from top to bottom.
    pub fn timeline(
        &mut self,
        desk: usize,
        conversation: ConversationId,
        server: &ServerRows,
        shown: &[(MessageId, Option<String>)],
    ) {
        let mut order: Vec<(u64, MessageId)> = server
            .values()
            .filter_map(|row| match &row.entity {
                Entity::Message(message) if message.conversation == conversation => Some(message),
                _ => None,
            })
            .filter(|message| !matches!(message.content, Content::Reaction { to: Some(_), .. }))
            .map(|message| (message.position, message.id))
            .collect();
        order.sort_unstable();
        let shows: Vec<MessageId> = shown.iter().map(|(id, _)| *id).collect();
        let from = order.len().saturating_sub(shows.len());
        let wants: Vec<MessageId> = order.iter().skip(from).map(|(_, id)| *id).collect();
        let differs = shows.iter().zip(&wants).position(|(shown, wanted)| shown != wanted);
        self.must("I6", shows == wants, || {
            format!(
                "desk {desk} shows {conversation} in another order than the server's: {} entries for {}, from entry {differs:?} on",
                shows.len(),
                wants.len()
            )
        });
        let mut texts = BTreeSet::new();
        let twice = shown
            .iter()
            .filter_map(|(_, text)| text.as_ref())
            .find(|text| !text.is_empty() && !texts.insert((*text).clone()));
        self.must("I2", twice.is_none(), || {
            format!("desk {desk} shows “{}” twice", twice.map_or("", |text| text.as_str()))
        });
    }

    /// What Meta accepted: each edit once, and to each customer in the order of the timeline.
    pub fn accepted(&mut self, ledger: &[LedgerEntry], servers: &[ServerRows], last: bool) {
        let mut times: BTreeMap<MessageId, usize> = BTreeMap::new();
        let mut lanes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for entry in ledger {
            let opaque = entry.biz_opaque_callback_data.as_deref().unwrap_or_default();
            let named = serde_json::from_str::<Value>(opaque).ok();
            let Some(id) = named.and_then(|named| named["o"].as_str()?.parse::<MessageId>().ok()) else {
                self.violated("I4", "a send without a name".to_owned());
                continue;
            };
            *times.entry(id).or_default() += 1;
            let row = servers.iter().find_map(|rows| rows.get(&Key::new(Kind::Message, id)));
            let Some(Entity::Message(message)) = row.map(|row| &row.entity) else { continue };
            let lane = (entry.phone_number_id.as_str(), entry.user_id.as_deref().unwrap_or_default());
            let before = lanes.insert(lane, message.position).unwrap_or_default();
            let place = message.position;
            self.must("I6", before <= place, || format!("{id} of place {place} went out after one of place {before}"));
            if last && !self.erased.contains(&message.conversation) {
                let state = message.delivery.as_ref().map(|delivery| delivery.state);
                let known = state.is_some_and(|state| far(state) >= far(DeliveryState::Sent));
                self.must("I1", known, || format!("Meta accepted {id}, and it stands at {state:?}"));
            }
        }
        for (id, count) in times {
            self.must("I4", count == 1, || format!("Meta accepted {id} {count} times"));
        }
    }
}

/// Where conversations, contacts and orders belong.
#[derive(Default)]
pub struct Places {
    workspace: Option<WorkspaceId>,
    conversations: BTreeMap<ConversationId, (InboxId, Option<MemberId>)>,
    contacts: BTreeMap<ContactId, Vec<ConversationId>>,
    orders: BTreeMap<OrderId, ConversationId>,
}

impl Places {
    /// From all rows of a workspace.
    pub fn of(workspace: WorkspaceId, server: &ServerRows) -> Self {
        let mut places = Self { workspace: Some(workspace), ..Self::default() };
        for row in server.values() {
            match &row.entity {
                Entity::Conversation(row) => places.conversation(row.id, row.contact, row.inbox, row.assignee),
                Entity::Order(row) => places.order(row.id, row.conversation),
                _ => {}
            }
        }
        places
    }

    /// Of some rows of a workspace.
    pub fn empty(workspace: WorkspaceId) -> Self {
        Self { workspace: Some(workspace), ..Self::default() }
    }

    /// Adds a conversation.
    pub fn conversation(&mut self, id: ConversationId, contact: ContactId, inbox: InboxId, assignee: Option<MemberId>) {
        self.conversations.insert(id, (inbox, assignee));
        self.contacts.entry(contact).or_default().push(id);
    }

    /// Adds an order.
    pub fn order(&mut self, id: OrderId, conversation: ConversationId) {
        self.orders.insert(id, conversation);
    }

    /// Whether the member may see what hangs on this root.
    pub fn sees(&self, sight: &Sight, root: Key) -> bool {
        let conversation = |id: &ConversationId| {
            self.conversations.get(id).is_some_and(|(inbox, assignee)| sight.sees(*inbox, *assignee))
        };
        match root.kind {
            Kind::Conversation => conversation(&ConversationId(root.id)),
            Kind::Contact => self.contacts.get(&ContactId(root.id)).into_iter().flatten().any(conversation),
            Kind::Order => self.orders.get(&OrderId(root.id)).is_some_and(conversation),
            Kind::Inbox => sight.inboxes.contains(&InboxId(root.id)) || sight.role == Role::Admin,
            _ => self.workspace.is_some_and(|workspace| workspace.0 == root.id && workspace == sight.workspace),
        }
    }

    /// When who sees the root changed last.
    fn scope_of(&self, root: Key, server: &ServerRows) -> u64 {
        let of = |key: Key| server.get(&key).map_or(0, |row| row.scope_seq);
        match root.kind {
            Kind::Contact => {
                let all = self.contacts.get(&ContactId(root.id)).into_iter().flatten();
                all.map(|id| of(Key::new(Kind::Conversation, *id))).max().unwrap_or_default().max(of(root))
            }
            Kind::Order => {
                let talk = self.orders.get(&OrderId(root.id)).map(|id| of(Key::new(Kind::Conversation, *id)));
                talk.unwrap_or_default().max(of(root))
            }
            _ => of(root),
        }
    }
}

/// What applied edits come to, field by field.
#[derive(Default)]
struct Expected {
    assignee: BTreeMap<ConversationId, Option<MemberId>>,
    labels: BTreeMap<ConversationId, BTreeSet<parley_domain::LabelId>>,
    read: BTreeMap<ConversationId, u64>,
    stage: BTreeMap<OrderId, parley_domain::StageId>,
    lines: BTreeMap<ConversationId, usize>,
}

impl Expected {
    fn apply(&mut self, command: &Command) {
        match command {
            Command::Assign { conversation, assignee, .. } => {
                self.assignee.insert(*conversation, *assignee);
                *self.lines.entry(*conversation).or_default() += 1;
            }
            Command::SetStatus { conversation, status: Status::Open | Status::Resolved, .. } => {
                *self.lines.entry(*conversation).or_default() += 1;
            }
            Command::Label { conversation, add, remove } => {
                let labels = self.labels.entry(*conversation).or_default();
                labels.extend(add);
                labels.retain(|label| !remove.contains(label));
            }
            Command::MarkRead { conversation, upto } => {
                let mark = self.read.entry(*conversation).or_default();
                *mark = (*mark).max(*upto);
            }
            Command::MoveOrder { order, stage, .. } => {
                self.stage.insert(*order, *stage);
            }
            _ => {}
        }
    }
}
