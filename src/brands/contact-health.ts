import { type Database, type Queryable, statement } from '../db/database.ts';

/**
 * When a contact is taken for broken. One letter may fail for a reason of its own; several in a row, with none
 * delivered between them, fail because of the address, and the next ones had better wait than come back one by
 * one. Failures that pass (4.x.x) say nothing about the address and never count.
 */
export const suspension = { failures: 3, withinDays: 14 } as const;

/**
 * The SQL that counts letters which a contact refused for good, and suspends it when they are too many: part of
 * a `with` list. Each letter fails once at most, so as many failures are as many letters.
 *
 * @param failed a query with the columns `contact_id, n`
 */
export function countFailures({ name, failed }: { name: string; failed: string }): string {
  const total = `case when failed_at > now() - interval '${suspension.withinDays} days' then failures else 0 end + failed.n`;
  return `
  ${name} as (
    update contact set
      failures = least(${total}, 1000), failed_at = now(),
      health = case when ${total} >= ${suspension.failures} then 'suspended' else health end,
      suspended_at = case when ${total} >= ${suspension.failures} and health = 'good' then now() else suspended_at end
    from (${failed}) as failed
    where contact.id = failed.contact_id
  )`;
}

const isTooMany = `not $2 and refusals + $3 >= ${suspension.failures}`;
const refuse = statement<{ refusals: number }>(`
  update contact set
    refusals = case when $2 then 0 else least(refusals + $3, 1000) end,
    health = case when ${isTooMany} then 'suspended' else health end,
    suspended_at = case when ${isTooMany} and health = 'good' then now() else suspended_at end
  where id = $1
  returning refusals`);

/** What became of some letters to a contact: whether one was taken, and how many a mail server refused at once. */
type AtOnce = { isTaken: boolean; refused: number };

/**
 * Whether outcomes change a contact's row of refusals. As long as all goes well, the database is not asked.
 *
 * @param contact with as many refusals as it had when this was last asked
 */
export function areAboutContact({ refusals }: { refusals: number }, { isTaken, refused }: AtOnce): boolean {
  return isTaken ? refusals > 0 : refused > 0;
}

/**
 * Counts letters which a mail server refused at once, and suspends the contact when they are too many in a row. A letter
 * that is taken ends the row. What came back afterwards is counted apart, since a relay takes letters that come back.
 *
 * @returns how many it has now
 */
export async function heedRefusals(
  transaction: Queryable,
  contactId: number,
  { isTaken, refused }: AtOnce,
): Promise<number> {
  return (await transaction.row(refuse, [contactId, isTaken, refused]))?.refusals ?? 0;
}

/** Whether so many refusals in a row have suspended a contact. */
export const isSuspendedAfter = (refusals: number) => refusals >= suspension.failures;

/** The SQL that forgets a contact's failures, since a letter was delivered there. `delivered` returns `contact_id`. */
export function forgetFailures({ name, delivered }: { name: string; delivered: string }): string {
  return `
  ${name} as (
    update contact set failures = 0
    where id in (${delivered}) and failures > 0
  )`;
}

/** Letters that came back, and letters that were refused at once. */
type Failed = { id: number; failures: number; refusals: number };

const tell = statement<Failed>(`
  update contact set suspension_told = true
  where health = 'suspended' and not suspension_told
  returning id, failures, refusals`);

/** Contacts that were suspended since the last time somebody asked. */
export async function newlySuspended(db: Queryable): Promise<Failed[]> {
  return db.rows(tell);
}

type Suspended = Failed & {
  brand: string;
  suspended_at: Date | null;
  /** Letters of its brand that are ready or deferred. */
  waiting: number;
};

const list = statement<Suspended>(`
  with line as materialized (
    select campaign_id, brand_id, count(*) as n from waiting_letter group by campaign_id, brand_id
  )
  select contact.id, brand.slug as brand, failures, refusals, suspended_at, (
    select coalesce(sum(n), 0)::int from line join campaign_brand using (campaign_id, brand_id)
    where campaign_brand.contact_id = contact.id
  ) as waiting
  from contact join brand on brand.id = contact.brand_id
  where health = 'suspended'
  order by contact.id`);

/** Contacts whose letters wait. Reads the whole line. */
export async function listSuspended(db: Database): Promise<Suspended[]> {
  return db.atLeisure((transaction) => transaction.rows(list));
}

const lift = statement<{ id: number }>(`
  update contact set health = 'good', failures = 0, refusals = 0, suspended_at = null, suspension_told = false
  where health = 'suspended' and ($1::bigint is null or id = $1)
  returning id`);

/**
 * Lets letters go again: those to one contact, or to all that are suspended.
 *
 * @returns how many contacts are good again
 */
export async function liftSuspensions(db: Queryable, id: string | 'all'): Promise<number> {
  return (await db.rows(lift, [id === 'all' ? null : id])).length;
}
