import { createPostgresBackend, Queue, runMigrations, Worker, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { lifeline } from '../src/db/database.ts';

/** BullMQ on one of its two servers, as `queue.ts` needs it. */
export type Backend = {
  openQueue(name: string): BullQueue;
  startWorker(name: string, process: Process, concurrency: number): BullWorker;
  /** Throws within seconds when nothing can be put into the queue: it is away, mute, or full. */
  probe(): Promise<unknown>;
  close(): Promise<void>;
};

type Part = {
  waitUntilReady(): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
};
export type BullQueue = Part & Pick<Queue, 'addBulk' | 'close'>;
export type BullWorker = Part & Pick<Worker, 'pause' | 'close'>;
type Process = (job: { id?: string }) => Promise<void>;

/**
 * Jobs leave no trace when they are done, and are never given up: the database decides what is over. After an outage
 * a worker looks again after a second.
 */
const workerOptions = {
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
  maxStalledCount: 1_000_000,
  runRetryDelay: 1000,
};

/**
 * BullMQ writes down when each job came and went, and keeps the last 10,000 of these events. Nobody reads them, and they
 * would tell when which bundle left, long after the database has forgotten it. Fewer than some hundreds cannot be had.
 */
const queueOptions = { streams: { events: { maxLen: 1 } } };

const prefix = 'outspoken';

/**
 * A server that keeps a connection and says nothing is left after this long, in milliseconds, and connected to anew.
 * A worker that waits for jobs hears from it every five seconds (BullMQ's `drainDelay`).
 */
const mute = 8000;

export function openOnRedis(url: string, onError: (error: Error) => void): Backend {
  const options = { socketTimeout: mute, retryStrategy: (times: number) => Math.min(50 * times, 1000) };
  // Adding must not wait for a Redis that is away; working may wait as long as it takes.
  const adding = new Redis(url, { ...options, maxRetriesPerRequest: 1, commandTimeout: 3000 });
  const working = new Redis(url, { ...options, maxRetriesPerRequest: null });
  for (const connection of [adding, working]) connection.on('error', onError);
  const Steady = steady(Worker);
  return {
    // what it asks Redis first would fail when Redis is away, and be remembered for ever
    openQueue: (name) =>
      new Queue(name, {
        ...queueOptions,
        connection: adding,
        prefix,
        skipWaitingForReady: true,
        skipVersionCheck: true,
      }),
    startWorker: (name, process, concurrency) =>
      new Steady(name, process, { ...workerOptions, connection: working, prefix, concurrency }),
    probe: () => adding.set(`${prefix}:probe`, '', 'PX', 60_000),
    async close() {
      for (const connection of [adding, working]) connection.disconnect();
    },
  };
}

/** The queues' workers listen on a connection each; what else they ask, they ask on a few that they share. */
const connections = { max: 10, options: '-c search_path=bullmq', ...lifeline };

export async function openOnPostgres(connectionString: string): Promise<Backend> {
  const client = new pg.Client({ connectionString, ...lifeline });
  client.on('error', () => {}); // the statement that is under way tells
  await client.connect();
  try {
    await runMigrations(client);
  } finally {
    await client.end();
  }
  const Postgres = withBackend(createPostgresBackend);
  const Steady = steady(Postgres.Worker);
  const pool = new pg.Pool({ connectionString, application_name: 'outspoken-queue', ...connections });
  pool.on('error', () => {}); // an idle connection that broke is replaced; while parts are replaced, nobody else listens
  pool.on('connect', (one) => one.on('error', () => {})); // one in use tells the query that it has
  return {
    openQueue: (name) =>
      lettingGo(pool, () => new Postgres.Queue(name, { ...queueOptions, connection: pool })),
    startWorker: (name, process, concurrency) =>
      lettingGo(pool, () => new Steady(name, process, { ...workerOptions, connection: pool, concurrency })),
    probe: async () => {}, // without the database no letter could be brought to its end either
    async close() {
      if (!pool.ending) await pool.end();
    },
  };
}

/**
 * BullMQ's parts listen to a pool that they were given, and go on when they are closed. In an outage they are replaced
 * again and again: the pool would keep all of them.
 */
function lettingGo<Part extends { close(force?: boolean): Promise<void> }>(
  pool: pg.Pool,
  open: () => Part,
): Part {
  const others = new Set(pool.listeners('error'));
  const part = open();
  const own = pool.listeners('error').filter((listener) => !others.has(listener));
  const close = part.close.bind(part);
  part.close = (force) => {
    for (const listener of own) pool.off('error', listener as (error: Error) => void);
    return close(force);
  };
  return part;
}

type WorkerClass = new (
  // biome-ignore lint/suspicious/noExplicitAny: what BullMQ's two worker classes take differs in types only
  ...args: any[]
) => BullWorker & { moveToActive(token: string, name?: string): Promise<unknown> };

/** A worker that takes a breath when its server refuses to give it a job; BullMQ's asks again at once, for ever. */
function steady(Bull: unknown): WorkerClass {
  return class extends (Bull as WorkerClass) {
    override async moveToActive(token: string, name?: string): Promise<unknown> {
      try {
        return await super.moveToActive(token, name);
      } catch (error) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        throw error;
      }
    }
  };
}
