import { type Database, statement } from '../db/database.ts';
import { sameMailbox } from '../people/address.ts';
import { openTokens, type Sealed, sealAdvocate, type Tokens } from '../people/advocate.ts';
import { takeNotice } from '../people/confirmation-cap.ts';
import { hashToken, mintToken } from '../people/token.ts';
import { keyedHash, type Vault } from '../people/vault.ts';
import { letterHandle, messageIdOf } from './alias.ts';
import type { Submission } from './submission.ts';

// One statement is one transaction: the person, the letters, their first events and the confirmation notice
// are there together or not at all. The same submission again finds itself and adds nothing.
const store = statement<{ id: string }>(`
  with person as (
    insert into advocate (campaign_id, submission, language, identity, data_key, key_version,
      address, said, tokens, confirm_hash, receipt_hash, waiting_hash)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (submission) do nothing
    returning id
  ),
  draft as (
    insert into letter (advocate_id, campaign_id, brand_id, wording_id, message_id)
    select person.id, $1, brand_id, $13, message_id
    from person, unnest($14::int[], $15::text[]) as wanted (brand_id, message_id)
    returning id
  ),
  draft_event as (
    insert into event (letter_id, type) select id, 'drafted' from draft
  ),
  ${takeNotice({ name: 'cap', from: 'person', fingerprint: '$16' })},
  asked as (
    insert into notice (advocate_id, kind) select person.id, 'confirm' from person, cap
  )
  select id from person`);

const findBySubmission = statement<Sealed & { tokens: Buffer }>(`
  select submission, data_key, key_version, tokens from advocate where submission = $1`);

/**
 * Stores a submission's letters as drafts, and asks the address to confirm them, unless it was asked often
 * enough today; then the person can have the notice sent from the waiting page later. When this resolves,
 * everything is committed.
 *
 * @param language of the page, in which the notice is written
 * @returns the tokens of its pages; the visitor is shown the waiting one only
 */
export async function writeLetters(
  db: Database,
  vault: Vault,
  submission: Submission,
  language: string,
): Promise<Tokens> {
  const { campaign, brands, wording, identity, said, address, key } = submission;
  const tokens = { confirm: mintToken(), receipt: mintToken(), waiting: mintToken() };
  const sealed = sealAdvocate(vault, key, { address, said, tokens });
  const stored = await db.row(store, [
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
    wording.id,
    brands.map(({ id }) => id),
    brands.map(({ id }) => messageIdOf(letterHandle(vault, key, id), campaign.mailDomain)),
    keyedHash(vault.keyFor('address cap'), sameMailbox(address), 16),
  ]);
  if (stored) return tokens;
  const known = await db.row(findBySubmission, [key]);
  if (!known) throw new Error('a submission was neither stored nor found');
  return openTokens(vault, known);
}
