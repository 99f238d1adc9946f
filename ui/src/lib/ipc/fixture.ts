// The demo workspace: made from fixed lists and one fixed moment, so that every run shows the same rows.
import type {
  Content, ConversationRow, Delivery, DeliveryState, Entry, InboxView, LabelView, MemberView, OrderView, OutboxItem,
  PipelineView, Window,
} from './generated';

/** Friday 20 November 2026, 14:32 UTC. */
export const NOW = Date.UTC(2026, 10, 20, 14, 32, 20);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const id = (kind: string, n: number): string => `0193${kind}-0000-7000-8000-${String(n).padStart(12, '0')}`;
export const ME = id('aaaa', 1);

export const members: MemberView[] = [
  { id: ME, name: 'Rhea Kapoor', role: 'manager', active: true },
  { id: id('aaaa', 2), name: 'Dev Varma', role: 'agent', active: true },
  { id: id('aaaa', 3), name: 'Alma Lopes', role: 'agent', active: true },
];
export const inboxes: InboxView[] = [
  { id: id('bbbb', 1), name: 'Sales', channel: 'whatsapp', address: '+91 22 5550 0141', connected: true, open: 0 },
  { id: id('bbbb', 2), name: 'Support', channel: 'whatsapp', address: '+55 11 5550 0142', connected: true, open: 0 },
  { id: id('bbbb', 3), name: 'casalumen', channel: 'instagram', address: null, connected: true, open: 0 },
  { id: id('bbbb', 4), name: 'Casa Lumen', channel: 'messenger', address: null, connected: false, open: 0 },
];
export const labels: LabelView[] = [
  { id: id('cccc', 1), name: 'wholesale', colour: 'amber', open: 0 },
  { id: id('cccc', 2), name: 'returns', colour: 'violet', open: 0 },
  { id: id('cccc', 3), name: 'delivery', colour: 'blue', open: 0 },
  { id: id('cccc', 4), name: 'VIP', colour: 'rose', open: 0 },
];
export const pipelines: PipelineView[] = [
  { id: id('dddd', 1), name: 'Retail orders', open: 0 },
  { id: id('dddd', 2), name: 'Wholesale', open: 0 },
];
export const stages = [
  { id: id('eeee', 1), name: 'New', closed: false },
  { id: id('eeee', 2), name: 'Confirmed', closed: false },
  { id: id('eeee', 3), name: 'Waiting for payment', closed: false },
  { id: id('eeee', 4), name: 'Shipped', closed: false },
  { id: id('eeee', 5), name: 'Completed', closed: true },
];

const none = { accepted_at: null, sent_at: null, delivered_at: null, read_at: null, played_at: null, failure: null };
export function delivery(state: DeliveryState, at: number): Delivery {
  const reached = (states: DeliveryState[], after: number): number | null => (states.includes(state) ? at + after : null);
  return {
    ...none,
    state,
    accepted_at: reached(['accepted', 'held', 'sent', 'delivered', 'read', 'played'], 400),
    sent_at: reached(['sent', 'delivered', 'read', 'played'], 900),
    delivered_at: reached(['delivered', 'read', 'played'], 2_000),
    read_at: reached(['read', 'played'], 45_000),
    played_at: reached(['played'], 60_000),
    failure: state === 'failed' ? { code: 'undeliverable', meta_code: 131026, at: at + 3_000 } : null,
  };
}

let position = 1000;
export function entry(n: number, direction: Entry['direction'], content: Content, sent_at: number, more: Partial<Entry> = {}): Entry {
  position += 1;
  return {
    id: id('ffff', n), direction, author: null, content, sent_at, position, delivery: null, quoted: null, reactions: [],
    resend_of: null, forwarded: false, edited: false, revoked: false, pending: false, refused: null, order: null, ...more,
  };
}
export const text = (body: string): Content => ({ type: 'text', body });
export const media = (kind: 'image' | 'video' | 'audio' | 'document' | 'sticker', more: object = {}): Content =>
  ({ type: 'media', kind, mime: null, caption: null, filename: null, voice: false, provider_id: 'm1', failure: null, ...more });

type Person = [name: string | null, phone: string | null, username: string | null];
const people: Person[] = [
  ['Ananya Mehta', '+91 98200 55210', 'ananya.m'], ['João Prado', '+55 11 95550 0177', null], ['lu.studio', null, 'lu.studio'],
  ['Siti Fauziah', '+62 812 5550 0133', null], ['Omar Khalil', '+20 100 555 0188', null], ['Marta Bianchi', '+39 333 555 0199', null],
  ['Takeshi Kondo', '+81 90 5550 0122', null], ['Rania Aziz', '+962 7 9555 0144', null], ['نور الحسن', '+971 50 555 0166', null],
  ['अनिल शर्मा', '+91 98100 55233', null], [null, '+44 7700 900123', null], ['Hotel Serrano', '+34 600 555 010', null],
];
const first = ['Nadia', 'Bruno', 'Ines', 'Priya', 'Elena', 'Kofi', 'Mei', 'Lars', 'Zainab', 'Tomás', 'Aiko', 'Samir', 'Clara', 'Yusuf', 'Freya'];
const last = ['Rahman', 'Lima', 'Duarte', 'Nair', 'Costa', 'Mensah', 'Chen', 'Berg', 'Yusuf', 'Reyes', 'Sato', 'Haddad', 'Weiss', 'Demir', 'Holm'];
const lines = [
  'Is the walnut finish still available?', 'Thank you, the lamp arrived today.', 'Could you send the invoice again please?',
  'When does the next delivery leave?', 'The shade has a small dent, what can we do?', 'Perfect, see you on Monday.',
  'Do you ship to Lisbon?', 'I would like three more of the same.', 'Which bulb does it take?', 'Please cancel the second one.',
];

export interface Thread {
  row: ConversationRow;
  entries: Entry[];
  contactNote?: string;
}

const open = (hours: number): Window => ({ state: 'open', until: NOW + hours * HOUR });
const closed = (hours: number): Window => ({ state: 'closed', since: NOW - hours * HOUR });

function row(n: number, more: Partial<ConversationRow>): ConversationRow {
  const person: Person = people[n] ?? [`${first[n % 15]} ${last[(n * 7) % 15]}`, `+351 910 555 ${String(100 + n)}`, null];
  return {
    id: id('1111', n), contact: id('2222', n), name: person[0], phone: person[1], username: person[2], channel: 'whatsapp',
    inbox: id('bbbb', 1), status: 'open', assignee: ME, labels: [], active_at: NOW, snoozed_until: null, unread: 0,
    window: open(20), preview: null, draft: null, order: null, not_sent: false, ...more,
  };
}

const order1042 = { id: id('3333', 1042), number: 1042, stage: 'New' };

function ananya(): Entry[] {
  const t = NOW;
  const history: Entry[] = [];
  for (let n = 0; n < 260; n += 1) {
    const at = t - (275 - n) * 11 * HOUR;
    history.push(
      n % 2 === 0
        ? entry(n, 'incoming', text(lines[n % lines.length] ?? ''), at)
        : entry(n, 'outgoing', text(n % 6 === 1 ? 'Of course, I will look into it and come back to you today.' : 'Yes, that works.'), at, {
            author: n % 3 === 0 ? ME : id('aaaa', 2), delivery: delivery('read', at),
          }),
    );
  }
  return [
    ...history,
    entry(300, 'incoming', text('Good morning! Do you still have the brass reading lamps from the catalogue?'), t - 30 * MINUTE),
    entry(301, 'outgoing', text('Good morning Ananya! Yes, six left in brass and a few in matte black. Shall I send you both?'), t - 28 * MINUTE, {
      author: ME, delivery: delivery('read', t - 28 * MINUTE),
    }),
    entry(302, 'incoming', {
      type: 'order', catalog: 'c1', text: null,
      lines: [
        { sku: 'LAMP-BRASS', quantity: 2, price_minor: 420_000, currency: 'INR' },
        { sku: 'SHADE-LINEN-28', quantity: 2, price_minor: 95_000, currency: 'INR' },
      ],
    }, t - 12 * MINUTE, { order: order1042 }),
    entry(303, 'activity', { type: 'system', event: 'order_added', detail: '1042' }, t - 12 * MINUTE),
    entry(304, 'note', text('Wholesale terms apply, 8 % off from two pieces. @Rhea please confirm before invoicing.'), t - 9 * MINUTE, { author: id('aaaa', 2) }),
    entry(305, 'incoming', text('Can you keep two of the brass ones?'), t - 70_000),
    entry(306, 'incoming', text('I can pay today'), t - 40_000, { reactions: ['👍'] }),
  ];
}

function joao(): Entry[] {
  const t = NOW - 4 * MINUTE;
  return [
    entry(400, 'activity', { type: 'system', event: 'assigned', detail: 'Rhea Kapoor' }, t - 26 * HOUR),
    entry(401, 'incoming', text('Oi! Pode me mandar os dados para a *transferência*?\n> Pendant, set of 3\nObrigado _desde já_'), t - 25 * HOUR),
    entry(402, 'outgoing', text('Claro, João:\n- Banco: Casa Lumen\n- Chave: `pix@casalumen.example`\n- Valor: *R$ 1.890,00*\nhttps://casalumen.example/pay/1029'), t - 24.8 * HOUR, {
      author: ME, delivery: delivery('delivered', t - 24.8 * HOUR),
    }),
    entry(403, 'outgoing', text('Avisamos assim que o pedido sair.'), t - 24.7 * HOUR, { author: ME, delivery: delivery('failed', t - 24.7 * HOUR) }),
    entry(404, 'outgoing', text('Seu pedido 1029 está reservado até amanhã.'), t - 3 * HOUR, { author: id('aaaa', 3), delivery: delivery('unconfirmed', t - 3 * HOUR) }),
    entry(405, 'incoming', media('image', { caption: 'Segue o comprovante' }), t - 3 * MINUTE, {}),
    entry(406, 'incoming', text('Sent the transfer, here is the receipt'), t, {
      quoted: { id: id('ffff', 402), direction: 'outgoing', text: 'Claro, João: Banco: Casa Lumen' },
    }),
    entry(407, 'outgoing', text('Recebido, muito obrigada!'), t + 30_000, { author: ME, delivery: delivery('queued', t + 30_000), pending: true }),
  ];
}

function generic(n: number, at: number, direction: 'incoming' | 'outgoing' = 'incoming', body?: string): Entry[] {
  const base = 1000 + n * 20;
  return [
    entry(base, 'incoming', text(lines[(n + 3) % lines.length] ?? ''), at - 26 * HOUR),
    entry(base + 1, 'outgoing', text('Thanks for writing. One moment, please, I am checking.'), at - 25.9 * HOUR, { author: id('aaaa', 2), delivery: delivery('read', at - 25.9 * HOUR) }),
    entry(base + 2, direction, text(body ?? lines[n % lines.length] ?? ''), at, direction === 'outgoing' ? { author: ME, delivery: delivery(n % 2 ? 'delivered' : 'read', at) } : {}),
  ];
}

export function threads(): Thread[] {
  position = 1000;
  const all: Thread[] = [
    { row: row(0, { unread: 2, window: { state: 'open', until: NOW + 23 * HOUR + 31 * MINUTE }, order: order1042, labels: [id('cccc', 1)], active_at: NOW - 40_000 }), entries: ananya() },
    { row: row(1, { inbox: id('bbbb', 2), window: { state: 'open', until: NOW + 38 * MINUTE }, order: { id: id('3333', 1029), number: 1029, stage: 'Waiting for payment' }, active_at: NOW - 4 * MINUTE }), entries: joao() },
    { row: row(2, { unread: 1, channel: 'instagram', inbox: id('bbbb', 3), active_at: NOW - 12 * MINUTE }), entries: generic(2, NOW - 12 * MINUTE, 'incoming', 'Replied to your story: love this lamp!') },
    { row: row(3, { labels: [id('cccc', 3)], active_at: NOW - 31 * MINUTE }), entries: generic(4, NOW - 31 * MINUTE, 'outgoing', 'It ships on Thursday, tracking follows by message.') },
    { row: row(4, { channel: 'messenger', inbox: id('bbbb', 4), window: closed(3), not_sent: true, active_at: NOW - HOUR }), entries: generic(5, NOW - HOUR, 'outgoing', 'Template needed: window closed') },
    { row: row(5, { draft: 'Hi Marta, the walnut finish is back in stock', window: open(3), active_at: NOW - 2 * HOUR }), entries: generic(6, NOW - 2 * HOUR) },
    { row: row(6, { active_at: NOW - 22 * HOUR }), entries: generic(7, NOW - 22 * HOUR, 'outgoing', 'Thank you! Your invoice is attached.') },
    { row: row(7, { window: closed(1), active_at: NOW - 25 * HOUR }), entries: [...generic(8, NOW - 27 * HOUR), entry(1300, 'incoming', media('image'), NOW - 25 * HOUR)] },
    { row: row(8, { assignee: null, unread: 3, active_at: NOW - 3 * HOUR }), entries: generic(9, NOW - 3 * HOUR, 'incoming', 'مرحبا، هل المصباح متوفر باللون الأسود؟ السعر 950 أم 1200؟') },
    { row: row(9, { assignee: null, unread: 1, active_at: NOW - 5 * HOUR }), entries: generic(10, NOW - 5 * HOUR, 'incoming', 'क्या यह लैंप अभी उपलब्ध है?') },
    { row: row(10, { assignee: null, window: { state: 'never_opened' }, active_at: NOW - 6 * HOUR }), entries: [entry(1400, 'incoming', { type: 'unsupported', reported: 'poll' }, NOW - 6 * HOUR), entry(1401, 'incoming', { type: 'location', latitude: 19.07, longitude: 72.87, name: 'Casa Lumen', address: 'Colaba, Mumbai' }, NOW - 6 * HOUR), entry(1402, 'incoming', media('audio', { voice: true }), NOW - 6 * HOUR), entry(1403, 'incoming', media('document', { filename: 'floor-plan.pdf' }), NOW - 6 * HOUR), entry(1404, 'incoming', { type: 'contacts', cards: [{ name: 'Ivo Petrov', phones: ['+359 88 555 0111'], own: false }] }, NOW - 6 * HOUR)] },
    { row: row(11, { labels: [id('cccc', 1), id('cccc', 4)], assignee: id('aaaa', 3), active_at: NOW - 7 * HOUR }), entries: generic(11, NOW - 7 * HOUR, 'incoming', 'We need twenty bedside lamps by March, is that possible?') },
  ];
  for (let n = 12; n < 90; n += 1) {
    const at = NOW - 8 * HOUR - n * 47 * MINUTE;
    all.push({
      row: row(n, {
        assignee: n % 4 === 0 ? null : n % 4 === 1 ? id('aaaa', 2) : id('aaaa', 3),
        status: n % 9 === 0 ? 'snoozed' : n % 7 === 0 ? 'resolved' : 'open',
        snoozed_until: n % 9 === 0 ? NOW + n * HOUR : null,
        labels: n % 3 === 0 ? [id('cccc', 1 + (n % 4))] : [],
        inbox: id('bbbb', 1 + (n % 2)), window: n % 5 === 0 ? closed(n) : open(n % 22), active_at: at,
      }),
      entries: generic(n, at, n % 3 === 0 ? 'outgoing' : 'incoming'),
    });
  }
  return all;
}

const goods: [sku: string, name: string, price: number][] = [
  ['LAMP-BRASS', 'Reading lamp, brass', 420_000], ['SHADE-LINEN-28', 'Shade, linen 28 cm', 95_000], ['PENDANT-3', 'Pendant, set of 3', 1_890_000],
  ['FLOOR-WALNUT', 'Walnut floor lamp', 2_190_000], ['DESK-MINI', 'Desk lamp mini', 340_000], ['BEDSIDE', 'Bedside lamp', 370_000], ['TRACK', 'Track spot', 688_000],
];

export function orders(): OrderView[] {
  const make = (number: number, who: number, stage: number, items: [good: number, quantity: number][], age: number, more: Partial<OrderView> = {}): OrderView => {
    const rows = items.map(([good, quantity], place) => {
      const [sku, name, price_minor] = goods[good] ?? ['X', 'X', 0];
      return { id: id('4444', number * 10 + place), sku, name, quantity, price_minor };
    });
    return {
      id: id('3333', number), number, conversation: id('1111', who), contact_name: row(who, {}).name, pipeline: id('dddd', 1),
      stage: stages[stage]?.id ?? '', stage_name: stages[stage]?.name ?? '', stage_place: stage, stage_count: stages.length,
      fulfilment: stage > 3 ? 'delivered' : stage === 3 ? 'shipped' : stage > 0 ? 'confirmed' : 'draft', payment: stage > 2 ? 'paid' : stage === 2 ? 'pending' : 'unpaid',
      currency: 'INR', total_minor: rows.reduce((sum, item) => sum + item.quantity * item.price_minor, 0), placed_at: NOW - age, staged_at: NOW - age / 2,
      items: rows, assignee: members[number % 3]?.id ?? null, window: open(20), pending: false, ...more,
    };
  };
  return [
    make(1042, 0, 0, [[0, 2], [1, 2]], 12 * MINUTE), make(1041, 3, 0, [[1, 6]], DAY), make(1040, 2, 0, [[4, 1]], 1.5 * DAY, { window: open(2) }),
    make(1036, 5, 1, [[3, 1]], 2 * DAY), make(1033, 4, 1, [[4, 2], [1, 8]], 3 * DAY, { window: closed(4) }), make(1031, 6, 1, [[0, 6], [1, 8]], 3.2 * DAY),
    make(1029, 1, 2, [[2, 1]], 4 * DAY, { window: { state: 'open', until: NOW + 38 * MINUTE }, pending: true }), make(1022, 11, 2, [[5, 20]], 5 * DAY, { window: closed(30) }), make(1020, 7, 2, [[4, 2]], 6 * DAY, { window: closed(20) }),
    make(1017, 13, 3, [[4, 2], [0, 1]], 8 * DAY), make(1012, 15, 3, [[6, 6]], 9 * DAY), make(1009, 14, 3, [[1, 6]], 10 * DAY),
    make(998, 17, 4, [[4, 3]], 18 * DAY), make(991, 16, 4, [[5, 4], [1, 2]], 20 * DAY), make(987, 0, 4, [[3, 1], [1, 2]], 39 * DAY),
  ];
}

export function outbox(): OutboxItem[] {
  return [
    { id: id('5555', 1), made_at: NOW - 3 * MINUTE, state: 'queued', action: 'send_message', conversation: id('1111', 1), contact_name: 'João Prado', text: 'Recebido, muito obrigada!', code: null },
    { id: id('5555', 2), made_at: NOW - 20 * MINUTE, state: 'needs_review', action: 'send_message', conversation: id('1111', 4), contact_name: 'Omar Khalil', text: 'Your lamp is ready to be picked up from Tuesday on.', code: 'window_closed' },
    { id: id('5555', 3), made_at: NOW - 2 * MINUTE, state: 'queued', action: 'move_order', conversation: id('1111', 1), contact_name: 'João Prado', text: null, code: null },
  ];
}
