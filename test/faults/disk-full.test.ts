import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { campaignPath, letterFields, mailFor, until } from '../support/advocate.ts';
import { describeWith } from '../support/needs.ts';
import { launch, type Program, startProgram } from '../support/program.ts';
import { untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { Visitor } from '../support/visitor.ts';

/** Long, so that a few dozen of them fill what PostgreSQL has in reserve. */
const words = 'Please answer them. '.repeat(70);

/** Fills the disk with this file, all of it or all but so many bytes. */
async function fill(path: string, spared = 0): Promise<void> {
  const file = await open(path, 'w');
  const piece = Buffer.alloc(1_000_000);
  const isThereRoom = async () => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize > spared;
  };
  try {
    while (spared === 0 || (await isThereRoom())) await file.write(piece);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    await file.close();
  }
}

describeWith(
  'mount',
  'the embedded PostgreSQL on a disk that is full',
  (mount) => {
    let disk: string;
    let smtp: TestSmtp;
    let program: Program;
    const closers: (() => Promise<unknown>)[] = [];
    const start = async () => {
      const port = await freePort();
      return startProgram({
        DATA_DIR: join(disk, 'data'),
        PORT: String(port),
        PUBLIC_URL: `http://127.0.0.1:${port}`,
        TRUST_PROXY: '1',
        SMTP_URL: smtp.url,
        MAIL_RECIPIENTS: '*',
        MAIL_DOMAIN: 'outspoken.example',
        LOG_LEVEL: 'warn',
      });
    };
    beforeEach(async () => {
      disk = await makeTemporaryFolder('disk');
      closers.push(() => rm(disk, { recursive: true }));
      execFileSync(mount, ['-t', 'tmpfs', '-o', 'size=260m', 'tmpfs', disk]);
      closers.push(async () => execFileSync('umount', [disk]));
      chmodSync(disk, 0o711);
      smtp = await startSmtp();
      closers.push(() => smtp.close());
      program = await start();
      closers.push(() => program.stop());
    }, 90_000);
    afterEach(async () => {
      for (const close of closers.splice(0).reverse()) await close();
    }, 60_000);

    const filler = () => join(disk, 'filler');
    async function fillDisk(): Promise<void> {
      await fill(filler());
      const { bavail } = await statfs(disk);
      expect(bavail).toBe(0);
    }
    let people = 0;
    const taken: string[] = [];
    /** Somebody sends a form; who is told that it was taken is remembered. */
    async function sendForm() {
      people += 1;
      const visitor = new Visitor(program.url);
      visitor.headers = { 'X-Forwarded-For': `198.51.100.${people % 250}` };
      const email = `form-${people}@mail.example`;
      const page = await visitor.post(`${campaignPath}/letters`, letterFields({ email, words }));
      if (page.status === 303) taken.push(email);
      return page;
    }

    it('refuses forms and keeps what was typed, and goes on once there is room: nobody who was told "stored" is forgotten', async () => {
      expect((await sendForm()).status).toBe(303);
      await untilReadiness(program, ({ status }) => status === 'ok');

      await fill(filler(), 70_000_000);
      expect(await untilReadiness(program, ({ status }) => status !== 'ok')).toMatchObject({
        code: 200,
        parts: { disk: { status: 'degraded', reason: expect.stringMatching(/^only \d\d MB are free$/) } },
      });
      expect((await sendForm()).status).toBe(303);

      await fillDisk();
      const said = await untilReadiness(program, ({ code }) => code === 503);
      expect(said.parts.disk).toEqual({ status: 'down', reason: 'it is full' });
      const refused = await until(
        async () => {
          const page = await sendForm();
          return page.status !== 303 && page;
        },
        'a form that is refused',
        60_000,
      );
      expect(refused.status).toBe(503);
      expect(refused.html).toContain(words.trim());

      await rm(filler());
      await untilReadiness(program, ({ status }) => status === 'ok');
      expect((await sendForm()).status).toBe(303);
      for (const email of taken)
        await until(async () => (await mailFor(smtp, email)).length > 0, 'a confirmation mail', 60_000);
      expect(program.isOver()).toBe(false);
    }, 240_000);
  },
  { root: true },
);

describeWith(
  'mount',
  'a first start on a disk that is full',
  (mount) => {
    it('is refused with what to do, and leaves nothing that hinders the next one', async () => {
      const disk = await makeTemporaryFolder('disk');
      try {
        execFileSync(mount, ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', disk]);
        chmodSync(disk, 0o711);
        await fill(join(disk, 'filler'));
        const env = { PORT: '0', DATA_DIR: join(disk, 'data'), LOG_LEVEL: 'warn' };
        const refused = launch(env);
        expect((await refused.ended).code).toBe(1);
        expect(refused.err()).toMatch(
          /^The file \/.*\/data\/postgres-password cannot be made \(ENOSPC: the disk is full\)\. .*\n$/,
        );

        execFileSync(mount, ['-o', 'remount,size=260m', disk]);
        expect(await (await startProgram(env)).stop()).toBe(0);
      } finally {
        execFileSync('umount', [disk]);
        await rm(disk, { recursive: true });
      }
    }, 120_000);
  },
  { root: true },
);
