import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '../../src/db/database.ts';
import {
  callWorkers,
  createRollCall,
  enlistWorker,
  holdLock,
  type Standing,
} from '../../src/letters/roll-call.ts';
import { cloneDatabase } from '../support/database.ts';

/** Calls the roll every two seconds, as a worker does, and says at which seconds somebody was taken for dead. */
function watch(
  until: number,
  standingsAt: (second: number) => Standing[] | undefined,
): Map<number, number[]> {
  const rollCall = createRollCall();
  const found = new Map<number, number[]>();
  for (let second = 0; second <= until; second += 2) {
    const standings = standingsAt(second);
    const silent = standings ? rollCall.silent(standings, second * 1000) : [];
    if (silent.length > 0) found.set(second, silent);
  }
  return found;
}
const living = (id: number, second: number, connected = true): Standing => ({
  id,
  beat: `${second}`,
  connected,
});

describe('the roll call of workers', () => {
  it('takes nobody for dead who speaks up', () => {
    expect(watch(600, (second) => [living(1, second), living(2, second, false)])).toEqual(new Map());
  });

  it('takes one for dead who is not connected and says nothing for eight seconds', () => {
    const dead = (second: number) => [living(1, second), living(2, Math.min(second, 20), second <= 20)];
    expect([...watch(40, dead)][0]).toEqual([30, [2]]);
  });

  it('gives half a minute to one who is connected and says nothing', () => {
    expect([...watch(80, (second) => [living(2, Math.min(second, 20))])][0]).toEqual([52, [2]]);
  });

  it('takes nobody for dead because the clock of the database was set, forwards or backwards', () => {
    for (const step of [-86_400, -3600, 3600, 86_400 * 3]) {
      expect(watch(120, (second) => [living(1, second < 60 ? second : second + step, false)])).toEqual(
        new Map(),
      );
    }
  });

  it('finds the dead although the clock of the database was set back', () => {
    const dead = (second: number) => [living(1, second - 3600), living(2, Math.min(second, 10), false)];
    expect([...watch(40, dead)][0]?.[1]).toEqual([2]);
  });

  it('takes nobody for dead because the database was away: everybody gets as long again', () => {
    const outage = (second: number) => second > 20 && second < 320;
    // the first look afterwards comes before anybody could speak up again
    const standings = (second: number) =>
      outage(second) ? undefined : [living(1, second > 320 ? second : Math.min(second, 20), false)];
    expect(watch(400, standings)).toEqual(new Map());
  });

  it('does not judge by what it saw before it was held up itself', () => {
    const heldUp = (second: number) => second > 10 && second < 100;
    // the other one was held up as well, and speaks up a little later
    const standings = (second: number) =>
      heldUp(second) ? undefined : [living(1, second > 104 ? second : Math.min(second, 10), false)];
    expect(watch(120, standings)).toEqual(new Map());
  });
});

describe('a worker that is connected', () => {
  let clones: Awaited<ReturnType<typeof cloneDatabase>>[];
  let databases: Database[];
  beforeAll(async () => {
    clones = [await cloneDatabase(), await cloneDatabase()];
    databases = clones.map(({ url }) => openDatabase(url, 2));
  });
  afterAll(async () => {
    for (const database of databases) await database.close();
    for (const clone of clones) await clone.drop();
  });

  it('is so in its own database, and not in that of another instance on the same server', async () => {
    const [here, there] = databases as [Database, Database];
    const [id, sameId] = [await enlistWorker(here), await enlistWorker(there)];
    expect(sameId).toBe(id);
    const client = await here.pool.connect();
    await client.query(holdLock(id));
    const connected = async (database: Database) =>
      (await callWorkers(database)).map((worker) => worker.connected);
    const seen = [await connected(here), await connected(there)];
    client.release(true);
    expect(seen).toEqual([[true], [false]]);
  });
});
