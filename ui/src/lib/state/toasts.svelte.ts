// Short messages at the window's foot: what was just done, with Undo, and what could not be done.
import { asIpcError } from '../ipc/ipc';
import { tMaybe } from '../i18n/i18n.svelte';

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'danger';
  undo?: () => void;
}
let list = $state.raw<Toast[]>([]);
let next = 0;

export const toasts = {
  get list(): Toast[] {
    return list;
  },
  dismiss(id: number): void {
    list = list.filter((it) => it.id !== id);
  },
  clear(): void {
    list = [];
  },
  /** Takes back what the newest toast offers; false when there is nothing. */
  undoNewest(): boolean {
    const newest = list.findLast((it) => it.undo);
    if (!newest) return false;
    newest.undo?.();
    toasts.dismiss(newest.id);
    return true;
  },
};

function show(toast: Omit<Toast, 'id'>, milliseconds: number): void {
  next += 1;
  const id = next;
  list = [...list.slice(-2), { ...toast, id }];
  window.setTimeout(() => toasts.dismiss(id), milliseconds);
}

export const done = (text: string, undo?: () => void): void => show({ text, tone: 'plain', ...(undo ? { undo } : {}) }, undo ? 6_000 : 3_500);

/** Says why something failed, in the catalog's words. */
export function failed(error: unknown): void {
  const { code } = asIpcError(error);
  show({ text: tMaybe(`code.${code}`, 'code.unknown'), tone: 'danger' }, 8_000);
}

/** Runs a command and reports a failure; returns whether it worked. */
export async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}
