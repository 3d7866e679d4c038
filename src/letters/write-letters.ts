import { isTaken, type Queryable, statement } from '../db/database.ts';
import { openTokens, type Sealed, sealAdvocate, type Tokens } from '../people/advocate.ts';
import { mailboxMark, takeNotice } from '../people/confirmation-cap.ts';
import { hashToken, mintToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { letterHandle, messageIdOf } from './alias.ts';
import type { Submission } from './submission.ts';

// One statement is one transaction: people, letters, first events and confirmation notices are there together
// or not at all. The same submission again finds itself and adds nothing.
const store = statement<{ submission: Buffer }>(`
  with given as (
    select * from unnest($1::int[], $2::bytea[], $3::text[], $4::identity[], $5::bytea[], $6::smallint[],
      $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[],
      $13::bytea[], $14::int[], $15::text[], $16::text[])
    as given (campaign_id, submission, language, identity, data_key, key_version,
      address, said, tokens, confirm_hash, receipt_hash, waiting_hash,
      mailbox, wording_id, brand_ids, message_ids)
  ),
  person as (
    insert into advocate (campaign_id, submission, language, identity, data_key, key_version,
      address, said, tokens, confirm_hash, receipt_hash, waiting_hash)
    select campaign_id, submission, language, identity, data_key, key_version,
      address, said, tokens, confirm_hash, receipt_hash, waiting_hash from given
    on conflict (submission) do nothing
    returning id, submission
  ),
  written as (
    select id, submission, campaign_id, mailbox, wording_id, brand_ids, message_ids
    from person join given using (submission)
  ),
  draft as (
    insert into letter (advocate_id, campaign_id, brand_id, wording_id, message_id)
    select id, campaign_id, brand_id, wording_id, message_id
    from written, unnest(string_to_array(brand_ids, ' ')::int[], string_to_array(message_ids, ' '))
      as wanted (brand_id, message_id)
    returning id
  ),
  draft_event as (
    insert into event (letter_id, type) select id, 'drafted' from draft
  ),
  ${takeNotice({ name: 'cap', from: 'written' })},
  asked as (
    insert into notice (advocate_id, kind) select id, 'confirm' from written join cap using (mailbox)
  )
  select submission from written`);

const findBySubmission = statement<Sealed & { tokens: Buffer }>(`
  select submission, data_key, key_version, tokens from advocate where submission = $1`);

/** A submission's letters were erased while they were on their way, and go on without their writer: they cannot begin anew. */
export class UsedUp extends Error {}

/** A submission, and the language of the page on which it was written: its notice is in that language. */
export type Written = { submission: Submission; language: string };

/**
 * Stores submissions' letters as drafts, and asks each address to confirm them, unless it was asked often
 * enough today; then the person can have the notice sent from the waiting page later. When this resolves,
 * everything is committed. Doing it twice is doing it once.
 *
 * @param db not within a transaction: whoever deletes people goes on meanwhile
 * @returns the tokens of each submission's pages; the visitor is shown the waiting one only
 * @throws UsedUp
 * @throws when two of them come from the same mailbox: write each alone (`gather` does)
 */
export async function writeLetters(db: Queryable, vault: Vault, all: Written[]): Promise<Tokens[]> {
  const people = all.map((one) => ({ ...describePerson(vault, one), one }));
  const stored = await db.rows(store, transpose(people.map(({ row }) => row))).catch((error) => {
    throw isTaken(error, 'letter_message_id_key') ? new UsedUp() : error;
  });
  const fresh = new Set(stored.map(({ submission }) => submission.toString('hex')));
  return Promise.all(
    people.map(async ({ tokens, key, one }) => {
      if (fresh.delete(key.toString('hex'))) return tokens;
      const known = await db.row(findBySubmission, [key]);
      if (known) return openTokens(vault, known);
      // it was there a moment ago, and has expired or was erased since: so it comes for the first time now
      const [again] = await writeLetters(db, vault, [one]);
      return again as Tokens;
    }),
  );
}

function describePerson(vault: Vault, { submission, language }: Written) {
  const { campaign, brands, wording, identity, said, address, key } = submission;
  const tokens = { confirm: mintToken(), receipt: mintToken(), waiting: mintToken() };
  const sealed = sealAdvocate(vault, key, { address, said, tokens });
  const row = [
    campaign.id,
    key,
    language,
    identity,
    sealed.data_key,
    sealed.key_version,
    sealed.address,
    sealed.said,
    sealed.tokens,
    hashToken(tokens.confirm),
    hashToken(tokens.receipt),
    hashToken(tokens.waiting),
    mailboxMark(vault, address),
    wording.id,
    brands.map(({ id }) => id).join(' '),
    brands.map(({ id }) => messageIdOf(letterHandle(vault, key, id), campaign.mailDomain)).join(' '),
  ];
  return { row, tokens, key };
}

/** Rows to the arrays that `unnest` takes. */
function transpose(rows: unknown[][]): unknown[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
}
