import { type Database, type Queryable, statement } from '../db/database.ts';
import { moveLetters } from './move.ts';

/** A worker that was silent this long is taken for dead, in seconds. Far above a heartbeat, far below patience. */
const silence = 30;

/** How long a bundle may lie without being taken before its job is taken for lost, in seconds. */
const lostJob = 10;

const enlist = statement<{ id: number }>('insert into worker default values returning id');

const beat = statement<{ id: number }>('update worker set beat_at = now() where id = $1 returning id');

const retire = statement('delete from worker where id = $1');

// After an outage of the database every worker looks silent; they get as long as a silence to speak up again.
// What a dead worker had claimed may have been sent: nobody can tell, so it is said to be unknown. What it had
// not claimed was surely not sent, and goes back.
const sweepBundles = statement<{ unknown: number; returned: number }>(`
  with orphan as (
    delete from bundle
    where worker_id is not null and case
      when worker_id = $1 then id <> all ($2::bigint[])
      else pg_postmaster_start_time() < now() - interval '${silence} seconds' and not exists (
        select from worker where worker.id = worker_id and beat_at > now() - interval '${silence} seconds'
      ) end
    returning letter_ids
  ),
  ${moveLetters('loseSight', { name: 'lost', chosen: 'select unnest(letter_ids) from orphan' })},
  ${moveLetters('return', {
    name: 'back',
    chosen: 'select unnest(letter_ids) from orphan',
    set: 'due_at = now()',
    returning: 'id, campaign_id, brand_id, due_at',
  })},
  waiting as (
    insert into waiting_letter (letter_id, campaign_id, brand_id, due_at)
    select id, campaign_id, brand_id, due_at from back
  ),
  forgotten as (
    delete from worker where beat_at < now() - interval '1 day'
  )
  select (select count(*)::int from lost) as unknown, (select count(*)::int from back) as returned`);

const untaken = statement<{ id: string; size: number }>(`
  select id::text, cardinality(letter_ids) as size from bundle
  where worker_id is null and released_at < now() - interval '${lostJob} seconds'
  order by id limit 100`);

export type Sweep = {
  /** Letters whose fate became unknown, and letters that wait again. */
  unknown: number;
  returned: number;
  /** Bundles that nobody took: their jobs shall be added once more, which does no harm if they exist. */
  untaken: { id: string; size: number }[];
};

/** Signs a sending process on. */
export async function enlistWorker(db: Queryable): Promise<number> {
  const worker = await db.row(enlist);
  if (!worker) throw new Error('the worker was not signed on');
  return worker.id;
}

/** Says that the worker is alive. False: it was taken for dead, and must sign on anew. */
export async function beatWorker(db: Queryable, workerId: number): Promise<boolean> {
  return (await db.row(beat, [workerId])) !== undefined;
}

/** Signs it off; what it still held is swept at once by others. */
export async function retireWorker(db: Queryable, workerId: number): Promise<void> {
  await db.rows(retire, [workerId]);
}

/**
 * Finds letters that fell out of the flow: in bundles of workers that died, in bundles that this worker
 * dropped, and in bundles whose job is gone because the queue was wiped or could not be reached.
 *
 * @param active bundles that this worker is working on
 */
export async function sweepLetters(
  db: Database,
  workerId: number,
  active: readonly string[],
): Promise<Sweep> {
  const swept = await db.row(sweepBundles, [workerId, active]);
  return { unknown: swept?.unknown ?? 0, returned: swept?.returned ?? 0, untaken: await db.rows(untaken) };
}
