// Acts that need the password again: the first refusal opens one dialog, and after it the act runs once more.
import { IpcError, asIpcError } from '../ipc/ipc';

let settle = $state.raw<((proved: boolean) => void) | null>(null);
let asked: Promise<boolean> | undefined;

export const stepUp = {
  /** The dialog is to be shown. */
  get wanted(): boolean {
    return settle !== null;
  },
  /** The dialog's answer: presence was proved, or the member gave up. */
  close(proved: boolean): void {
    settle?.(proved);
    settle = null;
    asked = undefined;
  },
};

/** Runs `act`; when it asks for presence, asks the member and runs it again. Giving up is `cancelled`. */
export async function withPresence<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (failure) {
    if (asIpcError(failure).code !== 'step_up_needed') throw failure;
  }
  asked ??= new Promise<boolean>((resolve) => (settle = resolve));
  if (!(await asked)) throw new IpcError('cancelled', 'presence was not proved');
  return act();
}
