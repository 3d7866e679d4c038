import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { confirmLetters } from '../../src/letters/confirm-letters.ts';
import { counting, sum } from '../support/counting.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { stateCounts, writeMany } from '../support/letters.ts';

describe('confirming', () => {
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
  });
  afterAll(() => instance.close());

  it('writes nobody into an index again', async () => {
    const { database, vault } = instance.context;
    const writers = await writeMany(instance, { people: 40, brands: ['hm', 'nike'], confirmed: false });
    const all = counting(database, 'advocate', 'updated');
    const costly = counting(all.database, 'advocate', 'updatedInIndexes');
    const tokens = writers.map(({ confirm }) => confirm);
    await confirmLetters(costly.database, vault, tokens);
    expect(await stateCounts(instance)).toEqual({ ready: 80 });
    expect(sum(all.counts)).toBe(40);
    expect(sum(costly.counts)).toBe(0);
  });
});
