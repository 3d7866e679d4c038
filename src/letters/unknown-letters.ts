import { type Queryable, statement } from '../db/database.ts';
import type { LetterId } from './letter.ts';
import { moveLetters } from './move.ts';

// No index stands on the state (docs/decisions/0002): this reads all letters, and is asked by people only.
const list = statement<{ id: LetterId; message_id: string; since: Date }>(`
  select id::text, message_id, state_at as since from letter
  where state = 'unknown' and message_id is not null
  order by id`);

/** Letters of which nobody knows whether they arrived, oldest first. */
export async function listUnknown(db: Queryable) {
  return db.rows(list);
}

const accept = statement<{ id: LetterId }>(`
  with ${moveLetters('accept', {
    name: 'accepted',
    chosen: "select id from letter where id = $1::bigint and state = 'unknown'",
    evidence: { code: 'null', host: 'null', response: '$2::text' },
  })}
  select id::text from accepted`);

/** A person found out that a server has the letter. `evidence` stands on its page. False: it is not unknown. */
export async function acceptUnknown(db: Queryable, id: LetterId, evidence: string): Promise<boolean> {
  return (await db.row(accept, [id, evidence])) !== undefined;
}

// without its writer it cannot be written out again
const resend = statement<{ id: LetterId }>(`
  with ${moveLetters('resend', {
    name: 'again',
    chosen: 'select id from letter where id = $1::bigint and advocate_id is not null',
    set: 'due_at = now()',
    returning: 'id, campaign_id, brand_id, due_at',
  })},
  waiting as (
    insert into waiting_letter (letter_id, campaign_id, brand_id, due_at)
    select id, campaign_id, brand_id, due_at from again
  )
  select id::text from again`);

/** A person has the letter sent again, with the same Message-ID. False: it is not unknown, or its writer is gone. */
export async function resendUnknown(db: Queryable, id: LetterId): Promise<boolean> {
  return (await db.row(resend, [id])) !== undefined;
}
