import { link, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';
import { exists, sync } from '../whole-file.ts';

/**
 * The end of a restore: the database that it has ready changes places with the one that is there. This takes several
 * renames, and between any two of them the process may be killed. So the first one decides: from then on the new
 * database and its password lie in `restored-<time>`, what is still in there tells how far it came, and whoever
 * comes next goes on from there.
 */

/** In what a restore has decided on: there was no database before, only an empty one, which goes with it. */
const nothingBefore = 'nothing-before';

/** What a restore has decided on and not brought to its end. */
const decided = /^restored-(\d{4}-\d\d-\d\dT\d{6})$/;
const aside = /^postgres-before-(?!.*-password$)/;

type Exchange = {
  /** The database that is there is an empty one, which nobody wants to keep. */
  isEmpty: boolean;
  /** Lets go of the data folder, which the caller owns until it is decided. */
  release(): Promise<void>;
};

/**
 * Puts what lies in `staging` into the place of the database in `dataDir`.
 *
 * @returns where the one that was there is now; undefined: there was none
 * @throws ExpectedError when it cannot be done
 */
export async function exchange(
  dataDir: string,
  staging: string,
  { isEmpty, release }: Exchange,
): Promise<string | undefined> {
  if (isEmpty) await writeFile(join(staging, nothingBefore), '');
  // the server that was tried out on the files has synced them (PostgreSQL, xlog.c: SyncDataDirectory)
  await sync(join(staging, 'postgres-password'));
  await sync(staging);
  const ready = join(dataDir, `restored-${stamp()}`);
  await move(staging, ready);
  try {
    await release(); // whoever gets the folder now finds what was decided
    return await goOn(dataDir, ready);
  } catch (error) {
    const { postgres, newPassword } = await placesOf(dataDir, ready);
    if (!(await exists(postgres)) || !(await exists(newPassword))) throw await stuck(dataDir, ready, error);
    await move(ready, staging); // nothing was exchanged, and nothing will be
    throw new ExpectedError(`${postgres} cannot be moved aside (${reasonOf(error)}). Nothing was changed.`);
  }
}

/**
 * Brings to its end what a restore had decided on that was killed.
 *
 * @returns what there is to say about it, in sentences for people
 * @throws ExpectedError when it cannot be done
 */
export async function finishExchange(dataDir: string): Promise<string[]> {
  const said: string[] = [];
  for (const name of await decidedIn(dataDir)) {
    const ready = join(dataDir, name);
    const asideAs = await goOn(dataDir, ready).catch(async (error) => {
      throw await stuck(dataDir, ready, error);
    });
    said.push('A restore that was ended in the middle is finished now: the database is that of the backup.');
    if (asideAs) said.push(whereItIs(asideAs));
  }
  return said;
}

/** Whether a restore has decided on an exchange that is not at its end. */
export async function isDecided(dataDir: string): Promise<boolean> {
  return (await decidedIn(dataDir)).length > 0;
}

/** Tells which database is in its place, and what is decided about it: another text after an exchange, or in one. */
export async function readPlace(dataDir: string): Promise<string> {
  const found = await stat(join(dataDir, 'postgres')).catch(() => undefined);
  return [found?.ino, ...(await decidedIn(dataDir))].join(' ');
}

async function decidedIn(dataDir: string): Promise<string[]> {
  return (await readdir(dataDir)).filter((one) => decided.test(one)).sort();
}

export function whereItIs(asideAs: string): string {
  return `What was there is in ${asideAs}. Remove it when you need it no more: people are in it.`;
}

/**
 * Where there is no database, one is made. Where there is one beside it that a restore moved aside, an empty one would
 * look as if all letters were lost.
 *
 * @throws ExpectedError saying how to go on
 */
export async function refuseEmptyBesideOld(dataDir: string): Promise<void> {
  const postgres = join(dataDir, 'postgres');
  if (await exists(join(postgres, 'PG_VERSION'))) return;
  const entries = await readdir(dataDir, { withFileTypes: true });
  const old = entries
    .filter((entry) => entry.isDirectory() && aside.test(entry.name))
    .map(({ name }) => name);
  const newest = old.sort().at(-1);
  if (!newest) return;
  throw new ExpectedError(
    [
      `There is no database in ${postgres}, but ${old.length > 1 ? `${old.length} are` : 'one is'} beside it that a restore moved aside: ${old.join(', ')}.`,
      `To go on with it, rename ${join(dataDir, newest)} to ${postgres}, and, if it is there, ${newest}-password to postgres-password.`,
      'To go on with a backup: npm run restore -- FILE.',
      `To begin with an empty database, move ${old.join(', ')} out of ${dataDir}.`,
    ].join(' '),
  );
}

/** Whatever was done already is passed over: by a process that was killed, or by one that is doing the same just now. */
async function goOn(dataDir: string, ready: string): Promise<string | undefined> {
  const { postgres, password, newPostgres, newPassword, asideAs } = await placesOf(dataDir, ready);
  if (await exists(newPassword)) {
    await move(postgres, asideAs).catch(async (error) => {
      if (await exists(newPassword)) throw error;
    });
    if (await exists(asideAs)) await keep(password, `${asideAs}-password`);
    await move(newPassword, password);
  }
  await move(newPostgres, postgres);
  await rm(ready, { recursive: true, force: true });
  return (await exists(asideAs)) ? asideAs : undefined;
}

async function placesOf(dataDir: string, ready: string) {
  const postgres = join(dataDir, 'postgres');
  const isEmpty = await exists(join(ready, nothingBefore));
  return {
    postgres,
    password: join(dataDir, 'postgres-password'),
    newPostgres: join(ready, 'postgres'),
    newPassword: join(ready, 'postgres-password'),
    asideAs: isEmpty ? join(ready, 'empty') : `${postgres}-before-${decided.exec(basename(ready))?.[1]}`,
  };
}

async function stuck(dataDir: string, ready: string, error: unknown): Promise<ExpectedError> {
  const { postgres, asideAs } = await placesOf(dataDir, ready);
  return new ExpectedError(
    `The restored database in ${ready} cannot be put into its place, ${postgres} (${reasonOf(error)}). What was there before is there still, or in ${asideAs}. Make way for it and try again; to do without it, move ${ready} out of ${dataDir}.`,
  );
}

/** Each move outlives a power cut before the next one is made. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  for (const folder of new Set([dirname(to), dirname(from)])) {
    // what somebody else has finished meanwhile is gone
    await sync(folder).catch((error) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  }
}

/** A second name, so that what already has its own keeps it, and there is a password at any time. */
async function keep(file: string, as: string): Promise<void> {
  await link(file, as).catch((error) => {
    if (!['EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error;
  });
  await sync(dirname(as));
}

const stamp = () => new Date().toISOString().slice(0, 19).replaceAll(':', '');
