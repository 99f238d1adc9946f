// The board that is shown, and the move of an order.
import { asIpcError, call, onEvent, type IpcError } from '../ipc/ipc';
import type { Board, OrderView } from '../ipc/generated';
import { t } from '../i18n/i18n.svelte';
import { fresh } from './fresh';
import { attempt, done } from './toasts.svelte';

export interface StageChoice {
  id: string;
  name: string;
}

let pipeline: string | null = null;
let shown = $state.raw<Board | null>(null);
let loaded = $state(false);
let error = $state.raw<IpcError | null>(null);

export const board = {
  get shown(): Board | null {
    return shown;
  },
  get loaded(): boolean {
    return loaded;
  },
  get error(): IpcError | null {
    return error;
  },
};

export const refreshBoard = fresh(async () => {
  const asked = pipeline;
  try {
    const found = await call('board', { pipeline: asked });
    if (asked !== pipeline) return;
    shown = found;
    error = null;
  } catch (failure) {
    error = asIpcError(failure);
  }
  loaded = true;
});

export function showBoard(wanted: string | null): void {
  if (wanted !== pipeline) {
    shown = null;
    loaded = false;
  }
  pipeline = wanted;
  void refreshBoard();
}

export const followBoard = (): (() => void) => onEvent((event) => event.event === 'board' && void refreshBoard());

export async function stagesOf(wanted: string): Promise<StageChoice[]> {
  const found = shown?.id === wanted ? shown : await call('board', { pipeline: wanted }).catch(() => null);
  return (found?.columns ?? []).map((column) => ({ id: column.stage, name: column.name }));
}

/** Moves an order, with the way back. Returns whether the engine took it. */
export async function moveOrder(order: Pick<OrderView, 'id' | 'number' | 'stage'>, to: StageChoice): Promise<boolean> {
  if (order.stage === to.id) return true;
  const from = order.stage;
  const went = await attempt(call('move_order', { order: order.id, stage: to.id }));
  if (went) done(t('done.moved', { number: order.number, stage: to.name }), () => void attempt(call('move_order', { order: order.id, stage: from })).then(() => refreshBoard()));
  void refreshBoard();
  return went;
}
