import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { suspension } from '../../src/brands/contact-health.ts';
import { contacts } from '../../src/commands/contacts.ts';
import type { Database } from '../../src/db/database.ts';
import { openBundles } from '../../src/letters/bundle-store.ts';
import type { Sent } from '../../src/letters/record-sent.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { enlistWorker } from '../../src/letters/roll-call.ts';
import { createLog } from '../../src/log.ts';
import type { Outcome } from '../../src/mail/outcome.ts';
import { runHere } from '../support/commands.ts';
import { losingTheFirstAnswer } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { stateCounts, unmarked, writeMany } from '../support/letters.ts';

let instance: Instance;
let workerId: number;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
  workerId = await enlistWorker(instance.context.database);
});
afterAll(() => instance.close());

const bundles = (database: Database) =>
  openBundles(database, { workerId, mark: unmarked, log: createLog('silent') });

/** So many letters are answered in this way, and the database's answer to what is noted of that is lost. */
async function answerAll(brand: string, letters: number, outcome: Outcome) {
  const { database } = instance.context;
  await writeMany(instance, { people: letters, brands: [brand] });
  const [released] = await releaseLetters(database);
  const bundle = await bundles(database).take(released?.id ?? '0');
  if (!bundle) throw new Error('the bundle was not there');
  const claimed = await bundles(database).recordAndClaim(bundle, [], bundle.letter_ids);
  expect(claimed).toHaveLength(letters);
  const sent: Sent[] = claimed.map(({ id, tries }) => ({ id, tries, outcome }));
  const { unrecorded, holdOff } = await bundles(losingTheFirstAnswer(database)).heed(bundle, sent);
  expect(unrecorded).toEqual([]);
  await bundles(database).finish(bundle);
  return { holdOff, bundle };
}

const fewerThanEnough = suspension.failures - 1;

describe('what a mail server said, noted twice since the first answer of the database was lost,', () => {
  it('counts once against a contact', async () => {
    const refused: Outcome = { kind: 'refused', code: 550, stage: 'rcpt' };
    const { bundle } = await answerAll('levis', fewerThanEnough, refused);
    expect(bundle.refusals).toBe(fewerThanEnough);
    expect(await stateCounts(instance)).toEqual({ rejected: fewerThanEnough });
    expect((await runHere(instance, contacts)).out).toBe('No contact is suspended.\n');
    await answerAll('levis', 1, refused);
    expect((await runHere(instance, contacts)).out).toContain(`${suspension.failures} were refused in a row`);
  });

  it('counts once against a host', async () => {
    const putOff: Outcome = { kind: 'try again', code: 451, stage: 'message' };
    expect(await answerAll('nike', fewerThanEnough, putOff)).toMatchObject({
      holdOff: false,
      bundle: { receiver: 'watched' },
    });
    expect(await answerAll('nike', 1, putOff)).toMatchObject({ holdOff: true, bundle: { receiver: 'open' } });
  });
});

it("a bundle is its worker's although the first answer of the database to that was lost, and nobody else's", async () => {
  const { database } = instance.context;
  await writeMany(instance, { people: 2, brands: ['puma'] });
  const [released] = await releaseLetters(database);
  const take = (logbook: string, by = database) =>
    openBundles(by, { workerId, logbook, mark: unmarked, log: createLog('silent') }).take(
      released?.id ?? '0',
    );
  const logbook = randomUUID();
  expect((await take(logbook, losingTheFirstAnswer(database)))?.letter_ids).toHaveLength(2);
  expect(await take(randomUUID())).toBeUndefined();
});
