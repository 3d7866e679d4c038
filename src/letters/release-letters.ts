import { type Database, type Queryable, statement } from '../db/database.ts';
import { going } from '../hold/hold.ts';
import { moveLetters } from './move.ts';
import { allowance, spacing } from './pace.ts';
import { takeProbe } from './receiver-store.ts';
import { patience } from './retry.ts';

/** How many letters one bundle holds at most; and on average at least, where they come faster than they are released. */
const [bundleSize, nearlyFull] = [200, 150];

/** How many bundles may be on their way at once: enough to keep every worker busy, few enough to lose cheaply. */
const bundlesAtOnce = 40;

export type Bundle = { id: string; size: number };

const lock = "hashtext('outspoken release')";

/**
 * Rounds of all workers together come as far apart as this, in milliseconds: `least` after a quiet time, and twice as
 * far after each round that came soon after another, up to `most`. So what comes alone is not kept waiting, and what
 * comes in crowds shares bundles: one of thirty costs little more than one of three.
 */
export const apart = { least: 125, most: 1000 };

// Where nobody has anything to send, it is half as long. Where the last round's bundles were nearly full, or there was no
// room for more, haste makes none smaller, and eight that wait to be taken keep all workers busy until the next ones are there.
const ranDry = 'not exists (select from bundle where worker_id is null)';
const runsLow = '(select count(*) from (select from bundle where worker_id is null limit 8) as few) < 8';
const isTime = `(
  select now() >= released_at + gap
    or more_waited and ${runsLow}
    or now() >= released_at + gap / 2 and ${ranDry}
    or now() < released_at -- the clock was set back
  from release_round where one)`;

const timeToRelease = statement<{ is_time: boolean }>(`select ${isTime} as is_time`);

/** Whether rounds would come far enough apart if the next one began now. A worker may ask this as often as it likes. */
export async function isTimeToRelease(db: Queryable): Promise<boolean> {
  return (await db.row(timeToRelease))?.is_time ?? true;
}

const millisecond = "interval '1 millisecond'";
const haveReleased = statement(`
  update release_round set released_at = now(), more_waited = $1,
    gap = case when now() < released_at + 2 * gap then least(2 * gap, ${apart.most} * ${millisecond})
      else ${apart.least} * ${millisecond} end
  where one`);

// Only one release at a time keeps the pace of a contact; whoever finds the lock taken comes later. On hold, nothing is done.
const onlyRelease = statement<{ free: boolean }>(
  `select ${going} and ($1 or ${isTime}) and pg_try_advisory_xact_lock(${lock}) as free`,
);

const waitForRelease = statement(`select pg_advisory_xact_lock(${lock})`);

/**
 * Does something in a transaction of its own, during which no letter is released: releasing locks letters in an order of
 * its own, so that it and what locks them in another one could wait for each other for ever. It never waits for this.
 */
export function betweenReleases<Result>(
  database: Database,
  work: (transaction: Queryable) => Promise<Result>,
): Promise<Result> {
  return database.transaction(async (transaction) => {
    await transaction.rows(waitForRelease);
    return work(transaction);
  });
}

// A letter that was tried goes before all that were not, since its days are counted and theirs have not begun.
// So it is also the first to be a probe, and a host that wants to see a letter twice does.
const ahead = (due: string) => `coalesce(first_tried_at, ${due}) - interval '${patience} seconds'`;

// Each letter is looked up for the line that it stands in: a plan that was made while there were no letters would as
// soon look up the line for each letter, of which there are many more. And the line is changed where it was read: a plan
// from a time in which none was put off would as soon go through all that were.
const fallDue = statement(`
  with ended as materialized (
    select ctid as row, letter_id, due_at from waiting_letter
    where deferred and due_at <= now()
    limit 500
    for update skip locked
  ),
  due as (
    select ended.row, letter_id, ${ahead('ended.due_at')} as place,
      -- whoever erased a letter while it was being handed over took its words along: it cannot be tried again
      advocate_id is null
        -- by what was planned, not by the clock: days in which it could not be tried are not days of trying
        or first_tried_at <= ended.due_at - interval '${patience} seconds' as too_late
    from ended, lateral (select advocate_id, first_tried_at from letter where id = letter_id offset 0) as letter
  ),
  ${moveLetters('abandon', { name: 'given_up', chosen: 'select letter_id from due where too_late' })},
  ${moveLetters('fallDue', {
    name: 'again',
    chosen: 'select letter_id from due where not too_late',
    set: `due_at = ${ahead('due_at')}`,
  })},
  given_up_waiting as (
    delete from waiting_letter where ctid = any (array(select due.row from due where too_late))
  )
  update waiting_letter set deferred = false, due_at = place from due where ctid = due.row and not too_late`);

type Counter = {
  campaign_id: number;
  brand_id: number;
  contact_id: number;
  /** Letters per hour; null: any number. */
  hourly_pace: number | null;
  /** How far this contact's pace is used up, in seconds from now; negative: not at all. */
  ahead: number;
  /** The contact's receiving host, if it asked to be left alone and it is time for a probe. */
  probes: string | null;
};

// Cost: one index probe per brand of a campaign that sends, however many letters wait. Whoever has the fewest
// bundles on their way comes first, so that a launch which fills the queue does not keep a single letter out.
const counters = statement<Counter>(`
  with under_way as materialized (
    select campaign_id, brand_id, count(*) as bundles from bundle group by campaign_id, brand_id
  )
  select campaign_brand.campaign_id, campaign_brand.brand_id, contact.id as contact_id, hourly_pace,
    greatest(extract(epoch from released_until - now()), -1e6)::float8 as ahead, receiver.domain as probes
  from campaign_brand
  join campaign on campaign.id = campaign_brand.campaign_id and campaign.state in ('open', 'closed')
  join contact on contact.id = contact_id and contact.kind = 'email' and contact.health = 'good'
    and is_within_hours(now(), sends_from, sends_until, time_zone)
  left join under_way on under_way.campaign_id = campaign.id and under_way.brand_id = campaign_brand.brand_id
  left join receiver on receiver.domain = contact.domain and probe_at is not null
  -- what lies in the queue while a part is away must not add up, and leave all at once when that is back
  where (hourly_pace is null or not exists (select from bundle where bundle.contact_id = contact.id))
    and (probe_at is null or probe_at <= now() and not exists (select from bundle where probes = receiver.domain))
    and exists (
      select from waiting_letter
      where waiting_letter.campaign_id = campaign_brand.campaign_id
        and waiting_letter.brand_id = campaign_brand.brand_id and not deferred and due_at <= now()
    )
  order by coalesce(bundles, 0), random()`);

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
  fresh as materialized (
    select nextval(pg_get_serial_sequence('bundle', 'id')) as id
  ),
  ${moveLetters('release', {
    name: 'released',
    chosen: 'select letter_id from chosen',
    set: 'contact_id = $3, bundle_id = (select id from fresh)',
  })},
  paced as (
    update contact set released_until = greatest(released_until, now())
      + (select count(*) from released) * $5 * interval '1 second'
    where id = $3 and $5::float8 > 0
  )
  insert into bundle (id, campaign_id, brand_id, contact_id, letter_ids, probes)
  overriding system value
  select (select id from fresh), $1, $2, $3, array_agg(id), $6 from released having count(*) > 0
  returning id::text, cardinality(letter_ids) as size`);

/**
 * The gate: moves letters that are due from `ready` to `queued`, in bundles, at each contact's pace and within
 * its hours, and in turns between campaigns and brands, so that a large one does not keep a small one waiting.
 * To a host that asked to be left alone goes a single letter now and then. Nothing here talks to the queue: the
 * caller adds a job per bundle once this is committed, and the sweep does if it cannot.
 *
 * @param when 'in turn': only when it is time (`isTimeToRelease`)
 * @returns the bundles that were made; none while enough are on their way, or while another worker releases
 */
export async function releaseLetters(
  db: Database,
  when: 'at once' | 'in turn' = 'at once',
): Promise<Bundle[]> {
  return db.transaction(async (transaction) => {
    if (!(await transaction.row(onlyRelease, [when === 'at once']))?.free) return [];
    await transaction.rows(fallDue);
    const room = bundlesAtOnce - ((await transaction.row(bundlesOpen))?.n ?? 0);
    const { bundles, moreWaits } = await fill(room, transaction);
    if (bundles.length > 0) await transaction.rows(haveReleased, [moreWaits]);
    return bundles;
  });
}

/** Makes as many bundles as there is room for, in turns. `moreWaits`: for certain, or as many were found. */
async function fill(
  room: number,
  transaction: Queryable,
): Promise<{ bundles: Bundle[]; moreWaits: boolean }> {
  const bundles: Bundle[] = [];
  let turns = room > 0 ? await transaction.rows(counters) : [];
  const aheadOf = new Map(turns.map(({ contact_id, ahead }) => [contact_id, ahead]));
  while (turns.length > 0) {
    const again: Counter[] = [];
    for (const counter of turns) {
      if (bundles.length >= room) return { bundles, moreWaits: true };
      const bundle = await releaseOne(transaction, counter, aheadOf);
      if (!bundle) continue;
      bundles.push(bundle);
      if (bundle.size === bundleSize) again.push(counter);
    }
    turns = again;
  }
  const released = bundles.reduce((sum, { size }) => sum + size, 0);
  return { bundles, moreWaits: released >= nearlyFull * bundles.length };
}

/** @param aheadOf how far each contact is ahead of its pace: two campaigns may write to the same one */
async function releaseOne(
  transaction: Queryable,
  { campaign_id, brand_id, contact_id, hourly_pace, probes }: Counter,
  aheadOf: Map<number, number>,
): Promise<Bundle | undefined> {
  const ahead = Math.max(0, aheadOf.get(contact_id) ?? 0);
  const allowed = Math.min(bundleSize, allowance(hourly_pace, ahead));
  if (allowed < 1 || (probes && !(await takeProbe(transaction, probes)))) return undefined;
  const each = spacing(hourly_pace);
  const size = probes ? 1 : allowed;
  const bundle = await transaction.row(release, [campaign_id, brand_id, contact_id, size, each, probes]);
  if (bundle) aheadOf.set(contact_id, ahead + bundle.size * each);
  return bundle;
}
