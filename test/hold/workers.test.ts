import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { reconcile } from '../../src/commands/reconcile.ts';
import type { Database } from '../../src/db/database.ts';
import { startHold } from '../../src/hold/hold.ts';
import { openMark } from '../../src/hold/mark.ts';
import { startWorker } from '../../workers/worker.ts';
import { until } from '../support/advocate.ts';
import { runHere } from '../support/commands.ts';
import { beginHistory, type History } from '../support/history.ts';
import type { Instance } from '../support/instance.ts';
import { gate, messageIdOf, stateCounts, untilStates, writeMany } from '../support/letters.ts';
import { startProgram, variablesFor } from '../support/program.ts';
import { readiness, untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let history: History;
let instance: Instance;
const highWater = () => join(history.dataDir, 'high-water');
const taken = () => smtp.accepted.map(messageIdOf);
const markOf = async () => {
  const [row] = await instance.query<{ mark: number }>('select mark::float8 as mark from instance');
  return row?.mark ?? Number.NaN;
};
const outside = async () =>
  Math.max(0, ...(await readdir(highWater())).map((name) => Number(name.split('.')[1])));

beforeEach(async () => {
  smtp = await startSmtp();
  history = await beginHistory(smtp.url);
});
afterEach(async () => {
  await instance.close();
  await history.end();
  await smtp.close();
}, 60_000);

/** Makes the folder of the mark a link to something else, in one step: a worker looks there at any moment. */
async function leadTo(target: string): Promise<void> {
  await symlink(target, `${highWater()}-next`);
  await rename(`${highWater()}-next`, highWater());
}

/** Sends some letters, so that the database and its mark have come somewhere. */
async function sendSome(people = 3): Promise<void> {
  const before = (await stateCounts(instance)).accepted ?? 0;
  await writeMany(instance, { people, brands: ['hm'] });
  await untilStates(instance, { accepted: before + people });
}

describe('a fresh data folder', () => {
  it('is not on hold, has a mark once letters left, and costs one write for many of them', async () => {
    instance = await history.start();
    expect(await outside()).toBe(0);
    await sendSome(300);
    expect((await readiness(instance)).status).toBe('ok');
    expect(await outside()).toBeGreaterThan(0);
    expect(await markOf()).toBeLessThan(100);
  });

  it('is none that a new database makes trouble in: its old mark is set aside, and it sends', async () => {
    instance = await history.start();
    await sendSome();
    await instance.close();
    instance = await history.start(['web']);
    // as if somebody had deleted the database and not the folder beside it
    await instance.query('update instance set id = gen_random_uuid(), mark = 0');
    await expect(startWorker(instance.context)).rejects.toThrow(
      /is that of another database.*DATABASE_URL or DATA_DIR.*npm run reconcile/s,
    );
    await instance.query('alter table letter disable trigger user');
    await instance.query('delete from letter');
    await instance.startWorker();
    expect((await readiness(instance)).status).toBe('ok');
    await writeMany(instance, { people: 2, brands: ['gap'] });
    await untilStates(instance, { accepted: 2 });
  });
});

describe('the mark', () => {
  it('is raised once more after the last letter, also after one that it was not raised for', async () => {
    instance = await history.start(['web']);
    const mark = await openMark(instance.context, history.dataDir);
    const first = await mark.cover();
    await until(async () => (await markOf()) > first, 'the mark after the first letter');
    // a letter within the second that follows, and a backup made before it: that one must be behind
    const last = await mark.cover();
    await until(async () => (await outside()) > last, 'the mark after the last letter');
    await mark.close();
  });

  it('is raised once more, too, when the worker ends right after its last letter', async () => {
    instance = await history.start(['web']);
    const mark = await openMark(instance.context, history.dataDir);
    const last = await mark.cover();
    await mark.close();
    expect(await outside()).toBeGreaterThan(last);
    expect(await markOf()).toBe(await outside());
  });

  it('stands outside when the worker has ended, also when it ends while the mark is being raised', async () => {
    instance = await history.start(['web']);
    const { database, log } = instance.context;
    const [asked, answered] = [gate(), gate()];
    let isSlow = false;
    const slow: Database = {
      ...database,
      async row(statement, values) {
        if (isSlow) asked.open();
        if (isSlow) await answered.opened;
        return database.row(statement, values);
      },
    };
    const mark = await openMark({ database: slow, log }, history.dataDir);
    const last = await mark.cover();
    isSlow = true;
    await asked.opened;
    const closed = mark.close();
    answered.open();
    await closed;
    expect(await outside()).toBeGreaterThan(last);
    expect(await markOf()).toBe(await outside());
  });
});

describe('a database of another id that has letters', () => {
  it('starts no worker, until it is reconciled as a backup from before there were marks', async () => {
    instance = await history.start();
    await sendSome();
    await instance.query("update contact set health = 'suspended'");
    await writeMany(instance, { people: 2, brands: ['hm'] });
    await instance.close();
    instance = await history.start(['web']);
    await instance.query('update instance set id = gen_random_uuid(), mark = 0');
    await instance.query("update contact set health = 'good'");
    await expect(startWorker(instance.context)).rejects.toThrow(/is that of another database/);
    const ran = await runHere(instance, reconcile, '--unknown', '--yes');
    expect(ran.out).toContain('that of another database');
    expect(ran.out).toContain('(npm run unknown): 2 letters');
    await instance.startWorker();
    expect((await readiness(instance)).status).toBe('ok');
    await writeMany(instance, { people: 1, brands: ['gap'] });
    await untilStates(instance, { accepted: 4, unknown: 2 });
  });
});

describe('a worker', () => {
  it('that is killed at any moment is not on hold after it, and never had a mark ahead of the database', async () => {
    instance = await history.start(['web']);
    const letters = 40;
    for (let kill = 0; kill < 5; kill += 1) {
      const worker = await startProgram(variablesFor(instance, smtp.url), { args: ['--role', 'worker'] });
      const before = smtp.handedOver.length;
      await writeMany(instance, { people: letters, brands: ['hm'] });
      await until(async () => smtp.handedOver.length > before + kill * 7, 'letters on their way', 60_000);
      worker.child.kill('SIGKILL');
      await worker.ended;
      expect(await outside()).toBeLessThanOrEqual(await markOf());
      expect(await outside()).toBeGreaterThan(0);
    }
    await instance.startWorker();
    await until(
      async () => {
        const { accepted = 0, unknown = 0, ...rest } = await stateCounts(instance);
        return Object.keys(rest).length === 0 && accepted + unknown === 5 * letters;
      },
      'all letters',
      90_000,
    );
    expect((await readiness(instance)).parts.sending).toEqual({ status: 'ok' });
    expect(new Set(taken()).size).toBe(taken().length);
  }, 200_000);

  it('does not start where the mark cannot be read, and says why and what to do', async () => {
    instance = await history.start(['web']);
    await writeFile(highWater(), 'a file where the folder should be');
    await expect(startWorker(instance.context)).rejects.toThrow(
      /high-water mark in .* cannot be read \(ENOTDIR: .*\)/,
    );
    expect((await readiness(instance)).code).toBe(200);
  });

  it.each([
    ['high-water', /The high-water mark in .* cannot be read \(ENOTDIR: .*\)/],
    ['taken-back', /What people took back cannot be read from .* \(ENOTDIR: .*\)/],
  ])('is all that does not start without %s: the pages do, since they send nothing', async (name, says) => {
    instance = await history.start(['web']);
    await startHold(instance.context.database, 'asked');
    await instance.close();
    await writeFile(join(history.dataDir, name), 'a file where the folder should be');
    await expect(history.start()).rejects.toThrow(says);
    instance = await history.start(['web']);
    expect((await readiness(instance)).code).toBe(200);
  });

  it('takes no letter while it cannot write its mark, says so, and goes on when it can', async () => {
    const [kept, inTheWay] = [join(history.dataDir, 'kept'), join(history.dataDir, 'in-the-way')];
    await mkdir(kept);
    await writeFile(inTheWay, '');
    await leadTo(kept);
    instance = await history.start();
    await sendSome();
    await leadTo(inTheWay);
    // what was raised before covers letters for a second still
    await until(
      async () => {
        await writeMany(instance, { people: 1, brands: ['hm'] });
        return (await stateCounts(instance)).ready;
      },
      'a letter that waits',
      60_000,
    );
    await untilReadiness(instance, ({ parts }) =>
      /cannot keep its high-water mark in DATA_DIR/.test(parts.workers?.reason ?? ''),
    );
    await until(async () => !(await stateCounts(instance)).sending, 'what was claimed before', 60_000);
    const before = smtp.handedOver.length;
    await writeMany(instance, { people: 4, brands: ['gap'] });
    const waiting = async () => (await stateCounts(instance)).accepted;
    expect(await waiting()).toBe(before);

    await leadTo(kept);
    await until(
      async () => Object.keys(await stateCounts(instance)).join() === 'accepted',
      'all letters',
      60_000,
    );
    await untilReadiness(instance, ({ status }) => status === 'ok');
    expect(new Set(taken()).size).toBe(taken().length);
  });

  it('claims nothing when the database is exchanged under it for an older one', async () => {
    instance = await history.start();
    await sendSome();
    await instance.query("update campaign set state = 'paused'"); // so that nothing is under way meanwhile
    await instance.query("update campaign set state = 'open'");
    await instance.query('update instance set mark = 0');
    const before = smtp.handedOver.length;
    await writeMany(instance, { people: 5, brands: ['gap'] });
    const said = await untilReadiness(instance, ({ status }) => status === 'hold');
    expect(said.parts.sending?.reason).toMatch(/older than letters that were sent/);
    expect(smtp.handedOver).toHaveLength(before);
    await untilStates(instance, { accepted: 3, ready: 5 });
  });

  it('claims nothing when the database is exchanged under it for another instance’s', async () => {
    instance = await history.start();
    await sendSome();
    const [ours] = await instance.query<{ id: string }>('select id from instance');
    await instance.query('update instance set id = gen_random_uuid(), mark = mark + 1000');
    // what was raised before covers letters for a second; whether that was for the last time already is left open
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const before = smtp.handedOver.length;
    await writeMany(instance, { people: 5, brands: ['gap'] });
    await untilReadiness(instance, ({ parts }) =>
      /cannot keep its high-water mark in DATA_DIR/.test(parts.workers?.reason ?? ''),
    );
    const [{ now } = { now: '' }] = await instance.query<{ now: string }>('select now()::text as now');
    await until(async () => {
      const later = "got_on_at > $1::timestamptz + interval '3 seconds'";
      return (await instance.query(`select 1 from worker where ${later}`, [now])).length > 0;
    }, 'a worker that has looked for letters a few times');
    expect(smtp.handedOver).toHaveLength(before);

    await instance.query('update instance set id = $1', [ours?.id]);
    await untilStates(instance, { accepted: 8 });
  });

  it('sees the hold of another one, although its own folder knows of nothing', async () => {
    instance = await history.start();
    await sendSome();
    await instance.close();
    const backup = await history.backUp();
    instance = await history.start();
    await sendSome();
    await instance.close();
    await history.restore(backup);

    const elsewhere = await mkdtemp(join(tmpdir(), 'outspoken-elsewhere-'));
    instance = await history.start(['web']);
    const worker = await startProgram(
      { ...variablesFor(instance, smtp.url), DATA_DIR: elsewhere },
      { args: ['--role', 'worker'] },
    );
    try {
      expect(worker.err()).toContain('whether the database is an old one cannot be told by this worker'); // before it is ready
      await instance.startWorker();
      await until(async () => worker.err().includes('sending is on hold'), 'a hold that is seen', 60_000);
      const before = smtp.handedOver.length;
      await writeMany(instance, { people: 3, brands: ['gap'] });
      await runHere(instance, reconcile);
      expect(smtp.handedOver).toHaveLength(before);
      await runHere(instance, reconcile, '--nothing-was-sent', '--yes');
      await untilStates(instance, { accepted: 6 });
    } finally {
      expect(await worker.stop()).toBe(0);
      await rm(elsewhere, { recursive: true, force: true });
    }
  }, 120_000);
});

describe('sending that is put on hold by hand', () => {
  it('stops in the middle of bundles, and goes on where it was, each letter once', async () => {
    instance = await history.start();
    const held = gate();
    smtp.script((moment, { count }) =>
      moment === 'dot' && count >= 20 ? { until: held.opened } : undefined,
    );
    await writeMany(instance, { people: 200, brands: ['hm'] });
    await until(async () => smtp.handedOver.length > 20, 'letters on their way', 60_000);
    expect((await runHere(instance, reconcile, '--hold')).out).toMatch(
      /^Sending is on hold since .*somebody asked/,
    );
    held.open();
    await until(
      async () => {
        const { accepted = 0, ready = 0, ...rest } = await stateCounts(instance);
        return Object.keys(rest).length === 0 && accepted < 200 && ready > 0;
      },
      'letters that wait again',
      60_000,
    );
    const before = smtp.handedOver.length;
    expect(before).toBeLessThan(200);
    expect((await stateCounts(instance)).accepted).toBe(before);
    smtp.script(undefined);
    await runHere(instance, reconcile, '--nothing-was-sent', '--yes');
    await untilStates(instance, { accepted: 200 });
    expect(new Set(taken()).size).toBe(200);
    expect(taken()).toHaveLength(200);
  });

  it.each([
    ['--hold', '--unknown'],
    ['--yes'],
    ['--complete', '--yes'],
    ['--unknown', '--nothing-was-sent'],
    ['--accepted', 'x', '--unknown'],
    ['now'],
    ['--everything'],
  ])('is left alone when the command is not understood: %s %s', async (...args) => {
    instance = await history.start(['web']);
    const ran = await runHere(instance, reconcile, ...args);
    expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('npm run reconcile -- --hold') });
    expect((await readiness(instance)).parts.sending).toEqual({ status: 'ok' });
  });
});
