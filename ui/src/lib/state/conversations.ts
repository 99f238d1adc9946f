// What members do to a conversation, with a way back where there is one.
import { call } from '../ipc/ipc';
import type { ConversationRow, Status } from '../ipc/generated';
import { t } from '../i18n/i18n.svelte';
import { attempt, done } from './toasts.svelte';
import { session } from './session.svelte';

const set = (conversation: string, status: Status, snoozed_until: number | null): Promise<boolean> =>
  attempt(call('set_status', { conversation, status, snoozed_until }));

async function change(row: ConversationRow, status: Status, until: number | null, said: string): Promise<void> {
  const { id, status: before, snoozed_until: beforeUntil } = row;
  if (await set(id, status, until)) done(said, () => void set(id, before, beforeUntil));
}

export const resolve = (row: ConversationRow): Promise<void> => change(row, 'resolved', null, t('done.resolved'));
export const reopen = (row: ConversationRow): Promise<void> => change(row, 'open', null, t('done.reopened'));
export const pend = (row: ConversationRow): Promise<void> => change(row, 'pending', null, t('done.pending'));
export const snooze = (row: ConversationRow, until: number, when: string): Promise<void> => change(row, 'snoozed', until, t('done.snoozed', { when }));

export async function assign(row: ConversationRow, assignee: string | null): Promise<void> {
  if (row.assignee === assignee) return;
  const before = row.assignee;
  const said = assignee === null ? t('done.unassigned') : t('done.assigned', { name: session.member(assignee)?.name ?? '' });
  if (await attempt(call('assign', { conversation: row.id, assignee }))) done(said, () => void attempt(call('assign', { conversation: row.id, assignee: before })));
}

export async function toggleLabel(row: ConversationRow, label: string): Promise<void> {
  const has = row.labels.includes(label);
  await attempt(call('label', { conversation: row.id, add: has ? [] : [label], remove: has ? [label] : [] }));
}
