import { type Database, type Queryable, statement } from '../db/database.ts';
import { inParts } from '../db/in-parts.ts';
import type { LetterId } from './letter.ts';
import { moveLetters, placeInLine, putIntoLine } from './move.ts';

/** Letters of which nobody knows whether they arrived: who they are, and how they are cleared up by evidence. */

/** By its id, or by its Message-ID without angle brackets: logs know only that. */
type Named = { id: LetterId } | { messageId: string };

/** What somebody found out about one letter. */
export type Evidence = Named & {
  /** A server has it; false: surely none has, and it is not under way any more. */
  accepted: boolean;
  /** Who says so, and in which words: they stand on the letter's page. */
  host?: string;
  response?: string;
};

// No index stands on the state (docs/decisions/0002): these read all letters, and are asked by people only.
const areUnknown = "state = 'unknown' and message_id is not null";
const list = statement<{ id: LetterId; message_id: string; since: Date }>(`
  select id::text, message_id, state_at as since from letter where ${areUnknown} order by letter.id`);
const count = statement<{ n: number }>(`select count(*)::int as n from letter where ${areUnknown}`);

/** Oldest first. */
export async function listUnknown(db: Database) {
  return db.atLeisure((transaction) => transaction.rows(list));
}

/** How many there are. */
export async function countUnknown(db: Database): Promise<number> {
  return (await db.atLeisure((transaction) => transaction.row(count)))?.n ?? 0;
}

const of = (column: string) =>
  `(select ${column} from proof where proof.id = accepted.id or proof.message_id = accepted.message_id limit 1)`;

// What was said about a letter that has lost its traces would stay for ever: nobody would look for it there.
const accept = statement<{ id: LetterId }>(`
  with proof as (
    select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::smallint[])
      as proof (id, message_id, host, response, code)
  ),
  ${moveLetters('accept', {
    name: 'accepted',
    chosen: `
      select letter.id from letter join proof on letter.id = proof.id where state = 'unknown'
      union
      select letter.id from letter join proof on letter.message_id = proof.message_id where state = 'unknown'`,
    only: 'message_id is not null',
    returning: 'id, message_id',
    evidence: { code: of('code'), host: of('host'), response: of('response') },
  })}
  select id::text from accepted`);

// Without its writer it cannot be written out again: this waits for whoever erases or forgets them, and then finds
// nobody. Its five days begin anew: a person may take longer than that to find out, and a host that asks to come again
// later must not be the end of it.
const resend = statement<{ id: LetterId }>(`
  with named as materialized (
    select id, advocate_id from letter where id = any ($1::bigint[]) and state = 'unknown'
    union
    select id, advocate_id from letter where message_id = any ($2::text[]) and state = 'unknown'
  ),
  writer as (
    select id from advocate where id = any (array(select advocate_id from named))
    order by id for key share
  ),
  ${moveLetters('resend', {
    name: 'again',
    chosen: 'select id from named where advocate_id = any (array(select id from writer))',
    set: 'due_at = now(), first_tried_at = null',
    returning: placeInLine,
  })},
  ${putIntoLine('again')}
  select id::text from again`);

/** How much evidence one statement looks at: a log may name a million letters, and each is looked for among the others. */
const atOnce = 200;

/**
 * Clears up unknown letters: those that a server has are accepted, those that surely none has go out again with
 * the same Message-ID. Letters that are not unknown are left alone, so telling a thing twice is telling it once.
 *
 * @returns how many letters moved
 */
export async function resolveUnknown(
  db: Queryable,
  evidence: Evidence[],
): Promise<{ accepted: number; resent: number }> {
  const resolved = { accepted: 0, resent: 0 };
  for (const some of inParts(evidence, atOnce)) {
    const there = some.filter(({ accepted }) => accepted);
    const lacking = some.filter(({ accepted }) => !accepted);
    const accepted = await db.rows(accept, [
      there.map(idOf),
      there.map(messageIdOf),
      there.map(({ host }) => host ?? null),
      there.map(({ response }) => response?.slice(0, 500) ?? null),
      there.map(({ response }) => replyCode(response ?? '')),
    ]);
    const resent = await db.rows(resend, [lacking.map(idOf), lacking.map(messageIdOf)]);
    resolved.accepted += accepted.length;
    resolved.resent += resent.length;
  }
  return resolved;
}

const idOf = (named: Named) => ('id' in named ? named.id : null);
const messageIdOf = (named: Named) => ('messageId' in named ? named.messageId : null);

/** Logs quote the server's answer or speak in words of their own. */
function replyCode(response: string): number | null {
  const [, code] = /^([1-5]\d\d)[ -]/.exec(response) ?? [];
  return code ? Number(code) : null;
}
