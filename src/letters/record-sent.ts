import { type Queryable, statement } from '../db/database.ts';
import type { Outcome } from '../mail/outcome.ts';
import type { LetterId } from './letter.ts';
import { letGo, recordOutcomes } from './move.ts';
import { waitAfter } from './retry.ts';

/** What is written down of letters that were claimed: by the worker that sent them, or by whoever read its logbook. */

/** What became of one. `hash`: SHA-256 of its bytes in hexadecimal digits, if they left us. */
export type Sent = { id: string; tries: number; outcome: Outcome; hash?: string };

// A letter that was put off may have fallen due again and be in another bundle by now: that one is in charge.
export const stillInIt = 'letter.bundle_id = $8';

/** SQL: records outcomes, which are the parameters $1 to $7 (`columns`), of letters of the bundle $8. */
export const record = recordOutcomes({
  name: 'recorded',
  only: stillInIt,
  outcome: `
    select id, move, code, host, response,
      now() + wait * interval '1 second' as due_at,
      nullif(substring($7::bytea from (32 * (n - 1) + 1)::int for 32), decode(repeat('00', 32), 'hex')) as sent_sha256
    from unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::int[])
      with ordinality as sent (id, move, code, host, response, wait, n)`,
});

const recordAlone = statement<{ id: string }>(`with ${record} select id::text from recorded`);

// Each of the very bundle in which it stayed. One that was put off there without having left may have fallen due again, and be in
// another bundle that is over as well: from that it has left, perhaps.
const letThemGo = statement<{ n: number }>(`
  with ${letGo({
    name: 'let_go',
    chosen: 'select unnest($1::bigint[])',
    only: '(letter.id, bundle_id) in (select * from unnest($1::bigint[], $2::bigint[]))',
  })}
  select count(*)::int as n from let_go`);

/** Records what became of letters of a bundle. @returns the ids of those of which that was not known yet */
export async function recordSent(db: Queryable, bundleId: string, sent: Sent[]): Promise<string[]> {
  return (await db.rows(recordAlone, [...columns(sent), bundleId])).map(({ id }) => id);
}

/** Puts letters back, each of which was claimed in its bundle and surely has not left from it. @returns how many went back */
export async function letStayedGo(
  db: Queryable,
  stayed: { id: LetterId; bundleId: string }[],
): Promise<number> {
  const [ids, bundleIds] = [stayed.map(({ id }) => id), stayed.map(({ bundleId }) => bundleId)];
  return (await db.row(letThemGo, [ids, bundleIds]))?.n ?? 0;
}

const moveOf = { accepted: 'accept', refused: 'reject', 'try again': 'defer', unknown: 'loseSight' } as const;

/** Parameters $1 to $7 of `record`. */
export function columns(sent: Sent[]): unknown[] {
  return [
    sent.map(({ id }) => id),
    sent.map(({ outcome }) => moveOf[outcome.kind]),
    sent.map(({ outcome }) => outcome.code ?? null),
    sent.map(({ outcome }) => outcome.host ?? null),
    sent.map(({ outcome }) => outcome.response ?? null),
    sent.map(({ outcome, tries }) => (outcome.kind === 'try again' ? waitAfter(tries) : null)),
    Buffer.from(sent.map(({ hash }) => hash ?? noHash).join(''), 'hex'),
  ];
}

/** Stands for "nothing left us", so that all hashes are 32 bytes. */
const noHash = '00'.repeat(32);
