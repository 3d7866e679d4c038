import { type Queryable, statement } from '../db/database.ts';
import type { Outcome } from '../mail/outcome.ts';
import { answerOf, type Breaker, closed, heed, isOpen, startProbe } from './breaker.ts';

/** Nothing is wrong; letters were put off lately; or the host asked to be left alone. */
export type ReceiverState = 'well' | 'watched' | 'open';

type Row = { strikes: number; backoff: number; probe_at: number; now: number };

// Makes the row if need be, and locks it: whoever decides about a host next has seen what was decided before.
const hold = statement<Row>(`
  insert into receiver (domain) values ($1)
  on conflict (domain) do update set domain = excluded.domain
  returning strikes, coalesce(backoff, 0) as backoff, coalesce(extract(epoch from probe_at), 0)::float8 as probe_at,
    extract(epoch from clock_timestamp())::float8 as now`);

const keep = statement(`
  update receiver set strikes = $2, backoff = nullif($3::int, 0),
    probe_at = case when $3::int > 0 then to_timestamp($4) end
  where domain = $1`);

const forget = statement('delete from receiver where domain = $1');

type Known = {
  domain: string;
  /** The letters were sent to try the host out. */
  probe: boolean;
  /** How it stood when it was last asked. */
  receiver: ReceiverState;
};

/**
 * Whether outcomes change what is remembered of their host. Only hosts in trouble are remembered: as long as all goes
 * well, the database is not asked.
 */
export function areAboutReceiver({ probe, receiver }: Known, outcomes: Outcome[]): boolean {
  return outcomes.length > 0 && (receiver !== 'well' || heedAll(closed, outcomes, probe, 0) !== closed);
}

/**
 * Remembers, for all workers, what the outcomes of some letters say about their host, in the order in which
 * they came.
 *
 * @returns how it stands now
 */
export async function heedOutcomes(
  transaction: Queryable,
  { domain, probe }: Known,
  outcomes: Outcome[],
): Promise<ReceiverState> {
  const { strikes, backoff } = await changeReceiver(transaction, domain, (breaker, now) =>
    heedAll(breaker, outcomes, probe, now),
  );
  return backoff > 0 ? 'open' : strikes > 0 ? 'watched' : 'well';
}

const heedAll = (before: Breaker, outcomes: Outcome[], probe: boolean, now: number) =>
  outcomes
    .map(answerOf)
    .reduce((breaker, answer) => heed(breaker, answer, { probe, now, random: Math.random() }), before);

/** Takes the one probe of this back-off; false: it is not time yet, or the host is well again. */
export async function takeProbe(transaction: Queryable, domain: string): Promise<boolean> {
  let taken = false;
  await changeReceiver(transaction, domain, (breaker, now) => {
    const probing = startProbe(breaker, { now, random: Math.random() });
    taken = probing !== undefined;
    return probing ?? breaker;
  });
  return taken;
}

/** @param change is told the database's time, in seconds: the clocks of machines differ */
async function changeReceiver(
  transaction: Queryable,
  domain: string,
  change: (breaker: Breaker, now: number) => Breaker,
): Promise<Breaker> {
  const row = await transaction.row(hold, [domain]);
  if (!row) throw new Error('the receiver was neither found nor made');
  const before = { strikes: row.strikes, backoff: row.backoff, probeAt: row.probe_at };
  const after = change(before, row.now);
  if (isOpen(after) || after.strikes > 0) {
    await transaction.rows(keep, [domain, after.strikes, after.backoff, after.probeAt]);
  } else await transaction.rows(forget, [domain]);
  return after;
}
