import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { backUp } from '../../src/embedded/backup.ts';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { restore } from '../../src/embedded/restore.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';

let folder: string;
let server: EmbeddedPostgres;
beforeAll(async () => {
  folder = await makeTemporaryFolder('backup-load');
  server = await startPostgres(folder);
  await migrate(server.url);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const rowsIn = async (url: string, text: string) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
};

describe('a backup of a database that is being written to', () => {
  it('has every transaction that was over before it, and no half of any other', async () => {
    await rowsIn(server.url, 'create table one (n int, filler text); create table two (n int, filler text)');
    let done = 0;
    let stopped = false;
    const writers = Array.from({ length: 3 }, async () => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      while (!stopped) {
        await client.query(`begin; insert into one select ${done}, repeat(md5(random()::text), 60) from generate_series(1, 20);
          insert into two select ${done}, repeat(md5(random()::text), 60) from generate_series(1, 20); commit`);
        done += 1;
        if (done % 50 === 0) await client.query('checkpoint'); // which lets go of the log, if nobody holds it
      }
      await client.end();
    });
    while (done < 300) await new Promise((resolve) => setTimeout(resolve, 20));
    const before = done;
    const file = join(folder, 'backup');
    const interrupted = new AbortController().signal;
    await backUp({ url: server.url, dataDir: folder, interrupted }, file, []);
    const after = done;
    while (done < after + 50) await new Promise((resolve) => setTimeout(resolve, 20));
    stopped = true;
    await Promise.all(writers);

    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere, { mode: 0o711 });
    let noted = false;
    const restored = await restore(elsewhere, file, {
      replace: false,
      interrupted,
      signs: [],
      say: () => {},
      beforeExchange: async () => {
        noted = true;
      },
    });
    expect([restored.letters, noted]).toEqual([0, true]);
    const copy = await startPostgres(elsewhere);
    try {
      const [{ one, two, half }] = (await rowsIn(
        copy.url,
        `select (select count(*)::int from one) / 20 as one, (select count(*)::int from two) / 20 as two,
           (select count(*)::int from (select n, count(*) from one group by n except select n, count(*) from two group by n) as x) as half`,
      )) as [{ one: number; two: number; half: number }];
      expect(half).toBe(0);
      expect(one).toBe(two);
      expect(one).toBeGreaterThanOrEqual(before);
      expect(one).toBeLessThanOrEqual(after + 3);
      // and nothing of the backing up is left in the server that was backed up
      expect(await rowsIn(server.url, 'select slot_name from pg_replication_slots')).toEqual([]);
    } finally {
      await copy.close();
    }
  }, 180_000);
});
