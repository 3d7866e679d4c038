import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { reconcile } from '../../src/commands/reconcile.ts';
import { unknown } from '../../src/commands/unknown.ts';
import { startHold } from '../../src/hold/hold.ts';
import { confirmLetters } from '../../src/letters/confirm-letters.ts';
import { reconcileLetters } from '../../src/letters/reconcile.ts';
import { lettersOn, timelineOn } from '../support/advocate.ts';
import { runHere } from '../support/commands.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  messageIdOf,
  stateCounts,
  statesOf,
  untilStates,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { whileItWaits } from '../support/moments.ts';
import { readiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
let folder: string;
beforeEach(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ roles: ['web'], smtpUrl: smtp.url });
  folder = await mkdtemp(join(tmpdir(), 'outspoken-reconcile-'));
});
afterEach(async () => {
  await instance.close();
  await smtp.close();
  await rm(folder, { recursive: true, force: true });
});

const hold = () => startHold(instance.context.database, 'restored');
const run = (...args: string[]) => runHere(instance, reconcile, ...args);

async function messageIds(writer: Writer): Promise<string[]> {
  const { rows } = await instance.context.database.pool.query(
    `select message_id from letter join advocate on advocate.id = advocate_id
     where confirm_hash = sha256(convert_to($1, 'UTF8')) order by letter.id`,
    [writer.confirm],
  );
  return rows.map(({ message_id }) => message_id as string);
}
async function list(ids: string[]): Promise<string> {
  const file = join(folder, 'list');
  await writeFile(file, ids.map((id) => `${id}\n`).join(''));
  return file;
}
/** As a restored database has them: in bundles of workers that are no more, and one of each with a mail server. */
async function letGo(): Promise<void> {
  const { releaseLetters } = await import('../../src/letters/release-letters.ts');
  const bundles = await releaseLetters(instance.context.database);
  expect(bundles.length).toBeGreaterThan(0);
  await instance.query(
    "update letter set state = 'sending', tries = 1 where id = (select min(id) from letter where state = 'queued')",
  );
}

describe('reconciling', () => {
  it('takes letters out of the bundles of workers that are no more: sent or not, unless a log tells', async () => {
    const [writer] = (await writeMany(instance, { people: 1, brands: ['hm', 'gap', 'puma'] })) as [Writer];
    await letGo();
    expect(await stateCounts(instance)).toEqual({ sending: 1, queued: 2 });
    await hold();
    expect((await run()).out).toContain('3 letters on the way to a mail server');
    const [sending = '', accepted = ''] = await messageIds(writer);
    const ran = await run('--accepted', await list([accepted]), '--yes');
    expect(ran.out).toContain('Found to have been accepted: 1 letter.');
    expect(ran.out).toContain('Unknown, and not sent again by themselves (npm run unknown): 2 letters.');
    expect(await stateCounts(instance)).toEqual({ unknown: 2, accepted: 1 });
    const { out } = await runHere(instance, unknown);
    expect(out).toContain(`<${sending}>`);
    expect(out).not.toContain(`<${accepted}>`);
    await instance.startWorker();
    expect((await readiness(instance)).parts.sending).toEqual({ status: 'ok' });
    expect(smtp.handedOver).toEqual([]);
  });

  it('sends what a log that lacks nothing lacks, and leaves alone what was with a mail server', async () => {
    const [writer] = (await writeMany(instance, { people: 1, brands: ['hm', 'gap', 'puma'] })) as [Writer];
    await letGo();
    await hold();
    const [, accepted = ''] = await messageIds(writer);
    await run('--accepted', await list([accepted]), '--complete', '--yes');
    await instance.startWorker();
    await untilStates(instance, { unknown: 1, accepted: 2 });
    expect(smtp.accepted.map(messageIdOf)).toEqual([(await messageIds(writer))[2]]);
  });

  it('takes back again what people took back since the backup, although no worker has looked yet', async () => {
    const [erased, regretful] = (await writeMany(instance, { people: 2, brands: ['hm'] })) as [
      Writer,
      Writer,
    ];
    const [row] = await instance.query<{ submission: Buffer }>(
      "select submission from advocate where confirm_hash = sha256(convert_to($1, 'UTF8'))",
      [erased.confirm],
    );
    const { takenBack } = instance.context;
    await takenBack.note('erased', [row?.submission ?? '']);
    await takenBack.note('cancelled', (await messageIds(regretful)).slice(0, 1));
    await hold();
    const ran = await run('--nothing-was-sent', '--yes');
    expect(ran.out).toContain(
      'Taken back since the backup, and now again: 1 person erased, 1 letter cancelled.',
    );
    expect((await instance.visitor().get(erased.receipt)).status).toBe(404);
    expect(await stateCounts(instance)).toEqual({ cancelled: 2 });
  });

  it('counts a letter as confirmed that was sent, although the backup knows it as a draft', async () => {
    const [draft, other] = (await writeMany(instance, {
      people: 2,
      brands: ['hm', 'gap'],
      confirmed: false,
    })) as [Writer, Writer];
    await hold();
    expect((await run()).out).toContain('4 letters not confirmed');
    const [sent = ''] = await messageIds(draft);
    const ran = await run('--accepted', await list([sent]), '--yes');
    expect(ran.out).toContain('dropped: 1 submission.');
    const page = await instance.visitor().get(draft.receipt);
    expect(
      lettersOn(page)
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['accepted', 'unknown']);
    expect((await instance.visitor().get(`/confirm/${other.confirm}`)).status).toBe(404);
    // and nobody can write the same letter from that address once more
    const [row] = await instance.query<{ n: number }>('select count(*)::int as n from letter_fingerprint');
    expect(row?.n).toBe(2);
  });

  it('drops a draft that was sent when its campaign takes no confirmation any more, so that it is not sent again', async () => {
    const [draft] = (await writeMany(instance, { people: 1, brands: ['hm'], confirmed: false })) as [Writer];
    const [sent = ''] = await messageIds(draft);
    await instance.query("update campaign set state = 'paused'");
    await hold();
    await run('--accepted', await list([sent]), '--complete', '--yes');
    expect((await instance.visitor().get(`/confirm/${draft.confirm}`)).status).toBe(404);
  });

  it('makes unknown what somebody confirms while the drafts are being dropped, and drops no page of theirs', async () => {
    const [late] = (await writeMany(instance, { people: 1, brands: ['hm'], confirmed: false })) as [Writer];
    await hold();
    const { vault } = instance.context;
    const [, { out }] = await whileItWaits(
      instance,
      (held) => held.transaction((transaction) => confirmLetters(transaction, vault, [late.confirm])),
      () => run('--unknown', '--yes'),
    );
    expect(out).toContain('dropped: 0 submissions');
    expect(await statesOf(instance, late)).toEqual({ hm: 'unknown' });
  });

  it('keeps drafts when nothing was sent, and they can be confirmed', async () => {
    const [draft] = (await writeMany(instance, { people: 1, brands: ['hm'], confirmed: false })) as [Writer];
    await hold();
    await run('--nothing-was-sent', '--yes');
    await instance.visitor().post(`/confirm/${draft.confirm}`);
    await instance.startWorker();
    await untilStates(instance, { accepted: 1 });
  });

  it('may be broken off and run again: the second run ends what the first began', async () => {
    const [one, two] = (await writeMany(instance, { people: 2, brands: ['hm', 'gap'] })) as [Writer, Writer];
    await hold();
    const ids = await messageIds(one);
    const evidence = ids.map((messageId) => ({ messageId, accepted: true, response: 'seen' }));
    // all but the last step, which lifts the hold
    await reconcileLetters(instance.context, instance.context.config.dataDir, {
      accepted: evidence.slice(0, 1),
      complete: true,
    });
    expect((await readiness(instance)).status).toBe('hold');
    await instance.startWorker();
    expect(smtp.handedOver).toEqual([]);
    const file = await list(ids);
    expect((await run('--accepted', file, '--yes')).out).toContain('Found to have been accepted: 1 letter.');
    expect(await statesOf(instance, one)).toEqual({ hm: 'accepted', gap: 'accepted' });
    expect(await statesOf(instance, two)).toEqual({ hm: 'unknown', gap: 'unknown' });
    expect((await run('--accepted', file, '--yes')).out).toMatch(/not on hold/);
  });

  it('tells on the letter’s page what is known, and takes further evidence later', async () => {
    const [writer] = (await writeMany(instance, { people: 1, brands: ['hm'] })) as [Writer];
    await hold();
    await run('--unknown', '--yes');
    const page = async () => instance.visitor().get(writer.receipt);
    expect(timelineOn(await page(), 'hm').map(({ type }) => type)).toEqual([
      'drafted',
      'confirmed',
      'doubted',
    ]);
    expect((await runHere(instance, unknown, 'accepted', '--log', await list(['x']))).out).toMatch(
      /^0 letters were/,
    );
    const ran = await runHere(instance, unknown, 'accepted', '--log', await list(await messageIds(writer)));
    expect(ran).toMatchObject({ status: 0, out: '1 letter was found in it, and accepted.\n' });
    expect(timelineOn(await page(), 'hm').at(-1)).toMatchObject({
      type: 'accepted',
      response: 'is in a list of letters that were accepted',
    });
  });

  it('changes nothing when the log cannot be read', async () => {
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await hold();
    const ran = await run('--accepted', join(folder, 'nowhere'), '--yes');
    expect(ran).toMatchObject({
      status: 1,
      err: expect.stringContaining('cannot be read (ENOENT: there is no such file or folder)'),
    });
    expect(await stateCounts(instance)).toEqual({ ready: 1 });
    expect((await readiness(instance)).status).toBe('hold');
  });
});
