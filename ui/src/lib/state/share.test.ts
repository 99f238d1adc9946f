import { expect, it } from 'vitest';
import { share } from './share';

it('keeps equal rows and takes changed ones', () => {
  const before = [{ id: 'a', n: 1 }, { id: 'b', n: 1 }];
  const after = share(before, [{ id: 'b', n: 1 }, { id: 'a', n: 2 }, { id: 'c', n: 3 }]);
  expect(after[0]).toBe(before[1]);
  expect(after[1]).not.toBe(before[0]);
  expect(after.map((it) => it.n)).toEqual([1, 2, 3]);
});
