import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';
import { pack } from './archive.ts';

/** What a backup says about itself, in `backup.json`. */
export type About = {
  format: 1;
  made: string;
  instance: string;
  mark: number;
  /** What tells the keys that its data is encrypted under from all others; the keys are not in it. */
  keys: { version: number; sign: string }[];
};

/**
 * Copies the embedded PostgreSQL into one file, while it runs: a base backup by the low-level interface
 * (https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP), with the log that
 * makes it whole. The embedded one comes without pg_dump and pg_basebackup.
 *
 * @param signs of all keys that there are
 * @throws ExpectedError when the file is there, or something cannot be read or written, and AbortError when it is
 *   interrupted; then nothing is left behind
 */
export async function backUp(
  { url, dataDir, interrupted }: { url: string; dataDir: string; interrupted: AbortSignal },
  file: string,
  signs: About['keys'],
): Promise<About> {
  const staging = `${file}.making-${process.pid}`;
  const client = new pg.Client({ connectionString: url, application_name: 'outspoken-backup' });
  client.on('error', () => {}); // the statement that is under way tells
  try {
    await mkdir(staging, { mode: 0o700 });
    await client.connect();
    const about = await describe(client, signs);
    await copyCluster(client, join(dataDir, 'postgres'), { to: join(staging, 'postgres'), interrupted });
    await copyFile(join(dataDir, 'postgres-password'), join(staging, 'postgres-password'));
    await writeFile(join(staging, 'backup.json'), `${JSON.stringify(about, null, 2)}\n`);
    await pack(staging, file, interrupted);
    return about;
  } catch (error) {
    throw error instanceof ExpectedError || !/^E[A-Z]+$/.test(codeOf(error) ?? '')
      ? error
      : new ExpectedError(
          `The backup ${file} could not be made (${reasonOf(error)}). Name a file in a folder that you may write to.`,
        );
  } finally {
    await client.end().catch(() => {});
    await rm(staging, { recursive: true, force: true });
  }
}

async function describe(client: pg.Client, signs: About['keys']): Promise<About> {
  const { rows } = await client.query('select id, mark::float8 as mark from instance where one');
  const { rows: used } = await client.query(`
    select key_version as version from advocate union select key_version from pen
    union select key_version from campaign where fingerprint_key is not null`);
  const versions = new Set(used.map(({ version }) => version as number));
  return {
    format: 1,
    made: new Date().toISOString(),
    instance: rows[0].id,
    mark: rows[0].mark,
    keys: signs.filter(({ version }) => versions.has(version)),
  };
}

/** Folders whose contents a server makes anew when it starts, and the log, which is copied last. */
const emptied = [
  ...['pg_dynshmem', 'pg_notify', 'pg_replslot', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans'],
  'pg_wal',
];
const leftOut = /^(postmaster\.(pid|opts)|backup_label(\.old)?|pg_internal\.init.*|pgsql_tmp.*)$/;

type Target = { to: string; interrupted: AbortSignal };

/** One session from the start to the end: the slot, which keeps the log from being removed, goes with it. */
async function copyCluster(client: pg.Client, from: string, { to, interrupted }: Target): Promise<void> {
  await client.query('select pg_create_physical_replication_slot($1, true, true)', [
    `outspoken_backup_${randomBytes(4).toString('hex')}`,
  ]);
  const { rows: started } = await client.query(
    "select pg_walfile_name(pg_backup_start('outspoken', true)) as segment",
  );
  await copyFolder(from, { to, interrupted }, true);
  const { rows: stopped } = await client.query(
    'select labelfile as label, pg_walfile_name(lsn) as segment from pg_backup_stop(false)',
  );
  await writeFile(join(to, 'backup_label'), stopped[0].label, { mode: 0o600 });
  for (const name of await readdir(join(from, 'pg_wal'))) {
    const isLog = /^[0-9A-F]{24}$/.test(name) && name >= started[0].segment && name <= stopped[0].segment;
    if (isLog || name.endsWith('.history'))
      await copyFile(join(from, 'pg_wal', name), join(to, 'pg_wal', name));
  }
}

async function copyFolder(from: string, { to, interrupted }: Target, top = false): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    interrupted.throwIfAborted();
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (leftOut.test(entry.name)) continue;
    if (entry.isDirectory()) {
      if (top && emptied.includes(entry.name)) await mkdir(target, { mode: 0o700 });
      else await copyFolder(source, { to: target, interrupted });
    } else if (entry.isFile()) {
      // what is removed while we copy is made good by the log
      await copyFile(source, target, constants.COPYFILE_FICLONE).catch((error) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      });
    }
  }
}
