import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useTransport } from '../ipc/ipc';
import { TELL_EVERY_MS, active } from './activity';

let told = 0;
beforeEach(() => {
  vi.useFakeTimers();
  told = 0;
  useTransport({
    call: (name) => {
      if (name === 'active') told += 1;
      return Promise.resolve(null);
    },
    listen: () => Promise.resolve(),
  });
});
afterEach(() => vi.useRealTimers());

it('the engine hears of keys and clicks once in half a minute, and again afterwards', async () => {
  for (let n = 0; n < 200; n += 1) active();
  await vi.advanceTimersByTimeAsync(TELL_EVERY_MS - 1);
  active();
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  active();
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toBe(2);
});
