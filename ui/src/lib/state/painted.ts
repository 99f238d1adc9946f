// When entries were first painted: two animation frames after they entered the document. Ids and times only, never text.
// Tests and measurements read `window.__parley_painted`.

export interface Painted {
  /** Milliseconds since the page was opened. */
  since_start: number;
  /** Milliseconds since 1970, by the system's clock. */
  at: number;
}
const KEPT = 500;
const painted = new Map<string, Painted>();

declare global {
  interface Window {
    __parley_painted?: Map<string, Painted>;
    /** Key presses that sent something, with the same clock. */
    __parley_sent?: number[];
  }
}
if (typeof window !== 'undefined') {
  window.__parley_painted = painted;
  window.__parley_sent = [];
}

/** Svelte attachment: notes the first paint of an entry. */
export function markPainted(id: string): () => void {
  return () => {
    if (painted.has(id)) return;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (painted.has(id)) return;
        painted.set(id, { since_start: performance.now(), at: Date.now() });
        const oldest = painted.keys().next().value;
        if (painted.size > KEPT && oldest !== undefined) painted.delete(oldest);
      }),
    );
  };
}

export function markSent(at: number): void {
  window.__parley_sent?.push(at);
  if ((window.__parley_sent?.length ?? 0) > KEPT) window.__parley_sent?.shift();
}
