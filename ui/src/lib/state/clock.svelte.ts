// The window's one clock: a shared tick every 15 seconds for ages and countdowns, and "now" for anything finer.
let offset = 0;
let ticks = $state(0);

/** Milliseconds since 1970; does not make the reader reactive. */
export const now = (): number => Date.now() + offset;

/** Milliseconds since 1970, read again by whoever shows it at each tick. */
export const ticking = (): number => {
  void ticks;
  return now();
};

/** For the demo and for tests: lets the clock start at `at` and run on from there. */
export function startAt(at: number): void {
  offset = at - Date.now();
  ticks += 1;
}

if (typeof window !== 'undefined' && import.meta.env.MODE !== 'test') window.setInterval(() => (ticks += 1), 15_000);

/** For tests: what the interval does. */
export const tick = (): void => {
  ticks += 1;
};
