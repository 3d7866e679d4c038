import { type Database, statement } from '../db/database.ts';
import type { Verdict } from './verdict.ts';

// What was handed over came back; the attachments that went with it are not needed any more.
const bounce = statement<{ id: string }>(`
  update reply set state = 'bounced', state_at = now(), cargo = null
  where handle = $1 and state in ('sending', 'accepted', 'unknown')
  returning id::text`);

const arrive = statement<{ id: string }>(`
  update reply set state = 'accepted', state_at = now() where handle = $1 and state = 'unknown' returning id::text`);

/**
 * Takes a report about a reply that was passed on. It changes how the reply stands, and brings about nothing else: no
 * mail, so that nothing can go round. What is no report is not kept, since it may hold an advocate's address; a person
 * who wrote it must know.
 */
export async function takeReturn(
  db: Database,
  handle: string,
  verdict: Verdict,
): Promise<{ kind: 'returned' | 'ignored' | 'not for here' }> {
  if (verdict.kind === 'reply') return { kind: 'not for here' };
  if (verdict.kind !== 'report') return { kind: 'ignored' };
  const changed = await db.rows(verdict.action === 'failed' ? bounce : arrive, [handle]);
  return { kind: changed.length > 0 ? 'returned' : 'ignored' };
}
