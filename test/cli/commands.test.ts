import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runProgram } from '../support/commands.ts';

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
