import { createHash } from 'node:crypto';
import pg from 'pg';

/** A statement that Postgres parses and plans once per connection. `Row` is what it returns. */
export type Statement<Row> = { readonly name: string; readonly text: string; readonly row?: Row };

/** Where statements can run: the database itself (each one a transaction) or one open transaction. */
export type Queryable = {
  rows<Row>(statement: Statement<Row>, values?: unknown[]): Promise<Row[]>;
  /** The first row, or undefined. */
  row<Row>(statement: Statement<Row>, values?: unknown[]): Promise<Row | undefined>;
};

export type Database = Queryable & {
  /** Commits when `work` resolves, rolls back when it throws. */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /**
   * The same, on one snapshot (PostgreSQL's `repeatable read`): where somebody else changes one of its rows
   * meanwhile, it fails with 40001 (see `isPassing`) instead of mixing what was with what is.
   */
  onSnapshot<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /**
   * A transaction for statements that read much and that somebody waits for: planned as PostgreSQL thinks best, and
   * with minutes instead of seconds. Nothing that is asked for every visitor or every letter belongs here.
   */
  atLeisure<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /** The pool itself, for the bench and for tests, which look behind it. */
  readonly pool: pg.Pool;
  close(): Promise<void>;
};

/**
 * Names a statement by its own text, so that it is prepared once and two statements never share a name.
 * Write it at module level.
 */
export function statement<Row = Record<string, never>>(text: string): Statement<Row> {
  return { name: createHash('sha1').update(text).digest('base64url'), text };
}

/**
 * A queue's tables look empty one moment and full the next, so a plan that was made for a table of no pages
 * would read it whole for as long as it is cached. Nearly every statement here looks rows up by key: these
 * settings say so, and cost nothing where there is no index (docs/decisions/0002).
 */
const planning = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'enable_bitmapscan=off',
];

/**
 * The server gives up a statement, and a transaction whose client says nothing more (it was stopped, or its machine
 * is gone: its locks must not outlive it by hours). A client that is gone without a word is noticed by keepalive.
 */
const givingUp = [
  'statement_timeout=12s',
  'idle_in_transaction_session_timeout=15s',
  'tcp_keepalives_idle=10',
  'tcp_keepalives_interval=5',
  'tcp_keepalives_count=3',
];

/**
 * So that nobody waits for a server which holds its connections and says nothing (docs/decisions/0015). We wait
 * a little longer for an answer than the server works on it: then it is known what became of the statement.
 */
export const lifeline = {
  connectionTimeoutMillis: 5000,
  query_timeout: 15_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
};

/** How long a statement may take `atLeisure`, in milliseconds: a list of ten million rows is read in one or two minutes. */
const leisure = 10 * 60_000;

/** Undoes `planning` for one transaction: what reads a table whole must not go through it in the order of an index. */
const asPlannedBest = [
  'plan_cache_mode = force_custom_plan',
  'enable_seqscan = on',
  'enable_hashjoin = on',
  'enable_mergejoin = on',
  'enable_bitmapscan = on',
  `statement_timeout = ${leisure}`,
];

/**
 * @param url `postgres://…`
 * @param connections how many at most
 */
export function openDatabase(url: string, connections = 12): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    application_name: 'outspoken',
    options: [...planning, ...givingUp].map((setting) => `-c ${setting}`).join(' '),
    ...lifeline,
  });
  pool.on('error', () => {}); // an idle connection that broke is replaced at the next query
  pool.on('connect', (client) => client.on('error', () => {})); // one in use tells the query that it has, or gets
  async function within<Result>(
    begin: string,
    work: (transaction: Queryable) => Promise<Result>,
    patience?: number,
  ) {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query(begin);
      const result = await work(on(client, patience));
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((rollbackError: Error) => {
        broken = rollbackError;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }
  return {
    ...on(pool),
    pool,
    transaction: (work) => within('begin', work),
    onSnapshot: (work) => within('begin isolation level repeatable read', work),
    atLeisure: (work) =>
      within(`begin; ${asPlannedBest.map((setting) => `set local ${setting}`).join('; ')}`, work, leisure),
    close: () => pool.end(),
  };
}

/** @param patience milliseconds for an answer, if not those of the connection */
function on(client: pg.Pool | pg.PoolClient, patience?: number): Queryable {
  async function rows<Row>({ name, text }: Statement<Row>, values: unknown[] = []): Promise<Row[]> {
    const query = { name, text, values, ...(patience && { query_timeout: patience + 5000 }) };
    const result = await client.query(query);
    return result.rows as Row[];
  }
  return {
    rows,
    row: async (query, values) => (await rows(query, values))[0],
  };
}

/**
 * Whether an error says that the connection or the server is gone, not that the statement was wrong. 25P03: a transaction
 * that said nothing for too long has lost its own, as after a machine was asleep.
 */
export function isConnectionLoss(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|08|57P0|25P03)/.test(code ?? '') ||
    (code === 'ENOENT' && (error as { syscall?: string }).syscall === 'connect') || // a Unix socket
    /Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|not queryable/.test(
      message ?? '',
    )
  );
}

/**
 * Whether the same statement may well succeed a little later: the server is gone, full, read-only for a while or too
 * busy, or two statements were in each other's way (https://www.postgresql.org/docs/18/errcodes-appendix.html).
 */
export function isPassing(error: unknown): boolean {
  const { code } = error as { code?: string };
  return isConnectionLoss(error) || /^(40|53|58|55P03$|57014$|25006$)/.test(code ?? '');
}

/** Whether a row was refused since another one has the same value in what this constraint wants unique (SQLSTATE 23505). */
export function isTaken(error: unknown, constraint: string): boolean {
  const refused = error as { code?: string; constraint?: string };
  return refused.code === '23505' && refused.constraint === constraint;
}
