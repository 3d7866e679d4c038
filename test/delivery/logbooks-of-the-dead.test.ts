import { randomUUID } from 'node:crypto';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openBundles } from '../../src/letters/bundle-store.ts';
import { eraseAgain } from '../../src/letters/cancel-letters.ts';
import { type Logbooks, openLogbooks } from '../../src/letters/logbooks.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { beatWorker, callWorkers, enlistWorker, retireWorker } from '../../src/letters/roll-call.ts';
import { clearLogbooks, createPatience, sweepLetters } from '../../src/letters/sweep.ts';
import type { Outcome } from '../../src/mail/outcome.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { atRest, stateCounts, unmarked, writeMany } from '../support/letters.ts';
import { untilSomebodyWaits } from '../support/moments.ts';

let instance: Instance;
let dead: number;
let alive: number;
let ids: string[];
beforeEach(async () => {
  instance = await startInstance({ roles: ['web'] });
  const { database } = instance.context;
  [dead, alive] = [await enlistWorker(database), await enlistWorker(database)];
});
afterEach(() => instance.close());

const logbooksHere = (boot = 'this boot') => {
  const { config, log } = instance.context;
  return openLogbooks(config.dataDir, { name: randomUUID(), log, boot });
};

/** Of four letters in a bundle three are claimed and two have left, of which one came back. Then the worker dies. */
async function die(logbooks: Logbooks, name = logbooks.name): Promise<void> {
  await writeMany(instance, { people: 4, brands: ['hm'] });
  const bundle = (await releaseLetters(instance.context.database))[0]?.id ?? '';
  ids = await dieSending(logbooks, bundle, { name, claims: 3, leaves: 2 });
}

const accepted: Outcome = { kind: 'accepted', code: 250, host: 'mx.brand.example', response: '250 queued' };

/** Takes a bundle, claims some of its letters, lets some leave, is told what came of the first ones, and does no more. */
async function dieSending(
  logbooks: Logbooks,
  bundle: string,
  { name = logbooks.name, claims = 1, leaves = 1, came = [accepted] },
): Promise<string[]> {
  const { database, log } = instance.context;
  const logbook = logbooks.open(bundle);
  const bundles = openBundles(database, { workerId: dead, logbook: name, mark: unmarked, log });
  const taken = await bundles.take(bundle);
  if (!taken) throw new Error('the bundle was not there');
  const claimed = await bundles.recordAndClaim(taken, [], taken.letter_ids.slice(0, claims));
  for (const id of taken.letter_ids.slice(0, leaves)) logbook.leaves(id);
  for (const [n, outcome] of came.entries()) {
    const id = taken.letter_ids[n] ?? '';
    logbook.landed({ id, tries: claimed[0]?.tries ?? 0, outcome, hash: '07'.repeat(32) });
  }
  logbook.close(false);
  return taken.letter_ids;
}

const sweep = async (
  logbooks: Logbooks,
  waited = false,
  { db = instance.context.database, silent = [dead] } = {},
) => {
  const { unknown, recorded, returned } = await sweepLetters(db, {
    ...{ silent, logbooks, hasWaited: () => waited },
    ...{ workerId: alive, isActive: () => true, queueWasLost: false },
  });
  return { unknown, recorded, returned };
};
const oneBundle = async () => {
  const [bundle] = await instance.query<{ id: string; logbook: string }>(
    'select id::text, logbook::text from bundle order by id',
  );
  if (!bundle) throw new Error('there is no bundle');
  return bundle;
};
const bundles = () => instance.query('select id from bundle');

describe('letters of a dead worker', () => {
  it('are recorded, unknown, or wait again, as its logbook says', async () => {
    await die(await logbooksHere());
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 1, recorded: 1, returned: 2 });
    const [one, two, ...others] = ids;
    const rows = await instance.query<{
      id: string;
      state: string;
      words: string | null;
      hash: string | null;
    }>(
      `select letter.id::text, state::text, encode(sent_sha256, 'hex') as hash, (
         select concat_ws(' ', type, code, host, response) from event where letter_id = letter.id order by at desc limit 1
       ) as words
       from letter order by letter.id`,
    );
    expect(rows).toEqual([
      {
        id: one,
        state: 'accepted',
        words: 'accepted 250 mx.brand.example 250 queued',
        hash: '07'.repeat(32),
      },
      { id: two, state: 'unknown', words: 'sight_lost', hash: null },
      ...others.map((id) => ({ id, state: 'ready', words: 'returned', hash: null })),
    ]);
    expect(await bundles()).toEqual([]);
    expect((await callWorkers(instance.context.database)).map(({ id }) => id)).toEqual([alive]);
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 0, recorded: 0, returned: 0 });
  });

  it('are recorded as well where the mail server refused them, or put them off, before they left', async () => {
    await writeMany(instance, { people: 3, brands: ['hm'] });
    const bundle = (await releaseLetters(instance.context.database))[0]?.id ?? '';
    const came: Outcome[] = [
      { kind: 'refused', code: 550 },
      { kind: 'try again', code: 451 },
    ];
    await dieSending(await logbooksHere(), bundle, { claims: 3, leaves: 0, came });
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 0, recorded: 2, returned: 1 });
    expect(await stateCounts(instance)).toEqual({ rejected: 1, deferred: 1, ready: 1 });
  });

  it('may have left where the machine has started anew since: what had come back is recorded all the same', async () => {
    await die(await logbooksHere());
    const later = await logbooksHere('another boot');
    expect(await sweep(later)).toEqual({ unknown: 0, recorded: 0, returned: 0 }); // another machine may be the one
    expect(await sweep(later, true)).toEqual({ unknown: 2, recorded: 1, returned: 1 });
    expect(await stateCounts(instance)).toEqual({ accepted: 1, unknown: 2, ready: 1 });
  });

  it('are left for a while to somebody who has its logbook, and are unknown if nobody comes', async () => {
    const elsewhere = randomUUID();
    await die(await logbooksHere(), elsewhere);
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 0, recorded: 0, returned: 0 });
    expect(await stateCounts(instance)).toEqual({ sending: 3, queued: 1 });
    expect((await callWorkers(instance.context.database)).map(({ id }) => id)).toEqual([dead, alive]);
    expect(await sweep(await logbooksHere(), true)).toEqual({ unknown: 3, recorded: 0, returned: 1 });
    expect((await callWorkers(instance.context.database)).map(({ id }) => id)).toEqual([alive]);
  });

  it('are left to others likewise when the worker is not among the others any more', async () => {
    await die(await logbooksHere(), randomUUID());
    await retireWorker(instance.context.database, dead);
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 0, recorded: 0, returned: 0 });
    expect(await sweep(await logbooksHere(), true)).toEqual({ unknown: 3, recorded: 0, returned: 1 });
  });

  it('do not keep those of others waiting when its logbook cannot be read', async () => {
    const unreadable = randomUUID();
    await die(await logbooksHere(), unreadable);
    const bundle = await oneBundle();
    await symlink(
      '/dev/full',
      join(instance.context.config.dataDir, 'logbooks', `${unreadable}.${bundle.id}`),
    );
    await die(await logbooksHere());
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 1, recorded: 1, returned: 2 });
    expect((await oneBundle()).id).toBe(bundle.id);
    expect(await sweep(await logbooksHere(), true)).toEqual({ unknown: 3, recorded: 0, returned: 1 });
  });

  it('are left alone when the worker speaks up again just then, and so is its logbook', async () => {
    await die(await logbooksHere());
    await retireWorker(instance.context.database, dead);
    const { database } = instance.context;
    const speakingUp: typeof database = {
      ...database,
      async onSnapshot(work) {
        await beatWorker(database, dead, atRest);
        return database.onSnapshot(work);
      },
    };
    const logbooks = await logbooksHere();
    const nothing = { unknown: 0, recorded: 0, returned: 0 };
    expect(await sweep(logbooks, false, { db: speakingUp, silent: [] })).toEqual(nothing);
    const { id, logbook } = await oneBundle();
    expect(logbooks.takeOver(logbook, id)?.left?.size).toBe(2);
  });

  it("are in nobody's way who erases their writer at the same moment", async () => {
    const { database } = instance.context;
    await writeMany(instance, { people: 1, brands: ['hm', 'nike'] });
    await releaseLetters(database);
    const logbooks = await logbooksHere();
    const theirs = await instance.query<{ id: string }>('select id::text from bundle order by id');
    for (const [n, { id }] of theirs.entries())
      await dieSending(logbooks, id, n === 0 ? {} : { leaves: 0, came: [] });
    let erased: Promise<void> | undefined;
    const interrupted: typeof database = {
      ...database,
      onSnapshot: (work) =>
        database.onSnapshot((transaction) => {
          let statements = 0;
          return work({
            ...transaction,
            async rows(statement, values) {
              const rows = await transaction.rows(statement, values);
              statements += 1;
              if (statements === 2) {
                const [person] = await instance.query<{ id: string }>('select id::text from advocate');
                erased = eraseAgain(instance.context, person?.id ?? '');
                erased.catch(() => {}); // told below
                await untilSomebodyWaits(instance);
              }
              return rows;
            },
            row: transaction.row,
          });
        }),
    };
    expect(await sweep(await logbooksHere(), false, { db: interrupted })).toMatchObject({ recorded: 1 });
    await erased;
    expect(await instance.query('select from advocate')).toEqual([]);
  });

  it('are unknown at once where it was of an older version, which kept none', async () => {
    await die(await logbooksHere());
    await instance.query('update bundle set logbook = null');
    expect(await sweep(await logbooksHere())).toEqual({ unknown: 3, recorded: 0, returned: 1 });
  });
});

describe('a logbook that was left behind', () => {
  it('is removed when its bundle is over, and kept while that is not', async () => {
    const { database } = instance.context;
    await die(await logbooksHere());
    const logbooks = await logbooksHere();
    const { id, logbook } = await oneBundle();
    const clear = () =>
      clearLogbooks(database, { ...logbooks, old: async () => [{ name: logbook, bundleId: id }] });
    await clear();
    expect(logbooks.takeOver(logbook, id)?.left?.size).toBe(2);
    await instance.query('delete from bundle');
    await clear();
    expect(logbooks.takeOver(logbook, id)).toBeUndefined();
  });
});

describe('the patience with a bundle whose logbook tells nothing here', () => {
  it('ends for each bundle by itself, a minute after it was first asked for', () => {
    const patience = createPatience(60_000);
    for (let now = 0; now < 60_000; now += 2000) expect(patience.isOver('1', now)).toBe(false);
    expect(patience.isOver('2', 58_000)).toBe(false);
    expect([patience.isOver('1', 60_000), patience.isOver('2', 60_000)]).toEqual([true, false]);
  });

  it("begins anew when it was not asked for in between: the bundle was somebody else's then", () => {
    const patience = createPatience(60_000);
    for (const [now, isOver] of [
      [0, false],
      [70_000, false],
      [75_000, false],
      [200_000, false],
    ] as const)
      expect(patience.isOver('1', now)).toBe(isOver);
  });
});
