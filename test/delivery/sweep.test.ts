import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '../../src/db/database.ts';
import { openBundles } from '../../src/letters/bundle-store.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { enlistWorker, retireWorker } from '../../src/letters/roll-call.ts';
import { sweepLetters } from '../../src/letters/sweep.ts';
import { createLog } from '../../src/log.ts';
import { losingTheFirstAnswer } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { noLogbooks, setContact, stateCounts, unmarked, writeMany } from '../support/letters.ts';
import { untilSomebodyWaits } from '../support/moments.ts';

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

const bundlesOf = (workerId: number, database = instance.context.database) =>
  openBundles(database, { workerId, mark: unmarked, log: createLog('silent') });
const take = (workerId: number) => bundlesOf(workerId).take(bundle);
const sweep = (workerId: number, { isActive = false, silent = [] as number[] } = {}) =>
  sweepLetters(instance.context.database, {
    ...{ silent, ...noLogbooks },
    workerId,
    isActive: () => isActive,
    queueWasLost: false,
  });

describe('a bundle', () => {
  it('is taken once, however often and to whomever its job comes', async () => {
    const taken = [await take(one), await take(other), await take(one)];
    expect(taken.map((row) => row?.letter_ids.length)).toEqual([2, undefined, undefined]);
  });

  it('that nobody takes is found after a while, or at once when the queue was lost, and again ever more seldom', async () => {
    const find = async (queueWasLost: boolean) => {
      const { database } = instance.context;
      const fallen = {
        silent: [],
        ...noLogbooks,
        workerId: one,
        isActive: () => false,
        queueWasLost,
      };
      return (await sweepLetters(database, fallen)).untaken;
    };
    const lie = (seconds: number) =>
      instance.query("update bundle set released_at = now() - $1 * interval '1 second'", [seconds]);
    await lie(-5);
    expect(await find(false)).toEqual([]);
    await lie(1);
    expect(await find(true)).toEqual([{ id: bundle, size: 2, again: 0 }]);
    for (const [seconds, again] of [
      [3600, 8],
      [4 * 3600, 10],
    ] as const) {
      await lie(seconds);
      expect(await find(false)).toEqual([{ id: bundle, size: 2, again }]);
    }
    await take(one);
    expect(await find(true)).toEqual([]);
  });

  it('gives no letter to a worker that has not taken it, also when that asks once more', async () => {
    const row = await take(one);
    if (!row) throw new Error('the bundle was not there');
    const { database } = instance.context;
    const ask = (workerId: number, database: Database) =>
      bundlesOf(workerId, database).recordAndClaim(row, [], row.letter_ids);
    expect(await ask(other, database)).toEqual([]);
    expect(await stateCounts(instance)).toEqual({ queued: 2 });
    expect(await ask(one, database)).toHaveLength(2);
    expect(await ask(other, losingTheFirstAnswer(database))).toEqual([]);
    expect(await ask(one, losingTheFirstAnswer(database))).toHaveLength(2); // as if nobody had heard of them
  });

  it('is left to the worker that works on it, and comes back when that has dropped it', async () => {
    await take(one);
    expect(await sweep(other)).toMatchObject({ unknown: 0, returned: 0 });
    expect(await sweep(one, { isActive: true })).toMatchObject({ unknown: 0, returned: 0 });
    expect(await sweep(one)).toMatchObject({ unknown: 0, returned: 2 });
    expect(await stateCounts(instance)).toEqual({ ready: 2 });
  });

  it.each([
    ['stays with the worker that has taken it', true, { queued: 2 }],
    ['comes back when nobody has', false, { ready: 2 }],
  ])('%s, when the hours of its contact end', async (_what, isTaken, states) => {
    if (isTaken) await take(one);
    await setContact(
      instance,
      'hm',
      `time_zone = 'UTC', sends_from = (now() at time zone 'UTC' + interval '2 hours')::time,
       sends_until = (now() at time zone 'UTC' + interval '3 hours')::time`,
    );
    await sweep(one, { isActive: true });
    expect(await stateCounts(instance)).toEqual(states);
  });

  it('of a worker that has signed off comes back, and is released again', async () => {
    await take(one);
    await retireWorker(instance.context.database, one);
    expect(await sweep(other)).toMatchObject({ unknown: 0, returned: 2 });
    expect(await releaseLetters(instance.context.database)).toEqual([{ id: expect.any(String), size: 2 }]);
  });

  it('of a worker that is taken for dead while it claims a letter leaves none behind: the next round has both', async () => {
    const { database } = instance.context;
    const taken = await take(one);
    if (!taken) throw new Error('the bundle was not there');
    const { sweeping } = await database.transaction(async (transaction) => {
      await bundlesOf(one, { ...database, ...transaction }).recordAndClaim(
        taken,
        [],
        taken.letter_ids.slice(0, 1),
      );
      const sweeping = sweep(other, { silent: [one] }).catch(() => {}); // the round may fail
      await untilSomebodyWaits(instance);
      return { sweeping };
    });
    await sweeping;
    await sweep(other, { silent: [one] });
    expect(await stateCounts(instance)).toEqual({ unknown: 1, ready: 1 });
  });
});
