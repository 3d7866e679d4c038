import { type Queryable, statement } from '../db/database.ts';
import { going } from '../hold/hold.ts';

/** How long after the end of its window a campaign can still be given more time, in days. */
const closingDays = 1;

// A paused one stays as it is: a closed one sends what waits. On hold, its window may have been made longer since the backup.
const close = statement<{ id: number }>(`
  update campaign set state = 'closed', fingerprint_key = null, key_version = null
  where fingerprint_key is not null and ${going}
    and (state = 'closed' or state = 'open' and closes_at < now() - interval '${closingDays} days')
  returning id`);

// also what somebody confirmed in the moment of the closing
const forgetMarks = statement<{ n: number }>(`
  with gone as (
    delete from letter_fingerprint where ctid = any (array(
      select letter_fingerprint.ctid from campaign
      join letter_fingerprint on letter_fingerprint.campaign_id = campaign.id
      where fingerprint_key is null
      limit 5000))
    returning campaign_id
  )
  select count(*)::int as n from gone`);

/**
 * Closes campaigns whose time is over, and destroys the keys and the marks of all that are closed: who wrote to whom
 * is nobody's business any more.
 *
 * @returns the ids of those that were closed now
 */
export async function closeCampaigns(db: Queryable): Promise<number[]> {
  const closed = await db.rows(close);
  while (((await db.row(forgetMarks))?.n ?? 0) > 0);
  return closed.map(({ id }) => id);
}
