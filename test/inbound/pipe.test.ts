import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { layCableTo } from '../support/cable.ts';
import { fixture, type SentLetter, sendLetter } from '../support/came-back.ts';
import { runProgram } from '../support/commands.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { appKeyOf, freshMasterKey } from '../support/keys.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

describe('npm run inbound, as a mail server pipes to it', () => {
  let smtp: TestSmtp;
  let instance: Instance;
  let letter: SentLetter;
  let env: Record<string, string>;
  let folder: string;
  beforeAll(async () => {
    smtp = await startSmtp();
    const key = freshMasterKey();
    instance = await startInstance({
      roles: ['web', 'worker', 'inbound'],
      smtpUrl: smtp.url,
      settings: { appKeys: [key] },
    });
    letter = await sendLetter(instance);
    folder = await mkdtemp(join(tmpdir(), 'outspoken-mail-'));
    env = {
      DATABASE_URL: instance.context.databaseUrl,
      APP_KEY: appKeyOf([key]),
      DATA_DIR: folder,
    };
  });
  afterAll(async () => {
    await instance.close();
    await smtp.close();
    await rm(folder, { recursive: true });
  });

  const inbound = (input: Buffer, ...args: string[]) => runProgram(['inbound', ...args], { env, input });

  it('takes a mail from standard input, and ends with 0 once it counts', async () => {
    const ran = await inbound(fixture('postfix-delayed', letter), '--to', letter.returnPath);
    expect(ran).toEqual({ status: 0, out: '', err: '' });
    expect((await letter.timeline()).at(-1)?.type).toBe('delayed');
  });

  it.each(['X-Original-To', 'Delivered-To'])('finds the address in %s, where none is named', async (name) => {
    const other = await sendLetter(instance);
    const raw = Buffer.concat([
      Buffer.from(`${name}: ${other.returnPath}\r\n`),
      fixture('postfix-delivered', other),
    ]);
    expect(await inbound(raw)).toMatchObject({ status: 0 });
    expect(await other.state()).toBe('delivered');
  });

  it('takes a mail from a file', async () => {
    const other = await sendLetter(instance);
    const file = join(folder, 'mail.eml');
    await writeFile(file, fixture('postfix-failed', other));
    expect(await inbound(Buffer.alloc(0), '--to', other.returnPath, file)).toMatchObject({ status: 0 });
    expect(await other.state()).toBe('bounced');
  });

  // Postfix's pipe(8) with flags=R writes the second one, unless null_sender is set
  it.each(['<>', '<MAILER-DAEMON>'])('knows by Return-Path: %s that no person sent it', async (sender) => {
    const other = await sendLetter(instance);
    const of = (name: string) =>
      Buffer.concat([Buffer.from(`Return-Path: ${sender}\r\n`), fixture(name, other)]);
    const answered = of('reply').toString('latin1').replace('Subject:', 'Precedence: bulk\r\nSubject:');
    expect((await inbound(Buffer.from(answered, 'latin1'), '--to', other.replyTo)).status).toBe(0);
    expect((await other.timeline()).at(-1)?.type).toBe('auto_replied');
    const toNotices = ['--to', 'notices@outspoken.example'];
    expect((await inbound(of('postfix-failed'), ...toNotices)).status).toBe(0);
    expect((await inbound(fixture('reply', other), ...toNotices)).status).toBe(65);
  });

  it('takes what answers the From of a letter, and gives back what names none', async () => {
    const other = await sendLetter(instance);
    const answer = fixture('reply', other);
    const without = Buffer.from(answer.toString('latin1').replace(/^In-Reply-To: .*\r\n/m, ''), 'latin1');
    expect(await inbound(without, '--to', 'letters@outspoken.example')).toMatchObject({
      status: 65,
      out: expect.stringContaining('please write to the address in Reply-To'),
    });
    expect((await other.timeline()).at(-1)?.type).toBe('accepted');
    expect((await inbound(answer, '--to', 'letters@outspoken.example')).status).toBe(0);
    expect((await other.timeline()).at(-1)?.type).toBe('replied');
  });

  it('ends with 65 for what is not ours, forged or too large', async () => {
    const forged = letter.returnPath.replace('b.', 'b.0');
    const mail = fixture('postfix-failed', letter);
    const huge = Buffer.alloc(5_400_000, 'line of text\r\n');
    for (const ran of [
      await inbound(mail, '--to', forged),
      await inbound(mail, '--to', 'somebody@brand.example'),
      await inbound(huge, '--to', letter.returnPath),
    ]) {
      expect(ran.status).toBe(65);
      expect(ran.out).not.toBe('');
    }
    expect(await letter.state()).toBe('accepted');
  });

  it('ends with 75 after a mistake in the command, so that no mail goes back because of it', async () => {
    const mail = fixture('postfix-failed', letter);
    const unread = await inbound(mail, '--to', letter.returnPath, join(folder, 'none.eml'));
    expect(unread.out).toContain('none.eml cannot be read (ENOENT: there is no such file or folder)');
    for (const ran of [
      unread,
      await inbound(mail),
      await inbound(mail, '--to', letter.returnPath, 'two', 'three'),
      await inbound(mail, '--from', 'x'),
    ]) {
      expect(ran.status).toBe(75);
      expect(ran.out).not.toBe('');
    }
    expect(await letter.state()).toBe('accepted');
  });

  it('ends with 75 while the database is away, or the settings are wrong: the mail comes again', async () => {
    const clone = await cloneDatabase();
    const cable = await layCableTo(clone.url);
    await cable.cut();
    const mail = fixture('postfix-failed', letter);
    const away = await runProgram(['inbound', '--to', letter.returnPath], {
      env: { ...env, DATABASE_URL: cable.url },
      input: mail,
    });
    expect(away).toMatchObject({ status: 75, err: expect.stringContaining('nothing listens there') });
    const wrong = await runProgram(['inbound'], { env: { ...env, APP_KEY: 'x' }, input: mail });
    expect(wrong.status).toBe(75);
    await cable.close();
    await clone.drop();
  });

  it('counts a mail once, whichever way it comes: by SMTP, and then by a pipe', async () => {
    const other = await sendLetter(instance);
    await other.bring('postfix-delayed');
    const before = await other.timeline();
    const again = Buffer.concat([
      Buffer.from('Received: from mx.brand.example by relay.example; Mon, 9 Nov 2026 11:00:00 +0000\r\n'),
      fixture('postfix-delayed', other),
    ]);
    expect((await inbound(again, '--to', other.returnPath)).status).toBe(0);
    expect(await other.timeline()).toEqual(before);
  });
});
