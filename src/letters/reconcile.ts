import { type Database, statement } from '../db/database.ts';
import { inParts } from '../db/in-parts.ts';
import { openTokens, type Sealed } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';
import { handleOf } from './alias.ts';
import { confirmLetters } from './confirm-letters.ts';
import { moveLetters, putBack, takeOutOfLine } from './move.ts';
import { betweenReleases } from './release-letters.ts';
import { expireDrafts, expireDraftsBeforeHold, untilNone } from './retention.ts';
import { takeBackAgain } from './take-back-again.ts';
import { countUnknown, type Evidence, resolveUnknown } from './unknown-letters.ts';

/**
 * What becomes of the letters of a restored database, letter by letter (docs/decisions/0016). Old are those of
 * people who wrote before sending was put on hold: what the database believes of them may be out of date. The
 * others were written since, and were surely not sent.
 */

// a letter whose writer was erased while it was being handed over is old as well
const old = `not exists (
  select from advocate, instance where advocate.id = advocate_id and created_at >= held_since)`;

const count = statement<Survey>(`
  with line as (
    select count(*) filter (where is_old)::int as waiting, count(*) filter (where not is_old)::int as new
    from (
      select coalesce(created_at < held_since, true) as is_old
      from waiting_letter join letter on letter.id = letter_id
      left join advocate on advocate.id = advocate_id cross join instance
    ) as letter
  )
  select waiting, new,
    (select coalesce(sum(cardinality(letter_ids)), 0)::int from bundle) as "onTheirWay",
    (select count(*)::int from advocate join letter on advocate_id = advocate.id cross join instance
      where confirmed_at is null and letter.state = 'draft' and coalesce(created_at < held_since, true)) as drafts
  from line`);

export type Survey = {
  /** Old letters that wait, those in bundles, and those that nobody confirmed. */
  waiting: number;
  onTheirWay: number;
  drafts: number;
  /** Confirmed letters that were written since the hold began. */
  new: number;
};

/** What the database believes. It must be on hold. Reads all that wait, and all drafts. */
export async function surveyLetters(db: Database): Promise<Survey> {
  const survey = await db.atLeisure((transaction) => transaction.row(count));
  if (!survey) throw new Error('the letters could not be counted');
  return survey;
}

// Bundles of workers that are gone. What was claimed in them had left, as far as we know.
const emptyBundles = statement(`
  with gone as (delete from bundle returning letter_ids),
  ${moveLetters('loseSight', { name: 'lost', chosen: 'select unnest(letter_ids) from gone' })},
  ${putBack({ name: 'back', chosen: 'select unnest(letter_ids) from gone' })}
  select`);

// Whoever has a letter that was sent had confirmed; and with that one all others.
const confirmedSince = statement<Sealed & { tokens: Buffer }>(`
  select distinct on (advocate.id) submission, data_key, key_version, tokens
  from letter join advocate on advocate.id = advocate_id
  where message_id = any ($1::text[]) and confirmed_at is null`);

// Both begin with few rows and look the others up by key, whatever the planner believes.
const doubtAll = statement<{ n: number }>(`
  with old as materialized (
    select waiting_letter.ctid as place, letter_id
    from waiting_letter, lateral (select advocate_id from letter where id = letter_id offset 0) as letter
    where ${old}
    limit 1000
    for update of waiting_letter
  ),
  ${moveLetters('doubt', { name: 'doubtful', chosen: 'select letter_id from old', set: 'due_at = null' })},
  not_waiting as (
    delete from waiting_letter where ctid = any (array(select place from old))
  )
  select count(*)::int as n from doubtful`);

const doubtSome = statement<{ n: number }>(`
  with named as materialized (
    select id, campaign_id, brand_id, due_at from letter where message_id = any ($1::text[]) and ${old}
  ),
  ${moveLetters('doubt', { name: 'doubtful', chosen: 'select id from named', set: 'due_at = null' })},
  line as (
    select named.* from named where id = any (array(select id from doubtful))
  ),
  ${takeOutOfLine('line')}
  select count(*)::int as n from doubtful`);

// Nobody can tell whether people who had not confirmed did so after the backup was made, and their letters went out.
// Their link must not send them again; it says that it is not good any more. These did, and their campaign is not open.
// In the order in which people are locked: they are dropped a few at a time, in one transaction.
const unconfirmedWriters = statement<{ id: string }>(`
  with named as materialized (
    select distinct advocate_id from letter where message_id = any ($1::text[])
  )
  select id::text from named, lateral (
    select id from advocate
    where id = advocate_id and confirmed_at is null and created_at < (select held_since from instance where one)
    offset 0
  ) as advocate
  order by advocate.id`);

// Answers to brands that may have left since: only their writers can say that they go again.
const doubtAnswers = (which: string) =>
  statement(`
  update reply set state = 'unknown', state_at = now()
  where direction = 'from advocate' and state in ('waiting', 'sending')
    and at < (select held_since from instance where one) and ${which}`);
const doubtAllAnswers = doubtAnswers('true');
const doubtSomeAnswers = doubtAnswers('handle = any ($1::text[])');

export type Known = {
  /** Letters that a relay has taken. */
  accepted: Evidence[];
  /** Everything that was sent since the backup is among them: what is not, was not sent. */
  complete: boolean;
};

export type Reconciled = {
  accepted: number;
  /** All letters that are unknown now. */
  unknown: number;
  /** Old letters that go on waiting, and drafts that were dropped. */
  waiting: number;
  dropped: number;
  /** What people had taken back. */
  erased: number;
  cancelled: number;
};

/** Message-IDs in one statement. */
const atOnce = 1000;

/**
 * Brings the letters of a restored database in line with what was really sent: accepted where a relay's log has
 * them, unknown where nobody can tell. It may be broken off and run again; sending must be on hold.
 */
export async function reconcileLetters(
  parts: { database: Database; vault: Vault },
  dataDir: string,
  { accepted, complete }: Known,
): Promise<Reconciled> {
  const { database, vault } = parts;
  await betweenReleases(database, (transaction) => transaction.rows(emptyBundles));
  const takenBack = await takeBackAgain(parts, dataDir);

  let found = 0;
  let dropped = 0;
  for (const some of inParts(accepted, atOnce)) {
    const ids = some.flatMap((one) => ('messageId' in one ? [one.messageId] : []));
    await database.rows(doubtSomeAnswers, [ids.map(handleOf)]); // that log has them, whether it is complete or not
    const people = await database.rows(confirmedSince, [ids]);
    for (const person of people) await confirmLetters(database, vault, [openTokens(vault, person).confirm]);
    await betweenReleases(database, async (transaction) => {
      const writers = await transaction.rows(unconfirmedWriters, [ids]);
      const writerIds = writers.map(({ id }) => id);
      dropped += await expireDrafts(transaction, writerIds);
      await transaction.rows(doubtSome, [ids]);
      found += (await resolveUnknown(transaction, some)).accepted;
    });
  }
  if (!complete) {
    await database.rows(doubtAllAnswers);
    // in this order, since drafts can be confirmed until they are dropped, and are letters that wait then
    dropped += await expireDraftsBeforeHold(database);
    await untilNone(() => betweenReleases(database, (transaction) => transaction.row(doubtAll)));
  }
  const { waiting } = await surveyLetters(database);
  const unknown = await countUnknown(database);
  return { accepted: found, unknown, waiting, dropped, ...takenBack };
}
