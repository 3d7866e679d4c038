import { createPostgresBackend, Queue, runMigrations, Worker, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Logger } from '../src/log.ts';

/** An id to work on. `later`: behind those that are not. */
export type Job = { id: string; later?: boolean };

/**
 * A queue of ids, and nothing but ids. It is a hint: Postgres knows what is to be done, and a job that is
 * lost, repeated or late changes nothing but the time.
 */
export type JobQueue = {
  /** Adds jobs; one that is already there stays as it is. Fails within seconds when the queue is away. */
  add(jobs: Job[]): Promise<void>;
  /** Calls `handle` for each job, `concurrency` at a time. */
  work(handle: (id: string) => Promise<void>, concurrency: number): { close(): Promise<void> };
};

export type Queues = { bundles: JobQueue; notices: JobQueue; close(): Promise<void> };

/**
 * Opens BullMQ on Redis when there is one, else on its PostgreSQL backend (schema `bullmq`).
 */
export async function openQueues(
  { redisUrl, databaseUrl }: { redisUrl?: string; databaseUrl: string },
  log: Logger,
): Promise<Queues> {
  return redisUrl ? openOnRedis(redisUrl, log) : openOnPostgres(databaseUrl, log);
}

const names = { bundles: 'bundles', notices: 'notices' } as const;

/** Jobs leave no trace when they are done, and are never given up: the database decides what is over. */
const workerOptions = {
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
  maxStalledCount: 1_000_000,
};

const prefix = 'outspoken';

function openOnRedis(url: string, log: Logger): Queues {
  // Adding must not wait for a Redis that is away; working may wait as long as it takes.
  const adding = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: 5000 });
  const working = new Redis(url, { maxRetriesPerRequest: null });
  const complain = complainOnceInAWhile(log);
  for (const connection of [adding, working]) connection.on('error', complain);
  const queues = {
    bundles: new Queue(names.bundles, { connection: adding, prefix, skipWaitingForReady: true }),
    notices: new Queue(names.notices, { connection: adding, prefix, skipWaitingForReady: true }),
  };
  const isThere = () =>
    adding.ping().then(
      () => true,
      () => false,
    );
  const open = (kind: keyof typeof names): JobQueue =>
    jobQueue(queues[kind], { complain, isThere }, (process, concurrency) => {
      return new Worker(names[kind], process, { ...workerOptions, connection: working, prefix, concurrency });
    });
  return {
    bundles: open('bundles'),
    notices: open('notices'),
    async close() {
      await Promise.all([queues.bundles.close(), queues.notices.close()]);
      for (const connection of [adding, working]) connection.disconnect();
    },
  };
}

async function openOnPostgres(connectionString: string, log: Logger): Promise<Queues> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await runMigrations(client);
  } finally {
    await client.end();
  }
  const Postgres = withBackend(createPostgresBackend);
  const complain = complainOnceInAWhile(log);
  const connection = { connectionString, max: 2, keepAlive: true };
  const queues = {
    bundles: new Postgres.Queue(names.bundles, { connection }),
    notices: new Postgres.Queue(names.notices, { connection }),
  };
  const isThere = async () => true; // without the database no letter could be brought to its end either
  const open = (kind: keyof typeof names): JobQueue =>
    jobQueue(queues[kind], { complain, isThere }, (process, concurrency) => {
      return new Postgres.Worker(names[kind], process, { ...workerOptions, connection, concurrency });
    });
  return {
    bundles: open('bundles'),
    notices: open('notices'),
    async close() {
      await Promise.all([queues.bundles.close(), queues.notices.close()]);
    },
  };
}

type BullQueue = Pick<Queue, 'addBulk'> & { on(event: 'error', listener: (error: Error) => void): unknown };
type BullWorker = Pick<Worker, 'pause' | 'close'> & {
  on(event: 'error', listener: (error: Error) => void): unknown;
};
type Process = (job: { id?: string }) => Promise<void>;
type Server = { complain: (error: Error) => void; isThere: () => Promise<boolean> };

function jobQueue(
  queue: BullQueue,
  { complain, isThere }: Server,
  start: (process: Process, concurrency: number) => BullWorker,
): JobQueue {
  queue.on('error', complain);
  return {
    async add(jobs) {
      if (jobs.length === 0) return;
      // BullMQ keeps plain integers for itself, hence the letter in front
      await queue.addBulk(
        jobs.map(({ id, later }) => ({
          name: 'j',
          data: {},
          opts: { jobId: `j${id}`, ...(later ? { priority: 1 } : {}) },
        })),
      );
    },
    work(handle, concurrency) {
      const active = new Set<Promise<void>>();
      const worker = start(async (job) => {
        const work = handle((job.id ?? '').slice(1));
        active.add(work);
        await work.finally(() => active.delete(work));
      }, concurrency);
      worker.on('error', complain);
      return {
        // Our own work is waited for; a server that is away is not, since nothing in it is needed.
        async close() {
          await worker.pause(true);
          await Promise.allSettled(active);
          await worker.close(!(await isThere()));
        },
      };
    },
  };
}

/** A queue that is away says so many times a second; the log needs it every ten. */
function complainOnceInAWhile(log: Logger): (error: Error) => void {
  let quietUntil = 0;
  return (error) => {
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + 10_000;
    log.warn({ err: error }, 'the queue is in trouble; letters wait in the database meanwhile');
  };
}
