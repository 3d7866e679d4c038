import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { liftHold, readStanding, startHold } from '../../src/hold/hold.ts';
import { type BundleRow, openBundles } from '../../src/letters/bundle-store.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { enlistWorker } from '../../src/letters/roll-call.ts';
import { createLog } from '../../src/log.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { putOff, stateCounts, writeMany } from '../support/letters.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterAll(() => instance.close());

describe('a hold that begins twice', () => {
  it('keeps its first reason and the highest mark that was seen outside, and ends above that', async () => {
    const { database } = instance.context;
    const seen = 7_000_000;
    await startHold(database, 'older', seen);
    const before = await readStanding(database);
    await startHold(database, 'asked', 3);
    expect(await readStanding(database)).toEqual(before);
    expect(before).toMatchObject({ hold: { because: 'older' }, outside: seen });
    expect(await liftHold(database, 3)).toBeGreaterThan(seen);
    expect((await readStanding(database)).hold).toBeUndefined();
    expect(await liftHold(database, 3)).toBeUndefined();
  });
});

describe('while sending is on hold', () => {
  it('no letter is released, and none is given up, however long ago it was tried first', async () => {
    const { database } = instance.context;
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await releaseLetters(database);
    await putOff(instance, '6 days');
    await writeMany(instance, { people: 1, brands: ['nike'] });
    await startHold(database, 'asked');
    expect(await releaseLetters(database)).toEqual([]);
    expect(await stateCounts(instance)).toEqual({ deferred: 1, ready: 1 });

    await liftHold(database, 0);
    expect(await releaseLetters(database)).toHaveLength(1);
    expect(await stateCounts(instance)).toEqual({ abandoned: 1, queued: 1 });
  });
});

describe('a letter that is in a bundle already', () => {
  it('is claimed only while nothing is on hold and the database has come as far as its worker has seen', async () => {
    const { database } = instance.context;
    await liftHold(database, 0);
    await writeMany(instance, { people: 1, brands: ['gap'] });
    const workerId = await enlistWorker(database);
    const { mark } = await readStanding(database);
    const bundlesAt = (seen: number) =>
      openBundles(database, { workerId, mark: { cover: async () => seen }, log: createLog('silent') });
    const [released] = await releaseLetters(database);
    const bundle = (await bundlesAt(mark).take(released?.id ?? '')) as BundleRow;
    const claim = (seen: number) => bundlesAt(seen).recordAndClaim(bundle, [], bundle.letter_ids);

    expect(await claim(mark + 1)).toEqual([]); // the database is an older one by now
    await startHold(database, 'asked');
    expect(await claim(mark)).toEqual([]);
    await liftHold(database, 0);
    expect(await claim(mark)).toHaveLength(1);
  });
});
