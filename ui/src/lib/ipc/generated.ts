// Written from the engine's view types by `cargo xtask bindings`. Do not edit.

export type MemberId = string;
export type InboxId = string;
export type ContactId = string;
export type ConversationId = string;
export type MessageId = string;
export type LabelId = string;
export type PipelineId = string;
export type StageId = string;
export type OrderId = string;
export type OrderItemId = string;
export type IntentId = string;
export type Phone = string;
export type PersonName = string;
export type Username = string;
export type MessageText = string;
export type Timestamp = number;

export type Code =
  | 'bad_request' | 'unauthorized' | 'bad_credentials' | 'device_revoked' | 'forbidden' | 'not_found' | 'too_large'
  | 'rate_limited' | 'protocol_mismatch' | 'resync_required' | 'blocked' | 'conflict' | 'out_of_scope' | 'too_old'
  | 'window_closed' | 'window_never_opened' | 'empty_message' | 'text_too_long' | 'no_address' | 'contact_blocked'
  | 'inbox_unavailable' | 'unsupported_content' | 'meta_auth' | 'meta_rejected' | 'meta_rate_limited' | 'undeliverable'
  | 'unconfirmed' | 'cancelled' | 'offline' | 'server_failed' | 'keyring_missing' | 'keyring_locked' | 'wrong_key'
  | 'store_damaged' | 'disk_full' | 'already_open' | 'signed_out' | 'internal' | 'unknown';

export type Channel = 'whatsapp' | 'messenger' | 'instagram';
export type Role = 'agent' | 'manager' | 'admin';
export type Status = 'open' | 'pending' | 'snoozed' | 'resolved';
export type Direction = 'incoming' | 'outgoing' | 'note' | 'activity';
export type Fulfilment = 'draft' | 'confirmed' | 'shipped' | 'delivered' | 'cancelled';
export type Payment = 'unpaid' | 'pending' | 'paid' | 'refunded';
export type DeliveryState =
  | 'queued' | 'sending' | 'unconfirmed' | 'cancelled' | 'failed' | 'accepted' | 'held' | 'sent' | 'delivered' | 'read'
  | 'played';
export type MediaKind = 'image' | 'video' | 'audio' | 'document' | 'sticker';
export type ChoiceKind = 'button' | 'list' | 'flow' | 'call_permission' | 'other';
export type SystemEvent =
  | 'number_changed' | 'user_id_changed' | 'identity_changed' | 'order_added' | 'assigned' | 'unassigned' | 'resolved'
  | 'reopened' | 'other';

export type Failure = { code: Code; meta_code: number | null; at: Timestamp };
export type Delivery = {
  state: DeliveryState;
  accepted_at: Timestamp | null;
  sent_at: Timestamp | null;
  delivered_at: Timestamp | null;
  read_at: Timestamp | null;
  played_at: Timestamp | null;
  failure: Failure | null;
};

export type Window =
  | { state: 'open'; until: Timestamp }
  | { state: 'closed'; since: Timestamp }
  | { state: 'never_opened' };

export type Media = {
  kind: MediaKind;
  mime: string | null;
  caption: MessageText | null;
  filename: MessageText | null;
  voice: boolean;
  provider_id: string | null;
  failure: number | null;
};
export type ContactCard = { name: PersonName | null; phones: Phone[]; own: boolean };
export type OrderLine = { sku: string; quantity: number; price_minor: number; currency: string };
export type Content =
  | { type: 'text'; body: MessageText }
  | ({ type: 'media' } & Media)
  | { type: 'location'; latitude: number; longitude: number; name: string | null; address: MessageText | null }
  | { type: 'contacts'; cards: ContactCard[] }
  | { type: 'reaction'; to: MessageId | null; emoji: string | null }
  | { type: 'choice'; kind: ChoiceKind; title: MessageText; id: string | null; description: MessageText | null }
  | { type: 'order'; catalog: string | null; lines: OrderLine[]; text: MessageText | null }
  | { type: 'template'; name: string; language: string; parameters: MessageText[]; body: MessageText }
  | { type: 'welcome' }
  | { type: 'system'; event: SystemEvent; detail: MessageText | null }
  | { type: 'unsupported'; reported: string };

export type Me = { id: MemberId; name: PersonName; role: Role; workspace: string; server: string };
export type Phase =
  | { phase: 'opening' }
  | { phase: 'signed_out'; server: string | null }
  | { phase: 'blocked'; code: Code }
  | { phase: 'ready'; me: Me };

export type ConnectionState = 'online' | 'connecting' | 'offline';
export type Connection = {
  state: ConnectionState;
  since: Timestamp;
  heard_at: Timestamp | null;
  queued: number;
  needs_review: number;
  syncing: number | null;
  problem: Code | null;
};

export type View =
  | { view: 'mine' }
  | { view: 'unassigned' }
  | { view: 'snoozed' }
  | { view: 'all_open' }
  | { view: 'resolved' }
  | { view: 'inbox'; id: InboxId }
  | { view: 'label'; id: LabelId };

export type InboxView = { id: InboxId; name: string; channel: Channel; address: Phone | null; connected: boolean; open: number };
export type LabelView = { id: LabelId; name: string; colour: string; open: number };
export type PipelineView = { id: PipelineId; name: string; open: number };
export type MemberView = { id: MemberId; name: PersonName; role: Role; active: boolean };
export type Sidebar = {
  mine: number;
  mine_unread: number;
  unassigned: number;
  snoozed: number;
  all_open: number;
  outbox: number;
  inboxes: InboxView[];
  labels: LabelView[];
  pipelines: PipelineView[];
  members: MemberView[];
};

export type ListCursor = { active_at: Timestamp; id: ConversationId };
export type Preview = {
  direction: Direction;
  text: MessageText;
  content_type: string;
  media_kind: string | null;
  delivery: Delivery | null;
};
export type OrderTag = { id: OrderId; number: number; stage: string };
export type ConversationRow = {
  id: ConversationId;
  contact: ContactId;
  name: PersonName | null;
  phone: Phone | null;
  username: Username | null;
  channel: Channel;
  inbox: InboxId;
  status: Status;
  assignee: MemberId | null;
  labels: LabelId[];
  active_at: Timestamp;
  snoozed_until: Timestamp | null;
  unread: number;
  window: Window;
  preview: Preview | null;
  draft: MessageText | null;
  order: OrderTag | null;
  not_sent: boolean;
};
export type ConversationPage = { rows: ConversationRow[]; next: ListCursor | null; total: number };

export type MayWrite = { allowed: boolean; code: Code | null };
export type EarlierConversation = { id: ConversationId; inbox_name: string; status: Status; active_at: Timestamp };
export type OrderItemView = { id: OrderItemId; sku: string; name: string | null; quantity: number; price_minor: number };
export type OrderView = {
  id: OrderId;
  number: number;
  conversation: ConversationId;
  contact_name: PersonName | null;
  pipeline: PipelineId;
  stage: StageId;
  stage_name: string;
  stage_place: number;
  stage_count: number;
  fulfilment: Fulfilment;
  payment: Payment;
  currency: string;
  total_minor: number;
  placed_at: Timestamp;
  staged_at: Timestamp;
  items: OrderItemView[];
  assignee: MemberId | null;
  window: Window;
  pending: boolean;
};
export type ConversationDetail = {
  row: ConversationRow;
  inbox_name: string;
  may_write: MayWrite;
  orders: OrderView[];
  earlier: EarlierConversation[];
};

export type TimelineCursor = { position: number; sent_at: Timestamp; id: MessageId };
export type Quoted = { id: MessageId; direction: Direction; text: MessageText };
export type Entry = {
  id: MessageId;
  direction: Direction;
  author: MemberId | null;
  content: Content;
  sent_at: Timestamp;
  position: number;
  delivery: Delivery | null;
  quoted: Quoted | null;
  reactions: string[];
  resend_of: MessageId | null;
  forwarded: boolean;
  edited: boolean;
  revoked: boolean;
  pending: boolean;
  refused: Code | null;
  order: OrderTag | null;
};
export type TimelinePage = { entries: Entry[]; before: TimelineCursor | null };

export type Total = { currency: string; minor: number };
export type BoardColumn = {
  stage: StageId;
  name: string;
  closed: boolean;
  count: number;
  totals: Total[];
  cards: OrderView[];
};
export type Board = { id: PipelineId; name: string; columns: BoardColumn[] };

export type OutboxState = 'queued' | 'sending' | 'blocked' | 'needs_review';
export type OutboxItem = {
  id: IntentId;
  made_at: Timestamp;
  state: OutboxState;
  action: string;
  conversation: ConversationId | null;
  contact_name: PersonName | null;
  text: MessageText | null;
  code: Code | null;
};

export type SnippetPart = { text: MessageText; hit: boolean };
export type MessageHit = {
  message: MessageId;
  conversation: ConversationId;
  contact_name: PersonName | null;
  direction: Direction;
  sent_at: Timestamp;
  snippet: SnippetPart[];
};
export type ContactHit = {
  contact: ContactId;
  conversation: ConversationId | null;
  name: PersonName | null;
  phone: Phone | null;
};
export type SearchResult = { messages: MessageHit[]; contacts: ContactHit[] };

export type Event =
  | { event: 'phase' }
  | { event: 'connection' }
  | { event: 'lists' }
  | { event: 'conversations'; ids: ConversationId[] }
  | { event: 'board' }
  | { event: 'outbox' }
  | { event: 'notify'; conversation: ConversationId; title: string; body: string | null }
  | { event: 'open'; conversation: ConversationId };

export type DraftMode = 'reply' | 'note';

export interface Commands {
  phase: [Record<string, never>, Phase];
  connection: [Record<string, never>, Connection];
  sidebar: [Record<string, never>, Sidebar];
  conversations: [{ view: View; after: ListCursor | null; limit: number }, ConversationPage];
  conversation: [{ id: ConversationId }, ConversationDetail | null];
  timeline: [{ conversation: ConversationId; before: TimelineCursor | null; limit: number }, TimelinePage];
  board: [{ pipeline: PipelineId | null }, Board | null];
  outbox: [Record<string, never>, OutboxItem[]];
  search: [{ text: string; limit: number }, SearchResult];
  draft: [{ conversation: ConversationId; mode: DraftMode }, string | null];
  sign_in: [{ server: string; email: string; password: string; device_name: string }, Phase];
  sign_out: [Record<string, never>, Phase];
  retry_open: [Record<string, never>, Phase];
  send_reply: [
    { conversation: ConversationId; text: string; reply_to: MessageId | null; newest_shown: MessageId | null },
    MessageId,
  ];
  resend: [{ message: MessageId }, MessageId];
  cancel_send: [{ message: MessageId; conversation: ConversationId }, null];
  add_note: [{ conversation: ConversationId; text: string }, MessageId];
  assign: [{ conversation: ConversationId; assignee: MemberId | null }, null];
  set_status: [{ conversation: ConversationId; status: Status; snoozed_until: Timestamp | null }, null];
  label: [{ conversation: ConversationId; add: LabelId[]; remove: LabelId[] }, null];
  mark_read: [{ conversation: ConversationId; upto: number }, null];
  move_order: [{ order: OrderId; stage: StageId }, null];
  save_draft: [{ conversation: ConversationId; mode: DraftMode; text: string }, null];
  discard_intent: [{ id: IntentId }, null];
  retry_intent: [{ id: IntentId }, null];
  focus: [{ conversation: ConversationId | null; window_focused: boolean }, null];
  sync_now: [Record<string, never>, null];
}
