import { type Queryable, statement } from '../db/database.ts';

/**
 * Whether sending is on hold: one row in the database, read by every statement that lets something leave. So one
 * switch stops all workers, and a worker that is in the middle of a bundle claims no letter more.
 */

export const reasons = {
  older: 'the database is older than letters that were sent: it was restored from a backup',
  restored: 'the database was restored from a backup',
  'other database': 'the high-water mark in the data folder is that of another database',
  asked: 'somebody asked for it',
} as const;
export type Because = keyof typeof reasons;

export const whatToDo = 'Nothing is sent until you have run: npm run reconcile';

/** SQL: letters and notices may leave. */
export const going = '(select held_since is null from instance where one)';

/** SQL: on hold. */
export const held = '(select held_since is not null from instance where one)';

/** SQL: letters may leave, and the database is not behind what this worker has seen, whose number is `mark`. */
export const goingSince = (mark: string) =>
  `(select held_since is null and mark >= ${mark}::bigint from instance where one)`;

export type Standing = {
  id: string;
  mark: number;
  /** When the mark was raised last: after a restore, about when the backup was made. */
  markedAt: Date;
  outside: number;
  hold?: { since: Date; because: Because };
};

type Row = {
  id: string;
  mark: number;
  marked_at: Date;
  outside: number;
  held_since: Date | null;
  held_because: Because | null;
};

const read = statement<Row>(`
  select id, mark::float8 as mark, marked_at, outside::float8 as outside, held_since, held_because
  from instance where one`);

const raise = statement<{ mark: number }>(`
  update instance set mark = mark + 1, marked_at = now()
  where one and id = $1 and mark >= $2 and held_since is null
  returning mark::float8 as mark`);

// the first reason stays
const hold = statement(`
  update instance set held_since = coalesce(held_since, now()), held_because = coalesce(held_because, $1),
    outside = greatest(outside, $2)
  where one`);

/** Far above what any worker has written, also one that was not there when the hold was lifted. */
const leap = 1_000_000;

const lift = statement<{ mark: number }>(`
  update instance set mark = greatest(mark, outside, $1) + ${leap}, marked_at = now(), outside = 0,
    held_since = null, held_because = null
  where one and held_since is not null
  returning mark::float8 as mark`);

export async function readStanding(db: Queryable): Promise<Standing> {
  const row = await db.row(read);
  if (!row) throw new Error('the instance has no row');
  const { id, mark, marked_at: markedAt, outside, held_since: since, held_because: because } = row;
  return { id, mark, markedAt, outside, ...(since && because ? { hold: { since, because } } : {}) };
}

/** @returns the new mark; undefined: the database is on hold, older than `known`, or another one */
export async function raiseMark(db: Queryable, instance: string, known: number): Promise<number | undefined> {
  return (await db.row(raise, [instance, known]))?.mark;
}

/** Stops everything from leaving. */
export async function startHold(db: Queryable, because: Because, outside = 0): Promise<void> {
  await db.rows(hold, [because, outside]);
}

/** @returns the mark from which it goes on */
export async function liftHold(db: Queryable, outside: number): Promise<number | undefined> {
  return (await db.row(lift, [outside]))?.mark;
}
