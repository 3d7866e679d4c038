import { type Queryable, statement } from '../db/database.ts';
import { going } from '../hold/hold.ts';
import { mostUnclear } from '../notices/notice-queue.ts';

/** SQL on a row of `reply`: a paused campaign sends nothing to brands, answers included; what brands wrote goes on. */
export const mayGo = `${going} and (direction = 'from brand' or not exists (
    select from letter join campaign on campaign.id = campaign_id
    where letter.id = letter_id and campaign.state = 'paused'))`;

// Whose sender died: a mail to the advocate goes once more, since two do no harm; of an answer to a brand nobody knows
// whether it arrived, and only its writer may say that it goes again.
const goesOnceMore = `direction = 'from brand' and unclear + 1 < ${mostUnclear}`;
const takeBack = statement(`
  update reply set
    state = (case when ${goesOnceMore} then 'waiting' else 'unknown' end)::reply_state,
    cargo = case when ${goesOnceMore} then cargo end,
    state_at = now(), due_at = now(), unclear = unclear + 1
  where state = 'sending' and state_at < now() - interval '15 minutes'`);

const due = statement<DueReply>(`
  select id::text, floor(extract(epoch from now() - due_at) / 60)::int as again
  from reply where state = 'waiting' and due_at <= now() and ${mayGo} order by due_at limit 200`);

/** `again` counts the minutes for which it has been due. */
export type DueReply = { id: string; again: number };

/** Replies that shall be passed on now. They stay here until a worker claims them, so a lost job loses nothing. */
export async function dueReplies(db: Queryable): Promise<DueReply[]> {
  await db.rows(takeBack);
  return db.rows(due);
}
