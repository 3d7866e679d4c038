import { type Database, type Queryable, type Statement, statement } from '../db/database.ts';
import { finalStates, states } from './letter.ts';
import { moveLetters } from './move.ts';

/** How long an unconfirmed draft is kept, and how long everything personal after a letter's end; in days. */
export const draftDays = 7;
export const personalDays = 28;

/** SQL: states that something still comes of. Of an unknown letter it may never, so its writer is not kept for it. */
const underway = `(${states
  .filter((state) => state !== 'unknown' && !finalStates.includes(state))
  .map((state) => `'${state}'`)
  .join(', ')})`;

/**
 * How many people one statement looks at, and how many it forgets: each may have written to hundreds of brands, and a
 * statement that takes too long is given up, would be given up each time, and nobody would be forgotten any more.
 */
const lookedAt = 2000;
const atOnce = 50;

/** Those looked at last, and whose time is over. */
type Looked = { at: string; due: string[] };

/** Looks at the next people, oldest first, after those of $1. Both are SQL. */
const lookThrough = (olderThan: string, isDue: string) =>
  statement<Looked>(`
  with looked as materialized (
    select id, created_at, confirmed_at from advocate
    where created_at > $1::timestamptz and created_at < ${olderThan}
    order by created_at
    fetch first ${lookedAt} rows with ties
  )
  select max(created_at)::text as at, coalesce(array_agg(id::text) filter (where ${isDue}), '{}') as due
  from looked having count(*) > 0`);

const expiring = (whenLocked: '' | 'skip locked') =>
  statement<{ n: number; letters: string[] }>(`
  with old as (
    select id from advocate where id = any ($1::bigint[]) and confirmed_at is null
    order by id for update ${whenLocked}
  ),
  written as materialized (
    select letter.id from old, lateral (select id from letter where advocate_id = old.id offset 0) as letter
  ),
  ${moveLetters('expire', { name: 'expired', chosen: 'select id from written' })},
  gone as (
    delete from advocate where id = any (array(select id from old)) returning id
  )
  select count(*)::int as n, array(select id::text from written) as letters from gone`);

const expire = expiring('skip locked');
/** Waits for whoever confirms at this moment, who has no draft any more then. */
const expireForSure = expiring('');

const unconfirmed = (olderThan: string) => lookThrough(olderThan, 'confirmed_at is null');
const oldDrafts = unconfirmed(`now() - interval '${draftDays} days'`);
const draftsBeforeHold = unconfirmed('(select held_since from instance where one)');

// Whoever answers a brand asks us to keep the letter's addresses; a brand that writes does not, since it could go on
// for ever. What came and went about a letter is deleted with the person.
const isDone = (advocate: string) => `confirmed_at is not null and not exists (
      select from letter where advocate_id = ${advocate}.id
        and (state in ${underway} or state_at > now() - interval '${personalDays} days')
    ) and not exists (
      select from reply where advocate_id = ${advocate}.id
        and direction = 'from advocate' and state <> 'draft' and at > now() - interval '${personalDays} days'
    )`;

const donePeople = lookThrough(`now() - interval '${personalDays} days'`, isDone('looked'));

const lockPeople = statement<{ id: string }>(`
  select id::text from advocate where id = any ($1::bigint[]) for update skip locked`);

const forgetDone = statement<{ n: number }>(`
  with gone as (
    delete from advocate where id = any ($1::bigint[]) and ${isDone('advocate')} returning id
  )
  select count(*)::int as n from gone`);

const allowScrub = statement("select set_config('outspoken.scrub', 'on', true)");

const hasTraces = `advocate_id is null and message_id is not null and state not in ${underway}`;
/** How many letters one statement strips. */
const strippedAtOnce = 200;
const lockSome = statement<{ id: string }>(`
  select id::text from letter where ${hasTraces} limit ${strippedAtOnce} for update skip locked`);
const lockThese = statement<{ id: string }>(`
  select id::text from letter where ${hasTraces} and id = any ($1::bigint[]) for update`);

// A letter without its advocate keeps what can be counted: campaign, brand, state and the day. One that was tried for days
// has hundreds of events.
const strip = statement(`
  with unwritten as (
    delete from event where letter_id = any ($1::bigint[])
  ),
  uncounted as (
    delete from came_back where letter_id = any ($1::bigint[])
  ),
  unpenned as (
    delete from pen where letter_id = any ($1::bigint[])
  )
  update letter set message_id = null, sent_sha256 = null, first_tried_at = null, due_at = null, bundle_id = null,
    state_at = date_trunc('day', state_at)
  where id = any ($1::bigint[])`);

const forgetCaps = statement(`
  delete from confirmation_cap
  where not exists (select from unnest(asked_at) asked where asked > now() - interval '24 hours')`);

/**
 * Removes what may no longer be kept (docs/privacy.md): drafts that nobody confirmed, people whose letters
 * have all come to their end a while ago, and the traces of letters whose writer is gone.
 *
 * @returns how many submissions expired, and how many people were forgotten
 */
export async function scrub(db: Database): Promise<{ expired: number; forgotten: number }> {
  const expired = await removeAll(db, oldDrafts, (ids) => letExpire(db, expire, ids));
  const forgotten = await removeAll(db, donePeople, (ids) => forget(db, ids));
  await untilNone(() => stripOrphans(db));
  await db.rows(forgetCaps);
  return { expired, forgotten };
}

/**
 * Lets all drafts expire that were written before sending was put on hold.
 *
 * @returns how many people are gone
 */
export function expireDraftsBeforeHold(db: Database): Promise<number> {
  return removeAll(db, draftsBeforeHold, (ids) => letExpire(db, expireForSure, ids));
}

/** Lets the drafts of these people expire, unless they have confirmed. @returns how many people are gone */
export function expireDrafts(transaction: Queryable, ids: string[]): Promise<number> {
  return remove(ids, (some) => letExpireWithin(transaction, expireForSure, some));
}

type Removal = (ids: string[]) => Promise<{ n: number } | undefined>;

async function removeAll(db: Queryable, look: Statement<Looked>, removal: Removal): Promise<number> {
  let gone = 0;
  let looked = await db.row(look, ['-infinity']);
  while (looked) {
    gone += await remove(looked.due, removal);
    looked = await db.row(look, [looked.at]);
  }
  return gone;
}

async function remove(ids: string[], removal: Removal): Promise<number> {
  let gone = 0;
  for (let from = 0; from < ids.length; from += atOnce)
    gone += (await removal(ids.slice(from, from + atOnce)))?.n ?? 0;
  return gone;
}

function letExpire(db: Database, expiry: typeof expire, ids: string[]): Promise<{ n: number }> {
  return db.transaction((transaction) => letExpireWithin(transaction, expiry, ids));
}

/**
 * The letters' traces go with their writers, and not later: the same form may be sent again, and brings letters with the
 * same Message-IDs.
 */
async function letExpireWithin(
  transaction: Queryable,
  expiry: typeof expire,
  ids: string[],
): Promise<{ n: number }> {
  const { n, letters } = (await transaction.row(expiry, [ids])) ?? { n: 0, letters: [] };
  for (let from = 0; from < letters.length; from += strippedAtOnce)
    await stripLetters(transaction, letters.slice(from, from + strippedAtOnce));
  return { n };
}

/**
 * Forgets those of these people who are done. Whatever begins anew for a person locks them first: who is locked at this
 * moment is busy, and for those whom this has locked nothing can begin. Only then another statement judges whether
 * they are done, since each one sees what was there when it began, and not what came while it was finding its way to
 * the lock.
 */
function forget(db: Database, ids: string[]): Promise<{ n: number } | undefined> {
  return db.transaction(async (transaction) => {
    const locked = await transaction.rows(lockPeople, [ids]);
    return transaction.row(forgetDone, [locked.map(({ id }) => id)]);
  });
}

/** Removes what belonged to these letters, whose advocate is gone. Needs a transaction. */
export async function stripLetters(transaction: Queryable, ids: string[]): Promise<void> {
  await removeTraces(transaction, await transaction.rows(lockThese, [ids]));
}

/** One round of removing what belonged to letters without an advocate. */
function stripOrphans(db: Database): Promise<{ n: number }> {
  return db.transaction(async (transaction) => removeTraces(transaction, await transaction.rows(lockSome)));
}

/** The letters are locked already, so that what mail about them left behind until then is seen, and no more comes. */
async function removeTraces(transaction: Queryable, letters: { id: string }[]): Promise<{ n: number }> {
  await transaction.rows(allowScrub);
  await transaction.rows(strip, [letters.map(({ id }) => id)]);
  return { n: letters.length };
}

/** Does a round again and again until one finds nothing; tells how many there were in all. */
export async function untilNone(round: () => Promise<{ n: number } | undefined>): Promise<number> {
  let total = 0;
  for (;;) {
    const n = (await round())?.n ?? 0;
    if (n === 0) return total;
    total += n;
  }
}
