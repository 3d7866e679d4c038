import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BundleRow, openBundles } from '../../src/letters/bundle-store.ts';
import { openLogbooks } from '../../src/letters/logbooks.ts';
import type { Sent } from '../../src/letters/record-sent.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { beatWorker, enlistWorker } from '../../src/letters/roll-call.ts';
import { sweepLetters } from '../../src/letters/sweep.ts';
import { createLog } from '../../src/log.ts';
import { losingTheFirstAnswer } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { atRest, bringForward, noLogbooks, stateCounts, unmarked, writeMany } from '../support/letters.ts';

let instance: Instance;
let workerId: number;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
  workerId = await enlistWorker(instance.context.database);
});
afterAll(() => instance.close());

describe('a letter that fell due again while its first bundle is still open', () => {
  it('is sent by its new bundle only, and once', async () => {
    const { first, second, again } = await putOffAndReleasedAgain();
    await bundles().finish(first);
    expect(await releaseLetters(instance.context.database)).toEqual([]);
    const claimed = await bundles(losingTheFirstAnswer(instance.context.database)).recordAndClaim(
      second,
      [],
      [again],
    );
    expect(claimed.map(({ id }) => id)).toEqual([again]); // although it was claimed before, and nobody heard
    await bundles().recordAndClaim(second, [accepted(again)], []);
    await bundles().finish(second);
    expect(await stateCounts(instance)).toEqual({ accepted: 2 });
  });

  it('is not put off once more when the record of its first try comes again, nor lost sight of when that bundle ends', async () => {
    const { first, second, again, putOff } = await putOffAndReleasedAgain();
    await claim(second, [again]);
    await bundles().recordAndClaim(first, [putOff], []);
    expect(await stateOf(again)).toBe('sending');
    await bundles().finish(first);
    expect(await stateOf(again)).toBe('sending');
    await bundles().recordAndClaim(second, [accepted(again)], []);
    await bundles().finish(second);
    expect(await stateOf(again)).toBe('accepted');
  });

  it.each(['queued', 'sending'])('stays %s when the worker of the first one dies', async (state) => {
    const { second, again } = await putOffAndReleasedAgain();
    if (state === 'sending') await claim(second, [again]);
    const { database } = instance.context;
    const other = await enlistWorker(database);
    await instance.query('update bundle set worker_id = $1 where id = $2', [other, second.id]);
    const swept = await sweepLetters(database, {
      ...{ silent: [workerId], ...noLogbooks },
      workerId: other,
      isActive: () => true,
      queueWasLost: false,
    });
    expect(swept).toMatchObject({ unknown: 0, returned: 0 });
    expect(await stateOf(again)).toBe(state);
  });

  it.each([
    ['is accepted', { cameBack: true, state: 'accepted', swept: { unknown: 0, recorded: 1, returned: 0 } }],
    ['is unknown', { cameBack: false, state: 'unknown', swept: { unknown: 1, recorded: 0, returned: 0 } }],
  ])(
    '%s, and does not leave again, when it has left from the second one and the workers of both die',
    async (_what, end) => {
      const { first, second, again, putOff } = await putOffAndReleasedAgain();
      await claim(second, [again]);
      const { config, database, log } = instance.context;
      const logbooks = await openLogbooks(config.dataDir, { name: randomUUID(), log, boot: 'this boot' });
      await instance.query('update bundle set logbook = $1 where id = any ($2::bigint[])', [
        logbooks.name,
        [first.id, second.id],
      ]);
      const [ofFirst, ofSecond] = [logbooks.open(first.id), logbooks.open(second.id)];
      ofFirst.landed(putOff); // refused before a byte of it left
      ofSecond.leaves(again);
      if (end.cameBack) ofSecond.landed(accepted(again));
      for (const logbook of [ofFirst, ofSecond]) logbook.close(false);

      const swept = await sweepLetters(database, {
        ...{ silent: [workerId], logbooks, hasWaited: () => false },
        workerId: await enlistWorker(database),
        isActive: () => true,
        queueWasLost: false,
      });
      expect(swept).toMatchObject(end.swept);
      expect(await stateOf(again)).toBe(end.state);
    },
  );
});

const stateOf = async (id: string) =>
  (await instance.query<{ state: string }>('select state::text from letter where id = $1', [id]))[0]?.state;

const bundles = (database = instance.context.database) =>
  openBundles(database, { workerId, mark: unmarked, log: createLog('silent') });

/** Two letters in a bundle: one is accepted, the other one put off, and due again before the bundle is over. */
async function putOffAndReleasedAgain() {
  await beatWorker(instance.context.database, workerId, atRest);
  await writeMany(instance, { people: 2, brands: ['hm'] });
  const first = await releaseAndTake();
  const [one = '', again = ''] = first.letter_ids;
  const [, claimed] = await claim(first, [one, again]);
  if (!claimed) throw new Error('the letters were not claimed');
  const putOff: Sent = { id: again, tries: claimed.tries, outcome: { kind: 'try again', code: 451 } };
  await bundles().recordAndClaim(first, [accepted(one), putOff], []);
  await bringForward(instance);
  const second = await releaseAndTake();
  expect(second.letter_ids).toEqual([again]);
  return { first, second, again, putOff };
}

async function releaseAndTake(): Promise<BundleRow> {
  const [released] = await releaseLetters(instance.context.database);
  const bundle = await bundles().take(released?.id ?? '0');
  if (!bundle) throw new Error('the bundle was not there');
  return bundle;
}

const claim = (bundle: BundleRow, ids: string[]) => bundles().recordAndClaim(bundle, [], ids);
const accepted = (id: string): Sent => ({ id, tries: 1, outcome: { kind: 'accepted', code: 250 } });
