import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findRunningPostgres } from '../../src/embedded/orphan.ts';
import { type BackedUp, backUpOne, before, countIn, countLetters, inBackup } from '../support/backed-up.ts';
import { holdUp, type Point } from '../support/held-up.ts';
import { type Launched, launch, startProgram, whenReady } from '../support/program.ts';
import { untilReadiness } from '../support/readiness.ts';

/** Where a start has looked at the folder, and has no server yet. */
const aboutToServe = { at: 'mkdtemp', before: 'outspoken-pg-' };
/** Where a restore has its backup unpacked and tried out, and decides. */
const aboutToDecide = { at: 'rename', before: '/restoring-' };
/** Where a restore has looked whether there is a database, and has not begun. */
const aboutToUnpack = { at: 'mkdir', before: '/restoring-' };

let backedUp: BackedUp;
let dataDir: string;
let env: Record<string, string>;
beforeAll(async () => {
  backedUp = await backUpOne('crossing');
  ({ dataDir, env } = backedUp);
}, 90_000);
afterAll(() => rm(backedUp.folder, { recursive: true, force: true }));
beforeEach(() => backedUp.putBack());

const restore = (of = env, ...args: string[]) =>
  launch(of, { script: 'src/commands/main', args: ['restore', backedUp.file, ...args] });
const asides = async () => (await readdir(dataDir)).filter((name) => name.startsWith('postgres-before-'));
async function removeDatabase(): Promise<void> {
  for (const name of ['postgres', 'postgres-password']) await rm(join(dataDir, name), { recursive: true });
}

const stopped: Launched[] = [];
afterEach(() => {
  for (const one of stopped.splice(0)) if (!one.isOver()) one.child.kill('SIGKILL');
});

async function stopAt(point: Point, begin: (of: typeof env) => Launched) {
  const held = await holdUp(backedUp.folder, point, (variables) => {
    const launched = begin({ ...env, ...variables });
    stopped.push(launched);
    return launched;
  });
  expect(held.launched.said()).toBe('');
  return held;
}

async function expectRefused(start: Launched): Promise<void> {
  expect(await start.ended).toEqual({ code: 1, signal: null });
  expect(start.err()).toMatch(/^Another Outspoken already runs on [^\n]*\n$/);
}

describe('a restore that is about to exchange the database', () => {
  it('owns the data folder, so that a start is refused', async () => {
    const { launched, goOn } = await stopAt(aboutToDecide, (of) => restore(of, '--replace'));
    await expectRefused(launch(env));
    await goOn();
    expect(await launched.ended).toEqual({ code: 0, signal: null });
    expect(await countIn(dataDir)).toBe(inBackup);
    expect(await asides()).toHaveLength(2);
  });

  it('owns it also where there is no database yet, and leaves none aside', async () => {
    await removeDatabase();
    const { launched, goOn } = await stopAt(aboutToDecide, restore);
    await expectRefused(launch(env));
    await goOn();
    expect(await launched.ended).toEqual({ code: 0, signal: null });
    expect(await countIn(dataDir)).toBe(inBackup);
    expect(await asides()).toEqual([]);
  });

  it('is refused where a start was faster', async () => {
    const { launched, goOn } = await stopAt(aboutToUnpack, (of) => restore(of, '--replace'));
    const program = await startProgram(env);
    await goOn();
    await expectRefused(launched);
    expect(await program.stop()).toBe(0);
    expect(await countIn(dataDir)).toBe(before);
  });

  it('moves nothing aside, unless it was told to, that a start has made meanwhile', async () => {
    await removeDatabase();
    const { launched, goOn } = await stopAt(aboutToUnpack, restore);
    expect(await (await startProgram(env)).stop()).toBe(0);
    await goOn();
    expect(await launched.ended).toEqual({ code: 1, signal: null });
    expect(launched.err()).toContain('With --replace');
    expect(await countIn(dataDir)).toBe(0);
  });

  it('takes the place also of a database that cannot be started', async () => {
    await truncate(join(dataDir, 'postgres/global/pg_control'), 0);
    const restoring = restore(env, '--replace');
    expect(await restoring.ended).toEqual({ code: 0, signal: null });
    expect(await countIn(dataDir)).toBe(inBackup);
    expect(await asides()).toHaveLength(2);
  });
});

describe('a start that has looked at the data folder before a restore decided', () => {
  async function expectRestored(launched: Launched): Promise<void> {
    const program = await whenReady(launched);
    expect(await countLetters((await findRunningPostgres(dataDir)) as string)).toBe(inBackup);
    await untilReadiness(program, ({ status }) => status === 'hold');
    expect(await program.stop()).toBe(0);
    expect(await asides()).toHaveLength(2);
  }

  it('goes on with the restored database, which has another password', async () => {
    await removeDatabase();
    expect(await (await startProgram(env)).stop()).toBe(0);
    const { launched, goOn } = await stopAt(aboutToServe, launch);
    expect(await restore(env, '--replace').ended).toEqual({ code: 0, signal: null });
    await goOn();
    await expectRestored(launched);
  });

  it('goes on with it, and finishes the exchange, where the restore was killed', async () => {
    const { launched, goOn } = await stopAt(aboutToServe, launch);
    const other = await stopAt({ at: 'rename', before: '/postgres$' }, (of) => restore(of, '--replace'));
    other.launched.child.kill('SIGKILL');
    await other.launched.ended;
    await goOn();
    await expectRestored(launched);
  });
});
