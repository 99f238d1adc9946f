//! Entities: every kind of row that is synced, its key and the root on which its visibility hangs (SYNC.md, table of kinds).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::contact::Contact;
use crate::conversation::Conversation;
use crate::fact::Fact;
use crate::message::Message;
use crate::order::{Order, OrderItem, Pipeline, Stage};
use crate::workspace::{Inbox, Label, Member, Workspace};

/// Kinds of synced rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Workspace,
    Member,
    Inbox,
    Label,
    Pipeline,
    Stage,
    Contact,
    Conversation,
    Message,
    Order,
    OrderItem,
    Fact,
}

impl Kind {
    /// Every kind, in the order in which a snapshot sends them within a root.
    pub const ALL: &'static [Kind] = &[
        Kind::Workspace,
        Kind::Member,
        Kind::Inbox,
        Kind::Label,
        Kind::Pipeline,
        Kind::Stage,
        Kind::Contact,
        Kind::Conversation,
        Kind::Message,
        Kind::Order,
        Kind::OrderItem,
        Kind::Fact,
    ];

    /// The text form, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Member => "member",
            Self::Inbox => "inbox",
            Self::Label => "label",
            Self::Pipeline => "pipeline",
            Self::Stage => "stage",
            Self::Contact => "contact",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Order => "order",
            Self::OrderItem => "order_item",
            Self::Fact => "fact",
        }
    }

    /// Number of the shape in which rows of this kind travel. It is raised when a desk of before lacks something of them: such a
    /// desk asks for the kind whole when it has a program that knows the new shape (SYNC.md S26).
    pub fn schema(self) -> u32 {
        1
    }

    /// The first version of the protocol that has the kind: a desk that speaks an older one is not sent its rows (SYNC.md S27).
    pub fn since(self) -> u32 {
        match self {
            Self::Fact => 2,
            _ => 1,
        }
    }

    /// Whether visibility hangs on rows of this kind.
    pub fn is_root(self) -> bool {
        matches!(self, Self::Workspace | Self::Inbox | Self::Contact | Self::Conversation | Self::Order)
    }

    /// The kind with that text form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// Kind and id of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Key {
    pub kind: Kind,
    pub id: Uuid,
}

impl Key {
    /// A key.
    pub fn new(kind: Kind, id: impl Into<Uuid>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}

macro_rules! into_uuid {
    ($($name:ident),*) => {$(
        impl From<crate::$name> for Uuid {
            fn from(id: crate::$name) -> Self {
                id.0
            }
        }
    )*};
}
into_uuid!(
    WorkspaceId,
    MemberId,
    InboxId,
    LabelId,
    PipelineId,
    StageId,
    ContactId,
    ConversationId,
    MessageId,
    OrderId,
    OrderItemId,
    FactId
);

/// What visibility hangs on: the workspace, an inbox, a contact, a conversation or an order. A root is itself a row.
pub type Root = Key;

/// A synced row with its content.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Entity {
    Workspace(Workspace),
    Member(Member),
    Inbox(Inbox),
    Label(Label),
    Pipeline(Pipeline),
    Stage(Stage),
    Contact(Contact),
    Conversation(Conversation),
    Message(Message),
    Order(Order),
    OrderItem(OrderItem),
    Fact(Fact),
}

impl Entity {
    /// Kind and id.
    pub fn key(&self) -> Key {
        match self {
            Self::Workspace(row) => Key::new(Kind::Workspace, row.id),
            Self::Member(row) => Key::new(Kind::Member, row.id),
            Self::Inbox(row) => Key::new(Kind::Inbox, row.id),
            Self::Label(row) => Key::new(Kind::Label, row.id),
            Self::Pipeline(row) => Key::new(Kind::Pipeline, row.id),
            Self::Stage(row) => Key::new(Kind::Stage, row.id),
            Self::Contact(row) => Key::new(Kind::Contact, row.id),
            Self::Conversation(row) => Key::new(Kind::Conversation, row.id),
            Self::Message(row) => Key::new(Kind::Message, row.id),
            Self::Order(row) => Key::new(Kind::Order, row.id),
            Self::OrderItem(row) => Key::new(Kind::OrderItem, row.id),
            Self::Fact(row) => Key::new(Kind::Fact, row.id),
        }
    }

    /// The root on which the row's visibility hangs; `workspace` is the id of the workspace it is in.
    pub fn root(&self, workspace: crate::WorkspaceId) -> Root {
        match self {
            Self::Workspace(_) | Self::Member(_) | Self::Label(_) | Self::Pipeline(_) | Self::Stage(_) => {
                Key::new(Kind::Workspace, workspace)
            }
            Self::Inbox(row) => Key::new(Kind::Inbox, row.id),
            Self::Contact(row) => Key::new(Kind::Contact, row.id),
            Self::Conversation(row) => Key::new(Kind::Conversation, row.id),
            Self::Message(row) => Key::new(Kind::Conversation, row.conversation),
            Self::Order(row) => Key::new(Kind::Order, row.id),
            Self::OrderItem(row) => Key::new(Kind::Order, row.order),
            Self::Fact(row) => Key::new(Kind::Inbox, row.inbox),
        }
    }
}

/// Rows at hand for a decision: what was read under the lock on the server, what is shown on the desk.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RowSet(BTreeMap<Key, Entity>);

macro_rules! readers {
    ($($name:ident: $kind:ident($id:ident) -> $row:ident;)*) => {$(
        #[doc = concat!("The ", stringify!($name), " with that id, if it is at hand.")]
        pub fn $name(&self, id: crate::$id) -> Option<&$row> {
            match self.0.get(&Key::new(Kind::$kind, id)) {
                Some(Entity::$kind(row)) => Some(row),
                _ => None,
            }
        }
    )*};
}

impl RowSet {
    /// Puts a row in place of an earlier one with the same key.
    pub fn put(&mut self, entity: Entity) {
        self.0.insert(entity.key(), entity);
    }
    /// Takes a row out.
    pub fn remove(&mut self, key: Key) {
        self.0.remove(&key);
    }
    /// Whether the row is at hand.
    pub fn contains(&self, key: Key) -> bool {
        self.0.contains_key(&key)
    }
    /// The row, if it is at hand.
    pub fn get(&self, key: Key) -> Option<&Entity> {
        self.0.get(&key)
    }
    /// All rows in order of key.
    pub fn iter(&self) -> impl Iterator<Item = &Entity> {
        self.0.values()
    }
    readers! {
        member: Member(MemberId) -> Member;
        inbox: Inbox(InboxId) -> Inbox;
        label: Label(LabelId) -> Label;
        stage: Stage(StageId) -> Stage;
        contact: Contact(ContactId) -> Contact;
        conversation: Conversation(ConversationId) -> Conversation;
        message: Message(MessageId) -> Message;
        order: Order(OrderId) -> Order;
    }
}
