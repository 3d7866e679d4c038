import { type Database, type Queryable, statement } from '../db/database.ts';
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

const expireDrafts = statement<{ n: number }>(`
  with old as (
    select id from advocate
    where confirmed_at is null and created_at < now() - interval '${draftDays} days'
    limit 500
    for update skip locked
  ),
  ${moveLetters('expire', {
    name: 'expired',
    chosen: 'select letter.id from letter join old on old.id = advocate_id',
  })},
  gone as (
    delete from advocate where id in (select id from old) returning id
  )
  select count(*)::int as n from gone`);

// Whoever answers a brand asks us to keep the letter's addresses; a brand that writes does not, since it could go on
// for ever. What came and went about a letter is deleted with the person.
const forgetAdvocates = statement<{ n: number }>(`
  with done as (
    select id from advocate
    where confirmed_at is not null and created_at < now() - interval '${personalDays} days' and not exists (
      select from letter where advocate_id = advocate.id
        and (state in ${underway} or state_at > now() - interval '${personalDays} days')
    ) and not exists (
      select from reply where advocate_id = advocate.id
        and direction = 'from advocate' and state <> 'draft' and at > now() - interval '${personalDays} days'
    )
    limit 500
    for update skip locked
  ),
  gone as (
    delete from advocate where id in (select id from done) returning id
  )
  select count(*)::int as n from gone`);

const allowScrub = statement("select set_config('outspoken.scrub', 'on', true)");

// A letter without its advocate keeps what can be counted: campaign, brand, state and the day.
const stripLetters = statement<{ n: number }>(`
  with chosen as (
    select id from letter
    where advocate_id is null and message_id is not null and state not in ${underway}
    limit 1000
    for update skip locked
  ),
  stripped as (
    update letter set message_id = null, sent_sha256 = null, first_tried_at = null, due_at = null, bundle_id = null,
      state_at = date_trunc('day', state_at)
    where id = any (array(select id from chosen))
    returning id
  ),
  unwritten as (
    delete from event where letter_id = any (array(select id from chosen))
  ),
  uncounted as (
    delete from came_back where letter_id = any (array(select id from chosen))
  ),
  unpenned as (
    delete from pen where letter_id = any (array(select id from chosen))
  )
  select count(*)::int as n from stripped`);

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
  const expired = await untilNone(() => db.row(expireDrafts));
  const forgotten = await untilNone(() => db.row(forgetAdvocates));
  await untilNone(() => db.transaction(stripOrphans));
  await db.rows(forgetCaps);
  return { expired, forgotten };
}

/** One round of removing what belonged to letters without an advocate. Needs a transaction. */
export async function stripOrphans(transaction: Queryable): Promise<{ n: number } | undefined> {
  await transaction.rows(allowScrub);
  return transaction.row(stripLetters);
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
