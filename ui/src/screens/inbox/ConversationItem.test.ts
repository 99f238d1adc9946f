import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConversationRow, Delivery, Preview } from '../../lib/ipc/generated';
import ConversationItem from './ConversationItem.svelte';

const delivery: Delivery = { state: 'read', accepted_at: 1, sent_at: 1, delivered_at: 1, read_at: 1, played_at: null, failure: null };
const preview = (more: Partial<Preview> = {}): Preview => ({ direction: 'incoming', text: 'Hello *you*', content_type: 'text', media_kind: null, delivery: null, ...more });
const row = (more: Partial<ConversationRow> = {}): ConversationRow => ({
  id: 'c1', contact: 'k1', name: 'Ana Lima', phone: '+351 910 000 000', username: null, channel: 'whatsapp', inbox: 'i1', status: 'open', assignee: null, labels: [],
  active_at: Date.now() - 120_000, snoozed_until: null, unread: 0, window: { state: 'open', until: Date.now() + 20 * 3_600_000 }, preview: preview(), draft: null, order: null, not_sent: false, ...more,
});
const show = (more: Partial<ConversationRow> = {}): HTMLElement => {
  render(ConversationItem, { row: row(more), selected: false, place: 3, size: 40, open: () => undefined });
  return screen.getByTestId('conversation-row');
};
afterEach(cleanup);

describe('a row of the list', () => {
  it('shows the message without its marks', () => expect(show().textContent).toContain('Hello you'));
  it('says how many are unread, and where it stands in the list', () => {
    const it = show({ unread: 120 });
    expect(it.textContent).toContain('99+');
    expect(it.textContent).toContain('120 unread');
    expect(it.getAttribute('aria-setsize')).toBe('40');
    expect(it.getAttribute('aria-posinset')).toBe('3');
  });
  it('leads with the draft', () => expect(show({ draft: 'my words' }).textContent).toMatch(/Draft\s*my words/u));
  it('leads with Not sent before a draft', () => {
    const text = show({ draft: 'my words', not_sent: true }).textContent ?? '';
    expect(text).toContain('Not sent');
    expect(text).not.toContain('my words');
  });
  it('says whose the last message is, and how far it came', () => {
    const it = show({ preview: preview({ direction: 'outgoing', text: 'It ships', delivery }) });
    expect(it.textContent).toContain('You:');
    expect(it.querySelector('[role=img][aria-label=Read]')).not.toBeNull();
  });
  it('names attachments', () => expect(show({ preview: preview({ text: '', content_type: 'media', media_kind: 'image' }) }).textContent).toContain('Photo'));
  it('warns when the window is about to close or is closed', () => {
    expect(show({ window: { state: 'open', until: Date.now() + 38.5 * 60_000 } }).textContent).toContain('38 min left');
    cleanup();
    expect(show({ window: { state: 'closed', since: 0 } }).textContent).toContain('Template only');
  });
  it('never shows more than three chips', () => {
    const it = show({ window: { state: 'closed', since: 0 }, order: { id: 'o', number: 1042, stage: 'New' }, labels: ['a', 'b', 'c', 'd'] });
    expect(it.querySelectorAll('.chip').length).toBeLessThanOrEqual(3);
  });
  it('falls back from name to username to number', () => {
    expect(show({ name: null, username: 'ana.l' }).textContent).toContain('@ana.l');
    cleanup();
    expect(show({ name: null }).textContent).toContain('+351 910 000 000');
  });
});
