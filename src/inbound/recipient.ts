import { type Queryable, statement } from '../db/database.ts';
import {
  handleOf,
  readAnswerAlias,
  readReplyAlias,
  readReplyReturnPath,
  readReturnPath,
} from '../letters/alias.ts';
import { asciiDomain } from '../people/address.ts';
import type { Vault } from '../people/vault.ts';
import { mostLookedAt, readHeader } from './fields.ts';
import type { Facts } from './rule.ts';

/** An address of ours that takes mail. */
export type Recipient =
  | { kind: 'return path' | 'reply alias'; handle: string }
  /** Of a reply that was passed on: where the advocate answers it, and where its bounces come. */
  | { kind: 'answer alias' | 'reply return path'; reply: string }
  /** Whoever sends mail has these (RFC 5321 section 4.5.1, RFC 2142 sections 2 and 5). */
  | { kind: 'postmaster' | 'abuse' }
  /** The sender of notices. Mail servers ask whether it takes reports before they take a notice. */
  | { kind: 'notices' }
  /** From of letters: many ticket systems answer that, and not Reply-To. Which letter it is, the mail must say. */
  | { kind: 'letters' };

/** Whoever a mail is for, once it is known which letter it answers. */
export type Addressee = Exclude<Recipient, { kind: 'letters' }>;

/**
 * Whether mail from such a sender is taken there: for notices, reports are, and what people write is not; for letters,
 * the other way round. A mail server in front asks with an empty sender which addresses there are. It must hear no of
 * the letters' From, since it would take mail that names no letter, and send bounces to whoever its forger named.
 */
export function takesFrom({ kind }: Recipient, { nullSender }: Facts): boolean {
  if (kind === 'notices') return nullSender;
  return kind !== 'letters' || !nullSender;
}

/** Whether what somebody writes is kept there, or may become an answer. */
export function wantsWords({ kind }: Addressee): boolean {
  return kind === 'return path' || kind === 'reply alias' || kind === 'answer alias';
}

const ourDomains =
  'select $2::text as domain union select mail_domain from campaign where mail_domain is not null';

/** SQL that is true for the letter of a handle ($1, or as `handle` says it), in any domain of ours ($2: the instance's own). */
export const hasHandle = (handle = '$1') =>
  `message_id = any (array(select ${handle} || '@' || domain from (${ourDomains}) as ours))`;

const isOurs = statement<{ ours: boolean }>(`
  select $1 = $2 or exists (select from campaign where mail_domain = $1) as ours`);

/** Whether mail goes out in the name of this domain. smtp-server and mailparser write it in its own script (IDNA). */
export async function isOurDomain(db: Queryable, domain: string, mailDomain: string): Promise<boolean> {
  return (await db.row(isOurs, [asciiDomain(domain), mailDomain]))?.ours ?? false;
}

const isThere = statement(`select 1 as one from letter where ${hasHandle()}`);

const isReply = statement('select 1 as one from reply where handle = $1');

type Parts = { database: Queryable; vault: Vault; mailDomain: string };

/**
 * Which address of ours this is; undefined when it is none, and then nothing may be taken for it. A Return-Path
 * must be signed by us and in time, the letter of an answer must exist.
 */
export async function findRecipient(
  { database, vault, mailDomain }: Parts,
  address: string,
): Promise<Recipient | undefined> {
  const [, local = '', domain = ''] = /^([^@]+)(?:@([^@]+))?$/.exec(address.trim().toLowerCase()) ?? [];
  if (local === 'postmaster' && domain === '') return { kind: 'postmaster' };
  if (!(await isOurDomain(database, domain, mailDomain))) return undefined;
  if (local === 'postmaster' || local === 'abuse' || local === 'notices' || local === 'letters')
    return { kind: local };
  const returning = readReturnPath(vault, address, new Date());
  if (returning) return { kind: 'return path', handle: returning };
  const bounced = readReplyReturnPath(vault, address, new Date());
  if (bounced) return { kind: 'reply return path', reply: bounced };
  const answers = readAnswerAlias(vault, address);
  if (answers)
    return (await database.row(isReply, [answers])) ? { kind: 'answer alias', reply: answers } : undefined;
  const answered = readReplyAlias(address);
  if (!answered || !(await database.row(isThere, [answered, mailDomain]))) return undefined;
  return { kind: 'reply alias', handle: answered };
}

/** How many Message-IDs of ours a mail may name before we look for no more of them. */
const mostNamed = 10;

// what an advocate answered has a handle of its own, and is a message of the same letter
const answeredBy = statement<{ message_id: string }>(`
  select letter.message_id from unnest($1::text[]) with ordinality as named (handle, place)
  join lateral (
    select message_id from letter where ${hasHandle('named.handle')}
    union all
    select message_id from reply join letter on letter.id = letter_id
    where reply.handle = named.handle and direction = 'from advocate' and message_id is not null
  ) as letter on true
  order by place limit 1`);

/**
 * For whom a mail to this address is; undefined when it does not say that. What comes to the From of letters must name
 * one of them in In-Reply-To or References (RFC 5322 section 3.6.4), which whoever has the letter can do and nobody
 * else: a Message-ID is no easier to guess than the address in Reply-To. Then it is as if it had come there.
 */
export async function findAddressee(
  { database, mailDomain }: Parts,
  recipient: Recipient,
  raw: Buffer,
): Promise<Addressee | undefined> {
  if (recipient.kind !== 'letters') return recipient;
  const named = handlesNamed(raw);
  const letter = named.length > 0 ? await database.row(answeredBy, [named, mailDomain]) : undefined;
  return letter && { kind: 'reply alias', handle: handleOf(letter.message_id) };
}

/** The handles in what a mail says that it answers, the nearest first. */
function handlesNamed(raw: Buffer): string[] {
  const header = readHeader(raw.toString('latin1', 0, mostLookedAt));
  const handlesIn = (name: string) =>
    (header.get(name) ?? []).flatMap((ids) =>
      [...ids.matchAll(/<\s*([0-9a-f]{20})@[^<>@]+>/gi)].map(([, handle = '']) => handle.toLowerCase()),
    );
  const named = [...handlesIn('in-reply-to'), ...handlesIn('references').reverse()];
  return [...new Set(named)].slice(0, mostNamed);
}
