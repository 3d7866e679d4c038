import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lettersOn, timelineOn, until, writeLetters } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  addressOf,
  bringForward,
  lettersAmong,
  untilStates,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { type Program, startProgram, variablesFor } from '../support/program.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { wordsOf } from '../support/visitor.ts';

const brands = ['hm', 'nike', 'puma'];

describe('a system that may not write to everybody', () => {
  let smtp: TestSmtp;
  let instance: Instance;
  let worker: Program | undefined;
  beforeEach(async () => {
    smtp = await startSmtp();
    instance = await startInstance({ smtpUrl: smtp.url, roles: ['web'] });
  });
  afterEach(async () => {
    await worker?.stop();
    await instance.close();
    await smtp.close();
  });

  /** Stops the worker, if there is one, and starts another that may write to these. */
  async function letWrite(recipients: string): Promise<Program> {
    await worker?.stop();
    worker = await startProgram(
      { ...variablesFor(instance, smtp.url), MAIL_RECIPIENTS: recipients, LOG_LEVEL: 'info' },
      { args: ['--role', 'worker'] },
    );
    await bringForward(instance);
    return worker;
  }
  const states = async (writer: Writer) =>
    lettersOn(await instance.visitor().get(writer.receipt)).map(({ state }) => state);

  it('keeps letters until it may, and says so on their page, at the start and in the log', async () => {
    const closed = await letWrite('');
    expect(closed.out()).toContain('No mail is sent: MAIL_RECIPIENTS is empty');
    const [writer] = (await writeMany(instance, { people: 1, brands })) as [Writer];
    await untilStates(instance, { deferred: 3 });

    const page = await instance.visitor().get(writer.receipt);
    expect(timelineOn(page, 'hm').at(-1)).toEqual({
      type: 'deferred',
      code: '',
      host: '',
      response: 'not sent: MAIL_RECIPIENTS does not let this system write to this address',
    });
    const words = wordsOf(page);
    expect(words).toContain('None of your 3 letters has been accepted yet');
    expect(words).toContain('Not sent: it waits with us');
    expect(words).not.toContain('Its answer:');
    expect(words).not.toMatch(/accepted by|asked us to try later|handed to/i);

    const ids = await instance.query<{ id: string; sent: boolean }>(
      'select id::text, sent_sha256 is not null as sent from letter order by id',
    );
    expect(ids.map(({ sent }) => sent)).toEqual([false, false, false]);
    const log = closed.err();
    for (const { id } of ids) expect(log).toContain(`"letter":"${id}"`);
    for (const brand of brands) expect(log).not.toContain(addressOf(brand));

    const some = await letWrite(`@${addressOf('hm').split('@')[1]}, ${addressOf('nike').toUpperCase()}`);
    expect(some.out()).toContain('Mail goes only to the addresses and domains of MAIL_RECIPIENTS');
    await untilStates(instance, { accepted: 2, deferred: 1 });
    expect(
      lettersAmong(smtp.accepted)
        .map(({ to }) => to[0])
        .sort(),
    ).toEqual([addressOf('hm'), addressOf('nike')]);

    const open = await letWrite('*');
    expect(open.out()).not.toContain('MAIL_RECIPIENTS');
    await untilStates(instance, { accepted: 3 });
    expect(await states(writer)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(smtp.accepted).toHaveLength(3);
  }, 120_000);

  it('keeps the proof of what an earlier try handed over', async () => {
    smtp.script((moment) => (moment === 'rcpt' ? { reply: '450 4.2.2 mailbox full' } : undefined));
    await letWrite('*');
    await writeMany(instance, { people: 1, brands: ['hm'] });
    const tried = async (times: number) => {
      await untilStates(instance, { deferred: 1 });
      const [letter] = await instance.query<{ tries: number; hash: string | null }>(
        "select tries, encode(sent_sha256, 'hex') as hash from letter",
      );
      return letter?.tries === times && letter;
    };
    const { hash } = await until(() => tried(1), 'the first try');
    expect(hash).toMatch(/^[0-9a-f]{64}$/);

    await letWrite('');
    expect((await until(() => tried(2), 'a try that the guard stops')).hash).toBe(hash);
  }, 60_000);

  it('keeps notices to people as well', async () => {
    const closed = await letWrite('');
    await writeLetters(instance.visitor(), { email: 'advocate@mail.example' });
    const [notice] = await until(async () => {
      const rows = await instance.query<{ id: string }>(
        "select id::text from notice where state = 'waiting' and tries = 1",
      );
      return rows.length > 0 && rows;
    }, 'a notice that was tried');
    await until(async () => closed.err().includes(`"notice":"${notice?.id}"`), 'a line in the log');
    expect(closed.err()).not.toContain('advocate@mail.example');
    expect(smtp.connections).toBe(0);
  });
});
