import { type Database, type Queryable, statement } from '../db/database.ts';
import { inParts } from '../db/in-parts.ts';
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
 * SQL: when this person goes, if nothing happens any more. What is under way ends now at the earliest, so until then it
 * need not be asked again. Whoever answers a brand asks us to keep the letter's addresses; a brand that writes does not,
 * since it could go on for ever. What came and went about a letter is deleted with the person.
 */
const goesAt = `case
    when confirmed_at is null then created_at + interval '${draftDays} days'
    else interval '${personalDays} days' + greatest(
      created_at,
      (select max(case when state in ${underway} then now() else state_at end)
        from letter where advocate_id = advocate.id),
      (select max(at) from reply
        where advocate_id = advocate.id and direction = 'from advocate' and state <> 'draft'))
  end`;

/**
 * How many people go at once: each may have written to hundreds of brands, and a statement that takes too long is given
 * up, would be given up each time, and nobody would be forgotten any more.
 */
const atOnce = 50;

type Looked = { id: string; at: string };

/** Locks the next people in this range of times, after the one of $1 and $2. Who is locked at this moment is busy. */
const look = (range: string) =>
  statement<Looked>(`
  select id::text, kept_until::text as at from advocate
  where (kept_until, id) > ($1::timestamptz, $2::bigint) and ${range}
  order by kept_until, advocate.id limit ${atOnce}
  for update skip locked`);
const lookAtDue = look('kept_until <= now()');
/** Nobody is kept until so late a time, unless a clock was ahead when it was found. */
const lookAtFarOff = look(`kept_until > now() + interval '${personalDays} days'`);

const judge = statement<{ id: string; is_draft: boolean }>(`
  select id::text, confirmed_at is null as is_draft from advocate
  where id = any ($1::bigint[]) and ${goesAt} <= now()`);

const forget = statement('delete from advocate where id = any ($1::bigint[])');

const keep = statement(`
  update advocate set kept_until = least(${goesAt}, now() + interval '${personalDays} days')
  where id = any ($1::bigint[])`);

/** Waits for whoever confirms at this moment, who has no draft any more then. */
const expire = statement<{ n: number; letters: string[] }>(`
  with old as (
    select id from advocate where id = any ($1::bigint[]) and confirmed_at is null
    order by id for update
  ),
  written as materialized (
    select letter.id from old, lateral (select id from letter where advocate_id = old.id offset 0) as letter
  ),
  ${moveLetters('expire', { name: 'expired', chosen: 'select id from written' })},
  gone as (
    delete from advocate where id = any (array(select id from old)) returning id
  )
  select count(*)::int as n, array(select id::text from written) as letters from gone`);

const draftsBeforeHold = statement<{ id: string }>(`
  select id::text from advocate
  where confirmed_at is null and created_at < (select held_since from instance where one)`);

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
  const gone = { expired: 0, forgotten: 0 };
  for (const range of [lookAtDue, lookAtFarOff]) {
    let last: Looked | undefined = { id: '0', at: '-infinity' };
    while (last) {
      const round: Round = await goThrough(db, range, last);
      gone.expired += round.expired;
      gone.forgotten += round.forgotten;
      last = round.last;
    }
  }
  await untilNone(() => stripOrphans(db));
  await db.rows(forgetCaps);
  return gone;
}

/** How many went, and who was looked at last; undefined: there was nobody. */
type Round = { expired: number; forgotten: number; last: Looked | undefined };

/**
 * Removes those of the next people whose time is over, and notes of the others until when they are kept at least.
 * Whatever begins anew for a person locks them first, so for those whom this has locked nothing can begin. Only then
 * another statement judges whether they are done, since each one sees what was there when it began, and not what came
 * while it was finding its way to the lock.
 */
function goThrough(db: Database, range: typeof lookAtDue, after: Looked): Promise<Round> {
  return db.transaction(async (transaction) => {
    const people = await transaction.rows(range, [after.at, after.id]);
    const ids = people.map(({ id }) => id);
    const over = await transaction.rows(judge, [ids]);
    const pick = (drafts: boolean) => over.filter(({ is_draft }) => is_draft === drafts).map(({ id }) => id);
    const expired = await expireDrafts(transaction, pick(true));
    const done = pick(false);
    await transaction.rows(forget, [done]);
    await transaction.rows(keep, [ids]);
    return { expired, forgotten: done.length, last: people.at(-1) };
  });
}

/**
 * Lets all drafts expire that were written before sending was put on hold.
 *
 * @returns how many people are gone
 */
export async function expireDraftsBeforeHold(db: Database): Promise<number> {
  const drafts = await db.atLeisure((transaction) => transaction.rows(draftsBeforeHold));
  let gone = 0;
  for (const some of inParts(drafts, atOnce)) {
    const ids = some.map(({ id }) => id);
    gone += await db.transaction((transaction) => expireDrafts(transaction, ids));
  }
  return gone;
}

/**
 * Lets the drafts of these people expire, unless they have confirmed. The letters' traces go with them, and not later:
 * the same form may be sent again, and brings letters with the same Message-IDs.
 *
 * @returns how many people are gone
 */
export async function expireDrafts(transaction: Queryable, ids: string[]): Promise<number> {
  let gone = 0;
  for (const some of inParts(ids, atOnce)) {
    const expired = await transaction.row(expire, [some]);
    gone += expired?.n ?? 0;
    for (const letters of inParts(expired?.letters ?? [], strippedAtOnce))
      await stripLetters(transaction, letters);
  }
  return gone;
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
