import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { campaignPath, until } from '../support/advocate.ts';
import { layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { appKeyOf, plainMasterKeys } from '../support/keys.ts';
import { belongingsOf } from '../support/left-behind.ts';
import { launch, launchNpm, type Program, whenReady } from '../support/program.ts';
import { describeOnRedis } from '../support/queues.ts';
import { Visitor } from '../support/visitor.ts';

let folder: string;
let program: Program;
const env = () => ({ PORT: '0', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' });
beforeEach(async () => {
  folder = await makeTemporaryFolder('stop');
});
afterEach(async () => {
  program.child.kill('SIGKILL');
  await program.ended;
  await rm(folder, { recursive: true, force: true });
});

/** The program was asked to stop: it ends well, and nothing of it is left. */
async function expectItEnds(ask: () => void): Promise<void> {
  const belongings = await belongingsOf(env().DATA_DIR, program.out());
  expect(await belongings.left()).toHaveLength(5); // server, pid file, socket; pages, inbound
  ask();
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.out()).toMatch(/Outspoken is stopping: .*\nOutspoken has stopped\.\n$/);
  expect(program.err()).toBe('');
  expect(await belongings.left()).toEqual([]);
  expect((await readdir(env().DATA_DIR)).sort()).toEqual(
    ['.writable', 'app-key', 'high-water', 'logbooks', 'mail', 'postgres', 'postgres-password'].sort(),
  );
}

describe('npm start', () => {
  it('ends when npm is told to (SIGTERM), and leaves nothing running', async () => {
    program = await whenReady(launchNpm('start', env()));
    await expectItEnds(() => program.child.kill('SIGTERM'));
  });

  it('ends at Ctrl-C (SIGINT to all of its processes), and leaves nothing running', async () => {
    program = await whenReady(launchNpm('start', env()));
    await expectItEnds(() => process.kill(-program.pid, 'SIGINT'));
  });
});

describe('the program', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends at %s, with pages open', async (signal) => {
    program = await whenReady(launch(env()));
    const page = await new Visitor(program.url).get(campaignPath); // its connection is kept alive
    expect(page.status).toBe(200);
    await expectItEnds(() => program.child.kill(signal));
  });

  it('goes on when nobody reads what it says, as behind `| head`, and ends only when it is told to', async () => {
    const launched = launch({ ...env(), LOG_LEVEL: 'info' });
    program = { ...launched, url: '', stop: async () => null };
    launched.child.stdout?.destroy();
    const up = 'the inbound listener is up';
    await until(async () => launched.err().includes(up) || launched.isOver(), up, 60_000);
    const [, port] = /"port":(\d+),"msg":"the pages are up"/.exec(launched.err()) ?? [];
    await new Promise((resolve) => setTimeout(resolve, 500)); // it is ready now, and has said so
    expect((await new Visitor(`http://127.0.0.1:${port}`).get(campaignPath)).status).toBe(200);
    launched.child.kill('SIGTERM');
    expect(await launched.ended).toEqual({ code: 0, signal: null });
    expect(launched.err()).not.toContain('surprise');
  });

  it('ends in order while its database is away', async () => {
    const database = await cloneDatabase();
    const cable = await layCableTo(database.url);
    const APP_KEY = appKeyOf(plainMasterKeys(1));
    program = await whenReady(launch({ ...env(), DATABASE_URL: cable.url, APP_KEY }));
    await cable.cut();
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.out()).toMatch(/Outspoken is stopping: .*\nOutspoken has stopped\.\n$/);
    expect(program.err()).not.toMatch(/"level":[56]0/);
    await database.drop();
  });

  const full = '/dev/full'; // every write to it fails, as on a full disk, and to a terminal that was closed
  (existsSync(full) ? it : it.skip)('starts and ends in order where its log cannot be written', async () => {
    program = await whenReady(launch({ ...env(), LOG_LEVEL: 'debug' }, { log: full }));
    expect((await new Visitor(program.url).get(campaignPath)).status).toBe(200);
    await expectItEnds(() => program.child.kill('SIGTERM'));
  });
});

describeOnRedis('the program on Redis', (redis) => {
  it('ends also when Redis ends in the same moment', async () => {
    program = await whenReady(launch({ ...env(), REDIS_URL: redis().url, LOG_LEVEL: 'error' }));
    await expectItEnds(() => {
      redis().process.kill('SIGKILL');
      program.child.kill('SIGTERM');
    });
  });
});
