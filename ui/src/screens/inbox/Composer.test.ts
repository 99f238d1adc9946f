import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IpcError, useTransport } from '../../lib/ipc/ipc';
import type { ConversationDetail, ConversationRow } from '../../lib/ipc/generated';
import Composer from './Composer.svelte';

const row: ConversationRow = {
  id: 'c1', contact: 'k1', name: 'Ana', phone: null, username: null, channel: 'whatsapp', inbox: 'i1', status: 'open', assignee: null, labels: [],
  active_at: 0, snoozed_until: null, unread: 0, window: { state: 'open', until: Date.now() + 5 * 3_600_000 }, preview: null, draft: null, order: null, not_sent: false,
};
const detail = (more: Partial<ConversationDetail> = {}): ConversationDetail => ({ row, inbox_name: 'Sales', may_write: { allowed: true, code: null }, orders: [], earlier: [], ...more });

let calls: [string, Record<string, unknown>][] = [];
let refuse: IpcError | null = null;
let drafts: Record<string, string> = {};
beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  refuse = null;
  drafts = {};
  useTransport({
    call: async (name, args) => {
      calls.push([name, args as Record<string, unknown>]);
      if (name === 'draft') return drafts[(args as { mode: string }).mode] ?? null;
      if ((name === 'send_reply' || name === 'add_note') && refuse) throw refuse;
      return name === 'send_reply' || name === 'add_note' ? 'm1' : null;
    },
    listen: () => Promise.resolve(),
  });
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});
const show = async (it = detail()) => {
  const result = render(Composer, { id: 'c1', detail: it, quoted: null, unquote: () => undefined, sent: () => undefined, timeline: undefined, resolveNext: () => undefined });
  await vi.advanceTimersByTimeAsync(0);
  return result;
};
const input = (): HTMLTextAreaElement => screen.getByTestId('composer-input') as HTMLTextAreaElement;
const type = async (text: string): Promise<void> => void (await fireEvent.input(input(), { target: { value: text } }));
const named = (name: string) => calls.filter(([it]) => it === name).map(([, args]) => args);

describe('the composer', () => {
  it('sends with Enter, once, and is empty at once', async () => {
    await show();
    await type('  Hello ');
    await fireEvent.keyDown(input(), { key: 'Enter' });
    expect(input().value).toBe('');
    await fireEvent.keyDown(input(), { key: 'Enter' });
    await vi.advanceTimersByTimeAsync(0);
    expect(named('send_reply')).toEqual([{ conversation: 'c1', text: 'Hello', reply_to: null, newest_shown: null }]);
  });
  it('makes a new line with Shift+Enter and sends nothing while an input method composes', async () => {
    await show();
    await type('こんにちは');
    await fireEvent.keyDown(input(), { key: 'Enter', shiftKey: true });
    await fireEvent.keyDown(input(), { key: 'Enter', isComposing: true });
    expect(named('send_reply')).toEqual([]);
  });
  it('gives the text back with the reason when the engine refuses', async () => {
    refuse = new IpcError('window_closed', 'closed');
    await show();
    await type('too late');
    await fireEvent.keyDown(input(), { key: 'Enter' });
    await vi.advanceTimersByTimeAsync(0);
    expect(input().value).toBe('too late');
    expect(screen.getByRole('alert').textContent).toContain('24-hour window');
  });
  it('saves a draft half a second after typing began, per mode', async () => {
    await show();
    await type('half');
    await vi.advanceTimersByTimeAsync(499);
    expect(named('save_draft')).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await fireEvent.click(screen.getByTestId('composer-tab-note'));
    await type('for the team');
    await vi.advanceTimersByTimeAsync(500);
    expect(named('save_draft')).toEqual([{ conversation: 'c1', mode: 'reply', text: 'half' }, { conversation: 'c1', mode: 'note', text: 'for the team' }]);
  });
  it('saves what is left when the conversation is left', async () => {
    const { unmount } = await show();
    await type('quick');
    unmount();
    await vi.advanceTimersByTimeAsync(0);
    expect(named('save_draft')).toEqual([{ conversation: 'c1', mode: 'reply', text: 'quick' }]);
  });
  it('brings a draft back', async () => {
    drafts = { reply: 'from yesterday' };
    await show();
    await vi.advanceTimersByTimeAsync(0);
    expect(input().value).toBe('from yesterday');
  });
  it('counts from 80 % of 4,096 on and sends nothing longer', async () => {
    await show();
    await type('x'.repeat(3276));
    expect(screen.queryByTestId('composer-counter')).toBeNull();
    await type('x'.repeat(3277));
    expect(screen.getByTestId('composer-counter').textContent).toContain('4,096');
    await type('x'.repeat(4097));
    await fireEvent.keyDown(input(), { key: 'Enter' });
    expect(named('send_reply')).toEqual([]);
    expect(input().value).toHaveLength(4097);
  });
  it('writes a note as a note, never as a reply', async () => {
    await show();
    await fireEvent.click(screen.getByTestId('composer-tab-note'));
    await type('secret');
    await fireEvent.keyDown(input(), { key: 'Enter' });
    await vi.advanceTimersByTimeAsync(0);
    expect(named('add_note')).toEqual([{ conversation: 'c1', text: 'secret' }]);
    expect(named('send_reply')).toEqual([]);
  });
  it.each([
    ['window_closed', { state: 'closed', since: 0 }, /24-hour window is closed/u],
    ['window_never_opened', { state: 'never_opened' }, /has not written here yet/u],
    ['inbox_unavailable', row.window, /disconnected/u],
    ['contact_blocked', row.window, /blocked/u],
  ] as const)('is locked with the reason when %s, and still takes notes', async (code, window, words) => {
    await show(detail({ row: { ...row, window }, may_write: { allowed: false, code } }));
    expect(screen.getByTestId('composer-locked').textContent).toMatch(words);
    expect(screen.queryByTestId('composer-input')).toBeNull();
    expect(screen.queryByTestId('composer-send')).toBeNull();
    await fireEvent.click(screen.getByTestId('composer-tab-note'));
    await waitFor(() => expect(input()).toBeTruthy());
  });
  it('locks by itself when the window ends while it is open', async () => {
    await show(detail({ row: { ...row, window: { state: 'open', until: Date.now() - 1 } } }));
    expect(screen.getByTestId('composer-locked').dataset['code']).toBe('window_closed');
  });
});
