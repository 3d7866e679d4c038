import { type Queryable, statement } from '../db/database.ts';
import { readAnswerAlias, readReplyAlias, readReplyReturnPath, readReturnPath } from '../letters/alias.ts';
import type { Vault } from '../people/vault.ts';
import type { Facts } from './rule.ts';

/** An address of ours that takes mail. */
export type Recipient =
  | { kind: 'return path' | 'reply alias'; handle: string }
  /** Of a reply that was passed on: where the advocate answers it, and where its bounces come. */
  | { kind: 'answer alias' | 'reply return path'; reply: string }
  /** Whoever sends mail has these (RFC 5321 section 4.5.1, RFC 2142 sections 2 and 5). */
  | { kind: 'postmaster' | 'abuse' }
  /** The sender of notices. Mail servers ask whether it takes reports before they take a notice. */
  | { kind: 'notices' };

/** Whether mail from such a sender is taken there: reports about notices are, what people write is not. */
export function takesFrom({ kind }: Recipient, { nullSender }: Facts): boolean {
  return kind !== 'notices' || nullSender;
}

/** Whether what somebody writes is kept there, or may become an answer. */
export function wantsWords({ kind }: Recipient): boolean {
  return kind === 'return path' || kind === 'reply alias' || kind === 'answer alias';
}

const ourDomains =
  'select $2::text as domain union select mail_domain from campaign where mail_domain is not null';

/** SQL that is true for the letter of a handle ($1), in any domain of ours ($2: the instance's own). */
export const hasHandle = `message_id = any (array(select $1 || '@' || domain from (${ourDomains}) as ours))`;

const isOurs = statement<{ ours: boolean }>(`
  select $1 = $2 or exists (select from campaign where mail_domain = $1) as ours`);

/** Whether mail goes out in the name of this domain. */
export async function isOurDomain(db: Queryable, domain: string, mailDomain: string): Promise<boolean> {
  return (await db.row(isOurs, [domain.toLowerCase(), mailDomain]))?.ours ?? false;
}

const isThere = statement(`select 1 as one from letter where ${hasHandle}`);

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
  if (local === 'postmaster' || local === 'abuse' || local === 'notices') return { kind: local };
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
