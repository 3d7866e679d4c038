import { countFailures, forgetFailures } from '../brands/contact-health.ts';
import { type Database, type Queryable, statement } from '../db/database.ts';
import type { LetterId, LetterState } from '../letters/letter.ts';
import { appendNews, moveLetters } from '../letters/move.ts';
import { isBehind } from './behind.ts';
import { hasHandle } from './recipient.ts';
import type { Action } from './verdict.ts';

/** What mail can tell about a letter. */
export type Topic = Action | 'failed_behind' | 'complained' | 'auto_replied' | 'replied';

/** What is written down beside it. */
export type Told = {
  code?: number;
  host?: string;
  response?: string;
  hard?: boolean;
  /** Whom a failure is about. */
  mailboxes?: readonly string[];
};

export type Recorded =
  | { kind: 'recorded'; letter: string }
  /** The same mail was counted before, or enough of them were. */
  | { kind: 'known'; letter: string }
  /** There is no such letter any more. */
  | { kind: 'gone' }
  /** The letter's own sending is not written down yet. */
  | { kind: 'too early' }
  /** As far as we know, no server has had the letter. */
  | { kind: 'impossible'; letter: string };

// Whoever erases locks the person before the letters: in another order, each would wait for the other.
const lockPerson = statement(`
  select advocate.id from letter join advocate on advocate.id = advocate_id
  where ${hasHandle()} for key share of advocate`);

const lock = statement<{ id: string; state: LetterState; address: string | null }>(`
  select letter.id::text, state, contact.address from letter left join contact on contact.id = contact_id
  where ${hasHandle()} for update of letter`);

/** States of letters that a server has, or may have. */
const handedOver: readonly LetterState[] = ['unknown', 'accepted', 'delivered', 'bounced'];

/** How much mail about one letter counts: who got the letter could write without end. */
const mostNews = 100;

const remember = statement<{ letter_id: string }>(`
  insert into came_back (letter_id, digest)
  select $1::bigint, $2 where (select count(*) from came_back where letter_id = $1::bigint) < ${mostNews}
  on conflict do nothing
  returning letter_id::text`);

// $1 the letter, $2 to $4 the evidence, $5 whether the failure counts against the contact
const chosen = 'select $1::bigint as id';
const evidence = { code: '$2::smallint', host: '$3::text', response: '$4::text' };

const accept = statement(`
  with ${moveLetters('accept', { name: 'accepted', chosen, evidence })}
  select id from accepted`);

const deliver = statement(`
  with ${moveLetters('deliver', { name: 'delivered', chosen, evidence, returning: 'id, contact_id' })},
  ${forgetFailures({ name: 'good', delivered: 'select contact_id from delivered' })}
  select id from delivered`);

const bounce = statement(`
  with ${moveLetters('bounce', { name: 'bounced', chosen, evidence, returning: 'id, contact_id' })},
  ${countFailures({ name: 'bad', failed: 'select contact_id, 1 as n from bounced where $5::boolean' })}
  select id from bounced`);

const append = (type: Parameters<typeof appendNews>[0]) =>
  statement(`with ${appendNews(type, { name: 'told', chosen, evidence })} select 1 as one`);

/** What each topic does, beside showing that a server took the letter: otherwise nobody could write about it. */
const effects = {
  delivered: deliver,
  failed: bounce,
  relayed: append('relayed'),
  expanded: append('expanded'),
  delayed: append('delayed'),
  failed_behind: append('failed_behind'),
  complained: append('complained'),
  auto_replied: append('auto_replied'),
  replied: append('replied'),
} satisfies Record<Topic, unknown>;

export type Mailed = { handle: string; mailDomain: string; digest: Buffer };

/**
 * Writes down what a mail tells about a letter: its moves and its events, all or nothing. The same mail again
 * changes nothing, and neither does one that comes too late to matter.
 *
 * @param keep does what else belongs to it, in the same transaction
 */
export async function recordNews(
  db: Database,
  { handle, mailDomain, digest }: Mailed,
  told: Topic,
  { code, host, response, hard = false, mailboxes = [] }: Told = {},
  keep?: (transaction: Queryable, letter: LetterId) => Promise<void>,
): Promise<Recorded> {
  return db.transaction(async (transaction) => {
    if (keep) await transaction.rows(lockPerson, [handle, mailDomain]);
    const letter = await transaction.row(lock, [handle, mailDomain]);
    if (!letter) return { kind: 'gone' };
    if (letter.state === 'sending') return { kind: 'too early' };
    if (!handedOver.includes(letter.state)) return { kind: 'impossible', letter: letter.id };
    if (!(await transaction.row(remember, [letter.id, digest]))) return { kind: 'known', letter: letter.id };
    const said = [letter.id, code ?? null, host ?? null, response ?? null];
    if (letter.state === 'unknown') await transaction.rows(accept, said);
    const topic = told === 'failed' && isBehind(mailboxes, letter.address) ? 'failed_behind' : told;
    await transaction.rows(effects[topic], topic === 'failed' ? [...said, hard] : said);
    await keep?.(transaction, letter.id);
    return { kind: 'recorded', letter: letter.id };
  });
}
