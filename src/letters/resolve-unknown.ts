import { type Queryable, statement } from '../db/database.ts';
import { moveLetters } from './move.ts';

/** What a relay's log tells about one letter. */
export type Evidence = {
  /** Without angle brackets. */
  messageId: string;
  /** The log has it as accepted; false: the log is complete, nothing is under way any more, and it lacks the letter. */
  accepted: boolean;
  /** Who says so, and in which words: they stand on the letter's page. */
  host: string;
  response: string;
};

const of = (column: string) => `(select ${column} from proof where proof.message_id = accepted.message_id)`;

const accept = statement<{ id: string }>(`
  with proof as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::smallint[]) as proof (message_id, host, response, code)
  ),
  ${moveLetters('accept', {
    name: 'accepted',
    chosen: "select id from letter join proof using (message_id) where state = 'unknown'",
    returning: 'id, message_id',
    evidence: { code: of('code'), host: of('host'), response: of('response') },
  })}
  select id::text from accepted`);

// without its writer it cannot be written out again
const resend = statement<{ id: string }>(`
  with ${moveLetters('resend', {
    name: 'again',
    chosen: 'select id from letter where message_id = any ($1::text[]) and advocate_id is not null',
    set: 'due_at = now()',
    returning: 'id, campaign_id, brand_id, due_at',
  })},
  waiting as (
    insert into waiting_letter (letter_id, campaign_id, brand_id, due_at)
    select id, campaign_id, brand_id, due_at from again
  )
  select id::text from again`);

/**
 * Resolves unknown letters by a relay's log: those that it has are accepted, those that it surely lacks go out
 * again with the same Message-ID. Letters that are not unknown are left alone, so playing a log twice is playing
 * it once.
 *
 * @returns how many letters moved
 */
export async function resolveUnknown(
  db: Queryable,
  evidence: Evidence[],
): Promise<{ accepted: number; resent: number }> {
  const there = evidence.filter(({ accepted }) => accepted);
  const lacking = evidence.filter(({ accepted }) => !accepted);
  const accepted = await db.rows(accept, [
    there.map(({ messageId }) => messageId),
    there.map(({ host }) => host),
    there.map(({ response }) => response.slice(0, 500)),
    there.map(({ response }) => replyCode(response)),
  ]);
  const resent = await db.rows(resend, [lacking.map(({ messageId }) => messageId)]);
  return { accepted: accepted.length, resent: resent.length };
}

/** Logs quote the server's answer or speak in words of their own. */
function replyCode(response: string): number | null {
  const [, code] = /^([1-5]\d\d)[ -]/.exec(response) ?? [];
  return code ? Number(code) : null;
}
