import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openBundles } from '../../src/letters/bundle-store.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { enlistWorker, retireWorker } from '../../src/letters/roll-call.ts';
import { sweepLetters } from '../../src/letters/sweep.ts';
import { createLog } from '../../src/log.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { stateCounts, unmarked, writeMany } from '../support/letters.ts';

let instance: Instance;
let one: number;
let other: number;
let bundle: string;
beforeEach(async () => {
  instance = await startInstance({ roles: ['web'] });
  const { database } = instance.context;
  [one, other] = [await enlistWorker(database), await enlistWorker(database)];
  await writeMany(instance, { people: 2, brands: ['hm'] });
  bundle = (await releaseLetters(database))[0]?.id ?? '';
});
afterEach(() => instance.close());

const take = (workerId: number) =>
  openBundles(instance.context.database, { workerId, mark: unmarked, log: createLog('silent') }).take(bundle);
const sweep = (workerId: number, isActive = false) =>
  sweepLetters(instance.context.database, {
    silent: [],
    workerId,
    isActive: () => isActive,
    queueWasLost: false,
  });

describe('a bundle', () => {
  it('is taken once, however often and to whomever its job comes', async () => {
    const taken = [await take(one), await take(other), await take(one)];
    expect(taken.map((row) => row?.letter_ids.length)).toEqual([2, undefined, undefined]);
  });

  it('is left to the worker that works on it, and comes back when that has dropped it', async () => {
    await take(one);
    expect(await sweep(other)).toMatchObject({ unknown: 0, returned: 0 });
    expect(await sweep(one, true)).toMatchObject({ unknown: 0, returned: 0 });
    expect(await sweep(one)).toMatchObject({ unknown: 0, returned: 2 });
    expect(await stateCounts(instance)).toEqual({ ready: 2 });
  });

  it('of a worker that has signed off comes back, and is released again', async () => {
    await take(one);
    await retireWorker(instance.context.database, one);
    expect(await sweep(other)).toMatchObject({ unknown: 0, returned: 2 });
    expect(await releaseLetters(instance.context.database)).toEqual([{ id: expect.any(String), size: 2 }]);
  });
});
