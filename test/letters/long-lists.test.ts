import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { listSuspended } from '../../src/brands/contact-health.ts';
import { statement } from '../../src/db/database.ts';
import { startHold } from '../../src/hold/hold.ts';
import { cancelLetters } from '../../src/letters/cancel-letters.ts';
import { reconcileLetters } from '../../src/letters/reconcile.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { listUnknown } from '../../src/letters/unknown-letters.ts';
import { counting, sum } from '../support/counting.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { putOff, stateCounts, writeMany } from '../support/letters.ts';

const settings = statement<{ patience: string; whole: string; joined: string }>(`
  select current_setting('statement_timeout') as patience, current_setting('enable_seqscan') as whole,
    current_setting('enable_hashjoin') as joined`);

describe('what staff ask of a long line of letters', () => {
  const waiting = 300;
  let instance: Instance;
  let folder: string;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
    folder = await mkdtemp(join(tmpdir(), 'outspoken-long-'));
    await writeMany(instance, { people: waiting / 3, brands: ['hm', 'nike', 'inditex'] });
    await instance.query('analyze');
  });
  afterAll(async () => {
    await instance.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('has minutes, and plans of its own; nothing else has', async () => {
    const { database } = instance.context;
    const own = { patience: '10min', whole: 'on', joined: 'on' };
    const usual = { patience: '12s', whole: 'off', joined: 'off' };
    expect(await database.atLeisure((transaction) => transaction.row(settings))).toEqual(own);
    await Promise.all(
      Array.from({ length: 12 }, async () => expect(await database.row(settings)).toEqual(usual)),
    );
  });

  it('goes once through the line, however many contacts are suspended', async () => {
    await instance.query(
      "update contact set health = 'suspended' where id in (select contact_id from campaign_brand)",
    );
    const { database, counts } = counting(instance.context.database, 'waiting_letter');
    const suspended = await listSuspended(database);
    expect(suspended.length).toBeGreaterThan(3);
    expect(sum(suspended.map((contact) => contact.waiting))).toBe(waiting);
    expect(sum(counts)).toBe(waiting);
    await instance.query("update contact set health = 'good'");
  });

  it('finds letters of which nobody knows in the order of the table, oldest first', async () => {
    await instance.query("select setval(pg_get_serial_sequence('letter', 'id'), 997)");
    await writeMany(instance, { people: 1, brands: ['hm', 'nike', 'inditex'] });
    const newest = 'id > 997';
    await instance.query(`delete from waiting_letter where letter_${newest}`);
    await instance.query(`update letter set state = 'unknown' where ${newest}`);
    const { database, counts } = counting(instance.context.database, 'letter', 'byIndex');
    expect((await listUnknown(database)).map(({ id }) => id)).toEqual(['998', '999', '1000']);
    expect(counts).toEqual([0]);
  });

  it('looks up what a log names, and nothing else of the line', async () => {
    await startHold(instance.context.database, 'restored');
    const named = await instance.query<{ message_id: string }>(
      "select message_id from letter where state = 'ready' limit 5",
    );
    const accepted = named.map(({ message_id: messageId }) => ({ messageId, accepted: true }));
    const { database, counts } = counting(instance.context.database, 'waiting_letter');
    const parts = { database, vault: instance.context.vault };
    expect(await reconcileLetters(parts, folder, { accepted, complete: true })).toMatchObject({
      accepted: 5,
      waiting: waiting - 5,
    });
    expect(await stateCounts(instance)).toEqual({ ready: waiting - 5, accepted: 5, unknown: 3 });
    // twice at leisure: for what was taken back, and for what waits in the end
    const [most = 0, second = 0, ...others] = counts.toSorted((a, b) => b - a);
    expect(most + second).toBeLessThanOrEqual(2 * waiting);
    expect(Math.max(...others)).toBeLessThan(20);
  });

  it('goes once through the line where nobody knows anything', async () => {
    const { database, counts } = counting(instance.context.database, 'waiting_letter');
    const parts = { database, vault: instance.context.vault };
    const reconciled = await reconcileLetters(parts, folder, { accepted: [], complete: false });
    expect(reconciled).toMatchObject({ unknown: waiting - 5 + 3, waiting: 0 });
    expect(sum(counts)).toBeLessThanOrEqual(4 * waiting);
  });
});

describe('whoever takes a letter back', () => {
  const waiting = 300;
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
    await writeMany(instance, { people: waiting, brands: ['hm'] });
  });
  afterAll(() => instance.close());

  /** Somebody writes one more letter, and takes it back; how many rows of the line that looked at. */
  async function takeBackOne(meanwhile = async () => {}): Promise<number> {
    const [writer] = await writeMany(instance, { people: 1, brands: ['hm'] });
    await meanwhile();
    const { database, counts } = counting(instance.context.database, 'waiting_letter');
    const token = writer?.receipt.slice('/r/'.length) ?? '';
    expect(await cancelLetters({ ...instance.context, database }, token)).toBe(1);
    return sum(counts);
  }

  // a plan may be from a time in which none waited so
  it('looks up that one in the line, whether all were put off or wait for their turn', async () => {
    await instance.query('analyze');
    const putAllOff = async () => {
      await releaseLetters(instance.context.database);
      await putOff(instance);
    };
    expect(await takeBackOne(putAllOff)).toBe(1);
    expect(await instance.query('select 1 from waiting_letter where deferred')).toHaveLength(waiting);

    await instance.query('analyze');
    await writeMany(instance, { people: waiting, brands: ['hm'] });
    expect(await takeBackOne()).toBe(1);
    expect(await instance.query('select 1 from waiting_letter where not deferred')).toHaveLength(waiting);
  });
});
