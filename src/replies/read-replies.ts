import { type Queryable, statement } from '../db/database.ts';
import type { LetterId } from '../letters/letter.ts';
import type { Sealed } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';
import { type Content, type Direction, openContent, type ReplyState } from './reply.ts';

/** A reply as its advocate sees it. */
export type ShownReply = {
  letterId: LetterId;
  handle: string;
  direction: Direction;
  automatic: boolean;
  at: Date;
  state: ReplyState;
  /** Somewhere to send an answer. */
  answerable: boolean;
  content: Content;
};

type Row = Sealed & {
  letter_id: string;
  handle: string;
  direction: Direction;
  automatic: boolean;
  at: Date;
  state: ReplyState;
  answerable: boolean;
  content: Buffer;
};

const repliesOf = statement<Row>(`
  select letter_id::text, handle, direction, automatic, at, reply.state, content, submission, data_key, key_version,
    direction = 'from brand' and not automatic and coalesce(contact.kind = 'email', false) as answerable
  from reply
  join advocate on advocate.id = reply.advocate_id
  join letter on letter.id = letter_id
  left join contact on contact.id = contact_id
  where reply.advocate_id = $1
  order by reply.at, reply.id`);

/** Everything that came and went about the letters of one person, oldest first. */
export async function readReplies(db: Queryable, vault: Vault, advocateId: string): Promise<ShownReply[]> {
  return (await db.rows(repliesOf, [advocateId])).map((row) => ({
    letterId: row.letter_id,
    handle: row.handle,
    direction: row.direction,
    automatic: row.automatic,
    at: row.at,
    state: row.state,
    answerable: row.answerable,
    content: openContent(vault, row, row.handle, row.content),
  }));
}
