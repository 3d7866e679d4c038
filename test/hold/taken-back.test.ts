import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { reconcile } from '../../src/commands/reconcile.ts';
import { openTakenBack, readTakenBack } from '../../src/hold/taken-back.ts';
import { lettersOn } from '../support/advocate.ts';
import { runHere } from '../support/commands.ts';
import { beginHistory, type History } from '../support/history.ts';
import type { Instance } from '../support/instance.ts';
import {
  messageIdOf,
  stateCounts,
  statesOf,
  untilStates,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { readiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let history: History;
let instance: Instance;
let erased: Writer;
let regretful: Writer;
let steady: Writer;
let before: number;

const began = Date.now();
/** As the files are named. */
const dayBefore = (n: number, now = Date.now()) =>
  new Date(now - n * 24 * 60 * 60 * 1000).toISOString().slice(0, 10);

beforeAll(async () => {
  smtp = await startSmtp();
  history = await beginHistory(smtp.url);
  instance = await history.start();
  await writeMany(instance, { people: 2, brands: ['hm'] });
  await untilStates(instance, { accepted: 2 });
  await instance.query("update contact set health = 'suspended'"); // these wait when the backup is made
  [erased, regretful, steady] = (await writeMany(instance, { people: 3, brands: ['hm', 'gap'] })) as [
    Writer,
    Writer,
    Writer,
  ];
  await instance.close();
  const backup = await history.backUp();

  instance = await history.start();
  const visitor = instance.visitor();
  expect((await visitor.post(`${erased.receipt}/erase`)).status).toBe(303);
  const letter = lettersOn(await visitor.get(regretful.receipt)).find(({ brand }) => brand === 'gap');
  expect((await visitor.post(`${regretful.receipt}/letters/${letter?.handle}/cancel`)).status).toBe(303);
  expect((await statesOf(instance, regretful)).gap).toBe('cancelled');
  await instance.query(
    "update contact set health = 'good' where id = (select contact_id from letter where contact_id is not null limit 1)",
  );
  await writeMany(instance, { people: 1, brands: ['hm'] });
  await instance.close();
  before = smtp.handedOver.length;
  await history.restore(backup);
  instance = await history.start();
});
afterAll(async () => {
  await instance.close();
  await history.end();
  await smtp.close();
});

describe('what people took back', () => {
  it('is noted outside the database in hashes, for its owner only', async () => {
    const folder = join(history.dataDir, 'taken-back');
    const files = await readdir(folder);
    const texts: string[] = [];
    for (const file of files) {
      expect([dayBefore(0, began), dayBefore(0)]).toContain(file); // two, if it was midnight meanwhile
      expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
      texts.push(await readFile(join(folder, file), 'utf8'));
    }
    const text = texts.join('');
    expect(text).toMatch(/^((erased|cancelled) [0-9a-f]{64}\n)+$/);
    expect(text.match(/^erased/gm)).toHaveLength(1);
    expect(text.match(/^cancelled/gm)).toHaveLength(1);
  });

  it('is noted for each letter when somebody cancels all that wait', async () => {
    const [all] = (await writeMany(instance, { people: 1, brands: ['nike', 'puma', 'adidas'] })) as [Writer];
    await instance.visitor().post(`${all.receipt}/cancel`);
    const { cancelled } = await readTakenBack(history.dataDir);
    expect(new Set(cancelled).size).toBe(4);
    await instance.visitor().post(`${all.receipt}/erase`);
    expect((await readTakenBack(history.dataDir)).erased).toHaveLength(2);
  });

  it.each([
    ['with the next that is taken back, also where no worker runs', 'note'],
    ['when nothing is taken back any more', 'forget'],
  ] as const)('is forgotten after sixty days: %s', async (_when, how) => {
    const folder = join(history.dataDir, 'taken-back');
    const [kept, forgotten] = [dayBefore(59), dayBefore(61)];
    for (const day of [kept, forgotten]) await writeFile(join(folder, day), 'erased x\n');
    await instance.context.takenBack[how]('cancelled', ['nothing that there is']);
    const days = await readdir(folder);
    expect(days).toContain(kept);
    expect(days).not.toContain(forgotten);
  });

  it('is taken back again as soon as a worker finds the database on hold, before anybody reconciles', async () => {
    expect((await readiness(instance)).status).toBe('hold');
    expect((await instance.visitor().get(erased.receipt)).status).toBe(404);
    expect(await statesOf(instance, regretful)).toEqual({ hm: 'ready', gap: 'cancelled' });
    expect(await statesOf(instance, steady)).toEqual({ hm: 'ready', gap: 'ready' });
  });

  it('leaves nothing of the erased person, and sends no letter that was cancelled', async () => {
    const [row] = await instance.query<{ n: number }>('select count(*)::int as n from advocate');
    expect(row?.n).toBe(4);
    await instance.query("update contact set health = 'good'");
    const list = join(history.dataDir, 'list');
    await writeFile(list, smtp.accepted.map((message) => `<${messageIdOf(message)}>`).join('\n'));
    const ran = await runHere(instance, reconcile, '--accepted', list, '--complete', '--yes');
    expect(ran).toMatchObject({ status: 0, err: '' });
    await untilStates(instance, await finalStates());
    const sent = smtp.accepted.map(messageIdOf);
    expect(new Set(sent).size).toBe(sent.length);
    expect(await statesOf(instance, regretful)).toEqual({ hm: 'accepted', gap: 'cancelled' });
    expect(await statesOf(instance, steady)).toEqual({ hm: 'accepted', gap: 'accepted' });
    expect(smtp.handedOver.length).toBe(sent.length);
    expect(smtp.handedOver.length).toBeGreaterThanOrEqual(before);
  });
});

describe('nothing', () => {
  it('is not noted: whoever finds no letter left to cancel costs no write', async () => {
    const own = await mkdtemp(join(tmpdir(), 'outspoken-nothing-'));
    const { database, log } = instance.context;
    await openTakenBack(database, own, log).note('cancelled', []);
    expect(await readdir(own)).toEqual([]);
    await openTakenBack(database, own, log).note('cancelled', ['something']);
    expect(await readdir(own)).toEqual(['taken-back']);
    await rm(own, { recursive: true });
  });
});

describe('a backup that differs only by what somebody took back', () => {
  it.each(['cancel', 'erase'])('is known for an old one: %s', async (how) => {
    const own = await beginHistory(smtp.url);
    let house = await own.start(['web']);
    const [writer] = await writeMany(house, { people: 1, brands: ['hm'] });
    await house.close();
    const backup = await own.backUp();
    house = await own.start(['web']);
    expect((await house.visitor().post(`${writer?.receipt}/${how}`)).status).toBe(303);
    await house.close();
    await own.restore(backup);
    house = await own.start(['web']);
    expect((await readiness(house)).parts.sending?.status).toBe('hold');
    await house.close();
    await own.end();
  });
});

/** Nothing waits any more: two of the erased person, one of the regretful one and three of one more are cancelled. */
async function finalStates() {
  const counts = await stateCounts(instance);
  return { accepted: Object.values(counts).reduce((sum, n) => sum + n, 0) - 6, cancelled: 6 };
}
