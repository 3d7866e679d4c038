import { type Database, type Queryable, statement } from '../db/database.ts';
import { moveLetters } from './move.ts';
import { patience } from './retry.ts';

/** How many letters one bundle holds at most. */
export const bundleSize = 100;

/** How many bundles may be on their way at once: enough to keep every worker busy, few enough to lose cheaply. */
const bundlesAtOnce = 40;

/** A pace is kept over this window: that much of an hour's letters may leave at once, in seconds. */
const burst = 60;

export type Bundle = { id: string; size: number };

// Only one release at a time keeps the pace of a contact; whoever finds the lock taken comes back later.
const onlyRelease = statement<{ free: boolean }>(
  `select pg_try_advisory_xact_lock(hashtext('outspoken release')) as free`,
);

const fallDue = statement(`
  with due as (
    select letter_id, waiting_letter.due_at, first_tried_at <= now() - interval '${patience} seconds' as too_late
    from waiting_letter join letter on letter.id = letter_id
    where deferred and waiting_letter.due_at <= now()
    limit 500
    for update of waiting_letter skip locked
  ),
  ${moveLetters('abandon', { name: 'given_up', chosen: 'select letter_id from due where too_late' })},
  ${moveLetters('fallDue', { name: 'again', chosen: 'select letter_id from due where not too_late' })},
  given_up_waiting as (
    delete from waiting_letter using due
    where deferred and waiting_letter.due_at = due.due_at and waiting_letter.letter_id = due.letter_id and too_late
  )
  update waiting_letter set deferred = false
  from due
  where deferred and waiting_letter.due_at = due.due_at and waiting_letter.letter_id = due.letter_id and not too_late`);

type Counter = {
  campaign_id: number;
  brand_id: number;
  contact_id: number;
  /** Letters per hour; null: any number. */
  hourly_pace: number | null;
  /** How far this contact's pace is used up, in seconds from now; negative: not at all. */
  ahead: number;
};

// Cost: one index probe per brand of a campaign that sends, however many letters wait.
const counters = statement<Counter>(`
  select campaign_id, campaign_brand.brand_id, contact.id as contact_id, hourly_pace,
    greatest(extract(epoch from released_until - now()), -1e6)::float8 as ahead
  from campaign_brand
  join campaign on campaign.id = campaign_id and campaign.state in ('open', 'closed')
  join contact on contact.id = contact_id and contact.kind = 'email' and contact.health = 'good'
  where exists (
    select from waiting_letter
    where waiting_letter.campaign_id = campaign_brand.campaign_id
      and waiting_letter.brand_id = campaign_brand.brand_id and not deferred and due_at <= now()
  )
  order by random()`);

const bundlesOpen = statement<{ n: number }>(`select count(*)::int as n from bundle`);

const release = statement<Bundle>(`
  with chosen as (
    delete from waiting_letter where ctid = any (array(
      select ctid from waiting_letter
      where campaign_id = $1 and brand_id = $2 and not deferred and due_at <= now()
      order by due_at, letter_id limit $4
      for update skip locked))
    returning letter_id
  ),
  ${moveLetters('release', { name: 'released', chosen: 'select letter_id from chosen', set: 'contact_id = $3' })},
  paced as (
    update contact set released_until = greatest(released_until, now())
      + (select count(*) from released) * interval '1 hour' / hourly_pace
    where id = $3 and hourly_pace is not null
  )
  insert into bundle (campaign_id, brand_id, contact_id, letter_ids)
  select $1, $2, $3, array_agg(id) from released having count(*) > 0
  returning id::text, cardinality(letter_ids) as size`);

/**
 * The gate: moves letters that are due from `ready` to `queued`, in bundles, at each contact's pace, and in
 * turns between campaigns and brands, so that a large one does not keep a small one waiting. Nothing here
 * talks to the queue: the caller adds a job per bundle once this is committed, and the sweep does if it cannot.
 *
 * @returns the bundles that were made; none while enough are on their way, or while another worker releases
 */
export async function releaseLetters(db: Database): Promise<Bundle[]> {
  return db.transaction(async (transaction) => {
    if (!(await transaction.row(onlyRelease))?.free) return [];
    await transaction.rows(fallDue);
    const bundles: Bundle[] = [];
    const room = bundlesAtOnce - ((await transaction.row(bundlesOpen))?.n ?? 0);
    let turns = room > 0 ? await transaction.rows(counters) : [];
    while (turns.length > 0) {
      const again: Counter[] = [];
      for (const counter of turns) {
        if (bundles.length >= room) return bundles;
        const bundle = await releaseOne(transaction, counter);
        if (!bundle) continue;
        bundles.push(bundle);
        counter.ahead = Math.max(counter.ahead, 0) + (bundle.size * 3600) / (counter.hourly_pace ?? Infinity);
        if (bundle.size === bundleSize) again.push(counter);
      }
      turns = again;
    }
    return bundles;
  });
}

async function releaseOne(transaction: Queryable, counter: Counter): Promise<Bundle | undefined> {
  const size = Math.min(bundleSize, allowance(counter.hourly_pace, counter.ahead));
  if (size < 1) return undefined;
  return transaction.row(release, [counter.campaign_id, counter.brand_id, counter.contact_id, size]);
}

/**
 * How many letters a contact may get now (generic cell rate algorithm): as many as keep it no more than
 * `burst` seconds ahead of its pace, and one whenever it is not ahead at all.
 *
 * @param hourlyPace letters per hour; null: any number
 * @param ahead how far the contact is ahead of its pace, in seconds; negative: behind
 */
export function allowance(hourlyPace: number | null, ahead: number): number {
  if (hourlyPace === null) return Infinity;
  const interval = 3600 / hourlyPace;
  const tolerance = Math.max(burst, interval);
  return Math.max(0, Math.floor((tolerance - Math.max(ahead, 0)) / interval + 1e-9));
}
