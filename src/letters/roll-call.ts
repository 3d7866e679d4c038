import { type Queryable, statement } from '../db/database.ts';
import type { Place } from '../mail/share.ts';

/**
 * Which workers are alive. Each says so every two seconds, and holds a lock for as long as it is connected, which
 * PostgreSQL drops when its process dies.
 */

/** Said too seldom, in milliseconds: by a worker that is not even connected, and by one that is. */
const silence = { gone: 8000, stuck: 30_000 };

/** Who did not look for so long knows nothing about the silence of others. */
const lookedAway = 6000;

export type Standing = {
  id: number;
  /** When it last said that it is alive, in a form that changes each time. */
  beat: string;
  connected: boolean;
};

export type RollCall = {
  /**
   * Who is silent for too long.
   *
   * @param now milliseconds of a clock that is never set, such as `performance.now()`
   */
  silent(standings: readonly Standing[], now: number): number[];
};

/**
 * Watches the beats of workers. What counts is how long this process has seen no new one, by its own steady
 * clock: whatever happens to the clocks of the machines or to the database, nobody is taken for dead for it.
 */
export function createRollCall(): RollCall {
  let seen = new Map<number, { beat: string; since: number }>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  return {
    silent(standings, now) {
      if (now - lookedAt > lookedAway) seen = new Map();
      lookedAt = now;
      seen = new Map(
        standings.map(({ id, beat }) => {
          const before = seen.get(id);
          return [id, before?.beat === beat ? before : { beat, since: now }];
        }),
      );
      return standings
        .filter(({ id, connected }) => {
          const quiet = now - (seen.get(id)?.since ?? now);
          return quiet > (connected ? silence.stuck : silence.gone);
        })
        .map(({ id }) => id);
    },
  };
}

/** Where a worker stands among those that live; one that was forgotten by mistake counts itself. */
export function placeAmong(
  standings: readonly Standing[],
  silent: readonly number[],
  workerId: number,
): Place {
  const others = standings.filter(({ id }) => id !== workerId && !silent.includes(id));
  return { workers: others.length + 1, rank: others.filter(({ id }) => id < workerId).length };
}

const enlist = statement<{ id: number }>('insert into worker default values returning id');

// One that was taken for dead and forgotten is there again when it speaks up.
const beat = statement(`
  insert into worker (id, progress_at, in_the_air, queue_lost_at, mark_lost_at, relays_lost_at, got_on_at)
  overriding system value
  values ($1, now() - $3 * interval '1 millisecond', $2, case when $4 then now() end, case when $5 then now() end,
    case when $6 then now() end, now() - $7 * interval '1 millisecond')
  on conflict (id) do update set
    beat_at = now(), progress_at = excluded.progress_at, in_the_air = excluded.in_the_air,
    queue_lost_at = case when $4 then coalesce(worker.queue_lost_at, now()) end,
    mark_lost_at = case when $5 then coalesce(worker.mark_lost_at, now()) end,
    relays_lost_at = case when $6 then coalesce(worker.relays_lost_at, now()) end,
    got_on_at = excluded.got_on_at`);

const retire = statement('delete from worker where id = $1');

const lockName = "hashtext('outspoken worker')";

const call = statement<Standing>(`
  select id, beat_at::text as beat, exists (
    select from pg_locks
    where locktype = 'advisory' and granted and objsubid = 2
      and classid::bigint = ${lockName}::bigint & 4294967295 and objid::bigint = worker.id
      and database = (select oid from pg_database where datname = current_database())
  ) as connected
  from worker`);

/** What holds the lock of a worker on a connection of its own. */
export const holdLock = (workerId: number) => `select pg_advisory_lock_shared(${lockName}, ${workerId})`;

/** Signs a sending process on. */
export async function enlistWorker(db: Queryable): Promise<number> {
  const worker = await db.row(enlist);
  if (!worker) throw new Error('the worker was not signed on');
  return worker.id;
}

/**
 * How a worker is doing: how many letters are with a mail server, and for how long none was answered; for how long it
 * has waited for the database to release, claim or record letters.
 */
export type Condition = {
  inTheAir: number;
  quietFor: number;
  queueIsLost: boolean;
  markIsLost: boolean;
  relaysAreLost: boolean;
  stuckFor: number;
};

/** Says that the worker is alive. */
export async function beatWorker(db: Queryable, workerId: number, condition: Condition): Promise<void> {
  const { inTheAir, quietFor, queueIsLost, markIsLost, relaysAreLost, stuckFor } = condition;
  await db.rows(beat, [
    ...[workerId, inTheAir, Math.round(quietFor)],
    ...[queueIsLost, markIsLost, relaysAreLost, Math.round(stuckFor)],
  ]);
}

export async function callWorkers(db: Queryable): Promise<Standing[]> {
  return db.rows(call);
}

/** Signs it off; what it still held is swept at once by others. */
export async function retireWorker(db: Queryable, workerId: number): Promise<void> {
  await db.rows(retire, [workerId]);
}
