import { describe, expect, it } from 'vitest';
import { late } from '../lib/late';

describe('modules on demand', () => {
  it('are never loaded at the same time, and one that fails does not stop the next', async () => {
    let loading = 0;
    let most = 0;
    const load = (name: string, fails = false) => async (): Promise<string> => {
      most = Math.max(most, (loading += 1));
      await Promise.resolve();
      loading -= 1;
      if (fails) throw new Error(name);
      return name;
    };
    const all = await Promise.allSettled([late(load('one')), late(load('two', true)), late(load('three'))]);
    expect(all.map((it) => it.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(most).toBe(1);
  });
});
