import { isOpen } from '../campaigns/campaign-store.ts';
import { fingerprints } from '../campaigns/fingerprint.ts';
import { type Database, type Queryable, statement } from '../db/database.ts';
import { openAddress, openTokens, type Sealed } from '../people/advocate.ts';
import { hashToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { moveLetters } from './move.ts';

type Row = Sealed & {
  id: string;
  address: Buffer;
  tokens: Buffer;
  confirmed: boolean;
  campaign_id: number;
  slug: string;
  open: boolean;
  fingerprint_key: Buffer;
  fingerprint_key_version: number;
  /** The drafts, in one order. */
  ids: string[];
  brand_ids: number[];
};

const findByConfirmToken = statement<Row>(`
  select advocate.id::text, submission, data_key, advocate.key_version, address, tokens,
    confirmed_at is not null as confirmed, campaign.id as campaign_id, slug, ${isOpen} as open,
    fingerprint_key, campaign.key_version as fingerprint_key_version,
    array(select id::text from letter where advocate_id = advocate.id and state = 'draft' order by id) as ids,
    array(select brand_id from letter where advocate_id = advocate.id and state = 'draft' order by id) as brand_ids
  from advocate join campaign on campaign.id = campaign_id
  where confirm_hash = $1`);

const brandNames = statement<{ id: number; name: string }>(
  'select id, name from brand where id = any ($1::int[])',
);

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
    chosen:
      'select id from wanted where not exists (select from fresh where fresh.fingerprint = wanted.fingerprint)',
  })},
  person as (
    update advocate set confirmed_at = coalesce(confirmed_at, now()) where id = $2
  )
  select count(*)::int as confirmed from ready`);

export type Confirmation =
  | { kind: 'waiting'; brands: string[]; alreadyWritten: string[] }
  | { kind: 'confirmed'; receipt: string }
  | { kind: 'closed'; slug: string }
  | { kind: 'unknown link' };

/** What the link from the mailbox leads to. Looking changes nothing: mail scanners open links, too. */
export async function lookAtConfirmation(db: Queryable, vault: Vault, token: string): Promise<Confirmation> {
  const found = await find(db, vault, token);
  if ('kind' in found) return found;
  const { row, marks } = found;
  const written = await db.rows(known, [row.campaign_id, marks]);
  const names = new Map((await db.rows(brandNames, [row.brand_ids])).map(({ id, name }) => [id, name]));
  const brands = row.brand_ids.map((id, n) => ({
    name: names.get(id) ?? '',
    isWritten: written.some(({ fingerprint }) => marks[n]?.equals(fingerprint)),
  }));
  return {
    kind: 'waiting',
    brands: brands.filter(({ isWritten }) => !isWritten).map(({ name }) => name),
    alreadyWritten: brands.filter(({ isWritten }) => isWritten).map(({ name }) => name),
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
): Promise<Exclude<Confirmation, { kind: 'waiting' }>> {
  const found = await find(db, vault, token);
  if ('kind' in found) return found;
  const { row, marks } = found;
  await db.rows(confirm, [row.campaign_id, row.id, row.ids, Buffer.concat(marks)]);
  return { kind: 'confirmed', receipt: openTokens(vault, row).receipt };
}

async function find(
  db: Queryable,
  vault: Vault,
  token: string,
): Promise<{ row: Row; marks: Buffer[] } | Exclude<Confirmation, { kind: 'waiting' }>> {
  const row = await db.row(findByConfirmToken, [hashToken(token)]);
  if (!row) return { kind: 'unknown link' };
  if (row.confirmed) return { kind: 'confirmed', receipt: openTokens(vault, row).receipt };
  if (!row.open) return { kind: 'closed', slug: row.slug };
  const key = { wrapped: row.fingerprint_key, version: row.fingerprint_key_version };
  return { row, marks: fingerprints(vault, { slug: row.slug, key }, openAddress(vault, row), row.brand_ids) };
}
