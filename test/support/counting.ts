import { type Database, type Queryable, statement } from '../../src/db/database.ts';

/**
 * What PostgreSQL counts: rows of a table that were fetched, in all and by an index, and rows that were written anew, in
 * all and into every index.
 */
const columns = {
  fetched: 'coalesce(idx_tup_fetch, 0) + seq_tup_read',
  byIndex: 'coalesce(idx_tup_fetch, 0)',
  updated: 'n_tup_upd',
  updatedInIndexes: 'n_tup_upd - n_tup_hot_upd',
} as const;

/**
 * A database that counts what its statements do with a table: `counts` has a number per transaction, in order. Each
 * statement outside of one is one. PostgreSQL itself counts, what this connection has not reported yet.
 */
export function counting(
  database: Database,
  table: string,
  what: keyof typeof columns = 'fetched',
): { database: Database; counts: number[] } {
  const counts: number[] = [];
  const count = statement<{ n: number }>(
    `select (${columns[what]})::int as n from pg_stat_xact_user_tables where relname = '${table}'`,
  );
  const counted =
    (begin: Database['transaction']): Database['transaction'] =>
    (work) =>
      begin(async (transaction) => {
        const before = await transaction.row(count);
        const result = await work(transaction);
        const after = await transaction.row(count);
        counts.push((after?.n ?? Number.NaN) - (before?.n ?? Number.NaN));
        return result;
      });
  const transaction = counted(database.transaction);
  const alone: Queryable = {
    rows: (query, values) => transaction((one) => one.rows(query, values)),
    row: (query, values) => transaction((one) => one.row(query, values)),
  };
  return {
    database: { ...database, ...alone, transaction, atLeisure: counted(database.atLeisure) },
    counts,
  };
}

export const sum = (counts: readonly number[]) => counts.reduce((before, n) => before + n, 0);
