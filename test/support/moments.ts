import type { Database } from '../../src/db/database.ts';
import { until } from './advocate.ts';
import type { Instance } from './instance.ts';
import { gate } from './letters.ts';

/** What is counted in a minute is counted anew in the next one, which must not begin in the middle of a test. */
export async function inOneMinute(): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000);
  if (left < 10_000) await new Promise((resolve) => setTimeout(resolve, left + 100));
}

/** Waits until somebody waits for a lock that somebody else has. */
export async function untilSomebodyWaits({ query }: Pick<Instance, 'query'>): Promise<void> {
  const waiting =
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  await until(async () => (await query(waiting)).length > 0, 'somebody who waits');
}

/**
 * Two things in the same moment: `first` has done all that its transaction does, and has not committed it, when `second`
 * begins; it commits as soon as `second` waits for it.
 *
 * @param first uses the database that it is given, for one transaction
 */
export function whileItWaits<First, Second>(
  instance: Instance,
  first: (database: Database) => Promise<First>,
  second: () => Promise<Second>,
): Promise<[First, Second]> {
  return beforeItCommits(instance, first, async () => {
    const other = second();
    other.catch(() => {}); // told below
    await untilSomebodyWaits(instance);
    return () => other;
  });
}

/** The same for what does not wait: `first` commits when `second` has come to its end. */
export function besides<First, Second>(
  instance: Instance,
  first: (database: Database) => Promise<First>,
  second: () => Promise<Second>,
): Promise<[First, Second]> {
  return beforeItCommits(instance, first, async () => {
    const other = await second();
    return async () => other;
  });
}

/** A database in which something happens between the first statement and the next one. */
export function afterTheFirst(database: Database, happen: () => Promise<unknown>): Database {
  let isFirst = true;
  return {
    ...database,
    async rows(statement, values) {
      const rows = await database.rows(statement, values);
      if (isFirst) await happen();
      isFirst = false;
      return rows;
    },
  };
}

async function beforeItCommits<First, Second>(
  { context: { database } }: Instance,
  first: (database: Database) => Promise<First>,
  second: () => Promise<() => Promise<Second>>,
): Promise<[First, Second]> {
  const reached = gate();
  const over = gate();
  const held: Database = {
    ...database,
    transaction: (work) =>
      database.transaction(async (transaction) => {
        const result = await work(transaction);
        reached.open();
        await over.opened;
        return result;
      }),
  };
  const one = first(held);
  one.catch(() => {}); // told below
  try {
    await Promise.race([reached.opened, one]);
    const other = await second();
    over.open();
    return [await one, await other()];
  } finally {
    over.open();
    await one.catch(() => {});
  }
}
