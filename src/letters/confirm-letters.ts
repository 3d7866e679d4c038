import type { Campaign } from '../campaigns/campaign.ts';
import { findCampaignById } from '../campaigns/campaign-store.ts';
import { fingerprints } from '../campaigns/fingerprint.ts';
import { type Database, type Queryable, statement } from '../db/database.ts';
import { openAddress, openTokens, type Sealed } from '../people/advocate.ts';
import { hashToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { moveLetters } from './move.ts';

type Row = Sealed & {
  id: string;
  campaign_id: number;
  address: Buffer;
  tokens: Buffer;
  confirmed: boolean;
  letters: { id: string; brand_id: number; brand: string }[];
};

const findByConfirmToken = statement<Row>(`
  select advocate.id, advocate.campaign_id, submission, data_key, key_version, address, tokens,
    confirmed_at is not null as confirmed,
    (
      select coalesce(json_agg(json_build_object('id', letter.id::text, 'brand_id', brand_id, 'brand', brand.name)
        order by letter.id), '[]')
      from letter join brand on brand.id = brand_id
      where advocate_id = advocate.id and letter.state = 'draft'
    ) as letters
  from advocate where confirm_hash = $1`);

const known = statement<{ fingerprint: Buffer }>(`
  select fingerprint from letter_fingerprint where campaign_id = $1 and fingerprint = any ($2::bytea[])`);

// A fingerprint that is already there marks a letter that was already written: it is taken out, not sent twice.
const confirm = statement<{ confirmed: number }>(`
  with wanted as (
    select id, substring($4::bytea from (16 * (n - 1) + 1)::int for 16) as fingerprint
    from unnest($3::bigint[]) with ordinality as draft (id, n)
  ),
  fresh as (
    insert into letter_fingerprint (campaign_id, fingerprint) select $1, fingerprint from wanted
    on conflict do nothing
    returning fingerprint
  ),
  ${moveLetters('confirm', {
    name: 'ready',
    chosen: 'select wanted.id from wanted join fresh using (fingerprint)',
    set: 'due_at = now()',
    returning: 'id, campaign_id, brand_id, due_at',
  })},
  waiting as (
    insert into waiting_letter (letter_id, campaign_id, brand_id, due_at)
    select id, campaign_id, brand_id, due_at from ready
  ),
  ${moveLetters('findDuplicate', {
    name: 'duplicate',
    chosen: 'select id from wanted where not exists (select from fresh where fresh.fingerprint = wanted.fingerprint)',
  })},
  person as (
    update advocate set confirmed_at = coalesce(confirmed_at, now()) where id = $2
  )
  select count(*)::int as confirmed from ready`);

export type Confirmation =
  | { kind: 'waiting'; campaign: Campaign; brands: string[]; alreadyWritten: string[] }
  | { kind: 'confirmed'; receipt: string }
  | { kind: 'closed'; campaign: Campaign }
  | { kind: 'unknown link' };

/** What the link from the mailbox leads to. Looking changes nothing: mail scanners open links, too. */
export async function lookAtConfirmation(
  db: Queryable,
  vault: Vault,
  token: string,
  mailDomain: string,
): Promise<Confirmation> {
  const found = await find(db, vault, token, mailDomain);
  if ('kind' in found) return found;
  const { row, campaign, marks } = found;
  const written = new Set((await db.rows(known, [campaign.id, marks])).map((mark) => mark.fingerprint.toString('hex')));
  const isWritten = row.letters.map((_, n) => written.has(marks[n]?.toString('hex') ?? ''));
  return {
    kind: 'waiting',
    campaign,
    brands: row.letters.filter((_, n) => !isWritten[n]).map(({ brand }) => brand),
    alreadyWritten: row.letters.filter((_, n) => isWritten[n]).map(({ brand }) => brand),
  };
}

/**
 * Confirms the drafts of one submission: those for brands that the address has not written to in this
 * campaign become ready. Doing it twice is doing it once.
 *
 * @returns `confirmed` with the receipt's token, or why not
 */
export async function confirmLetters(
  db: Database,
  vault: Vault,
  token: string,
  mailDomain: string,
): Promise<Exclude<Confirmation, { kind: 'waiting' }>> {
  const found = await find(db, vault, token, mailDomain);
  if ('kind' in found) return found;
  const { row, campaign, marks } = found;
  await db.rows(confirm, [campaign.id, row.id, row.letters.map(({ id }) => id), Buffer.concat(marks)]);
  return { kind: 'confirmed', receipt: openTokens(vault, row).receipt };
}

type Found = { row: Row; campaign: Campaign; marks: Buffer[] };

async function find(
  db: Queryable,
  vault: Vault,
  token: string,
  mailDomain: string,
): Promise<Found | Exclude<Confirmation, { kind: 'waiting' }>> {
  const row = await db.row(findByConfirmToken, [hashToken(token)]);
  if (!row) return { kind: 'unknown link' };
  if (row.confirmed) return { kind: 'confirmed', receipt: openTokens(vault, row).receipt };
  const campaign = await findCampaignById(db, row.campaign_id, mailDomain);
  if (!campaign.open) return { kind: 'closed', campaign };
  const brandIds = row.letters.map(({ brand_id }) => brand_id);
  return { row, campaign, marks: fingerprints(vault, campaign, openAddress(vault, row), brandIds) };
}
