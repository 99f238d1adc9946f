//! What the window is given: view types, made from local rows. The TypeScript in `ui/src/lib/ipc/generated.ts` is written
//! from these by `cargo xtask bindings`.
//!
//! Promise: everything here comes from the local store. Texts are the customer's own and are rendered as text nodes only.

use parley_domain::channel::Channel;
use parley_domain::content::Content;
use parley_domain::conversation::Status;
use parley_domain::delivery::Delivery;
use parley_domain::message::Direction;
use parley_domain::order::{Fulfilment, Payment};
use parley_domain::permission::Role;
use parley_domain::policy::DeviceRules;
use parley_domain::window::Window;
use parley_domain::{
    Code, ContactId, ConversationId, InboxId, IntentId, LabelId, MemberId, MessageId, MessageText, OrderId,
    OrderItemId, PersonName, Phone, PipelineId, StageId, Timestamp, Username,
};
use serde::{Deserialize, Serialize};

/// Where the desk stands, from the very start of the window.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Phase {
    /// Files are being opened.
    Opening,
    /// Nobody is signed in; `server` is the address last used.
    SignedOut { server: Option<String> },
    /// The files are there but cannot be opened: `keyring_missing`, `keyring_locked`, `wrong_key`, `store_damaged`,
    /// `store_newer`, `disk_full`, `already_open`. Nothing is created meanwhile; Retry tries again. `recoverable`: signing in again brings back
    /// what was not sent.
    Blocked { code: Code, recoverable: bool },
    /// The files are closed and their keys are not in memory; every other command is answered `locked`.
    Locked { lock: LockView },
    /// The inbox can be used.
    Ready { me: Me },
}

/// A locked desk.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LockView {
    pub reason: LockReason,
    pub opens_with: OpensWith,
    /// After wrong tries: no other is looked at before.
    pub not_before: Option<Timestamp>,
    /// It deletes itself then, if the server is not heard.
    pub wipes_at: Option<Timestamp>,
    /// What was not sent when it was locked.
    pub unsent: u32,
    pub server: String,
    /// What the last try to reach the server ended with.
    pub problem: Option<Code>,
}

/// Why a desk is locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum LockReason {
    /// The program was started.
    Started,
    /// The member asked for it.
    Asked,
    /// Nobody did anything for a while.
    Idle,
    /// The server was not heard for too long.
    Silence,
    /// The computer's clock was set back.
    ClockBehind,
    /// The computer's clock was set far ahead.
    ClockAhead,
}

/// What opens a locked desk: the remedy to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum OpensWith {
    /// `unlock` without a secret.
    Click,
    /// `unlock` with the PIN.
    Pin,
    /// `unlock` with the passphrase.
    Passphrase,
    /// The server: it is tried by itself, and at once by `unlock`.
    Contact,
    /// `sign_in_again`: the session has ended too.
    SignIn,
}

/// How the app is locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AppLock {
    pub pin: bool,
    /// The secrets stand in a file under a passphrase, because there is no keyring.
    pub passphrase: bool,
    /// Minutes without a key or a click until it locks; 0: it does not, because nothing would be asked for.
    pub idle_min: u32,
}

/// What signing in again led to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SignedInAgain {
    pub phase: Phase,
    /// Edits that are there again after a loss of the keyring; `None` when nothing had to be recovered.
    pub recovered: Option<u32>,
}

/// The lease of this desk.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LeaseView {
    pub heard_at: Timestamp,
    pub locks_at: Timestamp,
    pub wipes_at: Timestamp,
    /// Whole days until it locks.
    pub days_left: u32,
    /// The server keeps the outbox's key, so what is not sent survives a loss of the keyring.
    pub in_custody: bool,
}

/// Everything that is stored on this computer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StorageView {
    pub stores: Vec<StoreView>,
    /// By which it goes.
    pub rules: DeviceRules,
    pub lease: LeaseView,
}

/// One thing that is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StoreView {
    pub store: StoreName,
    /// On the disk now. Drafts are counted with the outbox.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub bytes: u64,
    /// Messages, edits or drafts in it.
    pub rows: u32,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    /// How long the policy keeps it; `None`: until it was sent, or as long as the desk.
    pub keeps_days: Option<u32>,
    pub clearable: Option<Clearable>,
}

/// What is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum StoreName {
    /// Conversations, contacts, orders; encrypted.
    LocalCopy,
    /// What was not sent; encrypted.
    Outbox,
    /// What was typed and not sent; encrypted, with the outbox.
    Drafts,
    /// Pictures, sound, documents that were opened; encrypted.
    Media,
    /// Wrapped keys, and the record of the lease.
    Keys,
    /// The server's address and ids.
    Settings,
}

/// What can be cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Clearable {
    LocalCopy,
    Drafts,
}

/// The signed-in member.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Me {
    pub id: MemberId,
    pub name: PersonName,
    pub role: Role,
    pub workspace: String,
    pub server: String,
}

/// The status bar: connection, outbox, freshness.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Connection {
    pub state: ConnectionState,
    /// When the present state began.
    pub since: Timestamp,
    /// When the server was last heard.
    pub heard_at: Option<Timestamp>,
    /// Intents that wait to be accepted.
    pub queued: u32,
    /// Intents that were refused and wait for the member.
    pub needs_review: u32,
    /// The first sync is still running: rows to come.
    pub syncing: Option<u32>,
    /// Why the last contact failed, when it did.
    pub problem: Option<Code>,
    /// What opening the files had to mend: `store_rebuilt`, `outbox_recovered`. Told until the desk is closed.
    pub mended: Option<Code>,
}

/// Whether the server is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum ConnectionState {
    Online,
    Connecting,
    Offline,
}

/// The views of the inbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "view", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum View {
    /// Open and mine.
    Mine,
    /// Open and nobody's.
    Unassigned,
    /// Snoozed, in scope.
    Snoozed,
    /// Every open one in scope.
    AllOpen,
    /// Done.
    Resolved,
    /// Open in one inbox.
    Inbox { id: InboxId },
    /// Open with one label.
    Label { id: LabelId },
}

/// Counts beside the views.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Sidebar {
    pub mine: u32,
    pub mine_unread: u32,
    pub unassigned: u32,
    pub snoozed: u32,
    pub all_open: u32,
    pub outbox: u32,
    pub inboxes: Vec<InboxView>,
    pub labels: Vec<LabelView>,
    pub pipelines: Vec<PipelineView>,
    pub members: Vec<MemberView>,
}

/// An inbox with its count of open conversations.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct InboxView {
    pub id: InboxId,
    pub name: String,
    pub channel: Channel,
    pub address: Option<Phone>,
    pub connected: bool,
    pub open: u32,
}

/// A label with its count of open conversations.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LabelView {
    pub id: LabelId,
    pub name: String,
    pub colour: String,
    pub open: u32,
}

/// A pipeline with its count of orders that are not closed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PipelineView {
    pub id: PipelineId,
    pub name: String,
    pub open: u32,
}

/// A colleague.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MemberView {
    pub id: MemberId,
    pub name: PersonName,
    pub role: Role,
    pub active: bool,
}

/// Where a list goes on: the last row's order and id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ListCursor {
    pub active_at: Timestamp,
    pub id: ConversationId,
}

/// A page of conversations, newest activity first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConversationPage {
    pub rows: Vec<ConversationRow>,
    pub next: Option<ListCursor>,
    /// All that the view holds.
    pub total: u32,
}

/// One row of the conversation list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConversationRow {
    pub id: ConversationId,
    pub contact: ContactId,
    pub name: Option<PersonName>,
    pub phone: Option<Phone>,
    pub username: Option<Username>,
    pub channel: Channel,
    pub inbox: InboxId,
    pub status: Status,
    pub assignee: Option<MemberId>,
    pub labels: Vec<LabelId>,
    pub active_at: Timestamp,
    pub snoozed_until: Option<Timestamp>,
    pub unread: u32,
    pub window: Window,
    /// The newest entry that is not an activity, if this desk holds it.
    pub preview: Option<Preview>,
    /// What the member typed and did not send.
    pub draft: Option<MessageText>,
    /// The newest order that is not closed.
    pub order: Option<OrderTag>,
    /// A message of this conversation waits in the outbox, or was not sent.
    pub not_sent: bool,
}

/// The last entry, in short.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Preview {
    pub direction: Direction,
    /// First line of the text, at most 160 characters; empty when `content_type` says it all.
    pub text: MessageText,
    /// The `type` of the content: `text`, `media` (then `media_kind`), `order`, …
    pub content_type: String,
    pub media_kind: Option<String>,
    pub delivery: Option<Delivery>,
}

/// An order's number and stage, for chips.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrderTag {
    pub id: OrderId,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub number: u64,
    pub stage: String,
}

/// An open conversation: header, composer state, context panel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConversationDetail {
    pub row: ConversationRow,
    pub inbox_name: String,
    /// Whether a free-form message may be written now; otherwise the rule that forbids it.
    pub may_write: MayWrite,
    pub orders: Vec<OrderView>,
    /// Other conversations with the same contact, newest first.
    pub earlier: Vec<EarlierConversation>,
}

/// The gate's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MayWrite {
    pub allowed: bool,
    pub code: Option<Code>,
}

/// Another conversation of the same contact.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct EarlierConversation {
    pub id: ConversationId,
    pub inbox_name: String,
    pub status: Status,
    pub active_at: Timestamp,
}

/// An order with its lines.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrderView {
    pub id: OrderId,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub number: u64,
    pub conversation: ConversationId,
    pub contact_name: Option<PersonName>,
    pub pipeline: PipelineId,
    pub stage: StageId,
    pub stage_name: String,
    /// Place of the stage and how many stages there are: for a progress bar.
    pub stage_place: u32,
    pub stage_count: u32,
    pub fulfilment: Fulfilment,
    pub payment: Payment,
    pub currency: String,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub total_minor: i64,
    pub placed_at: Timestamp,
    pub staged_at: Timestamp,
    pub items: Vec<OrderItemView>,
    pub assignee: Option<MemberId>,
    pub window: Window,
    /// A move of this order waits for the server.
    pub pending: bool,
}

/// One line of an order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrderItemView {
    pub id: OrderItemId,
    pub sku: String,
    pub name: Option<String>,
    pub quantity: u32,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub price_minor: i64,
}

/// A page of a timeline, oldest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TimelinePage {
    pub entries: Vec<Entry>,
    /// Pass as `before` to get the page above; `None` at the top of what this desk holds.
    pub before: Option<TimelineCursor>,
    /// At the top: the policy kept older entries off this desk, or took them away. `remote_timeline` has them.
    pub beyond: bool,
}

/// Place of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TimelineCursor {
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub position: u64,
    pub sent_at: Timestamp,
    pub id: MessageId,
}

/// One entry of a timeline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Entry {
    pub id: MessageId,
    pub direction: Direction,
    pub author: Option<MemberId>,
    pub content: Content,
    pub sent_at: Timestamp,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub position: u64,
    pub delivery: Option<Delivery>,
    pub quoted: Option<Quoted>,
    pub reactions: Vec<String>,
    pub resend_of: Option<MessageId>,
    pub forwarded: bool,
    pub edited: bool,
    pub revoked: bool,
    /// Only this desk knows it so far.
    pub pending: bool,
    /// The server refused the intent behind it; the text is kept.
    pub refused: Option<Code>,
    /// For `order` content: the order that it became.
    pub order: Option<OrderTag>,
}

/// The entry that another answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Quoted {
    pub id: MessageId,
    pub direction: Direction,
    pub text: MessageText,
}

/// A board.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Board {
    pub id: PipelineId,
    pub name: String,
    pub columns: Vec<BoardColumn>,
}

/// One stage of a board with its cards, newest in stage first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct BoardColumn {
    pub stage: StageId,
    pub name: String,
    pub closed: bool,
    pub count: u32,
    /// Sums per currency, most frequent first.
    pub totals: Vec<Total>,
    pub cards: Vec<OrderView>,
}

/// A sum in one currency.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Total {
    pub currency: String,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub minor: i64,
}

/// What waits to be sent or was refused.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OutboxItem {
    pub id: IntentId,
    pub made_at: Timestamp,
    pub state: OutboxState,
    /// `send_message`, `add_note`, `assign`, `set_status`, `label`, `mark_read`, `move_order`, `cancel_send`.
    pub action: String,
    pub conversation: Option<ConversationId>,
    pub contact_name: Option<PersonName>,
    pub text: Option<MessageText>,
    pub code: Option<Code>,
}

/// What a draft will become.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum DraftMode {
    /// For the customer.
    Reply,
    /// For colleagues.
    Note,
}

/// Where an item of the outbox stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum OutboxState {
    Queued,
    Sending,
    Blocked,
    NeedsReview,
}

/// What a search found, newest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SearchResult {
    /// Newest first.
    pub messages: Vec<MessageHit>,
    pub contacts: Vec<ContactHit>,
    /// Newest first.
    pub orders: Vec<OrderHit>,
    /// Nothing more would be found: this desk holds everything that the member may see, and the search went to its end. When
    /// not, the server may hold more.
    pub complete: bool,
}

/// An order whose number, article or customer matches.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrderHit {
    pub order: OrderId,
    pub conversation: ConversationId,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub number: u64,
    pub contact_name: Option<PersonName>,
    /// ISO 4217.
    pub currency: String,
    /// In minor units of the currency.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub total_minor: i64,
    pub placed_at: Timestamp,
}

/// A message that holds the words.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MessageHit {
    pub message: MessageId,
    pub conversation: ConversationId,
    pub contact_name: Option<PersonName>,
    pub direction: Direction,
    pub sent_at: Timestamp,
    /// Pieces of the text around the hit; `hit` pieces are to be marked.
    pub snippet: Vec<SnippetPart>,
}

/// A piece of a snippet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SnippetPart {
    pub text: MessageText,
    pub hit: bool,
}

/// A contact whose name, number or username matches.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ContactHit {
    pub contact: ContactId,
    pub conversation: Option<ConversationId>,
    pub name: Option<PersonName>,
    pub phone: Option<Phone>,
}

/// What the engine tells the window: which queries are stale, and what the OS should be told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Event {
    /// [`Phase`] changed.
    Phase,
    /// [`Connection`] changed.
    Connection,
    /// Lists and counts changed; at most four a second.
    Lists,
    /// Timeline or detail of these conversations changed.
    Conversations { ids: Vec<ConversationId> },
    /// Orders changed.
    Board,
    /// The outbox changed.
    Outbox,
    /// Show a native notification.
    Notify { conversation: ConversationId, title: String, body: Option<String> },
    /// A notification was clicked: open this conversation and focus its composer.
    Open { conversation: ConversationId },
}
