import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pen } from '../../src/commands/pen.ts';
import { scrubPen } from '../../src/inbound/pen.ts';
import { fixture, type SentLetter, sendLetter } from '../support/came-back.ts';
import { runHere } from '../support/commands.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { bring } from '../support/mail-client.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
let letter: SentLetter;
beforeAll(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ roles: ['web', 'worker', 'inbound'], smtpUrl: smtp.url });
  letter = await sendLetter(instance);
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

const list = async () => (await runHere(instance, pen)).out.split('\n').filter((line) => /^\d/.test(line));
const idOf = (line: string | undefined) => /^\d+/.exec(line ?? '')?.[0] ?? '';

describe('the holding pen', () => {
  it('keeps what a person must read: its time, reason and letter are listed, and not its contents', async () => {
    expect((await runHere(instance, pen)).out).toBe('No mail waits.\n');
    await letter.bring('unknown-bounce');
    await letter.bring('report-without-status');
    await letter.bring('feedback-that-does-not-complain');
    const [{ id } = { id: '' }] = await instance.query<{ id: string }>('select id::text from letter');
    const lines = await list();
    expect(lines.map((line) => line.replace(/^\d+ {2}[0-9T:.Z-]+ {2}/, ''))).toEqual([
      `unknown form  (letter ${id})`,
      `incomplete report  (letter ${id})`,
      `unknown feedback  (letter ${id})`,
    ]);
    expect(await letter.state()).toBe('accepted');
  });

  it('shows a mail as it came, byte by byte, whatever its bytes are', async () => {
    const odd = Buffer.concat([
      Buffer.from('Message-ID: <odd@brand.example>\r\nFrom: somebody@brand.example\r\n\r\n'),
      Buffer.from([0xff, 0xfe, 0x80, 0xe2, 0x28, 0xa1, 0x0d, 0x0a]),
    ]);
    await bring(instance.inboundPort, { to: 'abuse@outspoken.example', raw: odd });
    const id = idOf((await list()).at(-1));
    const shown = await runHere(instance, pen, 'show', id);
    expect(Buffer.from(shown.out, 'latin1').toString('hex')).toContain(odd.toString('hex').slice(0, -4));
  });

  it('holds nothing in plain sight: no word of a mail stands in the database', async () => {
    const rows = await instance.query<{ all: string }>('select pen::text as all from pen');
    const raw = await instance.query<{ raw: Buffer }>('select raw from pen');
    expect(rows.length).toBeGreaterThan(3);
    for (const { all } of rows) expect(all).not.toMatch(/Utilisateur|brand\.example|Message-ID/i);
    for (const one of raw)
      expect(one.raw.toString('latin1')).not.toMatch(/Utilisateur|brand\.example|Message-ID/i);
    const shown = await runHere(instance, pen, 'show', idOf((await list())[0]));
    expect(shown.out).toContain('550 5.1.1 Utilisateur inconnu'); // the control: it is in there
  });

  it('keeps a mail once, however often it comes', async () => {
    const before = await list();
    await letter.bring('unknown-bounce');
    expect(await list()).toEqual(before);
  });

  it('drops a mail when it is told to', async () => {
    const before = await list();
    const id = idOf(before[1]);
    expect((await runHere(instance, pen, 'drop', id)).out).toBe(`Mail ${id} is removed.\n`);
    expect(await list()).toEqual(before.filter((_line, n) => n !== 1));
    for (const what of ['drop', 'show']) {
      expect(await runHere(instance, pen, what, id)).toMatchObject({
        status: 1,
        err: `There is no mail ${id} in the pen.`,
      });
    }
  });

  it.each([['drop'], ['show', 'x'], ['show', '1', '2'], ['empty'], ['drop', '-1']])(
    'explains itself when it is asked for %s',
    async (...args) => {
      const before = await list();
      const ran = await runHere(instance, pen, ...args);
      expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('npm run pen -- drop ID') });
      expect(await list()).toEqual(before);
    },
  );

  it('keeps nothing for longer than 28 days', async () => {
    const lines = await list();
    await instance.query("update pen set received_at = now() - interval '27 days'");
    expect(await scrubPen(instance.context.database)).toBe(0);
    await instance.query("update pen set received_at = now() - interval '29 days' where id = $1", [
      idOf(lines[0]),
    ]);
    expect(await scrubPen(instance.context.database)).toBe(1);
    expect((await list()).map(idOf)).toEqual(lines.slice(1).map(idOf));
  });

  it('keeps nothing of a letter whose writer is erased, and nothing of what was counted', async () => {
    const other = await sendLetter(instance);
    await other.bring('unknown-bounce');
    await other.bring('postfix-delayed');
    const count = async () =>
      (
        await instance.query<{ penned: number; counted: number }>(
          'select (select count(*)::int from pen) as penned, (select count(*)::int from came_back) as counted',
        )
      )[0];
    const before = await count();
    await instance.visitor().post(`${other.receipt}/erase`);
    expect(await count()).toEqual({
      penned: (before?.penned ?? 0) - 1,
      counted: (before?.counted ?? 0) - 1,
    });
  });
});

describe('mail of which no copy is kept', () => {
  it('is what was understood: reports, complaints and automatic replies', async () => {
    const before = await list();
    const other = await sendLetter(instance);
    for (const name of ['postfix-delayed', 'complaint', 'exchange-vacation', 'postfix-failed'])
      await other.bring(name);
    expect(await list()).toEqual(before);
    expect(fixture('exchange-vacation', other).toString()).toContain('16 November'); // it had words
    const dump = await instance.query<{ all: string }>('select came_back::text as all from came_back');
    expect(JSON.stringify(dump)).not.toMatch(/November/);
  });
});
