import type { Logger } from '../src/log.ts';
import { atMost } from '../src/time.ts';
import { type Backend, type BullWorker, openOnPostgres, openOnRedis } from './backend.ts';

/**
 * An id to work on. `again`: how often this id was added before; its job may have died with a worker, and BullMQ takes
 * no second one of the same name while it has the first.
 */
export type Job = { id: string; again?: number };

/**
 * A queue of ids, and nothing but ids. It is a hint: Postgres knows what is to be done, and a job that is
 * lost, repeated or late changes nothing but the time.
 */
export type JobQueue = {
  /** Adds jobs; one that is already there stays as it is. What cannot be added is found by a sweep. */
  add(jobs: Job[]): Promise<void>;
  /** Calls `handle` for each job, `concurrency` at a time. */
  work(handle: (id: string) => Promise<void>, concurrency: number): { close(): Promise<void> };
};

export type Queues = {
  /** Bundles of one or two letters, such as a person's: they have workers of their own, so that none waits for a launch. */
  singles: JobQueue;
  bundles: JobQueue;
  notices: JobQueue;
  replies: JobQueue;
  /** Nothing can be put into it. */
  isLost(): boolean;
  /** It was lost just now, or is. */
  wasLost(): boolean;
  close(): Promise<void>;
};

/** How often it is asked whether the queue is there, and how long its return is remembered; in milliseconds. */
const probing = 2000;
const remembered = 15_000;

/** How long a server may take to say goodbye, in milliseconds: nothing in the queue is needed. */
const closing = 5000;

/**
 * Opens BullMQ on Redis when there is one, else on its PostgreSQL backend (schema `bullmq`).
 */
export async function openQueues(
  { redisUrl, databaseUrl }: { redisUrl?: string; databaseUrl: string },
  log: Logger,
): Promise<Queues> {
  let over = false;
  const complainAloud = complainOnceInAWhile(log);
  const complain = (error: Error) => {
    if (!over) complainAloud(error);
  };
  const backend = redisUrl ? openOnRedis(redisUrl, complain) : await openOnPostgres(databaseUrl);
  let lost = false;
  let lostAt = Number.NEGATIVE_INFINITY;
  const note = (isLost: boolean) => {
    lost = isLost;
    if (isLost) lostAt = performance.now();
  };
  const probe = async () => {
    await backend.probe().then(
      () => note(false),
      () => note(true),
    );
  };
  const probes = setInterval(probe, probing).unref();
  await atMost(probing, probe());

  const open = (name: string) => openJobQueue(name, { backend, complain, isLost: () => lost });
  const [singles, bundles] = [open('singles'), open('bundles')];
  const [notices, replies] = [open('notices'), open('replies')];
  return {
    singles,
    bundles,
    notices,
    replies,
    isLost: () => lost,
    wasLost: () => lost || performance.now() - lostAt < remembered,
    async close() {
      over = true; // that connections end now is no trouble
      clearInterval(probes);
      await Promise.all([singles.close(), bundles.close(), notices.close(), replies.close()]);
      await atMost(closing, backend.close());
    },
  };
}

type Server = { backend: Backend; complain: (error: Error) => void; isLost: () => boolean };

function openJobQueue(
  name: string,
  { backend, complain, isLost }: Server,
): JobQueue & { close(): Promise<void> } {
  const open = () => backend.openQueue(name);
  const queue = keep(open, complain);
  return {
    async add(jobs) {
      if (jobs.length === 0 || isLost()) return;
      const added = queue.current().addBulk(
        jobs.map(({ id, again = 0 }) => ({
          name: 'j',
          data: {},
          // BullMQ keeps plain integers for itself, hence the letter in front
          opts: { jobId: again > 0 ? `j${id}-${again}` : `j${id}` },
        })),
      );
      await added.catch(complain);
    },
    work(handle, concurrency) {
      const active = new Set<Promise<void>>();
      const start = (): BullWorker =>
        backend.startWorker(
          name,
          async (job) => {
            const work = handle(/^j(\d+)/.exec(job.id ?? '')?.[1] ?? '0');
            active.add(work);
            await work.finally(() => active.delete(work));
          },
          concurrency,
        );
      const worker = keep(start, complain);
      return {
        // Our own work is waited for; a server that is away is not, since nothing in it is needed.
        async close() {
          worker.keepNoMore();
          await worker.current().pause(true);
          await Promise.allSettled(active);
          await atMost(closing, worker.current().close(isLost()));
        },
      };
    },
    async close() {
      queue.keepNoMore();
      await atMost(closing, queue.current().close());
    },
  };
}

type Keepable = {
  waitUntilReady(): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  close(force?: boolean): Promise<void>;
};

/**
 * BullMQ's parts never recover when the server fails in the moment in which they start, and on PostgreSQL they keep a
 * connection that answers no more for as long as the kernel believes in it: then they are replaced.
 */
function keep<Part extends Keepable>(open: () => Part, complain: (error: Error) => void) {
  let kept = true;
  const start = (): Part => {
    const part = open();
    let replaced = false;
    const replace = async () => {
      if (replaced || !kept) return;
      replaced = true;
      await atMost(closing, part.close(true).catch(complain));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (kept) current = start();
    };
    part.on('error', (error) => {
      complain(error);
      if (isMute(error)) void replace();
    });
    part.waitUntilReady().catch(replace);
    return part;
  };
  let current = start();
  return {
    current: () => current,
    keepNoMore() {
      kept = false;
    },
  };
}

/** What `pg` says when an answer did not come within `query_timeout`. */
const isMute = ({ message }: Error) => message.includes('Query read timeout');

/**
 * A queue that is away says so many times a second; the log needs each kind of trouble every ten. Ids and ports do not
 * make another kind.
 */
export function complainOnceInAWhile(log: Logger): (error: Error) => void {
  const quietUntil = new Map<string, number>();
  return (error) => {
    const now = performance.now();
    for (const [kind, until] of quietUntil) if (until <= now) quietUntil.delete(kind);
    const kind = error.message.replace(/\d+/g, '#');
    if (quietUntil.has(kind)) return;
    quietUntil.set(kind, now + 10_000);
    log.warn({ err: error }, 'the queue is in trouble; letters wait in the database meanwhile');
  };
}
