import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { writeLetters } from './advocate.ts';
import { runProgram } from './commands.ts';
import { startProgram } from './program.ts';
import { Visitor } from './visitor.ts';

/** How many letters there are in the backup, and in the database that has gone on since. */
export const [inBackup, before] = [1, 2];

/** A data folder on which nothing runs, and a backup of its database as it was one letter ago. */
export type BackedUp = {
  folder: string;
  dataDir: string;
  file: string;
  /** For programs that work on it. */
  env: Record<string, string>;
  /** Makes the data folder what it was. */
  putBack(): Promise<void>;
};

export async function backUpOne(purpose: string): Promise<BackedUp> {
  const folder = await makeTemporaryFolder(purpose);
  const [dataDir, kept, file] = ['data', 'kept', 'monday.backup'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const env = { PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'warn' };
  const program = await startProgram(env);
  await writeLetters(new Visitor(program.url), { email: 'first@mail.example', brand: ['hm'] });
  const ran = await runProgram(['backup', file], { env });
  if (ran.status !== 0) throw new Error(`there is no backup: ${ran.err}`);
  await writeLetters(new Visitor(program.url), { email: 'second@mail.example', brand: ['gap'] });
  await program.stop();
  copy(dataDir, kept);
  return {
    folder,
    dataDir,
    file,
    env,
    async putBack() {
      await rm(dataDir, { recursive: true });
      copy(kept, dataDir);
    },
  };
}

/** With the owners, which Node's own copy forgets. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

export async function countLetters(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select count(*)::int as n from letter');
  await client.end();
  return rows[0].n;
}

/** In the database that is in a folder while nothing runs on it. */
export async function countIn(data: string): Promise<number> {
  const server = await startPostgres(data);
  const letters = await countLetters(server.url);
  await server.close();
  return letters;
}
