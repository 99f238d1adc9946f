// Keeps what has not changed: a row that is equal to the one before stays the same object, so only changed rows are drawn
// again. The engine answers with whole pages; most of their rows are what they were.

/** `next` with every item that equals its predecessor (same `id`) replaced by it. */
export function share<T extends { id: string }>(before: readonly T[], next: readonly T[]): T[] {
  if (before.length === 0) return [...next];
  const known = new Map(before.map((it) => [it.id, it]));
  return next.map((it) => {
    const old = known.get(it.id);
    return old && JSON.stringify(old) === JSON.stringify(it) ? old : it;
  });
}
