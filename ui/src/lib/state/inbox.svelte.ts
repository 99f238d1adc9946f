// The conversation list of one view: loaded in pages, refreshed in place when the engine says that lists changed.
import { asIpcError, call, onEvent, type IpcError } from '../ipc/ipc';
import type { ConversationRow, ListCursor, View } from '../ipc/generated';
import { fresh } from './fresh';
import { share } from './share';
import { sameView } from './router.svelte';

const PAGE = 60;
let view: View = { view: 'mine' };
let rows = $state.raw<ConversationRow[]>([]);
let total = $state(0);
let next = $state.raw<ListCursor | null>(null);
let loaded = $state(false);
let error = $state.raw<IpcError | null>(null);
let paging = false;

export const inbox = {
  get rows(): ConversationRow[] {
    return rows;
  },
  get total(): number {
    return total;
  },
  get loaded(): boolean {
    return loaded;
  },
  get error(): IpcError | null {
    return error;
  },
};

const refresh = fresh(async () => {
  const asked = view;
  try {
    // As many rows as are shown, so that a refresh never shortens the list under the pointer.
    const page = await call('conversations', { view: asked, after: null, limit: Math.max(PAGE, rows.length) });
    if (!sameView(asked, view)) return;
    rows = share(rows, page.rows);
    ({ total, next } = page);
    error = null;
  } catch (failure) {
    if (!sameView(asked, view)) return;
    error = asIpcError(failure);
  }
  loaded = true;
});

export function showView(wanted: View): void {
  if (loaded && sameView(wanted, view)) return;
  view = wanted;
  rows = [];
  total = 0;
  next = null;
  loaded = false;
  error = null;
  void refresh();
}

export async function more(): Promise<void> {
  if (!next || paging) return;
  paging = true;
  const asked = view;
  try {
    const page = await call('conversations', { view: asked, after: next, limit: PAGE });
    if (sameView(asked, view)) {
      const known = new Set(rows.map((row) => row.id));
      rows = [...rows, ...page.rows.filter((row) => !known.has(row.id))];
      ({ next, total } = page);
    }
  } catch {
    // The rows that are here stay; scrolling asks again.
  } finally {
    paging = false;
  }
}

/** Follows the engine while the inbox is on the screen. */
export const follow = (): (() => void) => onEvent((event) => event.event === 'lists' && void refresh());
export { refresh as refreshInbox };
