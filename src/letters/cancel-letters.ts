import type { Campaign } from '../campaigns/campaign.ts';
import { findCampaignById } from '../campaigns/campaign-store.ts';
import { fingerprints } from '../campaigns/fingerprint.ts';
import { type Database, type Queryable, statement } from '../db/database.ts';
import { openAddress, type Sealed } from '../people/advocate.ts';
import { hashToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { moveLetters } from './move.ts';
import { stripOrphans } from './retention.ts';

type Row = Sealed & { id: string; campaign_id: number; address: Buffer };

const findByReceipt = statement<Row>(`
  select id::text, campaign_id, submission, data_key, key_version, address
  from advocate where receipt_hash = $1 for update`);

// Rows that are being claimed at this moment are waited for; what turns out to be on its way stays as it is.
const cancel = statement<{ id: string; brand_id: number }>(`
  with ${moveLetters('cancel', {
    name: 'cancelled',
    chosen: 'select id from letter where advocate_id = $1 and ($2::text is null or message_id like $2 || \'@%\')',
    returning: 'id, brand_id',
  })},
  unwaiting as (
    delete from waiting_letter where letter_id in (select id from cancelled)
  )
  select id::text, brand_id from cancelled`);

const forgetFingerprints = statement(`
  delete from letter_fingerprint where campaign_id = $1 and fingerprint = any ($2::bytea[])`);

const forgetAdvocate = statement('delete from advocate where id = $1');

type Parts = { database: Database; vault: Vault; mailDomain: string };

/**
 * Takes back letters that have not been handed over: one, or all of them. The person may then write to those
 * brands again.
 *
 * @param handle of one letter; undefined: all
 * @returns how many were cancelled; undefined when the token is not known
 */
export async function cancelLetters(parts: Parts, token: string, handle?: string): Promise<number | undefined> {
  return parts.database.transaction(async (transaction) => {
    const advocate = await transaction.row(findByReceipt, [hashToken(token)]);
    return advocate && cancelWaiting(parts, transaction, advocate, handle);
  });
}

/**
 * Forgets a person at once: letters that wait are cancelled, the row with the data key and everything
 * encrypted under it is deleted, and of the letters only what can be counted remains. What was handed over
 * to a brand is out of our hands.
 *
 * @returns false when the token is not known
 */
export async function eraseAdvocate(parts: Parts, token: string): Promise<boolean> {
  return parts.database.transaction(async (transaction) => {
    const advocate = await transaction.row(findByReceipt, [hashToken(token)]);
    if (!advocate) return false;
    await cancelWaiting(parts, transaction, advocate);
    await transaction.rows(forgetAdvocate, [advocate.id]);
    await stripOrphans(transaction);
    return true;
  });
}

async function cancelWaiting(
  { vault, mailDomain }: Parts,
  transaction: Queryable,
  advocate: Row,
  handle?: string,
): Promise<number> {
  const cancelled = await transaction.rows(cancel, [advocate.id, handle ?? null]);
  const campaign: Campaign = await findCampaignById(transaction, advocate.campaign_id, mailDomain);
  if (cancelled.length > 0 && campaign.fingerprintKey) {
    const brandIds = cancelled.map(({ brand_id }) => brand_id);
    const marks = fingerprints(vault, campaign, openAddress(vault, advocate), brandIds);
    await transaction.rows(forgetFingerprints, [campaign.id, marks]);
  }
  return cancelled.length;
}
