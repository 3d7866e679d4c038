import { type Database, type Queryable, statement } from '../db/database.ts';
import { moveLetters, putBack } from './move.ts';

/** How long a bundle may lie without being taken before its job is taken for lost, in seconds. */
const lostJob = 10;

const heldBy = statement<{ id: string }>('select id::text from bundle where worker_id = $1');

// What a dead worker had claimed may have been sent: nobody can tell, so it is said to be unknown. What it had not
// claimed was surely not sent, and goes back to its old place.
const takeBack = statement<{ unknown: number; returned: number }>(`
  with orphan as (
    delete from bundle
    where worker_id = any ($1::int[]) or worker_id is not null and id = any ($2::bigint[])
      or worker_id is not null and not exists (select from worker where worker.id = worker_id)
    returning id, letter_ids
  ),
  ${moveLetters('loseSight', {
    name: 'lost',
    chosen: 'select unnest(letter_ids) from orphan',
    only: 'bundle_id = any (array(select id from orphan))',
  })},
  ${putBack({
    name: 'back',
    chosen: 'select unnest(letter_ids) from orphan',
    only: 'bundle_id = any (array(select id from orphan))',
  })},
  forgotten as (
    delete from worker where id = any ($1::int[])
  )
  select (select count(*)::int from lost) as unknown, (select count(*)::int from back) as returned`);

// Nobody took them, so nobody claims from them.
const outOfHours = statement(`
  with late as (
    delete from bundle using contact
    where worker_id is null and contact.id = contact_id
      and not is_within_hours(now(), sends_from, sends_until, time_zone)
    returning bundle.id, letter_ids
  ),
  ${putBack({
    name: 'back',
    chosen: 'select unnest(letter_ids) from late',
    only: 'bundle_id = any (array(select id from late))',
  })}
  select`);

/**
 * Puts letters back whose bundles lay in the queue until their contact's hours were over: when the queue or the relay
 * is back in the middle of the night, they must not leave then.
 */
export async function returnOutOfHours(db: Queryable): Promise<void> {
  await db.rows(outOfHours);
}

const untaken = statement<Untaken>(`
  select id::text, cardinality(letter_ids) as size,
    floor(greatest(0, log(2, extract(epoch from now() - released_at) / $2)))::int as again
  from bundle
  where worker_id is null and released_at < now() - $1 * interval '1 second'
  order by bundle.id limit 100`);

/** A bundle that nobody took; `again` counts how often the time that it has waited has doubled. */
export type Untaken = { id: string; size: number; again: number };

export type Sweep = {
  /** Letters whose fate became unknown, and letters that wait again. */
  unknown: number;
  returned: number;
  /** Their jobs shall be added once more, which does no harm if they exist. */
  untaken: Untaken[];
};

type Fallen = {
  /** Workers that are dead. */
  silent: readonly number[];
  /** This one, and whether it works on a bundle at this moment. */
  workerId: number;
  isActive: (bundleId: string) => boolean;
  /** Jobs were lost for sure, so bundles need not lie for a while first. */
  queueWasLost: boolean;
};

/**
 * Finds letters that fell out of the flow: in bundles of workers that died, in bundles that this worker
 * dropped, and in bundles whose job is gone because the queue was wiped or could not be reached. And those that were
 * not taken within their contact's hours.
 */
export async function sweepLetters(
  db: Database,
  { silent, workerId, isActive, queueWasLost }: Fallen,
): Promise<Sweep> {
  // Asked in this order, a bundle that is taken meanwhile is not among the held ones, or it is active.
  const held = await db.rows(heldBy, [workerId]);
  const dropped = held.map(({ id }) => id).filter((id) => !isActive(id));
  // One of the dead may turn out to be alive, and claim at this very moment: see onSnapshot.
  const swept = await db.onSnapshot((transaction) => transaction.row(takeBack, [silent, dropped]));
  await returnOutOfHours(db);
  return {
    unknown: swept?.unknown ?? 0,
    returned: swept?.returned ?? 0,
    untaken: await db.rows(untaken, [queueWasLost ? 0 : lostJob, lostJob]),
  };
}
