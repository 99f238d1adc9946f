// Where the window is: a hash route, so that a place can be linked to and opened again.
//   #/inbox/<view>[/<view id>][/c/<conversation>]   #/board[/<pipeline>]   #/outbox   #/search   #/settings[/<section>]
import type { View } from '../ipc/generated';

export type Route =
  | { screen: 'inbox'; view: View; conversation: string | null; message: string | null }
  | { screen: 'board'; pipeline: string | null; order: string | null }
  | { screen: 'outbox' }
  | { screen: 'search' }
  | { screen: 'settings'; section: Section };

export const SECTIONS = ['security', 'storage', 'members', 'teams', 'inboxes', 'rules', 'policy', 'audit'] as const;
export type Section = (typeof SECTIONS)[number];

const PLAIN = ['mine', 'unassigned', 'snoozed', 'all_open', 'resolved'] as const;

/** Reads a hash; anything unknown is the member's own inbox. */
export function parse(hash: string): Route {
  const [screen, ...rest] = hash.replace(/^#\/?/u, '').split('/').map(decodeURIComponent);
  if (screen === 'board') return { screen, pipeline: rest[0] === 'order' ? null : rest[0] || null, order: rest[rest.indexOf('order') + 1 || rest.length] ?? null };
  if (screen === 'outbox' || screen === 'search') return { screen };
  if (screen === 'settings') return { screen, section: SECTIONS.find((it) => it === rest[0]) ?? 'security' };
  const named = rest[0] ?? 'mine';
  let view: View = { view: 'mine' };
  let used = 1;
  if ((named === 'inbox' || named === 'label') && rest[1]) {
    view = { view: named, id: rest[1] };
    used = 2;
  } else {
    const found = PLAIN.find((it) => it === named);
    if (found) view = { view: found };
  }
  const tail = rest.slice(used);
  return { screen: 'inbox', view, conversation: tail[0] === 'c' ? (tail[1] ?? null) : null, message: tail[2] === 'm' ? (tail[3] ?? null) : null };
}

export function href(route: Route): string {
  switch (route.screen) {
    case 'board':
      return `#/board${route.pipeline ? `/${route.pipeline}` : ''}${route.order ? `/order/${route.order}` : ''}`;
    case 'inbox': {
      const view = 'id' in route.view ? `${route.view.view}/${route.view.id}` : route.view.view;
      return `#/inbox/${view}${route.conversation ? `/c/${route.conversation}` : ''}${route.conversation && route.message ? `/m/${route.message}` : ''}`;
    }
    case 'settings':
      return `#/settings/${route.section}`;
    default:
      return `#/${route.screen}`;
  }
}

let current = $state.raw<Route>(parse(typeof location === 'undefined' ? '' : location.hash));

export const router = {
  get route(): Route {
    return current;
  },
};

export function go(route: Route, replace = false): void {
  const hash = href(route);
  current = route;
  if (location.hash === hash) return;
  if (replace) history.replaceState(null, '', hash);
  else history.pushState(null, '', hash);
}

/** The inbox view that was shown last, for the way back from another screen. */
let lastView: View = { view: 'mine' };
let lastConversation: string | null = null;
export const sameView = (a: View, b: View): boolean => a.view === b.view && ('id' in a ? a.id : '') === ('id' in b ? b.id : '');

export function goView(view: View): void {
  const keep = sameView(view, lastView) ? lastConversation : null;
  go({ screen: 'inbox', view, conversation: keep, message: null });
}
export const goInbox = (): void => goView(lastView);

export function openConversation(conversation: string | null, view: View = lastView, message: string | null = null, replace = false): void {
  go({ screen: 'inbox', view, conversation, message }, replace);
}
export function remember(route: Route): void {
  if (route.screen !== 'inbox') return;
  lastView = route.view;
  lastConversation = route.conversation;
}

if (typeof window !== 'undefined') {
  const follow = (): void => {
    current = parse(location.hash);
  };
  window.addEventListener('popstate', follow);
  window.addEventListener('hashchange', follow);
}
