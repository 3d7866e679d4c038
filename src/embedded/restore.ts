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
import { startPostgres } from './postgres.ts';

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
  if (!replace && (await exists(postgres)))
    throw new ExpectedError(
      `There is a database in ${postgres}. With --replace it is moved aside, and the backup comes in its place.`,
    );
  await removeLeftovers(dataDir, { warn: say });
  const staging = join(dataDir, `restoring-${process.pid}`);
  try {
    const about = await unpackInto(staging, file, interrupted);
    compareKeys(about, signs);
    const letters = await tryOut(staging);
    interrupted.throwIfAborted();
    await refuseWhileRunning(dataDir, say); // unpacking took its time
    await beforeExchange();
    const asideAs = await exchange(dataDir, staging);
    return { about, letters, asideAs };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
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
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('select count(*)::int as n from letter');
    return rows[0].n;
  } finally {
    await client.end().catch(() => {});
    await server.close();
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
