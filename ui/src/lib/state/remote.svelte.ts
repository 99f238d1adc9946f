// What the server is asked for and this desk keeps nowhere: the value, why it is not there, and whether waiting gets long.
import { untrack } from 'svelte';
import { asIpcError, type IpcError } from '../ipc/ipc';
import { fresh } from './fresh';
import { session } from './session.svelte';

export interface Remote<T> {
  /** The newest answer; `null` before the first. */
  readonly value: T | null;
  readonly error: IpcError | null;
  /** The first answer takes longer than an eye forgives. */
  readonly slow: boolean;
  refresh(): Promise<void>;
}

export function remote<T>(ask: () => Promise<T>): Remote<T> {
  let value = $state.raw<T | null>(null);
  let error = $state.raw<IpcError | null>(null);
  let slow = $state(false);
  const refresh = fresh(async () => {
    const timer = window.setTimeout(() => (slow = value === null), 150);
    try {
      value = await ask();
      error = null;
    } catch (failure) {
      error = asIpcError(failure);
    } finally {
      window.clearTimeout(timer);
      slow = false;
    }
  });
  return {
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    get slow() {
      return slow;
    },
    refresh,
  };
}

/** Asks when the screen opens and whenever the server is back. Called while a component is made. */
export function keepFresh(...all: Remote<unknown>[]): void {
  $effect(() => {
    if (session.offline) return;
    untrack(() => all.forEach((it) => void it.refresh()));
  });
}
