import { type Database, type Queryable, statement } from '../db/database.ts';
import { ExpectedError } from '../expected.ts';
import type { Logger } from '../log.ts';
import { type HighWater, type Outside, openHighWater } from './high-water.ts';
import { type Because, raiseMark, readStanding, type Standing, startHold } from './hold.ts';

/**
 * A worker's hold on how far the database has come. While letters leave, the mark is raised about every second, in
 * the database first and then outside of it, before any letter is claimed under it; and once more when they have
 * left. So whatever left, left under a mark that stands outside, and a backup that was made before is behind it.
 */
export type Mark = {
  /**
   * The mark that the database must have reached when letters are claimed now. `nothing`: none may be.
   * Throws only what the database throws.
   */
  cover(): Promise<number>;
  /** It cannot be written, so no letter may be claimed. Tries again. */
  isLost(): Promise<boolean>;
  /** Whether it could be written when it was last tried. */
  wasLost(): boolean;
  close(): Promise<void>;
};

/** For how long a mark covers what is claimed, in milliseconds of a clock that nobody sets. */
const covers = 1000;

/** No database has come so far: what must have reached it is not claimed. */
export const nothing = Number.MAX_SAFE_INTEGER;

type Options = { database: Database; log: Logger; highWater: HighWater; instance: string; known: number };

/** What the mark outside says about the database. `unmarked`: there was none, so it says nothing. */
export type Verdict = 'well' | 'unmarked' | Because;

export function judge({ marks, restored }: Outside, { id, mark }: Pick<Standing, 'id' | 'mark'>): Verdict {
  const outside = marks.get(id);
  if (restored) return 'restored';
  if (outside !== undefined) return outside > mark ? 'older' : 'well';
  if (marks.size > 0) return 'other database';
  return 'unmarked';
}

const someLetter = statement('select from letter limit 1');

/** A database without letters can have forgotten none. */
export async function hasLetters(db: Queryable): Promise<boolean> {
  return (await db.row(someLetter)) !== undefined;
}

/**
 * Compares the database with the mark outside, and puts it on hold when it was restored.
 *
 * @throws ExpectedError when the mark cannot be read or written, or is that of another database that holds letters
 */
export async function openMark(
  { database, log }: Pick<Options, 'database' | 'log'>,
  dataDir: string,
): Promise<Mark> {
  const highWater = openHighWater(dataDir);
  const outside = await highWater.read();
  const standing = await readStanding(database);
  const verdict = judge(outside, standing);
  if (verdict === 'other database') {
    if (await hasLetters(database)) throw foreign(highWater.folder);
    log.warn(
      'the high-water mark here is that of another database; this one is new, and gets a mark of its own',
    );
  }
  if (verdict === 'unmarked' && standing.mark > 0)
    log.warn(
      'there was no high-water mark here: whether the database is an old one cannot be told by this worker',
    );
  const known = Math.max(outside.marks.get(standing.id) ?? 0, standing.mark);
  await holdIfOld(database, highWater);
  await highWater.write(standing.id, known);
  if (outside.restored) await highWater.forgetRestore();
  return keepMark({ database, log, highWater, instance: standing.id, known });
}

/** Puts a database on hold that was restored. @returns whether it is on hold, for this reason or another one */
export async function holdIfOld(db: Queryable, highWater: HighWater): Promise<boolean> {
  const outside = await highWater.read();
  const standing = await readStanding(db);
  const verdict = judge(outside, standing);
  const isOld = verdict === 'older' || verdict === 'restored';
  if (isOld) await startHold(db, verdict, outside.marks.get(standing.id));
  return isOld || standing.hold !== undefined;
}

function foreign(folder: string): ExpectedError {
  return new ExpectedError(
    [
      `The high-water mark in ${folder} is that of another database, so no worker starts on this one.`,
      'Is it the wrong one? Then set DATABASE_URL or DATA_DIR right. Each instance needs a data folder of its own.',
      'Was it restored from a backup that is older than the mark itself? Then run: npm run reconcile',
    ].join('\n'),
  );
}

function keepMark({ database, log, highWater, instance, known }: Options): Mark {
  let raisedAt = Number.NEGATIVE_INFINITY;
  let raising: Promise<void> | undefined;
  let closing: NodeJS.Timeout | undefined;
  let closed = Promise.resolve(); // that the mark was raised after the last letter, or could not be
  let lost = false;
  let complainedAt = Number.NEGATIVE_INFINITY;

  async function raise(): Promise<void> {
    const began = performance.now();
    const mark = await raiseMark(database, instance, known);
    if (mark === undefined) {
      await explain();
      return;
    }
    await highWater.write(instance, mark).then(
      () => {
        known = mark;
        raisedAt = began;
        lost = false;
      },
      (error) => {
        lost = true;
        complain(error);
      },
    );
  }

  /** The database would not be raised: it is on hold, or it was replaced under a running worker. */
  async function explain(): Promise<void> {
    const standing = await readStanding(database);
    if (standing.id !== instance) {
      lost = true;
      complain(new ExpectedError('The database was replaced by another one. Start this worker again.'));
    } else if (standing.mark < known) await startHold(database, 'older', known);
  }

  function complain(error: unknown): void {
    if (performance.now() - complainedAt < 60_000) return;
    complainedAt = performance.now();
    log.error({ err: error }, 'the high-water mark cannot be raised: no letter is taken');
  }

  const raiseOnce = () => {
    raising ??= raise().finally(() => {
      raising = undefined;
    });
    return raising;
  };

  /** One that is under way may have begun before the last letter was claimed: another one follows it. */
  async function raiseAfterLast(): Promise<void> {
    await raising?.catch(() => {});
    await raiseOnce().catch(() => {}); // the next letter raises it
  }

  return {
    async cover() {
      if (performance.now() - raisedAt > covers) await raiseOnce();
      clearTimeout(closing);
      // also when nothing had to be raised for this one: it may be the last
      closing = setTimeout(() => {
        closing = undefined;
        closed = raiseAfterLast();
      }, covers);
      return lost ? nothing : known;
    },
    async isLost() {
      if (lost) await raiseOnce();
      return lost;
    },
    wasLost: () => lost,
    async close() {
      clearTimeout(closing);
      await (closing ? raiseAfterLast() : closed);
    },
  };
}
