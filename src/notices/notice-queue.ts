import { type Queryable, statement } from '../db/database.ts';

// A notice whose sender died in the middle is sent again: see sendNotice.
const takeBack = statement(`
  update notice set state = 'waiting', state_at = now(), due_at = now()
  where state = 'sending' and state_at < now() - interval '15 minutes'`);

const due = statement<{ id: string }>(`
  select id::text from notice where state = 'waiting' and due_at <= now() order by due_at limit 200`);

/** Notices that shall be sent now. They stay here until a worker claims them, so a lost job loses nothing. */
export async function dueNotices(db: Queryable): Promise<string[]> {
  await db.rows(takeBack);
  return (await db.rows(due)).map(({ id }) => id);
}
