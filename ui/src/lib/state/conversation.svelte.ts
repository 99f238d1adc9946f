// The open conversation: its detail and a window of its timeline. Pages are asked for by cursor; at most five are held,
// so a conversation of 100,000 entries costs what one of 400 costs.
import { asIpcError, call, onEvent, type IpcError } from '../ipc/ipc';
import type { Commands, ConversationDetail, Entry, TimelineCursor, TimelinePage } from '../ipc/generated';
import { fresh } from './fresh';
import { share } from './share';

const PAGE = 80;
const HELD_PAGES = 5;
/** The newest page grows as messages come in; past this it is cut again when the member is at the foot. */
const NEWEST_MAX = 200;

interface Page {
  /** The cursor that asked for it; null for the newest. */
  cursor: TimelineCursor | null;
  entries: Entry[];
  before: TimelineCursor | null;
}

let id: string | null = null;
let detail = $state.raw<ConversationDetail | null>(null);
let pages = $state.raw<Page[]>([]);
/** Cursors of newer pages that were let go, nearest last. */
let below = $state.raw<(TimelineCursor | null)[]>([]);
let loaded = $state(false);
let gone = $state(false);
let error = $state.raw<IpcError | null>(null);
let unreadFrom = $state<string | null>(null);
let paging = $state(false);
const entries = $derived(pages.flatMap((page) => page.entries));

export const conversation = {
  get id(): string | null {
    return id;
  },
  get detail(): ConversationDetail | null {
    return detail;
  },
  get entries(): Entry[] {
    return entries;
  },
  get loaded(): boolean {
    return loaded;
  },
  get gone(): boolean {
    return gone;
  },
  get error(): IpcError | null {
    return error;
  },
  /** The first entry that was unread when the conversation was opened. */
  get unreadFrom(): string | null {
    return unreadFrom;
  },
  get atTop(): boolean {
    return pages[0] !== undefined && pages[0].before === null;
  },
  /** Whether the newest page is held, so that the foot of the window is the foot of the conversation. */
  get atLatest(): boolean {
    return below.length === 0;
  },
  get paging(): boolean {
    return paging;
  },
};

/** A page; what the policy keeps off this computer altogether is asked of the server, and not kept. */
async function readPage(args: Commands['timeline'][0]): Promise<TimelinePage> {
  const page = await call('timeline', args);
  return page.beyond && page.entries.length === 0 ? call('remote_timeline', args) : page;
}

const readDetail = fresh(async () => {
  const asked = id;
  if (asked === null) return;
  try {
    const found = await call('conversation', { id: asked });
    if (asked !== id) return;
    detail = found;
    gone = found === null;
  } catch (failure) {
    if (asked === id) error = asIpcError(failure);
  }
});

const readNewest = fresh(async () => {
  const asked = id;
  if (asked === null || below.length > 0) return;
  const held = pages.at(-1);
  const limit = Math.max(PAGE, (held?.entries.length ?? 0) + 20);
  try {
    const page = await readPage({ conversation: asked, before: null, limit });
    if (asked !== id || below.length > 0) return;
    const older = new Set(pages.slice(0, -1).flatMap((it) => it.entries.map((entry) => entry.id)));
    const kept = share(
      held?.entries ?? [],
      page.entries.filter((entry) => !older.has(entry.id)),
    );
    if (held && pages.length === 1 && held.entries.length > 0) {
      // Keep the top where it is: rows that the larger request brought above it are left out.
      const top = held.entries[0]?.id;
      const from = kept.findIndex((entry) => entry.id === top);
      pages = [{ cursor: null, entries: from > 0 ? kept.slice(from) : kept, before: from > 0 ? held.before : page.before }];
    } else if (pages.length > 1 && kept.length === page.entries.length && page.before !== null) {
      // Nothing joins the older pages any more: start again at the foot.
      pages = [{ cursor: null, ...page }];
    } else {
      pages = [...pages.slice(0, -1), { cursor: null, entries: kept, before: pages.length > 1 ? (held?.before ?? null) : page.before }];
    }
    error = null;
  } catch (failure) {
    if (asked === id) error = asIpcError(failure);
  }
  loaded = true;
});

/** Opens a conversation; what was shown before goes at once, so no text of another customer stays on the screen. */
export async function show(wanted: string | null): Promise<void> {
  if (wanted === id) return;
  id = wanted;
  detail = null;
  pages = [];
  below = [];
  loaded = false;
  gone = false;
  error = null;
  unreadFrom = null;
  if (wanted === null) return;
  await Promise.all([readDetail(), readNewest()]);
  if (id !== wanted) return;
  const unread = (detail as ConversationDetail | null)?.row.unread ?? 0;
  const incoming = entries.filter((entry) => entry.direction === 'incoming');
  unreadFrom = unread > 0 ? (incoming.at(-unread)?.id ?? incoming[0]?.id ?? null) : null;
}

/** Loads the page above. Returns whether anything came. */
export async function older(): Promise<boolean> {
  const top = pages[0];
  const asked = id;
  if (paging || asked === null || !top?.before) return false;
  paging = true;
  try {
    const page = await readPage({ conversation: asked, before: top.before, limit: PAGE });
    if (asked !== id) return false;
    let held = [{ cursor: top.before, ...page }, ...pages];
    const letGo: (TimelineCursor | null)[] = [];
    while (held.length > HELD_PAGES) {
      const last = held.at(-1);
      held = held.slice(0, -1);
      if (last) letGo.push(last.cursor);
    }
    below = [...below, ...letGo];
    pages = held;
    return page.entries.length > 0;
  } catch {
    return false;
  } finally {
    paging = false;
  }
}

/** Loads the page below again, when it was let go. */
export async function newer(): Promise<boolean> {
  const asked = id;
  const cursor = below.at(-1);
  if (paging || asked === null || cursor === undefined) return false;
  paging = true;
  try {
    const page = await readPage({ conversation: asked, before: cursor, limit: PAGE });
    if (asked !== id) return false;
    const known = new Set(pages.flatMap((it) => it.entries.map((entry) => entry.id)));
    pages = [...pages, { cursor, entries: page.entries.filter((entry) => !known.has(entry.id)), before: page.before }].slice(-HELD_PAGES);
    below = below.slice(0, -1);
    return true;
  } catch {
    return false;
  } finally {
    paging = false;
  }
}

/** Back to the foot of the conversation. */
export async function latest(): Promise<void> {
  if (below.length > 0) {
    below = [];
    pages = [];
  }
  await readNewest();
}

/** Loads upwards until an entry is held, at most as far as five pages. */
export async function reach(entry: string): Promise<boolean> {
  for (let step = 0; step < HELD_PAGES * 4; step += 1) {
    if (entries.some((it) => it.id === entry)) return true;
    if (!(await older())) return false;
  }
  return false;
}

/** Cuts the newest page when it has grown long and nobody reads above. */
export function trim(): void {
  const newest = pages.at(-1);
  if (below.length > 0 || !newest || newest.entries.length <= NEWEST_MAX) return;
  pages = [];
  void readNewest();
}

export async function refreshConversation(): Promise<void> {
  await Promise.all([readNewest(), readDetail()]);
}

/** Follows the engine while a conversation is on the screen. */
export const followConversation = (): (() => void) =>
  onEvent((event) => {
    if (event.event === 'conversations' && id !== null && event.ids.includes(id)) void refreshConversation();
    if (event.event === 'board') void readDetail();
  });
