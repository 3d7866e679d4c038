import { type Database, statement } from '../db/database.ts';
import { isBehind } from './behind.ts';
import type { Verdict } from './verdict.ts';

// A brand's address may have a list behind it; an advocate's is a person's own, whatever it is handed on to.
const writtenTo = statement<{ address: string }>(`
  select contact.address from reply
  join letter on letter.id = letter_id
  join contact on contact.id = contact_id
  where reply.handle = $1 and direction = 'from advocate'`);

// What was handed over came back; the attachments that went with it are not needed any more.
const bounce = statement<{ id: string }>(`
  update reply set state = 'bounced', state_at = now(), cargo = null
  where handle = $1 and state in ('sending', 'accepted', 'unknown')
  returning id::text`);

const arrive = statement<{ id: string }>(`
  update reply set state = 'accepted', state_at = now() where handle = $1 and state = 'unknown' returning id::text`);

/**
 * Takes a report about a reply that was passed on, or about an answer. It changes how that stands, and brings about
 * nothing else: no mail, so that nothing can go round. What is no report is not kept, since it may hold an advocate's
 * address; a person who wrote it must know.
 */
export async function takeReturn(
  db: Database,
  handle: string,
  verdict: Verdict,
): Promise<{ kind: 'returned' | 'ignored' | 'not for here' }> {
  if (verdict.kind === 'reply') return { kind: 'not for here' };
  if (verdict.kind !== 'report') return { kind: 'ignored' };
  const { action, mailboxes = [] } = verdict;
  const to = action === 'failed' ? await db.row(writtenTo, [handle]) : undefined;
  const cameBack = action === 'failed' && !isBehind(mailboxes, to?.address ?? null);
  const changed = await db.rows(cameBack ? bounce : arrive, [handle]);
  return { kind: changed.length > 0 ? 'returned' : 'ignored' };
}
