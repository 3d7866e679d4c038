import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { lettersOn, timelineOn, until, writeAndConfirm } from '../support/advocate.ts';
import { lettersAmong, sentTwice } from '../support/letters.ts';
import { type Program, startProgram } from '../support/program.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { Visitor } from '../support/visitor.ts';

let folder: string;
let smtp: TestSmtp;
let program: Program;
async function start(): Promise<void> {
  const port = await freePort();
  program = await startProgram({
    DATA_DIR: join(folder, 'data'),
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    SMTP_URL: smtp.url,
    MAIL_DOMAIN: 'outspoken.example',
    MAIL_RECIPIENTS: '*',
    LOG_LEVEL: 'warn',
  });
}
beforeEach(async () => {
  folder = await makeTemporaryFolder('drain');
  smtp = await startSmtp();
  await start();
}, 90_000);
afterEach(async () => {
  await program.stop();
  await smtp.close();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

describe('a letter that is with the mail server when the program is told to stop', () => {
  it('lands first: its answer is awaited and written down, and it does not leave a second time', async () => {
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    smtp.script((moment, { to }) =>
      moment === 'dot' && to.includes('human-rights@hm.example') ? { until: answered } : undefined,
    );
    const receipt = await writeAndConfirm(smtp, new Visitor(program.url));
    await until(async () => lettersAmong(smtp.handedOver).length === 1, 'a letter in flight', 60_000);

    program.child.kill('SIGTERM');
    await until(async () => program.out().includes('Outspoken is stopping'), 'the stop', 60_000);
    expect(program.isOver()).toBe(false);
    answer();
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(lettersAmong(smtp.accepted)).toHaveLength(1);

    await start();
    const page = await new Visitor(program.url).get(receipt);
    expect(lettersOn(page)).toMatchObject([{ brand: 'hm', state: 'accepted' }]);
    expect(timelineOn(page, 'hm').at(-1)).toMatchObject({
      type: 'accepted',
      code: '250',
      host: 'mx.brand.example',
      response: expect.stringMatching(/^250 2\.0\.0 ok queued as Q\d$/),
    });
    expect(sentTwice(smtp)).toEqual([]);
  }, 150_000);
});
