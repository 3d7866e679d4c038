import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { reconcile } from '../../src/commands/reconcile.ts';
import { confirmationLink, lettersOn, until, writeLetters } from '../support/advocate.ts';
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
import { readiness, untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { wordsOf } from '../support/visitor.ts';

let smtp: TestSmtp;
let history: History;
let instance: Instance;
/** Wrote before the backup: their letters left after it, by the relay's log, or left and are in no log. */
let logged: Writer;
let unlogged: Writer;
/** Message-IDs in the order in which the server took them. */
const taken = () => smtp.accepted.map(messageIdOf).filter((id) => !id.startsWith('n.'));

beforeAll(async () => {
  smtp = await startSmtp();
  history = await beginHistory(smtp.url);
  instance = await history.start();
  await writeMany(instance, { people: 3, brands: ['hm'] });
  await untilStates(instance, { accepted: 3 });
  // what waits when the backup is made leaves afterwards
  await instance.query("update campaign set state = 'paused'");
  [logged, unlogged] = (await pausedLetters()) as [Writer, Writer];
  await instance.close();
  const backup = await history.backUp();

  instance = await history.start();
  await instance.query("update campaign set state = 'open'");
  await untilStates(instance, { accepted: 7 });
  await writeMany(instance, { people: 2, brands: ['nike'] }); // these the backup will not know at all
  await untilStates(instance, { accepted: 9 });
  await instance.close();
  await history.restore(backup);
  instance = await history.start();
  await instance.query("update campaign set state = 'open'");
});
afterAll(async () => {
  await instance.close();
  await history.end();
  await smtp.close();
});

/** Two people with two letters each. Paused, nobody may confirm: so the campaign is opened for the moment. */
async function pausedLetters(): Promise<Writer[]> {
  await instance.query("update contact set health = 'suspended'");
  await instance.query("update campaign set state = 'open'");
  const writers = await writeMany(instance, { people: 2, brands: ['hm', 'puma'] });
  await instance.query("update campaign set state = 'paused'");
  await instance.query("update contact set health = 'good'");
  return writers;
}

const sentOf = async (writer: Writer) => {
  const page = await instance.visitor().get(writer.receipt);
  return lettersOn(page).map(({ handle }) => `${handle}@outspoken.example`);
};

/** Waits until all workers have said so many times that they live, which they do every two seconds. */
async function beats(times: number): Promise<void> {
  const read = () =>
    instance.query<{ id: number; beat: string }>('select id, beat_at::text as beat from worker');
  for (let n = 0; n < times; n += 1) {
    const before = await read();
    await until(async () => {
      const now = await read();
      return before.every(({ id, beat }) => now.some((one) => one.id === id && one.beat !== beat));
    }, 'a beat');
  }
}

describe('an instance whose database was put back to an old backup', () => {
  it('starts on hold: /readyz says why and what to do, and letters are still stored', async () => {
    const said = await untilReadiness(instance, ({ status }) => status === 'hold');
    expect(said).toMatchObject({
      code: 200,
      parts: {
        database: { status: 'ok' },
        sending: {
          status: 'hold',
          reason: expect.stringMatching(/older than letters that were sent.*npm run reconcile$/),
        },
      },
    });
  });

  it('sends nothing: no letter of the past, none that is new, and no mail to its writer', async () => {
    const before = smtp.handedOver.length;
    const visitor = instance.visitor();
    const path = await writeLetters(visitor, { email: 'new@mail.example', brand: ['gap'] });
    const words = wordsOf(await visitor.get(path));
    expect(words).toContain('Sending is paused on our side at this moment');
    expect(words).not.toContain('is on its way');
    const [newcomer] = await writeMany(instance, { people: 1, brands: ['nike'] });
    const second = await instance.startWorker();
    await beats(3); // so every worker has looked for letters a few times
    await second.close();
    expect(smtp.handedOver).toHaveLength(before);
    expect(await stateCounts(instance)).toEqual({ accepted: 3, ready: 5, draft: 1 });
    expect(wordsOf(await visitor.get(newcomer?.receipt ?? ''))).toContain(
      'Waits: sending is paused on our side',
    );
  });

  it('tells what it knows, and does nothing without being told twice', async () => {
    const look = await runHere(instance, reconcile);
    expect(look).toMatchObject({ status: 0, err: '' });
    expect(look.out).toMatch(/^Sending is on hold since 20\d\d-.*older than letters that were sent/);
    expect(look.out).toMatch(
      / {2}4 letters waiting\n {2}0 letters on the way to a mail server\n {2}0 letters not/,
    );
    expect(look.out).toContain('Written and confirmed since: 1 letter;');
    expect(look.out).toMatch(/\(mark \d+, \d+ outside\)/);
    const asked = await runHere(instance, reconcile, '--unknown');
    expect(asked.out).toMatch(/Nothing was changed\. Say the same with --yes/);
    expect(await stateCounts(instance)).toEqual({ accepted: 3, ready: 5, draft: 1 });
    expect((await readiness(instance)).status).toBe('hold');
  });

  it('is reconciled by the relay’s log: what it has is accepted, what may have left is unknown', async () => {
    const before = taken();
    const file = join(history.dataDir, 'mail.log');
    const lines = (await sentOf(logged)).map((id, n) => [
      `Nov 24 10:00:0${n} mx postfix/cleanup[7]: 4XyZ${n}: message-id=<${id}>`,
      `Nov 24 10:00:0${n} mx postfix/qmgr[8]: 4XyZ${n}: from=<b.x@outspoken.example>, size=900, nrcpt=1 (queue active)`,
    ]);
    await writeFile(file, lines.flat().join('\n'));
    const ran = await runHere(instance, reconcile, '--accepted', file, '--yes');
    expect(ran).toMatchObject({ status: 0, err: '' });
    expect(ran.out).toContain('Found to have been accepted: 2 letters.');
    expect(ran.out).toContain('(npm run unknown): 2 letters.');
    expect(ran.out).toMatch(/Letters leave again\.\n$/);
    expect(await statesOf(instance, logged)).toEqual({ hm: 'accepted', puma: 'accepted' });
    expect(await statesOf(instance, unlogged)).toEqual({ hm: 'unknown', puma: 'unknown' });
    expect(wordsOf(await instance.visitor().get(unlogged.receipt))).toContain('May have been sent');

    // what was written meanwhile leaves now, and the confirmation mail, too
    await until(async () => taken().length === before.length + 1, 'the letter that is new', 60_000);
    const link = await confirmationLink(smtp, 'new@mail.example');
    await instance.visitor().post(link);
    await until(
      async () => taken().length === before.length + 2,
      'the letter that was confirmed now',
      60_000,
    );
    expect(new Set(taken()).size).toBe(taken().length);
    expect((await readiness(instance)).status).toBe('ok');
  });

  it('goes on after that as if nothing had been, also when it is started again', async () => {
    await instance.close();
    instance = await history.start();
    const before = taken().length;
    await writeMany(instance, { people: 3, brands: ['gap'] });
    await until(async () => taken().length === before + 3, 'new letters', 60_000);
    expect(new Set(taken()).size).toBe(taken().length);
    expect((await runHere(instance, reconcile)).out).toBe('Sending is not on hold. Nothing was changed.\n');
    expect((await runHere(instance, reconcile, '--unknown', '--yes')).out).toMatch(/not on hold/);
  });
});
