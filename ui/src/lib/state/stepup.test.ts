import { describe, expect, it } from 'vitest';
import { IpcError } from '../ipc/ipc';
import { stepUp, withPresence } from './stepup.svelte';

const turn = (): Promise<void> => new Promise((next) => setTimeout(next));
/** An act that is refused until presence was proved. */
function guarded(): { act: () => Promise<string>; ran: () => number; prove: () => void } {
  let proved = false;
  let ran = 0;
  return {
    act: () => {
      ran += 1;
      return proved ? Promise.resolve('done') : Promise.reject(new IpcError('step_up_needed', ''));
    },
    ran: () => ran,
    prove: () => (proved = true),
  };
}

describe('an act that needs presence', () => {
  it('asks once, then runs again', async () => {
    const it = guarded();
    const result = withPresence(it.act);
    await turn();
    expect(stepUp.wanted).toBe(true);
    it.prove();
    stepUp.close(true);
    expect(await result).toBe('done');
    expect([it.ran(), stepUp.wanted]).toEqual([2, false]);
  });
  it('is cancelled when the member gives up', async () => {
    const it = guarded();
    const result = withPresence(it.act);
    await turn();
    stepUp.close(false);
    await expect(result).rejects.toMatchObject({ code: 'cancelled' });
    expect([it.ran(), stepUp.wanted]).toEqual([1, false]);
  });
  it('asks once for two acts at a time', async () => {
    const [one, two] = [guarded(), guarded()];
    const results = Promise.all([withPresence(one.act), withPresence(two.act)]);
    await turn();
    one.prove();
    two.prove();
    stepUp.close(true);
    expect(await results).toEqual(['done', 'done']);
  });
  it('passes on any other refusal without asking', async () => {
    await expect(withPresence(() => Promise.reject(new IpcError('last_admin', '')))).rejects.toMatchObject({ code: 'last_admin' });
    expect(stepUp.wanted).toBe(false);
  });
});
