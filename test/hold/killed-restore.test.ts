import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { findRunningPostgres } from '../../src/embedded/orphan.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { until } from '../support/advocate.ts';
import { type BackedUp, backUpOne, before, countIn, countLetters, inBackup } from '../support/backed-up.ts';
import { runProgram } from '../support/commands.ts';
import { describeWith } from '../support/needs.ts';
import { type Ending, launch, startProgram } from '../support/program.ts';
import { untilReadiness } from '../support/readiness.ts';

/** Ends its process as a power cut would, instead of giving another database, or its password, another name. */
const dies = `
  import fs from 'node:fs/promises';
  import { syncBuiltinESMExports } from 'node:module';
  let steps = Number(process.env.DIES_AFTER);
  for (const name of ['rename', 'link', 'rm']) {
    const real = fs[name];
    fs[name] = async (path, ...rest) => {
      const isStep = /\\/(postgres(-password)?|restor(ing|ed)-[^/]+)$/.test(path);
      if (isStep && steps <= 0) process.kill(process.pid, 'SIGKILL');
      await real(path, ...rest);
      if (isStep) steps -= 1;
    };
  }
  syncBuiltinESMExports();
`;

const killed: Ending = { code: null, signal: 'SIGKILL' };

let backedUp: BackedUp;
let folder: string;
let dataDir: string;
let file: string;
let env: Record<string, string>;
const dying = (after: number) => ({
  ...env,
  NODE_OPTIONS: `--import=${join(folder, 'dies.mjs')}`,
  DIES_AFTER: String(after),
});
const restore = (of: Record<string, string>, ...args: string[]) =>
  launch(of, { script: 'src/commands/main', args: ['restore', file, ...args] });
const found = async (begin: string) => (await readdir(dataDir)).filter((name) => name.startsWith(begin));

/** What was moved aside, as a database that can be used with the password beside it. */
async function countAside(name: string): Promise<number> {
  const elsewhere = await makeTemporaryFolder('aside');
  try {
    await rename(join(dataDir, name), join(elsewhere, 'postgres'));
    await rename(join(dataDir, `${name}-password`), join(elsewhere, 'postgres-password'));
    return await countIn(elsewhere);
  } finally {
    await rm(elsewhere, { recursive: true });
  }
}

beforeAll(async () => {
  backedUp = await backUpOne('killed');
  ({ folder, dataDir, file, env } = backedUp);
  await writeFile(join(folder, 'dies.mjs'), dies);
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(() => backedUp.putBack());

/** Decided, the old database aside, its password beside it, the new password, the new database, cleared up. */
const steps = 6;

describe('a restore that is killed at its end', () => {
  it.each([0, 1])('after %i steps, is as if it was done, or never was', async (done) => {
    expect(await restore(dying(done), '--replace').ended).toEqual(killed);
    const ran = await runProgram(['reconcile'], { env });
    expect(ran.out).toContain('Sending is on hold since');
    expect(await countIn(dataDir)).toBe(done === 0 ? before : inBackup);
    expect(await found('restor')).toEqual([]);
    const [aside = '', ...beside] = await found('postgres-before-');
    if (done === 0) {
      expect(aside).toBe('');
      return;
    }
    expect(beside).toEqual([`${aside}-password`]);
    expect(ran.err).toContain('A restore that was ended in the middle is finished now');
    expect(ran.err).toContain(`What was there is in ${join(dataDir, aside)}.`);
    expect(await countAside(aside)).toBe(before);
  });

  it('is finished by starts that are all killed as soon as they have taken a step', async () => {
    await restore(dying(1), '--replace').ended;
    for (let step = 2; step < steps; step += 1) expect(await launch(dying(1)).ended).toEqual(killed);
    const program = await startProgram(dying(1));
    await untilReadiness(program, ({ status }) => status === 'hold');
    expect(await countLetters((await findRunningPostgres(dataDir)) as string)).toBe(inBackup);
    expect(await program.stop()).toBe(0);
    expect(await countAside((await found('postgres-before-'))[0] as string)).toBe(before);
  });

  it('is finished by two starts at the same moment, of which one goes on', async () => {
    await restore(dying(1), '--replace').ended;
    const both = [launch(env), launch(env)];
    const ready = () => both.filter((one) => one.out().includes('Outspoken is ready'));
    const over = () => both.filter((one) => one.isOver());
    await until(async () => ready().length + over().length === 2, 'both', 60_000);
    expect(over().map((one) => one.err())).toEqual([
      expect.stringContaining('Another Outspoken already runs on'),
    ]);
    ready()[0]?.child.kill('SIGTERM');
    expect((await ready()[0]?.ended)?.code).toBe(0);
    expect(await countIn(dataDir)).toBe(inBackup);
    expect(await countAside((await found('postgres-before-'))[0] as string)).toBe(before);
  });

  it('is finished by the next restore, which says so, and moves aside what it made only with --replace', async () => {
    await restore(dying(2), '--replace').ended;
    const ran = await runProgram(['restore', file], { env });
    expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('With --replace') });
    expect(ran.out).toMatch(
      /^A restore that was ended in the middle is finished now.*\nWhat was there is in .*\n$/,
    );
    expect(await countIn(dataDir)).toBe(inBackup);
  });

  it('is finished where there was no database before', async () => {
    await rm(join(dataDir, 'postgres'), { recursive: true });
    expect(await restore(dying(2)).ended).toEqual(killed);
    expect(await runProgram(['reconcile'], { env })).toMatchObject({ status: 0 });
    expect(await countIn(dataDir)).toBe(inBackup);
    expect(await found('postgres-before-')).toEqual([]);
  });

  it('and whose place is taken meanwhile leaves everything as it is, and says where', async () => {
    await restore(dying(4), '--replace').ended;
    await mkdir(join(dataDir, 'postgres/base'), { recursive: true });
    const there = await readdir(dataDir);
    const { status, err } = await runProgram(['reconcile'], { env });
    const ready = join(dataDir, (await found('restored-'))[0] as string);
    expect(status).toBe(1);
    expect(err).toContain(`The restored database in ${ready} cannot be put into its place`);
    expect(err).toContain('(ENOTEMPTY: there is a folder of that name, with something in it)');
    expect(await readdir(dataDir)).toEqual(there);
  });
});

describe('a data folder with what a restore moved aside, and without a database', () => {
  const aside = 'postgres-before-2026-11-24T080000';
  beforeEach(async () => {
    await rename(join(dataDir, 'postgres'), join(dataDir, aside));
    await rename(join(dataDir, 'postgres-password'), join(dataDir, `${aside}-password`));
  });
  const refuses = async () => {
    const launched = launch(env);
    expect(await launched.ended).toEqual({ code: 1, signal: null });
    expect(launched.err()).toContain(
      `There is no database in ${join(dataDir, 'postgres')}, but one is beside it`,
    );
    expect(launched.err()).toContain(`rename ${join(dataDir, aside)} to ${join(dataDir, 'postgres')}`);
    expect(await found('postgres')).toEqual([aside, `${aside}-password`]);
  };

  it('gets no empty one, and goes on with the old one as it says', async () => {
    await refuses();
    expect((await runProgram(['unknown'], { env })).err).toContain('There is no database in');
    await rename(join(dataDir, aside), join(dataDir, 'postgres'));
    await rename(join(dataDir, `${aside}-password`), join(dataDir, 'postgres-password'));
    expect(await runProgram(['unknown'], { env })).toMatchObject({ status: 0, err: '' });
    expect(await countIn(dataDir)).toBe(before);
  });

  it('takes a backup', async () => {
    expect(await runProgram(['restore', file], { env })).toMatchObject({ status: 0, err: '' });
    expect(await countIn(dataDir)).toBe(inBackup);
  });

  it('gets an empty one once the old one is out of it', async () => {
    await refuses();
    await rename(join(dataDir, aside), join(folder, aside));
    expect((await runProgram(['unknown'], { env })).err).toContain('There is no database in');
    expect(await (await startProgram(env)).stop()).toBe(0);
    expect(await countIn(dataDir)).toBe(0);
  });
});

describeWith(
  'mount',
  'a database that cannot be moved aside',
  (mount) => {
    it('stays, and so does everything else', async () => {
      const there = await readdir(dataDir);
      const postgres = join(dataDir, 'postgres');
      execFileSync(mount, ['--bind', postgres, postgres]);
      try {
        expect(await runProgram(['restore', file, '--replace'], { env })).toMatchObject({
          status: 1,
          err: `${postgres} cannot be moved aside (EBUSY: it is in use, or another disk is mounted there). Nothing was changed.\n`,
        });
      } finally {
        execFileSync('umount', [postgres]);
      }
      expect(await readdir(dataDir)).toEqual(there);
      expect(await countIn(dataDir)).toBe(before);
    });
  },
  { root: true },
);
