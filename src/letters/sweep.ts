import { type Database, type Queryable, statement } from '../db/database.ts';
import type { LetterId } from './letter.ts';
import type { Found } from './logbook.ts';
import type { Logbooks } from './logbooks.ts';
import { moveLetters, putBack } from './move.ts';
import { letStayedGo, recordSent } from './record-sent.ts';

/** How long a bundle may lie without being taken before its job is taken for lost, in seconds. */
const lostJob = 10;

const heldBy = statement<{ id: string }>('select id::text from bundle where worker_id = $1');

const isOrphan = `(
    worker_id = any ($1::int[]) or worker_id is not null and id = any ($2::bigint[])
    or worker_id is not null and not exists (select from worker where worker.id = worker_id))`;

type Orphan = { id: string; worker_id: number; logbook: string | null; letter_ids: LetterId[] };
const orphans = statement<Orphan>(
  `select id::text, worker_id, logbook::text, letter_ids from bundle where ${isOrphan}`,
);
const stillOrphans = statement<Pick<Orphan, 'id'>>(
  `select id::text from bundle where ${isOrphan} and id = any ($3::bigint[]) order by bundle.id for update`,
);

// What a dead worker had claimed may have been sent: if its logbook does not tell, nobody can, so it is said to be unknown.
// What it had not claimed was surely not sent, and goes back to its old place.
const takeBack = statement<{ unknown: number; returned: number }>(`
  with orphan as (
    delete from bundle where id = any ($2::bigint[]) returning id, letter_ids
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
      and not exists (select from bundle where worker_id = worker.id and bundle.id <> all ($2::bigint[]))
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
  /** Letters whose fate became unknown, letters whose fate a logbook told, and letters that wait again. */
  unknown: number;
  recorded: number;
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
  logbooks: Pick<Logbooks, 'takeOver' | 'discard'>;
  /**
   * Whether a bundle whose logbook tells nothing here has been left to others for long enough, who may know more: those that
   * share the dead worker's data folder.
   */
  hasWaited: (bundleId: string) => boolean;
  /** Jobs were lost for sure, so bundles need not lie for a while first. */
  queueWasLost: boolean;
};

/**
 * Finds letters that fell out of the flow: in bundles of workers that died, in bundles that this worker
 * dropped, and in bundles whose job is gone because the queue was wiped or could not be reached. And those that were
 * not taken within their contact's hours.
 */
export async function sweepLetters(db: Database, fallen: Fallen): Promise<Sweep> {
  const { workerId, isActive, queueWasLost } = fallen;
  // Asked in this order, a bundle that is taken meanwhile is not among the held ones, or it is active.
  const held = await db.rows(heldBy, [workerId]);
  const dropped = held.map(({ id }) => id).filter((id) => !isActive(id));
  const swept = await takeOrphansBack(db, dropped, fallen);
  await returnOutOfHours(db);
  return { ...swept, untaken: await db.rows(untaken, [queueWasLost ? 0 : lostJob, lostJob]) };
}

async function takeOrphansBack(
  db: Database,
  dropped: string[],
  { silent, logbooks, hasWaited }: Fallen,
): Promise<Omit<Sweep, 'untaken'>> {
  const found = new Map<string, Found & { logbook: string; stayed: LetterId[] }>();
  const ids: string[] = [];
  for (const { id, logbook, letter_ids } of await db.rows(orphans, [silent, dropped])) {
    const says = logbook === null ? undefined : logbooks.takeOver(logbook, id);
    const left = says?.left;
    if (logbook !== null && !left && !hasWaited(id)) continue;
    ids.push(id);
    if (logbook === null || !says) continue;
    // one may have been refused before a byte of it left
    const hasAnswer = new Set(says.landed.map((sent) => sent.id));
    const stayed = left ? letter_ids.filter((letter) => !left.has(letter) && !hasAnswer.has(letter)) : [];
    found.set(id, { ...says, logbook, stayed });
  }
  // One of the dead may turn out to be alive, and claim at this very moment: see onSnapshot.
  const { still, ...swept } = await db.onSnapshot(async (transaction) => {
    const still = (await transaction.rows(stillOrphans, [silent, dropped, ids])).map(({ id }) => id);
    // all at once: all people are locked before any letter, as by those who erase somebody
    const letGo = await letStayedGo(
      transaction,
      still.flatMap((bundleId) => (found.get(bundleId)?.stayed ?? []).map((id) => ({ id, bundleId }))),
    );
    let recorded = 0;
    for (const id of still)
      recorded += (await recordSent(transaction, id, found.get(id)?.landed ?? [])).length;
    const { unknown = 0, returned = 0 } = (await transaction.row(takeBack, [silent, still])) ?? {};
    return { still, unknown, recorded, returned: returned + letGo };
  });
  for (const id of still) {
    const logbook = found.get(id)?.logbook;
    if (logbook) logbooks.discard(logbook, id);
  }
  return swept;
}

/** What was asked for again and again, without a longer pause, for so many milliseconds of a clock that nobody sets. */
export function createPatience(milliseconds: number) {
  const pause = 10_000;
  let asked = new Map<string, { since: number; last: number }>();
  return {
    isOver(key: string, now: number): boolean {
      asked = new Map([...asked].filter(([, { last }]) => now - last < pause));
      const since = asked.get(key)?.since ?? now;
      asked.set(key, { since, last: now });
      return now - since >= milliseconds;
    },
  };
}

const known = statement<{ id: string; logbook: string }>(
  'select id::text, logbook::text from bundle where id = any ($1::bigint[]) and logbook is not null',
);

/** Removes logbooks whose bundles are over: of a worker that died between the two. */
export async function clearLogbooks(
  db: Queryable,
  logbooks: Pick<Logbooks, 'old' | 'discard'>,
): Promise<void> {
  const old = await logbooks.old();
  if (old.length === 0) return;
  const needed = await db.rows(known, [old.map(({ bundleId }) => bundleId)]);
  for (const { name, bundleId } of old) {
    if (!needed.some(({ id, logbook }) => id === bundleId && logbook === name))
      logbooks.discard(name, bundleId);
  }
}
