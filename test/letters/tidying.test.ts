import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { makeOlder, putInto, type Writer, writeMany } from '../support/letters.ts';

const { instance } = prepareDelivery({ roles: ['web'] });

const write = async (confirmed: boolean) =>
  (await writeMany(instance, { people: 1, brands: ['hm'], confirmed }))[0] as Writer;

it('a worker removes what may be kept no longer, without anybody thinking of it, and leaves the rest', async () => {
  const [unconfirmed, done, young] = [await write(false), await write(true), await write(false)];
  await putInto(instance, done, 'delivered');
  for (const writer of [unconfirmed, done]) await makeOlder(instance, writer, `${29 * 24} hours`);
  await instance.query(
    `insert into pen (reason, digest, data_key, key_version, raw, received_at)
     select 'postmaster', sha256(int4send(days)), '', 1, '', now() - days * interval '1 day'
     from unnest(array[27, 29]) as days`,
  );
  const notes = join(instance.context.config.dataDir, 'taken-back');
  const today = new Date().toISOString().slice(0, 10);
  await mkdir(notes);
  for (const day of ['2026-01-01', today]) await writeFile(join(notes, day), '');

  await instance.startWorker();
  await until(async () => (await readdir(notes)).length === 1, 'old notes to be dropped'); // the last that is done
  expect(await readdir(notes)).toEqual([today]);
  expect(await instance.query('select 1 from pen')).toHaveLength(1);
  const opens = async (path: string) => (await instance.visitor().get(path)).status === 200;
  expect(await opens(`/confirm/${unconfirmed.confirm}`)).toBe(false);
  expect(await opens(done.receipt)).toBe(false);
  expect(await opens(`/confirm/${young.confirm}`)).toBe(true);
});
