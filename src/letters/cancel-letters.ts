import { fingerprints, openFingerprintKey } from '../campaigns/fingerprint.ts';
import { type Database, type Queryable, statement } from '../db/database.ts';
import type { TakenBack } from '../hold/taken-back.ts';
import { openAddress, type Sealed } from '../people/advocate.ts';
import { hashToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { cancellable } from './letter.ts';
import { moveLetters, placeInLine, takeOutOfLine } from './move.ts';
import { betweenReleases } from './release-letters.ts';
import { stripLetters } from './retention.ts';

type Row = Sealed & {
  id: string;
  address: Buffer;
  confirmed: boolean;
  campaign_id: number;
  slug: string;
  /** Null once the campaign is closed. */
  fingerprint_key: Buffer | null;
  fingerprint_key_version: number;
};

const find = (which: string) => `
  select advocate.id::text, submission, data_key, advocate.key_version, address,
    confirmed_at is not null as confirmed, campaign.id as campaign_id, slug,
    fingerprint_key, campaign.key_version as fingerprint_key_version
  from advocate join campaign on campaign.id = campaign_id
  where ${which}
  for update of advocate`;

const findByReceipt = statement<Row>(find('receipt_hash = $1'));
const findUnconfirmed = {
  confirm: statement<Row>(find('confirm_hash = $1 and confirmed_at is null')),
  waiting: statement<Row>(find('waiting_hash = $1 and confirmed_at is null')),
};
const findById = statement<Row>(find('advocate.id = $1'));

const theirs = `
  select id from letter where advocate_id = $1 and ($2::text is null or message_id like $2 || '@%')`;

// Rows that are being claimed, or go back into their place, at this moment are waited for, before the next statement
// looks at the line: it would not see the place that a letter got while this waited.
const waitForThem = statement(`
  ${theirs} and state in (${cancellable.map((state) => `'${state}'`).join(', ')}) order by letter.id for update`);

// What turns out to be on its way stays as it is.
const cancel = statement<{ id: string; brand_id: number; message_id: string }>(`
  with ${moveLetters('cancel', {
    name: 'cancelled',
    chosen: theirs,
    returning: `${placeInLine}, message_id`,
  })},
  ${takeOutOfLine('cancelled')}
  select id::text, brand_id, message_id from cancelled`);

const forgetFingerprints = statement(`
  delete from letter_fingerprint where campaign_id = $1 and fingerprint = any ($2::bytea[])`);

const lettersOf = statement<{ id: string }>('select id::text from letter where advocate_id = $1');

const forgetAdvocate = statement('delete from advocate where id = $1');

type Core = { database: Database; vault: Vault };
type Parts = Core & { takenBack: Pick<TakenBack, 'note' | 'raise'> };

/**
 * Takes back letters that have not been handed over: one, or all of them. The person may then write to those
 * brands again.
 *
 * @param handle of one letter; undefined: all
 * @returns how many were cancelled; undefined when the token is not known
 */
export async function cancelLetters(
  parts: Parts,
  token: string,
  handle?: string,
): Promise<number | undefined> {
  const cancelled = await betweenReleases(parts.database, async (transaction) => {
    const advocate = await transaction.row(findByReceipt, [hashToken(token)]);
    if (!advocate) return undefined;
    const ids = (await cancelWaiting(parts, transaction, advocate, handle)).map(
      ({ message_id }) => message_id,
    );
    await parts.takenBack.note('cancelled', ids);
    return ids.length;
  });
  if (cancelled) await parts.takenBack.raise();
  return cancelled;
}

/**
 * Forgets a person at once: letters that wait are cancelled, the row with the data key and everything
 * encrypted under it is deleted, and of the letters only what can be counted remains. What was handed over
 * to a brand is out of our hands.
 *
 * @returns false when the token is not known
 */
export function eraseAdvocate(parts: Parts, token: string): Promise<boolean> {
  return erase(parts, findByReceipt, token);
}

/**
 * Forgets letters at once that nobody has confirmed, and who wrote them: for whoever has second thoughts, and for
 * whoever finds letters in the mailbox that somebody else wrote with their address.
 *
 * @param kind of the token: that of the mail's link, or that of the page that waits for the mail
 * @returns false when the token is not known, or the letters are confirmed by now
 */
export function eraseDrafts(parts: Parts, kind: 'confirm' | 'waiting', token: string): Promise<boolean> {
  return erase(parts, findUnconfirmed[kind], token);
}

async function erase(parts: Parts, which: typeof findByReceipt, token: string): Promise<boolean> {
  const erased = await betweenReleases(parts.database, async (transaction) => {
    const advocate = await transaction.row(which, [hashToken(token)]);
    if (!advocate) return false;
    await parts.takenBack.note('erased', [advocate.submission]);
    await forget(parts, transaction, advocate);
    return true;
  });
  if (erased) await parts.takenBack.raise();
  return erased;
}

/** Forgets a person once more who is back from an old backup. */
export async function eraseAgain(parts: Core, advocateId: string): Promise<void> {
  await betweenReleases(parts.database, async (transaction) => {
    const advocate = await transaction.row(findById, [advocateId]);
    if (advocate) await forget(parts, transaction, advocate);
  });
}

/** Cancels a letter once more that is back from an old backup. */
export async function cancelAgain(parts: Core, advocateId: string, handle: string): Promise<void> {
  await betweenReleases(parts.database, async (transaction) => {
    const advocate = await transaction.row(findById, [advocateId]);
    if (advocate) await cancelWaiting(parts, transaction, advocate, handle);
  });
}

async function forget(parts: Core, transaction: Queryable, advocate: Row): Promise<void> {
  await cancelWaiting(parts, transaction, advocate);
  const written = await transaction.rows(lettersOf, [advocate.id]);
  await transaction.rows(forgetAdvocate, [advocate.id]);
  const ids = written.map(({ id }) => id);
  await stripLetters(transaction, ids); // those of others may be many, and the clock sees to them
}

async function cancelWaiting(
  { vault }: Core,
  transaction: Queryable,
  advocate: Row,
  handle?: string,
): Promise<{ message_id: string }[]> {
  await transaction.rows(waitForThem, [advocate.id, handle ?? null]);
  const cancelled = await transaction.rows(cancel, [advocate.id, handle ?? null]);
  // drafts have no marks yet: those that are there belong to other letters of the same mailbox
  const { slug, fingerprint_key, fingerprint_key_version } = advocate;
  if (cancelled.length > 0 && advocate.confirmed && fingerprint_key) {
    const key = openFingerprintKey(vault, { slug, fingerprint_key, fingerprint_key_version });
    const brandIds = cancelled.map(({ brand_id }) => brand_id);
    const marks = fingerprints(key, openAddress(vault, advocate), brandIds);
    await transaction.rows(forgetFingerprints, [advocate.campaign_id, marks]);
  }
  return cancelled;
}
