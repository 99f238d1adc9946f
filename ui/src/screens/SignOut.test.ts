import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { later } from '../lib/i18n/i18n.svelte';
import { useTransport } from '../lib/ipc/ipc';
import SignOut from './SignOut.svelte';

let calls: string[] = [];
let rows = { outbox: 0, drafts: 0 };
beforeAll(() => later(Promise.resolve()));
beforeEach(() => {
  calls = [];
  useTransport({
    call: (name) => {
      calls.push(name);
      if (name === 'storage') return Promise.resolve({ stores: Object.entries(rows).map(([store, count]) => ({ store, rows: count })) });
      return Promise.resolve({ phase: 'opening' });
    },
    listen: () => Promise.resolve(),
  });
});
afterEach(cleanup);

describe('signing out', () => {
  it('names what was not sent before anything is deleted', async () => {
    rows = { outbox: 3, drafts: 1 };
    render(SignOut, { close: () => undefined });
    const told = await screen.findByTestId('sign-out-unsent');
    expect(told.textContent).toContain('3 changes');
    expect(told.textContent).toContain('1 draft');
    expect(calls).toEqual(['storage']);
    await fireEvent.click(screen.getByTestId('sign-out-yes'));
    await waitFor(() => expect(calls).toContain('sign_out'));
  });
  it('says nothing of losses when there are none', async () => {
    rows = { outbox: 0, drafts: 0 };
    render(SignOut, { close: () => undefined });
    await waitFor(() => expect(calls).toEqual(['storage']));
    expect(screen.queryByTestId('sign-out-unsent')).toBeNull();
  });
  it('of a locked desk tells what the lock knows, and asks for nothing', () => {
    render(SignOut, { unsent: 4, close: () => undefined });
    expect(screen.getByTestId('sign-out-unsent').textContent).toContain('4 changes');
    expect(calls).toEqual([]);
  });
});
