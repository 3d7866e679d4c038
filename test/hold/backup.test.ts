import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { confirmationLink, lettersOn, until, writeAndConfirm, writeLetters } from '../support/advocate.ts';
import { runProgram } from '../support/commands.ts';
import { messageIdOf } from '../support/letters.ts';
import { type Program, startProgram } from '../support/program.ts';
import { readiness, untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { Visitor } from '../support/visitor.ts';

let folder: string;
let dataDir: string;
let file: string;
let smtp: TestSmtp;
let env: Record<string, string>;
let program: Program | undefined;
const run = (...args: string[]) => runProgram(args, { env });
const start = async () => {
  program = await startProgram(env);
  return program;
};
const taken = () => smtp.accepted.map(messageIdOf).filter((id) => !id.startsWith('n.'));

/** A person who writes and confirms; their page says accepted in the end. */
async function write(name: string, brands: string[]): Promise<string> {
  const visitor = new Visitor((program as Program).url);
  const receipt = await writeAndConfirm(smtp, visitor, { email: `${name}@mail.example`, brand: brands });
  await accepted(receipt);
  return receipt;
}
async function accepted(receipt: string): Promise<void> {
  const visitor = new Visitor((program as Program).url);
  await until(
    async () => lettersOn(await visitor.get(receipt)).every(({ state }) => state === 'accepted'),
    'letters that are accepted',
    60_000,
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outspoken-backup-'));
  await chmod(folder, 0o711);
  dataDir = join(folder, 'data');
  file = join(folder, 'monday.backup');
  smtp = await startSmtp();
  const port = await freePort(); // one that is there again after each start
  env = {
    DATA_DIR: dataDir,
    PORT: String(port),
    SMTP_URL: smtp.url,
    MAIL_RECIPIENTS: '*',
    MAIL_DOMAIN: 'outspoken.example',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
  };
});
afterAll(async () => {
  await program?.stop();
  await smtp.close();
  await rm(folder, { recursive: true, force: true });
});

describe('npm run backup', () => {
  let first: string;

  it('copies the database of a running instance into a file that only its owner may read', async () => {
    await start();
    first = await write('first', ['hm', 'nike']);
    // two who have not confirmed yet when the backup is made
    await writeLetters(new Visitor((program as Program).url), {
      email: 'late@mail.example',
      brand: ['puma'],
    });
    await writeLetters(new Visitor((program as Program).url), {
      email: 'never@mail.example',
      brand: ['puma'],
    });
    await confirmationLink(smtp, 'late@mail.example');
    await confirmationLink(smtp, 'never@mail.example');
    const ran = await run('backup', file);
    expect(ran).toMatchObject({ status: 0, err: '' });
    expect(ran.out).toContain(`The database is in ${file}, as it was at 20`);
    expect(ran.out).toContain(`keep a copy of ${join(dataDir, 'app-key')} elsewhere`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['data', 'monday.backup']);
  });

  it('leaves the key out, or puts it into a file of its own', async () => {
    const key = join(folder, 'key');
    const other = join(folder, 'other.backup');
    const ran = await run('backup', other, '--key', key);
    expect(ran.out).toContain('Whoever has both files can read everything: keep them apart');
    const secret = await readFile(join(dataDir, 'app-key'), 'utf8');
    expect(await readFile(key, 'utf8')).toBe(secret);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    await rm(other);
  });

  it('never writes over a file, and needs to be told where to', async () => {
    expect(await run('backup', file)).toMatchObject({
      status: 1,
      err: expect.stringContaining('is there already'),
    });
    expect(await run('backup')).toMatchObject({ status: 1, err: expect.stringContaining('Usage:') });
    expect(await run('backup', join(folder, 'nowhere', 'x'))).toMatchObject({
      status: 1,
      err: expect.stringMatching(
        /could not be made \(ENOENT: there is no such file or folder\)\. Name a file in a folder that you may write to\.\n$/,
      ),
    });
  });

  it('is not for a database at DATABASE_URL, and neither is its counterpart', async () => {
    const real = { ...env, DATABASE_URL: 'postgres://x@127.0.0.1:1/x', APP_KEY: `1:${'A'.repeat(43)}=` };
    for (const command of ['backup', 'restore'])
      expect(await runProgram([command, file], { env: real })).toMatchObject({
        status: 1,
        err: expect.stringContaining('for the embedded database'),
      });
  });

  describe('and npm run restore', () => {
    it('refuse while an instance runs, and where there is a database', async () => {
      await new Visitor((program as Program).url).post(await confirmationLink(smtp, 'late@mail.example'));
      await write('second', ['gap']);
      expect(await run('restore', file, '--replace')).toMatchObject({
        status: 1,
        err: expect.stringMatching(/^Outspoken runs on .*Stop it first/),
      });
      await until(async () => taken().length === 4, 'all letters', 60_000);
      await program?.stop();
      expect(await run('restore', file)).toMatchObject({
        status: 1,
        err: expect.stringContaining('With --replace'),
      });
    });

    it('refuse what is no backup, what is cut off, and what another key belongs to, and change nothing', async () => {
      const before = await readdir(dataDir);
      const cut = join(folder, 'cut.backup');
      await copyFile(file, cut);
      await truncate(cut, (await stat(cut)).size - 20_000);
      const nothing = join(folder, 'nothing.backup');
      await writeFile(nothing, 'nothing');
      for (const wrong of [cut, nothing, join(folder, 'missing')])
        expect((await run('restore', wrong, '--replace')).err).toMatch(
          /is not a whole backup|cannot be read/,
        );

      const key = join(dataDir, 'app-key');
      const secret = await readFile(key, 'utf8');
      await writeFile(key, `1:${Buffer.alloc(32, 7).toString('base64')}\n`);
      expect((await run('restore', file, '--replace')).err).toContain('The key does not fit: version 1');
      await rm(key);
      expect((await run('restore', file, '--replace')).err).toContain(
        'The key of the backup, version 1, is missing',
      );
      await writeFile(key, secret, { mode: 0o600 });
      expect(await readdir(dataDir)).toEqual(before);
    });

    it('put the backup back, keep what was there, and hold all sending', async () => {
      const ran = await run('restore', file, '--replace');
      expect(ran).toMatchObject({ status: 0, err: '' });
      expect(ran.out).toMatch(/What was there is in .*postgres-before-/);
      expect(ran.out).toContain('sending is on hold. Nothing is sent until you have run: npm run reconcile');
      const before = smtp.handedOver.length;
      const again = await start();
      await until(async () => again.out().includes('Sending is on hold:'), 'a line for people', 60_000);
      await until(
        async () => again.err().includes('sending is on hold; nothing leaves until'),
        'the log',
        60_000,
      );
      expect(await untilReadiness(again, ({ status }) => status === 'hold')).toMatchObject({ code: 200 });
      await accepted(first);

      // the link in the mailbox is opened once more: this must not send the letter again
      await new Visitor(again.url).post(await confirmationLink(smtp, 'late@mail.example'));
      const list = join(folder, 'accepted');
      await writeFile(
        list,
        taken()
          .map((id) => `<${id}>\n`)
          .join(''),
      );
      const reconciled = await run('reconcile', '--accepted', list, '--yes');
      expect(reconciled).toMatchObject({ status: 0, err: '' });
      expect(reconciled.out).toContain('Found to have been accepted: 1 letter.');
      expect(reconciled.out).toContain('dropped: 1 submission.');
      await until(async () => (await readiness(again)).status === 'ok', 'letters that leave', 60_000);
      expect(
        (await new Visitor(again.url).get(await confirmationLink(smtp, 'never@mail.example'))).status,
      ).toBe(404);
      expect(smtp.handedOver).toHaveLength(before);
      await write('third', ['levis']);
      expect(new Set(taken()).size).toBe(taken().length);
    });

    it('work in a new folder on another machine, with the key, and hold all sending there, too', async () => {
      await program?.stop();
      const elsewhere = { ...env, DATA_DIR: join(folder, 'elsewhere') };
      const without = await runProgram(['restore', file], { env: elsewhere });
      expect(without.err).toContain('is missing');
      await copyFile(join(dataDir, 'app-key'), join(folder, 'elsewhere', 'app-key'));
      expect(await runProgram(['restore', file], { env: elsewhere })).toMatchObject({ status: 0, err: '' });
      program = await startProgram(elsewhere);
      await untilReadiness(program, ({ status }) => status === 'hold');
      await accepted(first);
    });
  });
});
