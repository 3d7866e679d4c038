import type { KeyObject } from 'node:crypto';
import { isOpen } from '../campaigns/campaign-store.ts';
import { fingerprints, openFingerprintKey } from '../campaigns/fingerprint.ts';
import { type Queryable, statement } from '../db/database.ts';
import { type Identity, openPerson, openTokens, type Sealed } from '../people/advocate.ts';
import { hashToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { moveLetters, placeInLine, putIntoLine } from './move.ts';

type Row = Sealed & {
  confirm_hash: Buffer;
  id: string;
  address: Buffer;
  tokens: Buffer;
  confirmed: boolean;
  identity: Identity;
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
  select confirm_hash, advocate.id::text, submission, data_key, advocate.key_version, address, tokens,
    confirmed_at is not null as confirmed, identity, campaign.id as campaign_id, slug, ${isOpen} as open,
    fingerprint_key, campaign.key_version as fingerprint_key_version,
    coalesce(ids, '{}') as ids, coalesce(brand_ids, '{}') as brand_ids
  from advocate join campaign on campaign.id = campaign_id, lateral (
    select array_agg(letter.id::text order by letter.id) as ids, array_agg(brand_id order by letter.id) as brand_ids
    from letter where advocate_id = advocate.id and state = 'draft') as draft
  where confirm_hash = any ($1::bytea[])`);

const brandNames = statement<{ id: number; name: string }>(
  'select id, name from brand where id = any ($1::int[])',
);

const known = statement<{ fingerprint: Buffer }>(`
  select fingerprint from letter_fingerprint where campaign_id = $1 and fingerprint = any ($2::bytea[])`);

// Whoever lets drafts expire, or erases a person, locks the person, too: who is gone when this had waited for them gets
// no mark, since nobody could take it back, and who has confirmed meanwhile no second one. People come in one order, and
// all before the first mark, so that two of these never wait for each other.
// A fingerprint that is already there marks a letter that was already written: it is taken out, not sent twice.
// Of two that are new in this very statement the first one counts.
const confirm = statement<{ id: string }>(`
  with person as (
    select id, confirmed_at is null as is_new from advocate where id = any ($5::bigint[])
    order by id for no key update
  ),
  wanted as (
    select id, campaign_id, n, substring($4::bytea from (16 * (n - 1) + 1)::int for 16) as fingerprint
    from unnest($1::bigint[], $2::bigint[], $3::int[]) with ordinality as draft (id, advocate_id, campaign_id, n)
    where advocate_id = any (array(select id from person where is_new))
  ),
  fresh as (
    insert into letter_fingerprint (campaign_id, fingerprint) select campaign_id, fingerprint from wanted
    on conflict do nothing
    returning fingerprint
  ),
  judged as (
    select id, fingerprint in (select fingerprint from fresh)
      and n in (select min(n) from wanted group by campaign_id, fingerprint) as is_first
    from wanted
  ),
  ${moveLetters('confirm', {
    name: 'ready',
    chosen: 'select id from judged where is_first',
    set: 'due_at = now()',
    returning: placeInLine,
  })},
  ${putIntoLine('ready')},
  ${moveLetters('findDuplicate', {
    name: 'duplicate',
    chosen: 'select id from judged where not is_first',
  })},
  done as (
    update advocate set confirmed_at = now() where id = any (array(select id from person where is_new))
  )
  select id::text from person`);

export type Confirmed =
  | { kind: 'confirmed'; receipt: string }
  | { kind: 'closed'; slug: string }
  | { kind: 'unknown link' };

/** Letters that wait for the button: those that it would send are `ids`; `named` if they carry a name. */
export type Confirmation =
  | Confirmed
  | { kind: 'waiting'; ids: string[]; brands: string[]; alreadyWritten: string[]; named: boolean };

/** What the link from the mailbox leads to. Looking changes nothing: mail scanners open links, too. */
export async function lookAtConfirmation(db: Queryable, vault: Vault, token: string): Promise<Confirmation> {
  const [found] = await find(db, vault, [token]);
  if (!found) throw new Error('a token was neither known nor unknown');
  if ('kind' in found) return found;
  const { row, marks } = found;
  const written = await db.rows(known, [row.campaign_id, marks]);
  const names = new Map((await db.rows(brandNames, [row.brand_ids])).map(({ id, name }) => [id, name]));
  const drafts = row.brand_ids.map((brandId, n) => ({
    id: row.ids[n] as string,
    brand: names.get(brandId) ?? '',
    isWritten: written.some(({ fingerprint }) => marks[n]?.equals(fingerprint)),
  }));
  const wanted = drafts.filter(({ isWritten }) => !isWritten);
  return {
    kind: 'waiting',
    ids: wanted.map(({ id }) => id),
    brands: wanted.map(({ brand }) => brand),
    alreadyWritten: drafts.filter(({ isWritten }) => isWritten).map(({ brand }) => brand),
    named: row.identity === 'named',
  };
}

/**
 * Confirms the drafts of submissions: those for brands that the address has not written to in this campaign
 * become ready. Doing it twice is doing it once.
 *
 * @param tokens of confirmation links
 * @returns for each `confirmed` with the receipt's token, or why not
 */
export async function confirmLetters(db: Queryable, vault: Vault, tokens: string[]): Promise<Confirmed[]> {
  const found = await find(db, vault, tokens);
  const people = new Map(found.flatMap((one) => ('kind' in one ? [] : [[one.row.id, one] as const])));
  const all = [...people.values()];
  const there = new Set<string>();
  if (all.length > 0) {
    const rows = await db.rows(confirm, [
      all.flatMap(({ row }) => row.ids),
      all.flatMap(({ row }) => row.ids.map(() => row.id)),
      all.flatMap(({ row }) => row.ids.map(() => row.campaign_id)),
      Buffer.concat(all.flatMap(({ marks }) => marks)),
      all.map(({ row }) => row.id),
    ]);
    for (const { id } of rows) there.add(id);
  }
  return found.map((one) => {
    if ('kind' in one) return one;
    if (!there.has(one.row.id)) return { kind: 'unknown link' }; // expired or erased in this very moment
    return { kind: 'confirmed', receipt: one.receipt };
  });
}

type Found = { row: Row; marks: Buffer[]; receipt: string };

async function find(db: Queryable, vault: Vault, tokens: string[]): Promise<(Found | Confirmed)[]> {
  const hashes = tokens.map(hashToken);
  const rows = await db.rows(findByConfirmToken, [hashes]);
  const keys = new Map<number, KeyObject>();
  const keyOf = (row: Row) => {
    const key = keys.get(row.campaign_id) ?? openFingerprintKey(vault, row);
    keys.set(row.campaign_id, key);
    return key;
  };
  return hashes.map((hash) => {
    const row = rows.find(({ confirm_hash }) => confirm_hash.equals(hash));
    if (!row) return { kind: 'unknown link' };
    if (row.confirmed) return { kind: 'confirmed', receipt: openTokens(vault, row).receipt };
    if (!row.open) return { kind: 'closed', slug: row.slug };
    const { address, tokens } = openPerson(vault, row);
    return { row, marks: fingerprints(keyOf(row), address, row.brand_ids), receipt: tokens.receipt };
  });
}
