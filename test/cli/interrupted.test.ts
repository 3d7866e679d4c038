import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { until } from '../support/advocate.ts';
import { runProgram } from '../support/commands.ts';
import { holdUp, type Point } from '../support/held-up.ts';
import { type Belongings, belongingsOf } from '../support/left-behind.ts';
import { launch, launchNpm, startProgram } from '../support/program.ts';

let folder: string;
let env: { PORT: string; DATA_DIR: string; LOG_LEVEL: string };
const backups = () => join(folder, 'backups');
const file = () => join(folder, 'backup');
beforeAll(async () => {
  folder = await makeTemporaryFolder('interrupted');
  await mkdir(backups());
  env = { PORT: '0', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' };
  expect(await (await startProgram(env)).stop()).toBe(0);
  expect(await runProgram(['backup', file()], { env })).toMatchObject({ status: 0, err: '' });
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const inData = async () => (await readdir(env.DATA_DIR)).sort();

/** A command that works on the data folder alone is told to stop once `moment` has come; held up there, if need be. */
async function interrupt(
  args: string[],
  signal: NodeJS.Signals,
  moment: () => Promise<boolean>,
  point?: Point,
) {
  const before = await inData();
  const begin = (variables = {}) => launch({ ...env, ...variables }, { script: 'src/commands/main', args });
  const { launched: command, goOn } = point
    ? await holdUp(folder, point, begin)
    : { launched: begin(), goOn: async () => {} };
  await until(async () => command.isOver() || (await moment()), 'the moment');
  expect(command.said()).toBe('');
  command.child.kill(signal);
  await goOn();
  expect(await command.ended).toEqual({ code: 130, signal: null });
  expect(command.said()).toBe('');
  expect(await inData()).toEqual(before);
}

describe('a command without a running instance that is interrupted leaves no server of its own behind', () => {
  let belongings: Belongings | undefined;
  const serves = (dataFolder: string) => async () => {
    belongings = await belongingsOf(dataFolder, '').catch(() => undefined);
    return (await belongings?.left())?.includes('its socket') ?? false;
  };

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('while that server starts (%s)', async (signal) => {
    await interrupt(['pen'], signal, serves(env.DATA_DIR), { at: 'connect', before: 'PGSQL' });
    expect(await belongings?.left()).toEqual([]);
  });

  it('while it waits for a mail on standard input', async () => {
    const before = await inData();
    const command = launch(env, { script: 'src/commands/main', args: ['inbound'], input: 'pipe' });
    await until(serves(env.DATA_DIR), 'a server', 60_000);
    command.child.kill('SIGINT');
    expect(await command.ended).toEqual({ code: 75, signal: null }); // the mail comes again
    expect(await belongings?.left()).toEqual([]);
    expect(await inData()).toEqual(before);
  });

  it('nor half a backup', async () => {
    const begun = async () => (await readdir(backups())).length > 0;
    await interrupt(['backup', join(backups(), 'new')], 'SIGTERM', begun);
    expect(await readdir(backups())).toEqual([]);
    expect(existsSync(join(env.DATA_DIR, 'postgres/postmaster.pid'))).toBe(false);
  });

  it('nor half a restored database, and the old one stays', async () => {
    const begun = async () => (await inData()).some((name) => name.startsWith('restoring-'));
    await interrupt(['restore', file(), '--replace'], 'SIGTERM', begun);
    expect(await (await startProgram(env)).stop()).toBe(0);
  });
});

describe('Ctrl-C while a new data folder is set up', () => {
  it('lets that come to its end, and ends well', async () => {
    const fresh = { ...env, DATA_DIR: join(folder, 'fresh') };
    const program = launchNpm('start', fresh);
    const setUp = async () =>
      (await readdir(fresh.DATA_DIR)).some((name) => name.startsWith('postgres-new-'));
    await until(async () => program.isOver() || (await setUp().catch(() => false)), 'a set-up', 60_000);
    process.kill(-program.pid, 'SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(program.err()).toBe('');
    expect(existsSync(join(fresh.DATA_DIR, 'postgres/postmaster.pid'))).toBe(false);
  });
});
