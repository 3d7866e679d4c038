import { type Queryable, statement } from '../db/database.ts';
import { going } from '../hold/hold.ts';

/**
 * How often mail to a person may end unclear: it goes once more, since without it their letters would not leave, and no
 * more, since a relay that takes mail and never says so would bring them the same a hundred times.
 */
export const mostUnclear = 2;

// A notice whose sender died in the middle is sent again: see sendNotice.
const takeBack = statement(`
  update notice set state = (case when unclear + 1 < ${mostUnclear} then 'waiting' else 'abandoned' end)::notice_state,
    state_at = now(), due_at = now(), unclear = unclear + 1
  where state = 'sending' and state_at < now() - interval '15 minutes'`);

const due = statement<DueNotice>(`
  select id::text, floor(extract(epoch from now() - due_at) / 60)::int as again
  from notice where state = 'waiting' and due_at <= now() and ${going} order by due_at limit 200`);

/** `again` counts the minutes for which it has been due. */
export type DueNotice = { id: string; again: number };

/** Notices that shall be sent now. They stay here until a worker claims them, so a lost job loses nothing. */
export async function dueNotices(db: Queryable): Promise<DueNotice[]> {
  await db.rows(takeBack);
  return db.rows(due);
}
