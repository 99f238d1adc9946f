// A demo engine in memory: the same commands and events as the real one, over the fixture. For development, screenshots
// and tests; production builds do not contain it. `?mock=` picks a scene (`offline`, `signed_out`, `empty`, `slow`,
// `failing`, `opening`, `factor_required`, or a code of a blocked desk), `?as=` a role.
import { startAt, now } from '../state/clock.svelte';
import { IpcError, type Transport } from './ipc';
import { access } from './mock-access';
import { desk, lockedPhase } from './mock-desk';
import type {
  Board, Code, Commands, Connection, ConversationRow, Entry, Event, OrderView, OutboxItem, Phase, Preview, Role, Sidebar, View,
} from './generated';
import { DAY, HOUR, MINUTE, ME, NOW, delivery, entry, id, inboxes, labels, members, orders, outbox, pipelines, stages, text, threads } from './fixture';

type Handlers = { [K in keyof Commands]: (args: Commands[K][0]) => Commands[K][1] };

const BLOCKED: string[] = ['keyring_missing', 'keyring_locked', 'wrong_key', 'store_damaged', 'store_newer', 'disk_full', 'already_open'];

export function mock(query: URLSearchParams): Transport {
  startAt(NOW);
  const scene = query.get('mock') ?? '';
  const offline = scene === 'offline' || scene === 'last_day';
  let keyring = scene !== 'no_keyring';
  let factorMissing = scene === 'factor_required';
  const all = scene === 'empty' ? [] : threads();
  const byId = new Map(all.map((thread) => [thread.row.id, thread]));
  let cards: OrderView[] = scene === 'empty' ? [] : orders();
  let waiting: OutboxItem[] = scene === 'empty' || scene === 'online' ? [] : outbox();
  const drafts = new Map<string, string>();
  for (const { row } of all) if (row.draft) drafts.set(`${row.id}/reply`, row.draft);
  const me = { id: ME, name: 'Rhea Kapoor', role: (query.get('as') ?? 'manager') as Role, workspace: 'Casa Lumen', server: 'https://parley.example' };
  let phase: Phase = BLOCKED.includes(scene)
    ? { phase: 'blocked', code: scene as Code, recoverable: scene === 'wrong_key' }
    : ['signed_out', 'signing_fails', 'no_keyring'].includes(scene)
      ? { phase: 'signed_out', server: 'https://parley.example' }
      : scene === 'opening'
        ? { phase: 'opening' }
        : (lockedPhase(scene) ?? { phase: 'ready', me });

  let hear: (event: Event) => void = () => undefined;
  const tell = (...events: Event[]): void => events.forEach((event) => queueMicrotask(() => hear(event)));
  const changed = (conversation: string): void => tell({ event: 'conversations', ids: [conversation] }, { event: 'lists' });
  let minted = 9000;
  const mint = (): number => (minted += 1);

  const preview = (entries: Entry[]): Preview | null => {
    const newest = entries.findLast((it) => it.direction !== 'activity');
    if (!newest) return null;
    const { content } = newest;
    const body = content.type === 'text' || content.type === 'template' ? content.body : content.type === 'media' ? (content.caption ?? '') : '';
    return {
      direction: newest.direction, text: body.split('\n')[0]?.slice(0, 160) ?? '', content_type: content.type,
      media_kind: content.type === 'media' ? content.kind : null, delivery: newest.delivery,
    };
  };
  const shown = (row: ConversationRow): ConversationRow => ({
    ...row,
    preview: preview(byId.get(row.id)?.entries ?? []),
    draft: drafts.get(`${row.id}/reply`) ?? null,
  });
  const within = (view: View) => (row: ConversationRow): boolean => {
    const active = row.status === 'open' || row.status === 'pending';
    switch (view.view) {
      case 'mine': return active && row.assignee === ME;
      case 'unassigned': return active && row.assignee === null;
      case 'snoozed': return row.status === 'snoozed';
      case 'all_open': return active;
      case 'resolved': return row.status === 'resolved';
      case 'inbox': return active && row.inbox === view.id;
      case 'label': return active && row.labels.includes(view.id);
    }
  };
  const rows = (view: View): ConversationRow[] =>
    all.map((it) => it.row).filter(within(view)).sort((a, b) => b.active_at - a.active_at || (a.id < b.id ? 1 : -1));
  const thread = (conversation: string) => {
    const found = byId.get(conversation);
    if (!found) throw new IpcError('not_found', 'no such conversation');
    return found;
  };
  const connection = (): Connection => ({
    state: offline ? 'offline' : 'online', since: offline ? NOW - 14 * MINUTE : NOW - 3 * HOUR, heard_at: offline ? NOW - 14 * MINUTE : now() - 2_000,
    queued: waiting.filter((it) => it.state !== 'needs_review').length, needs_review: waiting.filter((it) => it.state === 'needs_review').length,
    syncing: scene === 'syncing' ? 1240 : null, problem: offline ? 'offline' : factorMissing ? 'second_factor_required' : null, mended: scene === 'mended' ? 'outbox_recovered' : null,
  });
  const advance = (conversation: string, message: string): void => {
    if (offline) return;
    (['accepted', 'sent', 'delivered', 'read'] as const).forEach((state, step) =>
      window.setTimeout(() => {
        const found = byId.get(conversation);
        if (!found) return;
        found.entries = found.entries.map((it) => (it.id === message ? { ...it, pending: false, delivery: delivery(state, it.sent_at) } : it));
        changed(conversation);
      }, 500 + step * 900),
    );
  };
  const say = (conversation: string, made: Entry): void => {
    const found = thread(conversation);
    found.entries = [...found.entries, { ...made, position: 0 }];
    found.row = { ...found.row, active_at: now(), unread: 0 };
    changed(conversation);
  };
  const patch = (conversation: string, more: Partial<ConversationRow>): null => {
    const found = thread(conversation);
    found.row = { ...found.row, ...more };
    changed(conversation);
    return null;
  };

  const enter = (): Phase => {
    phase = { phase: 'ready', me };
    tell({ event: 'phase' });
    return phase;
  };
  const gate = access({ role: me.role, offline, empty: scene === 'empty', factorRequired: scene === 'factor_required', enter });
  const { confirm_two_factor } = gate;
  gate.confirm_two_factor = (args) => {
    const codes = confirm_two_factor(args);
    // As the engine does: the next contact goes through, and the desk hears of it before the member has read the codes.
    factorMissing = false;
    tell({ event: 'connection' });
    return codes;
  };

  const handlers: Handlers = {
    phase: () => phase,
    connection,
    sidebar: (): Sidebar => ({
      mine: rows({ view: 'mine' }).length, mine_unread: rows({ view: 'mine' }).filter((it) => it.unread > 0).length, unassigned: rows({ view: 'unassigned' }).length,
      snoozed: rows({ view: 'snoozed' }).length, all_open: rows({ view: 'all_open' }).length, outbox: waiting.length,
      inboxes: inboxes.map((it) => ({ ...it, open: rows({ view: 'inbox', id: it.id }).length })),
      labels: labels.map((it) => ({ ...it, open: rows({ view: 'label', id: it.id }).length })),
      pipelines: pipelines.map((it) => ({ ...it, open: cards.filter((card) => card.pipeline === it.id && card.stage_place < 4).length })), members,
    }),
    conversations: ({ view, after, limit }) => {
      const found = rows(view);
      const from = after ? found.findIndex((it) => it.id === after.id) + 1 : 0;
      const page = found.slice(from, from + limit);
      const end = page.at(-1);
      return { rows: page.map(shown), next: end && from + limit < found.length ? { active_at: end.active_at, id: end.id } : null, total: found.length };
    },
    conversation: ({ id: conversation }) => {
      const found = byId.get(conversation);
      if (!found) return null;
      const row = shown(found.row);
      const inbox = inboxes.find((it) => it.id === row.inbox);
      const code: Code | null = inbox?.connected === false ? 'inbox_unavailable' : row.window.state === 'closed' ? 'window_closed' : row.window.state === 'never_opened' ? 'window_never_opened' : null;
      return {
        row, inbox_name: inbox?.name ?? '', may_write: { allowed: code === null, code }, orders: cards.filter((it) => it.conversation === conversation),
        earlier: conversation === id('1111', 0) ? [{ id: id('1111', 20), inbox_name: 'Support', status: 'resolved', active_at: NOW - 39 * DAY }, { id: id('1111', 21), inbox_name: 'Sales', status: 'resolved', active_at: NOW - 78 * DAY }] : [],
      };
    },
    timeline: ({ conversation, before, limit }) => {
      const { entries } = thread(conversation);
      const end = before ? entries.findIndex((it) => it.id === before.id) : entries.length;
      const page = entries.slice(Math.max(0, end - limit), end);
      const top = page[0];
      return { entries: page, before: top && end - limit > 0 ? { position: top.position, sent_at: top.sent_at, id: top.id } : null, beyond: false };
    },
    board: ({ pipeline }): Board | null => {
      const chosen = pipelines.find((it) => it.id === pipeline) ?? pipelines[0];
      if (!chosen || scene === 'no_board') return null;
      return {
        id: chosen.id, name: chosen.name,
        columns: stages.map((stage) => {
          const held = cards.filter((it) => it.pipeline === chosen.id && it.stage === stage.id).sort((a, b) => b.staged_at - a.staged_at);
          return { stage: stage.id, name: stage.name, closed: stage.closed, count: held.length, totals: held.length ? [{ currency: 'INR', minor: held.reduce((sum, it) => sum + it.total_minor, 0) }] : [], cards: held };
        }),
      };
    },
    outbox: () => waiting,
    search: ({ text: words, limit }) => {
      const needle = words.trim().toLowerCase();
      if (!needle) return { messages: [], contacts: [], orders: [], complete: true };
      const messages = all.flatMap(({ row, entries }) =>
        entries.flatMap((it) => {
          const body = it.content.type === 'text' ? it.content.body : '';
          const at = body.toLowerCase().indexOf(needle);
          if (at < 0) return [];
          return [{
            message: it.id, conversation: row.id, contact_name: row.name, direction: it.direction, sent_at: it.sent_at,
            snippet: [{ text: body.slice(Math.max(0, at - 40), at), hit: false }, { text: body.slice(at, at + needle.length), hit: true }, { text: body.slice(at + needle.length, at + 80), hit: false }],
          }];
        }),
      );
      const contacts = all.filter(({ row }) => `${row.name ?? ''} ${row.phone ?? ''}`.toLowerCase().includes(needle)).map(({ row }) => ({ contact: row.contact, conversation: row.id, name: row.name, phone: row.phone }));
      const found = cards.filter((it) => `${it.number} ${it.contact_name ?? ''}`.toLowerCase().includes(needle));
      return {
        messages: messages.sort((a, b) => b.sent_at - a.sent_at).slice(0, limit), contacts: contacts.slice(0, limit),
        orders: found.map((it) => ({ order: it.id, conversation: it.conversation, number: it.number, contact_name: it.contact_name, currency: it.currency, total_minor: it.total_minor, placed_at: it.placed_at })), complete: scene !== 'syncing',
      };
    },
    draft: ({ conversation, mode }) => drafts.get(`${conversation}/${mode}`) ?? null,
    ...gate,
    ...desk({ scene, offline, enter, current: () => phase, passphraseSet: () => (keyring = true), set: (next) => { phase = next; tell({ event: 'phase' }); return phase; } }),
    remote_timeline: () => ({ entries: [], before: null, beyond: false }),
    sign_in: ({ email, code }) => {
      if (!keyring) throw new IpcError('keyring_missing', 'no keyring');
      if (scene === 'signing_fails') throw new IpcError(email.includes('offline') ? 'offline' : 'bad_credentials', 'no');
      if (email.includes('2fa') && code === null) throw new IpcError('second_factor_needed', 'a code is needed');
      if (email.includes('2fa') && code !== '123456' && !code?.includes('-')) throw new IpcError('bad_second_factor', 'wrong code');
      return enter();
    },
    sign_out: () => {
      phase = { phase: 'signed_out', server: me.server };
      tell({ event: 'phase' });
      return phase;
    },
    retry_open: () => phase,
    send_reply: ({ conversation, text: body, reply_to }) => {
      const quotes = reply_to ? thread(conversation).entries.find((it) => it.id === reply_to) : undefined;
      const made = entry(mint(), 'outgoing', text(body), now(), {
        author: ME, delivery: delivery('queued', now()), pending: true,
        quoted: quotes ? { id: quotes.id, direction: quotes.direction, text: quotes.content.type === 'text' ? quotes.content.body : '' } : null,
      });
      say(conversation, made);
      drafts.delete(`${conversation}/reply`);
      advance(conversation, made.id);
      return made.id;
    },
    resend: ({ message }) => {
      const found = all.find((it) => it.entries.some((candidate) => candidate.id === message));
      const old = found?.entries.find((it) => it.id === message);
      if (!found || !old) throw new IpcError('not_found', 'no such message');
      const made = entry(mint(), 'outgoing', old.content, now(), { author: ME, delivery: delivery('queued', now()), pending: true, resend_of: old.id });
      say(found.row.id, made);
      advance(found.row.id, made.id);
      return made.id;
    },
    cancel_send: ({ message, conversation }) => {
      const found = thread(conversation);
      found.entries = found.entries.map((it) => (it.id === message ? { ...it, delivery: delivery('cancelled', it.sent_at) } : it));
      changed(conversation);
      return null;
    },
    add_note: ({ conversation, text: body }) => {
      const made = entry(mint(), 'note', text(body), now(), { author: ME });
      say(conversation, made);
      drafts.delete(`${conversation}/note`);
      return made.id;
    },
    assign: ({ conversation, assignee }) => patch(conversation, { assignee }),
    set_status: ({ conversation, status, snoozed_until }) => patch(conversation, { status, snoozed_until }),
    label: ({ conversation, add, remove }) => patch(conversation, { labels: [...thread(conversation).row.labels.filter((it) => !remove.includes(it)), ...add] }),
    mark_read: ({ conversation }) => patch(conversation, { unread: 0 }),
    move_order: ({ order, stage }) => {
      const place = stages.findIndex((it) => it.id === stage);
      cards = cards.map((it) => (it.id === order ? { ...it, stage, stage_name: stages[place]?.name ?? '', stage_place: place, staged_at: now(), pending: offline } : it));
      const moved = cards.find((it) => it.id === order);
      tell({ event: 'board' });
      if (moved) changed(moved.conversation);
      return null;
    },
    save_draft: ({ conversation, mode, text: body }) => {
      const key = `${conversation}/${mode}`;
      if (body) drafts.set(key, body);
      else drafts.delete(key);
      tell({ event: 'lists' });
      return null;
    },
    discard_intent: ({ id: intent }) => {
      const item = waiting.find((it) => it.id === intent);
      if (item?.conversation && item.text) drafts.set(`${item.conversation}/reply`, item.text);
      waiting = waiting.filter((it) => it.id !== intent);
      tell({ event: 'outbox' }, { event: 'connection' }, { event: 'lists' });
      return null;
    },
    retry_intent: ({ id: intent }) => {
      waiting = waiting.map((it) => (it.id === intent ? { ...it, state: 'queued', code: null } : it));
      tell({ event: 'outbox' }, { event: 'connection' });
      return null;
    },
    focus: () => null,
    sync_now: () => {
      tell({ event: 'connection' });
      return null;
    },
  };

  const quiet: (keyof Commands)[] = ['phase', 'connection', 'sidebar'];
  return {
    call: async (name, args) => {
      const command = name as keyof Commands;
      if (scene === 'slow' && !quiet.includes(command)) await new Promise(() => undefined);
      if (scene === 'failing' && !quiet.includes(command)) throw new IpcError('store_damaged', 'page 14 of main.db does not match its checksum');
      const handler = handlers[command] as (args: unknown) => unknown;
      return structuredClone(handler(args));
    },
    listen: (listener) => {
      hear = listener;
      // For tests: lets a page raise an event as the engine would.
      (window as unknown as { __parley_tell?: (event: Event) => void }).__parley_tell = listener;
      return Promise.resolve();
    },
  };
}
