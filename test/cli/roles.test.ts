import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import {
  confirmationLink,
  lettersOn,
  mailFor,
  timelineOn,
  until,
  writeAndConfirm,
  writeLetters,
} from '../support/advocate.ts';
import { emptyDatabase } from '../support/database.ts';
import { appKeyOf, plainMasterKeys } from '../support/keys.ts';
import { lettersAmong } from '../support/letters.ts';
import { type Program, startProgram } from '../support/program.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { Visitor } from '../support/visitor.ts';

describeOnEachQueue('the roles web and worker as processes of their own', (queue) => {
  let database: { url: string; drop(): Promise<void> };
  let smtp: TestSmtp;
  let folder: string;
  let port: number;
  let web: Program;
  let worker: Program;
  const start = (role: string) =>
    startProgram(
      {
        DATABASE_URL: database.url,
        REDIS_URL: queue().redisUrl,
        SMTP_URL: smtp.url,
        APP_KEY: appKeyOf(plainMasterKeys(1)),
        PUBLIC_URL: `http://127.0.0.1:${port}`,
        MAIL_DOMAIN: 'outspoken.example',
        MAIL_RECIPIENTS: '*',
        PORT: String(port),
        DATA_DIR: join(folder, role),
        LOG_LEVEL: 'warn',
        SEED: 'true',
      },
      { args: ['--role', role] },
    );
  beforeEach(async () => {
    database = await emptyDatabase();
    smtp = await startSmtp();
    folder = await makeTemporaryFolder('roles');
    port = await freePort();
    // at once, so that both find a database without tables
    [web, worker] = await Promise.all([start('web'), start('worker')]);
  }, 90_000);
  afterEach(async () => {
    const ends = await Promise.all([web.stop(), worker.stop()]);
    await smtp.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
    expect(ends).toEqual([0, 0]);
  }, 60_000);

  it('do one work: what is written at the pages is sent by the worker, and told on the private page', async () => {
    expect(web.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(worker.out()).toMatch(/^Outspoken is ready {2}\(role: worker\)\n/);

    const visitor = new Visitor(web.url);
    const receipt = await writeAndConfirm(smtp, visitor, { brand: ['hm', 'puma'] });
    const letters = async () => lettersOn(await visitor.get(receipt));
    await until(
      async () => (await letters()).every(({ state }) => state === 'accepted'),
      'two accepted letters',
      60_000,
    );
    expect(await mailFor(smtp, 'human-rights@hm.example')).toHaveLength(1);
    expect(lettersAmong(smtp.accepted)).toHaveLength(2);
    expect(timelineOn(await visitor.get(receipt), 'hm').at(-1)).toMatchObject({ host: 'mx.brand.example' });
  }, 120_000);

  it('need each other only for sending: with the worker away forms are taken, and mail leaves when it is back', async () => {
    expect(await worker.stop()).toBe(0);
    const visitor = new Visitor(web.url);
    await writeLetters(visitor, { email: 'early@mail.example' });
    expect(smtp.accepted).toEqual([]);
    worker = await start('worker');
    expect((await visitor.post(await confirmationLink(smtp, 'early@mail.example'))).status).toBe(303);
    await until(async () => lettersAmong(smtp.accepted).length === 1, 'the letter', 60_000);
  }, 120_000);
});
