import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { later } from '../lib/i18n/i18n.svelte';
import { IpcError, useTransport } from '../lib/ipc/ipc';
import type { LockView } from '../lib/ipc/generated';
import Locked from './Locked.svelte';

const view = (more: Partial<LockView> = {}): LockView => ({
  reason: 'idle', opens_with: 'pin', not_before: null, wipes_at: Date.now() + 13 * 86_400_000, unsent: 0, server: 'https://parley.example', problem: null, ...more,
});
let calls: [string, unknown][] = [];
let refuse: IpcError | null = null;
beforeAll(() => later(Promise.resolve()));
beforeEach(() => {
  calls = [];
  refuse = null;
  useTransport({
    call: (name, args) => {
      calls.push([name, args]);
      if (refuse) return Promise.reject(refuse);
      return Promise.resolve({ phase: 'opening' });
    },
    listen: () => Promise.resolve(),
  });
});
afterEach(cleanup);
const secret = (): HTMLInputElement => screen.getByTestId('lock-secret') as HTMLInputElement;
const button = (): HTMLButtonElement => screen.getByTestId('lock-open') as HTMLButtonElement;

describe('a locked desk', () => {
  it('gives the focus to the PIN, opens with it, and never keeps it in the field', async () => {
    render(Locked, { lock: view() });
    expect(document.activeElement).toBe(secret());
    expect(button().disabled).toBe(true);
    await fireEvent.input(secret(), { target: { value: '246810' } });
    await fireEvent.click(button());
    await waitFor(() => expect(calls).toEqual([['unlock', { secret: '246810' }]]));
    await waitFor(() => expect(secret().value).toBe(''));
  });
  it('says that a PIN was wrong, and asks again', async () => {
    refuse = new IpcError('wrong_pin', '');
    render(Locked, { lock: view() });
    await fireEvent.input(secret(), { target: { value: '111111' } });
    await fireEvent.click(button());
    expect((await screen.findByTestId('refusal')).textContent).toContain('not right');
    await waitFor(() => expect(document.activeElement).toBe(secret()));
    expect(secret().getAttribute('aria-invalid')).toBe('true');
  });
  it('tries nothing while the pause after wrong tries lasts', async () => {
    render(Locked, { lock: view({ not_before: Date.now() + 29_500 }) });
    expect((await screen.findByTestId('lock-wait')).textContent).toMatch(/0:(29|30)/u);
    await fireEvent.input(secret(), { target: { value: '246810' } });
    await fireEvent.submit(secret().closest('form') as HTMLFormElement);
    expect([button().disabled, calls]).toEqual([true, []]);
  });
  it('asks for no secret while it waits for the server, and says what happens without it', async () => {
    render(Locked, { lock: view({ reason: 'silence', opens_with: 'contact', unsent: 2, problem: 'offline' }) });
    expect(screen.queryByTestId('lock-secret')).toBeNull();
    expect(screen.getByTestId('lock-unsent').textContent).toContain('2 changes');
    expect(screen.getByTestId('lock-wipes').textContent).toContain('deletes itself');
    await fireEvent.click(button());
    await waitFor(() => expect(calls).toEqual([['unlock', { secret: null }]]));
  });
  it('asks to sign in when the session has ended too', () => {
    render(Locked, { lock: view({ reason: 'silence', opens_with: 'sign_in' }) });
    expect(document.activeElement).toBe(screen.getByTestId('again-email'));
    expect(screen.queryByTestId('lock-open')).toBeNull();
  });
  it('is read out', async () => {
    const { container } = render(Locked, { lock: view({ reason: 'clock_behind', opens_with: 'contact' }) });
    await waitFor(() => expect(container.querySelector('[aria-live=assertive]')?.textContent).toContain('clock'));
  });
});
