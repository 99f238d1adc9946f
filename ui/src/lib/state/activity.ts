// The idle lock counts from the last key or click. The engine hears of them, not of each: once in half a minute.
import { call } from '../ipc/ipc';
import { now } from './clock.svelte';

/** Least time between two words to the engine. */
export const TELL_EVERY_MS = 30_000;
let told = 0;

/** Notes that somebody is there. */
export function active(): void {
  const at = now();
  if (at - told < TELL_EVERY_MS && at >= told) return;
  told = at;
  void call('active', {}).catch(() => undefined);
}
