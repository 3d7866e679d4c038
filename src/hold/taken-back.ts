import { hash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Queryable } from '../db/database.ts';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';
import type { Logger } from '../log.ts';
import { sync } from '../whole-file.ts';
import { openHighWater } from './high-water.ts';
import { raiseMark, readStanding } from './hold.ts';

/**
 * What people took back, written down outside the database as well: an old backup knows nothing of it, and must
 * bring neither erased people back nor cancelled letters on their way. Hashes only; a file for each day.
 */
export type TakenBack = {
  /** Before it is done. Never fails: who wants to be erased is erased, though a backup may bring them back. */
  note(what: What, names: readonly (Buffer | string)[]): Promise<void>;
  /** After it was done: raises the mark, since a database that knows nothing of it is old. Never fails. */
  raise(): Promise<void>;
  /** Drops notes that are older than any backup should be, also where nobody takes anything back any more. Never fails. */
  forget(): Promise<void>;
};

export type What = 'erased' | 'cancelled';

/** Longer than any backup should be kept. */
const days = 60;

const folderOf = (dataDir: string) => join(dataDir, 'taken-back');

export function openTakenBack(db: Queryable, dataDir: string, log: Logger): TakenBack {
  const folder = folderOf(dataDir);
  const highWater = openHighWater(dataDir);
  return {
    async note(what, names) {
      if (names.length === 0) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(join(folder, dayOf(new Date())), 'a', 0o600);
        let isNew: boolean;
        try {
          isNew = (await file.stat()).size === 0;
          await file.write(names.map((name) => `${what} ${hash('sha256', name, 'hex')}\n`).join(''));
          await file.sync();
        } finally {
          await file.close();
        }
        if (isNew) await sync(folder);
        await dropOld(folder);
      } catch (error) {
        log.error({ err: error }, 'what somebody took back could not be noted outside the database');
      }
    },
    async raise() {
      try {
        const { id } = await readStanding(db);
        const mark = await raiseMark(db, id, 0);
        if (mark !== undefined) await highWater.write(id, mark);
      } catch (error) {
        log.error({ err: error }, 'the high-water mark could not be raised for what somebody took back');
      }
    },
    async forget() {
      await dropOld(folder).catch((error) => {
        if (codeOf(error) !== 'ENOENT') log.error({ err: error }, 'old notes of what was taken back stay');
      });
    },
  };
}

/** Hashes by what was done. @throws ExpectedError when the folder is there and cannot be read */
export async function readTakenBack(dataDir: string): Promise<Record<What, string[]>> {
  const folder = folderOf(dataDir);
  const found: Record<What, string[]> = { erased: [], cancelled: [] };
  try {
    for (const name of await readdir(folder)) {
      const lines = (await readFile(join(folder, name), 'utf8')).split('\n');
      for (const line of lines) {
        const [, what, hash] = /^(erased|cancelled) ([0-9a-f]{64})$/.exec(line) ?? [];
        if (what && hash) found[what as What].push(hash);
      }
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return found;
    throw new ExpectedError(`What people took back cannot be read from ${folder} (${reasonOf(error)}).`);
  }
  return found;
}

async function dropOld(folder: string): Promise<void> {
  const oldest = dayOf(new Date(Date.now() - days * 24 * 60 * 60 * 1000));
  for (const name of await readdir(folder)) {
    if (name < oldest) await rm(join(folder, name), { force: true });
  }
}

const dayOf = (date: Date) => date.toISOString().slice(0, 10);
