// Every keyboard shortcut, once. Keys, palette, tooltips, help and `aria-keyshortcuts` all read this list, and a test
// holds that no two actions of one scope share a key.
//
// Notation: `Mod` is Ctrl, or Command on a Mac; parts of a chord are joined with `+`; a sequence is written with a space.
// Single letters work only while no text field has the focus (WCAG 2.1.4).
import type { Key } from '../i18n/i18n.svelte';

export type Scope = 'global' | 'list' | 'conversation' | 'composer' | 'board';

export interface Shortcut {
  id: string;
  scope: Scope;
  /** The first is shown; none for what only the palette offers. */
  keys: readonly string[];
  label: Key;
  /** Also while typing. */
  typing?: boolean;
  /** Also over a menu or a dialog. */
  everywhere?: boolean;
  /** Offered in the palette. */
  palette?: boolean;
}

export const SHORTCUTS = [
  { id: 'palette', scope: 'global', keys: ['Mod+k'], label: 'keys.palette', typing: true },
  { id: 'help', scope: 'global', keys: ['?', 'Mod+/'], label: 'keys.help', palette: true },
  { id: 'search', scope: 'global', keys: ['/'], label: 'keys.search', palette: true },
  { id: 'next_pane', scope: 'global', keys: ['F6'], label: 'keys.next_pane', typing: true },
  { id: 'previous_pane', scope: 'global', keys: ['Shift+F6'], label: 'keys.previous_pane', typing: true },
  { id: 'toggle_context', scope: 'global', keys: ['Mod+\\'], label: 'keys.toggle_context', typing: true, palette: true },
  { id: 'toggle_views', scope: 'global', keys: ['Mod+Shift+\\'], label: 'keys.toggle_views', typing: true, palette: true },
  { id: 'undo', scope: 'global', keys: ['Mod+z'], label: 'keys.undo' },
  { id: 'go_inbox', scope: 'global', keys: ['g i'], label: 'keys.go_inbox', palette: true },
  { id: 'go_mine', scope: 'global', keys: ['g m'], label: 'keys.go_mine', palette: true },
  { id: 'go_unassigned', scope: 'global', keys: ['g u'], label: 'keys.go_unassigned', palette: true },
  { id: 'go_snoozed', scope: 'global', keys: ['g z'], label: 'keys.go_snoozed', palette: true },
  { id: 'go_outbox', scope: 'global', keys: ['g x'], label: 'keys.go_outbox', palette: true },
  { id: 'go_orders', scope: 'global', keys: ['g o'], label: 'keys.go_orders', palette: true },
  { id: 'settings', scope: 'global', keys: ['Mod+,', 'g ,'], label: 'keys.settings', typing: true, palette: true },
  { id: 'settings_security', scope: 'global', keys: [], label: 'keys.settings_security', palette: true },
  { id: 'settings_storage', scope: 'global', keys: [], label: 'keys.settings_storage', palette: true },
  { id: 'settings_members', scope: 'global', keys: [], label: 'keys.settings_members', palette: true },
  { id: 'settings_teams', scope: 'global', keys: [], label: 'keys.settings_teams', palette: true },
  { id: 'settings_inboxes', scope: 'global', keys: [], label: 'keys.settings_inboxes', palette: true },
  { id: 'settings_rules', scope: 'global', keys: [], label: 'keys.settings_rules', palette: true },
  { id: 'settings_policy', scope: 'global', keys: [], label: 'keys.settings_policy', palette: true },
  { id: 'settings_audit', scope: 'global', keys: [], label: 'keys.settings_audit', palette: true },
  { id: 'sync', scope: 'global', keys: ['Mod+Shift+y'], label: 'keys.sync', typing: true, palette: true },
  { id: 'lock', scope: 'global', keys: ['Mod+Shift+l'], label: 'keys.lock', typing: true, everywhere: true, palette: true },
  { id: 'theme', scope: 'global', keys: ['Mod+Shift+d'], label: 'keys.theme', typing: true, palette: true },

  { id: 'list_next', scope: 'list', keys: ['j', 'ArrowDown'], label: 'keys.list_next' },
  { id: 'list_previous', scope: 'list', keys: ['k', 'ArrowUp'], label: 'keys.list_previous' },
  { id: 'list_first', scope: 'list', keys: ['Home'], label: 'keys.list_first' },
  { id: 'list_last', scope: 'list', keys: ['End'], label: 'keys.list_last' },
  { id: 'conversation_next', scope: 'list', keys: ['Alt+ArrowDown'], label: 'keys.conversation_next', typing: true },
  { id: 'conversation_previous', scope: 'list', keys: ['Alt+ArrowUp'], label: 'keys.conversation_previous', typing: true },
  { id: 'unread_next', scope: 'list', keys: ['Alt+Shift+ArrowDown'], label: 'keys.unread_next', typing: true },
  { id: 'unread_previous', scope: 'list', keys: ['Alt+Shift+ArrowUp'], label: 'keys.unread_previous', typing: true },

  { id: 'reply', scope: 'conversation', keys: ['r'], label: 'keys.reply', palette: true },
  { id: 'note', scope: 'conversation', keys: ['n'], label: 'keys.note', palette: true },
  { id: 'resolve', scope: 'conversation', keys: ['e'], label: 'keys.resolve', palette: true },
  { id: 'resolve_next', scope: 'conversation', keys: ['Shift+E'], label: 'keys.resolve_next', palette: true },
  { id: 'assign', scope: 'conversation', keys: ['a'], label: 'keys.assign', palette: true },
  { id: 'assign_me', scope: 'conversation', keys: ['i'], label: 'keys.assign_me', palette: true },
  { id: 'snooze', scope: 'conversation', keys: ['h', 'b'], label: 'keys.snooze', palette: true },
  { id: 'label', scope: 'conversation', keys: ['l'], label: 'keys.label', palette: true },
  { id: 'latest', scope: 'conversation', keys: ['Mod+j'], label: 'keys.latest', typing: true },
  { id: 'actions', scope: 'conversation', keys: ['.'], label: 'keys.actions' },

  { id: 'send', scope: 'composer', keys: ['Enter', 'Mod+Enter'], label: 'keys.send', typing: true },
  { id: 'newline', scope: 'composer', keys: ['Shift+Enter'], label: 'keys.newline', typing: true },
  { id: 'switch_mode', scope: 'composer', keys: ['Mod+Shift+n'], label: 'keys.switch_mode', typing: true },
  { id: 'bold', scope: 'composer', keys: ['Mod+b'], label: 'keys.bold', typing: true },
  { id: 'italic', scope: 'composer', keys: ['Mod+i'], label: 'keys.italic', typing: true },
  { id: 'strike', scope: 'composer', keys: ['Mod+Shift+x'], label: 'keys.strike', typing: true },
  { id: 'leave', scope: 'composer', keys: ['Escape'], label: 'keys.leave', typing: true },

  { id: 'board_move', scope: 'board', keys: ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'], label: 'keys.board_move' },
  { id: 'board_lift', scope: 'board', keys: ['Space'], label: 'keys.board_lift' },
  { id: 'board_stage', scope: 'board', keys: ['s'], label: 'keys.board_stage' },
  { id: 'board_open', scope: 'board', keys: ['Enter'], label: 'keys.board_open' },
  { id: 'board_cancel', scope: 'board', keys: ['Escape'], label: 'keys.board_cancel' },
] as const satisfies readonly Shortcut[];

export type ShortcutId = (typeof SHORTCUTS)[number]['id'];

const mac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/u.test(navigator.platform);

export function shortcut(id: ShortcutId): Shortcut {
  // The list above is the type, so every id is in it.
  return SHORTCUTS.find((it) => it.id === id) as Shortcut;
}

const SIGNS: Record<string, string> = {
  ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', Enter: '↵', Escape: 'Esc', '\\': '\\',
};

/** A chord as people read it: `Ctrl K`, `⌘K`, `G then I` as `G I`. */
export function readable(chord: string): string {
  return chord
    .split(' ')
    .map((step) =>
      step
        .split('+')
        .map((part) => (part === 'Mod' ? (mac ? '⌘' : 'Ctrl') : part === 'Shift' && mac ? '⇧' : part === 'Alt' && mac ? '⌥' : (SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part))))
        // `Shift+E` is written once, with its letter.
        .join(mac ? '' : ' '),
    )
    .join(' ');
}

/** The first key of an action, readable. */
export const keyOf = (id: ShortcutId): string => readable(shortcut(id).keys[0] ?? '');

/** For `aria-keyshortcuts`: chords only, as the attribute knows no sequences. */
export const ariaKeys = (id: ShortcutId): string | undefined =>
  shortcut(id)
    .keys.filter((chord) => !chord.includes(' '))
    .map((chord) => chord.replace('Mod', mac ? 'Meta' : 'Control'))
    .join(' ') || undefined;
