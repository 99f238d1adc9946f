import { afterEach, describe, expect, it } from 'vitest';
import en from '../i18n/en.json';
import later from '../i18n/later/en.json';
import { bind, keyName, matches, onKeydown } from './keys';
import { SHORTCUTS, readable, type Shortcut } from './registry';

const all = SHORTCUTS as readonly Shortcut[];
const press = (key: string, more: KeyboardEventInit & { target?: HTMLElement } = {}): KeyboardEvent => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more });
  (more.target ?? document.body).addEventListener('keydown', onKeydown, { once: true });
  (more.target ?? document.body).dispatchEvent(event);
  return event;
};
let stop: (() => void) | undefined;
afterEach(() => {
  stop?.();
  document.body.replaceChildren();
});

describe('the registry', () => {
  it('has no key twice in one scope, nor one that a global key hides', () => {
    for (const scope of new Set(all.map((it) => it.scope))) {
      const keys = all.filter((it) => it.scope === scope || it.scope === 'global').flatMap((it) => it.keys);
      expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
    }
  });
  it('begins no sequence with a key that does something by itself', () => {
    const singles = new Set(all.flatMap((it) => it.keys).filter((key) => !key.includes(' ')));
    for (const key of all.flatMap((it) => it.keys).filter((it) => it.includes(' '))) expect(singles.has(key.split(' ')[0] ?? '')).toBe(false);
  });
  it('never binds Ctrl+Alt, which types letters with AltGr', () => expect(all.flatMap((it) => it.keys).filter((key) => /Mod.*Alt|Alt.*Mod/u.test(key))).toEqual([]));
  it('names every action', () => expect(all.filter((it) => !(it.label in en || it.label in later))).toEqual([]));
  it('lets bare letters alone while typing', () => expect(all.filter((it) => it.typing && it.keys.some((key) => /^[a-z]$/u.test(key)))).toEqual([]));
  it('reads well', () => {
    expect(readable('Mod+k')).toBe('Ctrl K');
    expect(readable('g i')).toBe('G I');
  });
});

describe('key presses', () => {
  it('follow the place of a key on other layouts', () => {
    expect(keyName(new KeyboardEvent('keydown', { key: 'ت', code: 'KeyJ' }))).toBe('j');
    expect(keyName(new KeyboardEvent('keydown', { key: 'र', code: 'KeyJ' }))).toBe('j');
    expect(matches(new KeyboardEvent('keydown', { key: 'ن', code: 'KeyK', ctrlKey: true }), 'Mod+k')).toBe(true);
  });
  it('do what is bound, and nothing while composing', () => {
    let ran = 0;
    stop = bind({ resolve: () => void (ran += 1) });
    expect(press('e').defaultPrevented).toBe(true);
    press('e', { isComposing: true });
    expect(ran).toBe(1);
  });
  it('leave single letters to a text field', () => {
    let ran = 0;
    stop = bind({ resolve: () => void (ran += 1), palette: () => void (ran += 10) });
    const field = document.body.appendChild(document.createElement('textarea'));
    press('e', { target: field });
    expect(ran).toBe(0);
    press('k', { target: field, ctrlKey: true });
    expect(ran).toBe(10);
  });
  it('read sequences', () => {
    let went = '';
    stop = bind({ go_orders: () => void (went = 'orders'), assign_me: () => void (went = 'me') });
    press('g');
    press('o');
    expect(went).toBe('orders');
  });
  it('tell ? from /', () => {
    let ran = '';
    stop = bind({ help: () => void (ran = 'help'), search: () => void (ran = 'search') });
    press('?', { shiftKey: true });
    expect(ran).toBe('help');
    press('/');
    expect(ran).toBe('search');
  });
  it('pass on when the action declines', () => {
    stop = bind({ list_next: () => false });
    expect(press('ArrowDown').defaultPrevented).toBe(false);
  });
});
