import { type Queryable, statement } from '../db/database.ts';
import { decryptBytes, encryptBytes, type Place, type Vault } from '../people/vault.ts';
import { hasHandle } from './recipient.ts';
import type { Unclear } from './verdict.ts';

/** Why a mail waits for a person. */
export type PenReason =
  | Unclear
  /** The letter has brought more replies than are kept for it. */
  | 'too many replies'
  | 'postmaster'
  | 'abuse'
  /** It speaks of another message than the letter whose address it came to. */
  | 'contradiction'
  /** It tells of a letter that no server has had, as far as we know. */
  | 'impossible'
  /** A report came to an address that is not signed, so it moves nothing. */
  | 'unsigned address';

/** How long a mail waits at most, in days. */
export const penDays = 28;

/**
 * How much the pen holds, in mails and in bytes, of mail about letters and of mail from anybody to postmaster and
 * abuse: so that strangers can neither fill the disk nor keep out what belongs to letters.
 */
export const penRoom = { letters: 10_000, strangers: 1_000, bytesPerMail: 64 * 1024 } as const;

// What belongs to a letter that is gone is not kept: its writer wanted it gone, or its time was over. The lock waits for
// whoever removes its traces, who waits for this one.
const put = statement<{ fits: boolean; kept: boolean }>(`
  with target as (
    select ours.id from (select 1) as mail left join (
      select id from letter where ${hasHandle()} for key share
    ) as ours on true
    where $1::text is null or ours.id is not null
  ),
  room as (
    select count(*) < $8::int and coalesce(sum(octet_length(raw)), 0) < $8::bigint * ${penRoom.bytesPerMail} as fits
    from pen where (letter_id is null) = ($1::text is null)
  ),
  kept as (
    insert into pen (reason, letter_id, digest, data_key, key_version, raw)
    select $3, target.id, $4, $5, $6, $7 from target, room where fits
    on conflict (letter_id, digest) do nothing
    returning id
  )
  select fits, exists (select from kept) as kept from room`);

type Parts = { database: Queryable; vault: Vault; mailDomain: string };
type ForAPerson = { reason: PenReason; raw: Buffer; digest: Buffer; handle?: string };

export type Penned =
  | { kind: 'penned'; reason: PenReason }
  /** It is there already, or its letter is gone. */
  | { kind: 'known' }
  /** There is no room at present. */
  | { kind: 'full' };

/** Keeps a mail, encrypted under a key of its own, until a person has looked or its time is over. */
export async function putIntoPen(
  { database, vault, mailDomain }: Parts,
  { reason, raw, digest, handle }: ForAPerson,
): Promise<Penned> {
  const { key, wrapped, version } = vault.mintKey(place('data_key', digest));
  const sealed = encryptBytes(key, place('raw', digest), raw);
  const row = await database.row(put, [
    handle ?? null,
    mailDomain,
    reason,
    digest,
    wrapped,
    version,
    sealed,
    handle === undefined ? penRoom.strangers : penRoom.letters,
  ]);
  if (row?.kept) return { kind: 'penned', reason };
  return { kind: row?.fits ? 'known' : 'full' };
}

const list = statement<{ id: string; received_at: Date; reason: string; letter_id: string | null }>(`
  select id::text, received_at, reason, letter_id::text from pen order by pen.id`);

/** What waits in the pen, without its contents. */
export async function listPen(db: Queryable) {
  return db.rows(list);
}

type Sealed = { digest: Buffer; data_key: Buffer; key_version: number; raw: Buffer };

const read = statement<Sealed>('select digest, data_key, key_version, raw from pen where id = $1');

/** One mail as it came; undefined when there is none. */
export async function readPenned(db: Queryable, vault: Vault, id: string): Promise<Buffer | undefined> {
  const row = await db.row(read, [id]);
  if (!row) return undefined;
  const key = vault.unwrapKey(
    { wrapped: row.data_key, version: row.key_version },
    place('data_key', row.digest),
  );
  return decryptBytes(key, place('raw', row.digest), row.raw);
}

const drop = statement<{ id: string }>('delete from pen where id = $1 returning id::text');

/** Removes one mail; false when there was none. */
export async function dropPenned(db: Queryable, id: string): Promise<boolean> {
  return (await db.row(drop, [id])) !== undefined;
}

const scrub = statement<{ id: string }>(`
  delete from pen where received_at < now() - interval '${penDays} days' returning id::text`);

/** Removes what has waited long enough; tells how many. */
export async function scrubPen(db: Queryable): Promise<number> {
  return (await db.rows(scrub)).length;
}

function place(column: string, digest: Buffer): Place {
  return { table: 'pen', column, row: digest };
}
