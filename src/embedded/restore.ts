import { chmod, chown, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { ExpectedError } from '../expected.ts';
import { exists } from '../whole-file.ts';
import { unpack } from './archive.ts';
import type { About } from './backup.ts';
import { ownerOfServer } from './cluster.ts';
import { exchange, finishExchange } from './exchange.ts';
import { removeLeftovers } from './leftovers.ts';
import { endOrphan, findRunningPostgres } from './orphan.ts';
import { type EmbeddedPostgres, startPostgres, takeFolder } from './postgres.ts';
import { FolderInUse } from './start-failed.ts';

type Options = {
  /** A database that is there is moved aside. */
  replace: boolean;
  /** Of the keys that there are. */
  signs: About['keys'];
  /** Breaks it off for as long as nothing is exchanged. */
  interrupted: AbortSignal;
  /** What must be written down before the old database is out of the way. */
  beforeExchange(): Promise<void>;
  /** Tells people what else was done. */
  say(line: string): void;
};

export type Restored = { about: About; letters: number; asideAs?: string };

/**
 * Puts a backup in the place of the embedded PostgreSQL. The backup is unpacked beside it, its key compared, and a
 * server started on it; only then is the old one moved aside. Everything else in the data folder stays.
 *
 * @throws ExpectedError when it cannot be done; then everything is as it was
 */
export async function restore(
  dataDir: string,
  file: string,
  { replace, signs, interrupted, beforeExchange, say }: Options,
): Promise<Restored> {
  const postgres = join(dataDir, 'postgres');
  await refuseWhileRunning(dataDir, say);
  for (const line of await finishExchange(dataDir)) say(line);
  if (!replace && (await exists(postgres))) throw isThere(postgres);
  await removeLeftovers(dataDir, { warn: say });
  const staging = join(dataDir, `restoring-${process.pid}`);
  try {
    const about = await unpackInto(staging, file, interrupted);
    compareKeys(about, signs);
    const letters = await tryOut(staging);
    const owned = await own(dataDir, say);
    try {
      interrupted.throwIfAborted();
      const isEmpty = owned !== undefined && (await holdsNothing(owned));
      if (!replace && !isEmpty) throw isThere(postgres); // made while the backup was unpacked
      await beforeExchange();
      const release = async () => owned?.close();
      const asideAs = await exchange(dataDir, staging, { isEmpty, release });
      return { about, letters, asideAs };
    } finally {
      await owned?.close();
    }
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function isThere(postgres: string): ExpectedError {
  return new ExpectedError(
    `There is a database in ${postgres}. With --replace it is moved aside, and the backup comes in its place.`,
  );
}

async function refuseWhileRunning(dataDir: string, warn: Options['say']): Promise<void> {
  if (await findRunningPostgres(dataDir, { warn }))
    throw new ExpectedError(`Outspoken runs on ${dataDir}. Stop it first.`);
  const password = await readFile(join(dataDir, 'postgres-password'), 'utf8').catch(() => undefined);
  if (password !== undefined) await endOrphan(join(dataDir, 'postgres'), password, { warn });
}

async function unpackInto(staging: string, file: string, interrupted: AbortSignal): Promise<About> {
  const owner = await ownerOfServer();
  await mkdir(staging, { mode: 0o700 });
  await unpack(file, staging, interrupted);
  if ('uid' in owner) await chmod(staging, 0o711); // PostgreSQL runs as another user, who has to pass through
  const about = (await readFile(join(staging, 'backup.json'), 'utf8').then(JSON.parse, () => undefined)) as
    | About
    | undefined;
  if (about?.format !== 1) throw new ExpectedError(`${file} is not a backup of ours.`);
  if ('uid' in owner) await give(join(staging, 'postgres'), owner as User);
  return about;
}

function compareKeys(about: About, signs: About['keys']): void {
  for (const { version, sign } of about.keys) {
    const ours = signs.find((one) => one.version === version);
    if (ours?.sign === sign) continue;
    throw new ExpectedError(
      ours
        ? `The key does not fit: version ${version} is another one than that of the backup. Nothing was changed.`
        : `The key of the backup, version ${version}, is missing. Put it into DATA_DIR/app-key, or set APP_KEY, then try again: without it nothing can be read. Nothing was changed.`,
    );
  }
}

/** Starts a server on it, which makes it whole, and looks whether our data is in it. */
async function tryOut(staging: string): Promise<number> {
  const server = await startPostgres(staging);
  try {
    const [row] = await ask<{ n: number }>(server, 'select count(*)::int as n from letter');
    return row?.n ?? 0;
  } finally {
    await server.close();
  }
}

/**
 * Owns the data folder as a start does, so that none comes in between. Undefined: the database there, which is about to
 * be replaced, cannot be started; then no start gets anywhere with it either.
 */
async function own(dataDir: string, say: Options['say']): Promise<EmbeddedPostgres | undefined> {
  try {
    return await takeFolder(dataDir, say);
  } catch (error) {
    if (!(error instanceof ExpectedError) || error instanceof FolderInUse) throw error;
    return undefined;
  }
}

/** Whether it was just made, or was made by a restore that was killed. */
async function holdsNothing(server: EmbeddedPostgres): Promise<boolean> {
  const [row] = await ask<{ letters: string | null }>(server, "select to_regclass('letter') as letters");
  return row?.letters === null;
}

async function ask<Row extends pg.QueryResultRow>({ url }: EmbeddedPostgres, query: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query<Row>(query)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

type User = { uid: number; gid: number };

async function give(path: string, owner: User): Promise<void> {
  await chown(path, owner.uid, owner.gid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) await give(below, owner);
    else await chown(below, owner.uid, owner.gid);
  }
}
