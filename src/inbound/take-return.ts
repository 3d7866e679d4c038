import { type Database, statement } from '../db/database.ts';
import { appendNews } from '../letters/move.ts';
import type { ReplyState } from '../replies/reply.ts';
import { isBehind } from './behind.ts';
import type { Verdict } from './verdict.ts';

// A brand's address may have a list behind it; an advocate's is a person's own, whatever it is handed on to.
const writtenTo = statement<{ address: string }>(`
  select contact.address from reply
  join letter on letter.id = letter_id
  join contact on contact.id = contact_id
  where reply.handle = $1 and direction = 'from advocate'`);

// Whatever a report says, a server had the mail: of an answer of which nobody knew that, it is told now.
const stand = (state: ReplyState, from: readonly ReplyState[], set = '') =>
  statement<{ id: string }>(`
  with moved as (
    update reply set state = '${state}', state_at = now()${set}
    where handle = $1 and state in (${from.map((one) => `'${one}'`).join(', ')})
    returning id, letter_id, direction, old.state as was
  ),
  ${appendNews('answered', {
    name: 'told',
    chosen:
      "select letter_id as id from moved where direction = 'from advocate' and was in ('sending', 'unknown')",
  })}
  select id::text from moved`);

// What was handed over came back; the attachments that went with it are not needed any more.
const bounce = stand('bounced', ['sending', 'accepted', 'unknown'], ', cargo = null');
const arrive = stand('accepted', ['unknown']);

/**
 * Takes a report about a reply that was passed on, or about an answer. It changes how that stands, which is told, and
 * brings about nothing else: no mail, so that nothing can go round. What is no report is not kept, since it may hold an
 * advocate's address; a person who wrote it must know.
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
