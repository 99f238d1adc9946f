// Turns key presses into the registry's actions. A screen registers what it can do; the innermost scope wins.
import { SHORTCUTS, type Scope, type Shortcut, type ShortcutId } from './registry';

type Action = (event: KeyboardEvent) => boolean | void;
const actions = new Map<ShortcutId, Action[]>();
const ORDER: Scope[] = ['composer', 'board', 'conversation', 'list', 'global'];
const SEQUENCE_MS = 1_200;

/** Registers what ids do while the caller is on the screen; returns the way to stop. An action that returns `false` passes the key on. */
export function bind(map: Partial<Record<ShortcutId, Action>>): () => void {
  const entries = Object.entries(map) as [ShortcutId, Action][];
  for (const [id, action] of entries) actions.set(id, [...(actions.get(id) ?? []), action]);
  return () => {
    for (const [id, action] of entries) actions.set(id, (actions.get(id) ?? []).filter((it) => it !== action));
  };
}

/** Does what a key would do: for the palette and for buttons. */
export function run(id: ShortcutId, event = new KeyboardEvent('keydown')): boolean {
  const action = actions.get(id)?.at(-1);
  return action !== undefined && action(event) !== false;
}

export const available = (id: ShortcutId): boolean => (actions.get(id)?.length ?? 0) > 0;

/** The Latin letter, digit or sign of a press, whatever the layout: Arabic and Devanagari keyboards keep their places. */
export function keyName(event: KeyboardEvent): string {
  const { key, code } = event;
  if (key === ' ') return 'Space';
  if (key.length > 1) return key;
  // Printable ASCII is what the layout says; anything else is read by the key's place.
  if (/^[\x21-\x7e]$/u.test(key)) return /^[A-Z]$/u.test(key) && event.shiftKey ? key : key.toLowerCase();
  const letter = /^Key([A-Z])$/u.exec(code)?.[1];
  if (letter) return event.shiftKey ? letter : letter.toLowerCase();
  const digit = /^Digit(\d)$/u.exec(code)?.[1];
  if (digit) return digit;
  const signs: Record<string, [string, string]> = { Slash: ['/', '?'], Backslash: ['\\', '|'], Period: ['.', '>'], Comma: [',', '<'] };
  return signs[code]?.[event.shiftKey ? 1 : 0] ?? key;
}

const mac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/u.test(navigator.platform);

/** Whether a press is this chord. */
export function matches(event: KeyboardEvent, chord: string): boolean {
  const parts = chord === '+' ? ['+'] : chord.split('+');
  const wanted = parts.at(-1) ?? '';
  const mod = parts.includes('Mod');
  // AltGr arrives as Ctrl+Alt on Windows: it types, it commands nothing.
  if (event.getModifierState?.('AltGraph')) return false;
  if (mod !== (mac ? event.metaKey : event.ctrlKey)) return false;
  if (mac ? event.ctrlKey : event.metaKey) return false;
  if (parts.includes('Alt') !== event.altKey) return false;
  const name = keyName(event);
  // For signs such as `?` the layout decides whether Shift was needed.
  const sign = /^[^A-Za-z0-9]$/u.test(wanted);
  const placed = sign && event.shiftKey && parts.includes('Shift') && event.code === 'Backslash' && wanted === '\\';
  if (placed) return true;
  if (!sign && parts.includes('Shift') !== event.shiftKey) return false;
  if (sign && wanted === '\\' && parts.includes('Shift') !== event.shiftKey) return false;
  return name.toLowerCase() === wanted.toLowerCase();
}

/** Whether letters belong to a text field now. */
export function typingIn(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.tagName === 'TEXTAREA' || target.tagName === 'SELECT') return true;
  return target.tagName === 'INPUT' && !['checkbox', 'radio', 'button', 'range'].includes((target as HTMLInputElement).type);
}

let begun: { chord: string; at: number } | undefined;

/** The one key listener of the window. */
export function onKeydown(event: KeyboardEvent): void {
  if (event.isComposing || event.defaultPrevented || event.key === 'Process' || event.key === 'Dead') return;
  const target = event.target instanceof HTMLElement ? event.target : null;
  // Menus and dialogs have keys of their own; the lock works over them too.
  const over = target?.closest('[role="menu"], [role="dialog"], [role="alertdialog"]');
  const typing = typingIn(target);
  const started = begun && event.timeStamp - begun.at < SEQUENCE_MS ? begun.chord : undefined;
  begun = undefined;

  const candidates = (SHORTCUTS as readonly Shortcut[])
    .filter((it) => (!over || it.everywhere) && (!typing || it.typing) && available(it.id as ShortcutId))
    .sort((a, b) => ORDER.indexOf(a.scope) - ORDER.indexOf(b.scope));
  for (const it of candidates) {
    for (const keys of it.keys) {
      const [first, second] = keys.split(' ') as [string, string | undefined];
      const hit = second === undefined ? !started && matches(event, first) : started === first && matches(event, second);
      if (hit && run(it.id as ShortcutId, event)) {
        event.preventDefault();
        return;
      }
    }
  }
  if (!typing) {
    const opens = candidates.flatMap((it) => it.keys).find((keys) => keys.includes(' ') && matches(event, keys.split(' ')[0] ?? ''));
    if (opens) begun = { chord: opens.split(' ')[0] ?? '', at: event.timeStamp };
  }
}
