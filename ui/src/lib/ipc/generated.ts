// Written by `cargo xtask bindings` from the command list in src-tauri/ipc.rs. Not edited by hand.

/**
 * Everything that the screens of members, teams and inboxes show. Admins only.
 */
export type AccessOverview = { members: Array<MemberEntry>, invitations: Array<InvitationEntry>, teams: Array<TeamEntry>, inboxes: Array<InboxEntry>, rules: AccessRules, };

/**
 * Rules of the whole workspace about access.
 */
export type AccessRules = { 
/**
 * Members without a second factor can do nothing but set one up.
 */
two_factor_required: boolean, 
/**
 * Agents get contacts without phone number; it never reaches their desks.
 */
mask_contacts: boolean, };

/**
 * How the app is locked.
 */
export type AppLock = { pin: boolean, 
/**
 * The secrets stand in a file under a passphrase, because there is no keyring.
 */
passphrase: boolean, 
/**
 * Minutes without a key or a click until it locks; 0: it does not, because nothing would be asked for.
 */
idle_min: number, };

/**
 * One entry of the audit log. It names rows by id and says which fields changed; it holds no message text and no phone number.
 */
export type AuditEntry = { id: AuditId, 
/**
 * Place in the workspace's chain, from 1.
 */
place: number, at: Timestamp, 
/**
 * Who acted; `None` for the server itself or its command line.
 */
actor: MemberId | null, actor_name: PersonName | null, 
/**
 * `member.invited`, `device.revoked`, …: catalogs translate it.
 */
action: string, 
/**
 * What was acted on, as `kind/id`.
 */
target: string, 
/**
 * Name of the target when it still has one.
 */
target_name: string | null, 
/**
 * What changed: names of fields, roles, counts. No personal data.
 */
details: string, };

/**
 * One entry of the audit log.
 */
export type AuditId = string;

/**
 * The answer to [`AuditRequest`].
 */
export type AuditPage = { entries: Array<AuditEntry>, 
/**
 * The last signed checkpoint's place, 0 when there is none yet.
 */
sealed_upto: number, };

/**
 * A board.
 */
export type Board = { id: PipelineId, name: string, columns: Array<BoardColumn>, };

/**
 * One stage of a board with its cards, newest in stage first.
 */
export type BoardColumn = { stage: StageId, name: string, closed: boolean, count: number, 
/**
 * Sums per currency, most frequent first.
 */
totals: Array<Total>, cards: Array<OrderView>, };

/**
 * The technology behind an inbox.
 */
export type Channel = "whatsapp" | "messenger" | "instagram";

/**
 * Where a choice was made.
 */
export type ChoiceKind = "button" | "list" | "flow" | "call_permission" | "other";

/**
 * What can be cleared.
 */
export type Clearable = "local_copy" | "drafts";

/**
 * Why something was refused or failed. The text form (`snake_case`) is what travels and what catalogs translate.
 */
export type Code = "bad_request" | "unauthorized" | "bad_credentials" | "device_revoked" | "second_factor_needed" | "bad_second_factor" | "second_factor_required" | "step_up_needed" | "weak_password" | "invitation_invalid" | "last_admin" | "forbidden" | "not_found" | "too_large" | "rate_limited" | "protocol_mismatch" | "resync_required" | "blocked" | "conflict" | "out_of_scope" | "too_old" | "window_closed" | "window_never_opened" | "empty_message" | "text_too_long" | "no_address" | "contact_blocked" | "inbox_unavailable" | "unsupported_content" | "meta_auth" | "meta_rejected" | "meta_rate_limited" | "undeliverable" | "unconfirmed" | "cancelled" | "offline" | "server_failed" | "keyring_missing" | "keyring_locked" | "wrong_key" | "store_damaged" | "store_newer" | "store_rebuilt" | "outbox_recovered" | "disk_full" | "already_open" | "signed_out" | "locked" | "wrong_pin" | "weak_pin" | "not_in_custody" | "nothing_to_recover" | "subject_erased" | "policy_invalid" | "internal" | "unknown";

/**
 * The status bar: connection, outbox, freshness.
 */
export type Connection = { state: ConnectionState, 
/**
 * When the present state began.
 */
since: Timestamp, 
/**
 * When the server was last heard.
 */
heard_at: Timestamp | null, 
/**
 * Intents that wait to be accepted.
 */
queued: number, 
/**
 * Intents that were refused and wait for the member.
 */
needs_review: number, 
/**
 * The first sync is still running: rows to come.
 */
syncing: number | null, 
/**
 * Why the last contact failed, when it did.
 */
problem: Code | null, 
/**
 * What opening the files had to mend: `store_rebuilt`, `outbox_recovered`. Told until the desk is closed.
 */
mended: Code | null, };

/**
 * Whether the server is heard.
 */
export type ConnectionState = "online" | "connecting" | "offline";

/**
 * A contact card; a name may be missing when the card was asked for (meta-platform.md §3.1).
 */
export type ContactCard = { name: PersonName | null, phones: Array<Phone>, 
/**
 * The customer tapped our request, so the phone is theirs.
 */
own: boolean, };

/**
 * A contact whose name, number or username matches.
 */
export type ContactHit = { contact: ContactId, conversation: ConversationId | null, name: PersonName | null, phone: Phone | null, };

/**
 * A person who writes to the business.
 */
export type ContactId = string;

/**
 * Contacts that a desk holds.
 */
export type ContactScope = "assigned_or_recent" | "all";

/**
 * What a message says.
 */
export type Content = { "type": "text", body: MessageText, } | { "type": "media" } & Media | { "type": "location", latitude: number, longitude: number, name: string | null, address: MessageText | null, } | { "type": "contacts", cards: Array<ContactCard>, } | { "type": "reaction", to: MessageId | null, emoji: string | null, } | { "type": "choice", kind: ChoiceKind, title: MessageText, id: string | null, description: MessageText | null, } | { "type": "order", catalog: string | null, lines: Array<OrderLine>, text: MessageText | null, } | { "type": "template", name: string, language: string, parameters: Array<MessageText>, body: MessageText, } | { "type": "welcome" } | { "type": "system", event: SystemEvent, detail: MessageText | null, } | { "type": "unsupported", reported: string, };

/**
 * An open conversation: header, composer state, context panel.
 */
export type ConversationDetail = { row: ConversationRow, inbox_name: string, 
/**
 * Whether a free-form message may be written now; otherwise the rule that forbids it.
 */
may_write: MayWrite, orders: Array<OrderView>, 
/**
 * Other conversations with the same contact, newest first.
 */
earlier: Array<EarlierConversation>, };

/**
 * The talk with one contact in one inbox.
 */
export type ConversationId = string;

/**
 * A page of conversations, newest activity first.
 */
export type ConversationPage = { rows: Array<ConversationRow>, next: ListCursor | null, 
/**
 * All that the view holds.
 */
total: number, };

/**
 * One row of the conversation list.
 */
export type ConversationRow = { id: ConversationId, contact: ContactId, name: PersonName | null, phone: Phone | null, username: Username | null, channel: Channel, inbox: InboxId, status: Status, assignee: MemberId | null, labels: Array<LabelId>, active_at: Timestamp, snoozed_until: Timestamp | null, unread: number, window: Window, 
/**
 * The newest entry that is not an activity, if this desk holds it.
 */
preview: Preview | null, 
/**
 * What the member typed and did not send.
 */
draft: MessageText | null, 
/**
 * The newest order that is not closed.
 */
order: OrderTag | null, 
/**
 * A message of this conversation waits in the outbox, or was not sent.
 */
not_sent: boolean, };

/**
 * The copy of a workspace on a device, as far as the server knows.
 */
export type CopyReport = { 
/**
 * When it was last in contact.
 */
heard_at: Timestamp, 
/**
 * Edits and messages that were not sent then, and drafts.
 */
unsent: number, drafts: number, state: CopyState, 
/**
 * When it locks and when it deletes itself, if nothing is heard of it.
 */
locks_at: Timestamp, wipes_at: Timestamp, 
/**
 * Erasures that it has not confirmed.
 */
erasures_waiting: number, };

/**
 * Where the copy on a device stands.
 */
export type CopyState = "usable" | "locked" | "expired_unconfirmed" | "revoked_unconfirmed" | "wiped";

/**
 * The delivery of one message: the shown state and when each step was first reported.
 */
export type Delivery = { state: DeliveryState, accepted_at: Timestamp | null, sent_at: Timestamp | null, delivered_at: Timestamp | null, read_at: Timestamp | null, played_at: Timestamp | null, failure: Failure | null, };

/**
 * Where an outgoing message stands.
 */
export type DeliveryState = "queued" | "sending" | "unconfirmed" | "cancelled" | "failed" | "accepted" | "held" | "sent" | "delivered" | "read" | "played";

/**
 * A device of a member.
 */
export type DeviceEntry = { id: DeviceId, name: string, created_at: Timestamp, last_seen_at: Timestamp, revoked_at: Timestamp | null, 
/**
 * The one that asks.
 */
current: boolean, 
/**
 * What it last said of itself; `None` when it never did.
 */
copy: CopyReport | null, };

/**
 * One installation of the desk, signed in as one member.
 */
export type DeviceId = string;

/**
 * A workspace's policy for desks. Days of 24 hours.
 */
export type DevicePolicy = { 
/**
 * Messages and notes older than this are not on a desk; 0: none ever is.
 */
message_window_days: number, 
/**
 * Conversations on a desk, newest activity first.
 */
conversations_max: number, contacts: ContactScope, orders: OrderScope, facts_days: number, 
/**
 * Media goes this long after it was last opened.
 */
media_days: number, media_max_mb: number, 
/**
 * A draft goes this long after it was last typed in.
 */
drafts_days: number, search_index: boolean, 
/**
 * The lease secret is replaced this often.
 */
lease_hours: number, 
/**
 * Without contact for this long the desk locks until there is one.
 */
lock_after_days: number, 
/**
 * Without contact for this long the desk deletes what it holds.
 */
wipe_after_days: number, 
/**
 * Days within which whoever asks for deletion is promised it everywhere.
 */
deletion_promise_days: number, 
/**
 * Minutes without a key or a click after which a desk with an app lock locks; 0: never.
 */
idle_lock_min: number, log_days: number, log_max_mb: number, clipboard_clear_s: number, notification_preview: boolean, backup_excluded: boolean, wipe_on_sign_out: boolean, 
/**
 * The workspace's own age of messages (class `message`), the same on every desk; 0: as long as the account.
 */
message_keep_days: number, role: { [key in Role]?: RolePolicy }, };

/**
 * A workspace's policy for desks as administrators see it.
 */
export type DevicePolicyView = { 
/**
 * As it holds.
 */
policy: DevicePolicy, 
/**
 * What holds when the workspace has none of its own.
 */
default: DevicePolicy, 
/**
 * Raised by every change; 0 while the default holds from the beginning.
 */
epoch: number, own: boolean, changed_at: Timestamp | null, changed_by: MemberId | null, };

/**
 * The policy as it holds for the role of this desk's member.
 */
export type DeviceRules = { message_window_days: number, message_keep_days: number, conversations_max: number, contacts: ContactScope, orders: OrderScope, pipeline_days: number, facts_days: number, media_days: number, media_max_mb: number, drafts_days: number, lease_hours: number, lock_after_days: number, wipe_after_days: number, idle_lock_min: number, clipboard_clear_s: number, notification_preview: boolean, wipe_on_sign_out: boolean, };

/**
 * Who an entry of the timeline is from and for.
 */
export type Direction = "incoming" | "outgoing" | "note" | "activity";

/**
 * What a draft will become.
 */
export type DraftMode = "reply" | "note";

/**
 * Another conversation of the same contact.
 */
export type EarlierConversation = { id: ConversationId, inbox_name: string, status: Status, active_at: Timestamp, };

/**
 * A member's e-mail address.
 */
export type Email = string;

/**
 * One entry of a timeline.
 */
export type Entry = { id: MessageId, direction: Direction, author: MemberId | null, content: Content, sent_at: Timestamp, position: number, delivery: Delivery | null, quoted: Quoted | null, reactions: Array<string>, resend_of: MessageId | null, forwarded: boolean, edited: boolean, revoked: boolean, 
/**
 * Only this desk knows it so far.
 */
pending: boolean, 
/**
 * The server refused the intent behind it; the text is kept.
 */
refused: Code | null, 
/**
 * For `order` content: the order that it became.
 */
order: OrderTag | null, };

/**
 * What the engine tells the window: which queries are stale, and what the OS should be told.
 */
export type Event = { "event": "phase" } | { "event": "connection" } | { "event": "lists" } | { "event": "conversations", ids: Array<ConversationId>, } | { "event": "board" } | { "event": "outbox" } | { "event": "notify", conversation: ConversationId, title: string, body: string | null, } | { "event": "open", conversation: ConversationId, };

/**
 * Why a message was not sent or not delivered.
 */
export type Failure = { code: Code, 
/**
 * Meta's number for it, when Meta said it.
 */
meta_code: number | null, at: Timestamp, };

/**
 * How far the goods are.
 */
export type Fulfilment = "draft" | "confirmed" | "shipped" | "delivered" | "cancelled";

/**
 * An inbox as administrators see it.
 */
export type InboxEntry = { id: InboxId, name: string, channel: Channel, address: Phone | null, connected: boolean, };

/**
 * One connected endpoint of a channel, for WhatsApp one business phone number.
 */
export type InboxId = string;

/**
 * An inbox with its count of open conversations.
 */
export type InboxView = { id: InboxId, name: string, channel: Channel, address: Phone | null, connected: boolean, open: number, };

/**
 * One edit made on a desk; its idempotency key, minted once when the edit is made.
 */
export type IntentId = string;

/**
 * An invitation that waits.
 */
export type InvitationEntry = { id: InvitationId, email: Email, role: Role, inboxes: Array<InboxId>, teams: Array<TeamId>, invited_by: PersonName, created_at: Timestamp, expires_at: Timestamp, 
/**
 * Whether the mail went out; false when the server has no mail transport, or it failed.
 */
mailed: boolean, };

/**
 * An invitation to work in a workspace.
 */
export type InvitationId = string;

/**
 * What an invitation is for, to who holds its token.
 */
export type InvitationOffer = { workspace: string, email: Email, role: Role, invited_by: PersonName, expires_at: Timestamp, };

/**
 * A new invitation, with the link that was mailed, so that it can also be handed over in person.
 */
export type Invited = { invitation: InvitationEntry, 
/**
 * What the invited person pastes into the sign-in screen.
 */
token: Secret, };

/**
 * A label that members put on conversations.
 */
export type LabelId = string;

/**
 * A label with its count of open conversations.
 */
export type LabelView = { id: LabelId, name: string, colour: string, open: number, };

/**
 * The lease of this desk.
 */
export type LeaseView = { heard_at: Timestamp, locks_at: Timestamp, wipes_at: Timestamp, 
/**
 * Whole days until it locks.
 */
days_left: number, 
/**
 * The server keeps the outbox's key, so what is not sent survives a loss of the keyring.
 */
in_custody: boolean, };

/**
 * Where a list goes on: the last row's order and id.
 */
export type ListCursor = { active_at: Timestamp, id: ConversationId, };

/**
 * Why a desk is locked.
 */
export type LockReason = "started" | "asked" | "idle" | "silence" | "clock_behind" | "clock_ahead";

/**
 * A locked desk.
 */
export type LockView = { reason: LockReason, opens_with: OpensWith, 
/**
 * After wrong tries: no other is looked at before.
 */
not_before: Timestamp | null, 
/**
 * It deletes itself then, if the server is not heard.
 */
wipes_at: Timestamp | null, 
/**
 * What was not sent when it was locked.
 */
unsent: number, server: string, 
/**
 * What the last try to reach the server ended with.
 */
problem: Code | null, };

/**
 * The gate's answer.
 */
export type MayWrite = { allowed: boolean, code: Code | null, };

/**
 * The signed-in member.
 */
export type Me = { id: MemberId, name: PersonName, role: Role, workspace: string, server: string, };

/**
 * An attachment; bytes stand elsewhere.
 */
export type Media = { kind: MediaKind, mime: string | null, caption: MessageText | null, filename: MessageText | null, 
/**
 * Recorded in the chat, not a file.
 */
voice: boolean, 
/**
 * Meta's id, valid for 7 days (meta-platform.md §7).
 */
provider_id: string | null, 
/**
 * Why the bytes are not there: Meta's error code.
 */
failure: number | null, };

/**
 * Kinds of attachment.
 */
export type MediaKind = "image" | "video" | "audio" | "document" | "sticker";

/**
 * A member as administrators see them.
 */
export type MemberEntry = { id: MemberId, name: PersonName, email: Email, role: Role, active: boolean, 
/**
 * Granted by name; teams may grant more. Admins see all inboxes, whatever stands here.
 */
inboxes: Array<InboxId>, teams: Array<TeamId>, two_factor: boolean, last_seen_at: Timestamp | null, };

/**
 * A person who works in a workspace.
 */
export type MemberId = string;

/**
 * A colleague.
 */
export type MemberView = { id: MemberId, name: PersonName, role: Role, active: boolean, };

/**
 * A message that holds the words.
 */
export type MessageHit = { message: MessageId, conversation: ConversationId, contact_name: PersonName | null, direction: Direction, sent_at: Timestamp, 
/**
 * Pieces of the text around the hit; `hit` pieces are to be marked.
 */
snippet: Array<SnippetPart>, };

/**
 * One entry of a timeline: incoming, outgoing, note or activity.
 */
export type MessageId = string;

/**
 * What somebody wrote: message, caption, note, AI output.
 */
export type MessageText = string;

/**
 * What opens a locked desk: the remedy to show.
 */
export type OpensWith = "click" | "pin" | "passphrase" | "contact" | "sign_in";

/**
 * An order whose number, article or customer matches.
 */
export type OrderHit = { order: OrderId, conversation: ConversationId, number: number, contact_name: PersonName | null, 
/**
 * ISO 4217.
 */
currency: string, 
/**
 * In minor units of the currency.
 */
total_minor: number, placed_at: Timestamp, };

/**
 * What a customer ordered.
 */
export type OrderId = string;

/**
 * One line of an order.
 */
export type OrderItemId = string;

/**
 * One line of an order.
 */
export type OrderItemView = { id: OrderItemId, sku: string, name: string | null, quantity: number, price_minor: number, };

/**
 * One line of a cart as the customer saw it; the price is not trusted (meta-platform.md §3.1).
 */
export type OrderLine = { 
/**
 * The catalog's SKU.
 */
sku: string, quantity: number, 
/**
 * Price of one in minor units of `currency`.
 */
price_minor: number, 
/**
 * ISO 4217.
 */
currency: string, };

/**
 * Orders that a desk holds.
 */
export type OrderScope = "open_only" | "all";

/**
 * An order's number and stage, for chips.
 */
export type OrderTag = { id: OrderId, number: number, stage: string, };

/**
 * An order with its lines.
 */
export type OrderView = { id: OrderId, number: number, conversation: ConversationId, contact_name: PersonName | null, pipeline: PipelineId, stage: StageId, stage_name: string, 
/**
 * Place of the stage and how many stages there are: for a progress bar.
 */
stage_place: number, stage_count: number, fulfilment: Fulfilment, payment: Payment, currency: string, total_minor: number, placed_at: Timestamp, staged_at: Timestamp, items: Array<OrderItemView>, assignee: MemberId | null, window: Window, 
/**
 * A move of this order waits for the server.
 */
pending: boolean, };

/**
 * What waits to be sent or was refused.
 */
export type OutboxItem = { id: IntentId, made_at: Timestamp, state: OutboxState, 
/**
 * `send_message`, `add_note`, `assign`, `set_status`, `label`, `mark_read`, `move_order`, `cancel_send`.
 */
action: string, conversation: ConversationId | null, contact_name: PersonName | null, text: MessageText | null, code: Code | null, };

/**
 * Where an item of the outbox stands.
 */
export type OutboxState = "queued" | "sending" | "blocked" | "needs_review";

/**
 * One's own access.
 */
export type OwnAccess = { email: Email, two_factor: boolean, two_factor_required: boolean, recovery_codes_left: number, stepped_up_until: Timestamp | null, };

/**
 * How far the money is.
 */
export type Payment = "unpaid" | "pending" | "paid" | "refunded";

/**
 * A person's name.
 */
export type PersonName = string;

/**
 * Where the desk stands, from the very start of the window.
 */
export type Phase = { "phase": "opening" } | { "phase": "signed_out", server: string | null, } | { "phase": "blocked", code: Code, recoverable: boolean, } | { "phase": "locked", lock: LockView, } | { "phase": "ready", me: Me, };

/**
 * A phone number, digits with or without a leading plus, as the source wrote it.
 */
export type Phone = string;

/**
 * A board of stages.
 */
export type PipelineId = string;

/**
 * A pipeline with its count of orders that are not closed.
 */
export type PipelineView = { id: PipelineId, name: string, open: number, };

/**
 * The last entry, in short.
 */
export type Preview = { direction: Direction, 
/**
 * First line of the text, at most 160 characters; empty when `content_type` says it all.
 */
text: MessageText, 
/**
 * The `type` of the content: `text`, `media` (then `media_kind`), `order`, …
 */
content_type: string, media_kind: string | null, delivery: Delivery | null, };

/**
 * The body of every refusal over HTTP and IPC.
 */
export type Problem = { code: Code, 
/**
 * For logs and developers, in English; people are shown the catalog's text for `code`.
 */
message: string, 
/**
 * Milliseconds to wait before another try, when that helps.
 */
retry_after?: number | null, };

/**
 * The entry that another answers.
 */
export type Quoted = { id: MessageId, direction: Direction, text: MessageText, };

/**
 * Ten codes, each good once in place of the second factor.
 */
export type RecoveryCodes = { codes: Array<Secret>, };

/**
 * A member's role.
 */
export type Role = "agent" | "manager" | "admin";

/**
 * What differs for a role; `null` is as for everybody.
 */
export type RolePolicy = { message_window_days: number | null, 
/**
 * Days that a closed order stays on the desk.
 */
pipeline_days: number | null, lock_after_days: number | null, };

/**
 * What a search found, newest first.
 */
export type SearchResult = { 
/**
 * Newest first.
 */
messages: Array<MessageHit>, contacts: Array<ContactHit>, 
/**
 * Newest first.
 */
orders: Array<OrderHit>, 
/**
 * Nothing more would be found: this desk holds everything that the member may see, and the search went to its end. When
 * not, the server may hold more.
 */
complete: boolean, };

/**
 * A bearer token or password on its way; never shown by `Debug`.
 */
export type Secret = string;

/**
 * Counts beside the views.
 */
export type Sidebar = { mine: number, mine_unread: number, unassigned: number, snoozed: number, all_open: number, outbox: number, inboxes: Array<InboxView>, labels: Array<LabelView>, pipelines: Array<PipelineView>, members: Array<MemberView>, };

/**
 * What signing in again led to.
 */
export type SignedInAgain = { phase: Phase, 
/**
 * Edits that are there again after a loss of the keyring; `None` when nothing had to be recovered.
 */
recovered: number | null, };

/**
 * A piece of a snippet.
 */
export type SnippetPart = { text: MessageText, hit: boolean, };

/**
 * One column of a pipeline.
 */
export type StageId = string;

/**
 * What is to be done about a conversation.
 */
export type Status = "open" | "pending" | "snoozed" | "resolved";

/**
 * Until when this device may do what needs a step-up.
 */
export type SteppedUp = { until: Timestamp, };

/**
 * Everything that is stored on this computer.
 */
export type StorageView = { stores: Array<StoreView>, 
/**
 * By which it goes.
 */
rules: DeviceRules, lease: LeaseView, };

/**
 * What is stored.
 */
export type StoreName = "local_copy" | "outbox" | "drafts" | "media" | "keys" | "settings";

/**
 * One thing that is stored.
 */
export type StoreView = { store: StoreName, 
/**
 * On the disk now. Drafts are counted with the outbox.
 */
bytes: number, 
/**
 * Messages, edits or drafts in it.
 */
rows: number, oldest: Timestamp | null, newest: Timestamp | null, 
/**
 * How long the policy keeps it; `None`: until it was sent, or as long as the desk.
 */
keeps_days: number | null, clearable: Clearable | null, };

/**
 * Events that appear as a line in the timeline.
 */
export type SystemEvent = "number_changed" | "user_id_changed" | "identity_changed" | "order_added" | "assigned" | "unassigned" | "resolved" | "reopened" | "other";

/**
 * A team: its members see its inboxes.
 */
export type TeamEntry = { id: TeamId, name: string, members: Array<MemberId>, inboxes: Array<InboxId>, };

/**
 * A group of members that shares inboxes.
 */
export type TeamId = string;

/**
 * Place of an entry.
 */
export type TimelineCursor = { position: number, sent_at: Timestamp, id: MessageId, };

/**
 * A page of a timeline, oldest first.
 */
export type TimelinePage = { entries: Array<Entry>, 
/**
 * Pass as `before` to get the page above; `None` at the top of what this desk holds.
 */
before: TimelineCursor | null, 
/**
 * At the top: the policy kept older entries off this desk, or took them away. `remote_timeline` has them.
 */
beyond: boolean, };

/**
 * Milliseconds since 1970-01-01 UTC.
 */
export type Timestamp = number;

/**
 * A sum in one currency.
 */
export type Total = { currency: string, minor: number, };

/**
 * A second factor that is being set up; it counts only once a code from it was given. *Step-up.*
 */
export type TwoFactorOffer = { 
/**
 * Base32, for typing.
 */
secret: Secret, 
/**
 * `otpauth://totp/…`, for a QR code.
 */
uri: Secret, };

/**
 * A WhatsApp username, with or without `@`; mutable, for display only (meta-platform.md §3.3).
 */
export type Username = string;

/**
 * The views of the inbox.
 */
export type View = { "view": "mine" } | { "view": "unassigned" } | { "view": "snoozed" } | { "view": "all_open" } | { "view": "resolved" } | { "view": "inbox", id: InboxId, } | { "view": "label", id: LabelId, };

/**
 * Whether free-form messages may go.
 */
export type Window = { "state": "open", until: Timestamp, } | { "state": "closed", since: Timestamp, } | { "state": "never_opened" };

/** Every command: its arguments and its result. */
export interface Commands {
  phase: [Record<string, never>, Phase];
  connection: [Record<string, never>, Connection];
  sidebar: [Record<string, never>, Sidebar];
  conversations: [{ view: View, after: ListCursor | null, limit: number }, ConversationPage];
  conversation: [{ id: ConversationId }, ConversationDetail | null];
  timeline: [{ conversation: ConversationId, before: TimelineCursor | null, limit: number }, TimelinePage];
  board: [{ pipeline: PipelineId | null }, Board | null];
  outbox: [Record<string, never>, Array<OutboxItem>];
  search: [{ text: MessageText, limit: number }, SearchResult];
  draft: [{ conversation: ConversationId, mode: DraftMode }, MessageText | null];
  sign_in: [{ server: string, email: Email, password: Secret, device_name: string, code: Secret | null }, Phase];
  invitation_offer: [{ server: string, token: Secret }, InvitationOffer];
  accept_invitation: [{ server: string, token: Secret, name: PersonName, password: Secret, device_name: string }, Phase];
  own_access: [Record<string, never>, OwnAccess];
  step_up: [{ password: Secret, code: Secret | null }, SteppedUp];
  change_password: [{ password: Secret }, null];
  begin_two_factor: [Record<string, never>, TwoFactorOffer];
  confirm_two_factor: [{ code: Secret }, RecoveryCodes];
  remove_two_factor: [Record<string, never>, null];
  devices: [{ member: MemberId | null }, Array<DeviceEntry>];
  revoke_device: [{ device: DeviceId }, null];
  access_overview: [Record<string, never>, AccessOverview];
  invite: [{ email: Email, role: Role, inboxes: Array<InboxId>, teams: Array<TeamId> }, Invited];
  cancel_invitation: [{ invitation: InvitationId }, null];
  update_member: [{ member: MemberId, role: Role, active: boolean, inboxes: Array<InboxId>, teams: Array<TeamId> }, null];
  reset_two_factor: [{ member: MemberId }, null];
  put_team: [{ team: TeamId | null, name: string, members: Array<MemberId>, inboxes: Array<InboxId> }, TeamId];
  delete_team: [{ team: TeamId }, null];
  set_access_rules: [{ rules: AccessRules }, null];
  lock: [Record<string, never>, Phase];
  unlock: [{ secret: Secret | null }, Phase];
  app_lock: [Record<string, never>, AppLock];
  set_pin: [{ current: Secret | null, pin: Secret }, AppLock];
  remove_pin: [{ current: Secret }, AppLock];
  set_up_passphrase: [{ passphrase: Secret }, Phase];
  sign_in_again: [{ email: Email, password: Secret, code: Secret | null }, SignedInAgain];
  active: [Record<string, never>, null];
  lease: [Record<string, never>, LeaseView];
  storage: [Record<string, never>, StorageView];
  clear_storage: [{ what: Clearable }, StorageView];
  device_policy: [Record<string, never>, DevicePolicyView];
  set_device_policy: [{ policy: DevicePolicy | null }, null];
  remote_timeline: [{ conversation: ConversationId, before: TimelineCursor | null, limit: number }, TimelinePage];
  audit: [{ before: number | null, limit: number }, AuditPage];
  sign_out: [Record<string, never>, Phase];
  retry_open: [Record<string, never>, Phase];
  send_reply: [{ conversation: ConversationId, text: MessageText, reply_to: MessageId | null, newest_shown: MessageId | null }, MessageId];
  resend: [{ message: MessageId }, MessageId];
  cancel_send: [{ message: MessageId, conversation: ConversationId }, null];
  add_note: [{ conversation: ConversationId, text: MessageText }, MessageId];
  assign: [{ conversation: ConversationId, assignee: MemberId | null }, null];
  set_status: [{ conversation: ConversationId, status: Status, snoozed_until: Timestamp | null }, null];
  label: [{ conversation: ConversationId, add: Array<LabelId>, remove: Array<LabelId> }, null];
  mark_read: [{ conversation: ConversationId, upto: number }, null];
  move_order: [{ order: OrderId, stage: StageId }, null];
  save_draft: [{ conversation: ConversationId, mode: DraftMode, text: MessageText }, null];
  discard_intent: [{ id: IntentId }, null];
  retry_intent: [{ id: IntentId }, null];
  focus: [{ conversation: ConversationId | null, window_focused: boolean }, null];
  sync_now: [Record<string, never>, null];
}
