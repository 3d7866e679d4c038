import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runProgram } from '../support/commands.ts';
import { launchNpm } from '../support/program.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outspoken-commands-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a command that there is not', () => {
  // the last three are what every object has
  it.each([[['backups']], [[]], [['constructor']], [['toString']], [['__proto__']]])(
    'is told which there are: %j',
    async (args) => {
      expect(await runProgram(args, { env: { DATA_DIR: folder } })).toEqual({
        status: 1,
        out: '',
        err: 'There are these commands: backup, contacts, inbound, pen, reconcile, restore, unknown.\n',
      });
      expect(await readdir(folder)).toEqual([]);
    },
  );
});

describe('a program', () => {
  it.each(['start', 'demo', 'bench', 'faults'])(
    'says how it is used when it is asked, and does nothing: npm run %s',
    async (name) => {
      const asked = launchNpm(name, { DATA_DIR: folder }, ['--help']);
      expect((await asked.ended).code).toBe(0);
      expect(asked.out()).toMatch(new RegExp(`^Usage: npm (run )?${name} `));
      expect(asked.err()).toBe('');
      expect(await readdir(folder)).toEqual([]);
    },
  );
});

describe('a command', () => {
  it.each(['backup', 'contacts', 'inbound', 'pen', 'reconcile', 'restore', 'unknown'])(
    'says how it is used when it is asked, and does nothing: %s',
    async (name) => {
      expect(await runProgram([name, '--help'], { env: { DATA_DIR: folder } })).toEqual({
        status: 0,
        out: expect.stringMatching(new RegExp(`^Usage:\\n {2}npm run ${name}`)),
        err: '',
      });
      expect(await readdir(folder)).toEqual([]);
    },
  );

  it.each(['backup', 'contacts', 'pen', 'reconcile', 'unknown'])(
    'makes no database where there is none: %s',
    async (name) => {
      expect(await runProgram([name, join(folder, 'x')], { env: { DATA_DIR: folder } })).toEqual({
        status: 1,
        out: '',
        err: expect.stringContaining(`There is no database in ${folder}. Set DATA_DIR to `),
      });
      expect(await readdir(folder)).toEqual([]);
    },
  );

  it('says so where it cannot look for one', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const ran = await runProgram(['backup', join(folder, 'x')], { env: { DATA_DIR: file } });
    expect(ran).toEqual({
      status: 1,
      out: '',
      err: expect.stringContaining(
        `${file} cannot be read (ENOTDIR: what should be a folder on the way there is a file).`,
      ),
    });
    await rm(file);
  });

  it('has a mail server come again with its mail as long as there is no database', async () => {
    const args = ['inbound', '--to', 'postmaster@outspoken.example'];
    const ran = await runProgram(args, { env: { DATA_DIR: folder }, input: 'Subject: x\n\nx\n' });
    expect(ran).toMatchObject({ status: 75, err: expect.stringContaining('There is no database in') });
    expect(await readdir(folder)).toEqual([]);
  });
});
