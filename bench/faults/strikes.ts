import pg from 'pg';
import { type Postgres, signalIfThere } from './postgres.ts';
import { pause } from './processes.ts';
import { pick, shuffle } from './random.ts';
import type { KillableRedis } from './redis.ts';
import type { WorkerProcess, Workers } from './workers.ts';

/** What is done to the parts, and how large its share is. */
export const kinds = {
  worker: 30,
  'releasing worker': 15,
  redis: 15,
  'redis flushed': 15,
  postgres: 15,
  'postgres process': 10,
} as const;
export type Kind = keyof typeof kinds;

/** So many faults, in an order that the seed decides; each kind has its share. */
export function planFaults(count: number, random: () => number): Kind[] {
  const whole = Object.values(kinds).reduce((sum, share) => sum + share, 0);
  const names = Object.keys(kinds) as Kind[];
  const plan = names.flatMap((kind) => Array<Kind>(Math.floor((count * kinds[kind]) / whole)).fill(kind));
  for (let n = 0; plan.length < count; n += 1) plan.push(names[n % names.length] as Kind);
  return shuffle(plan, random);
}

type Parts = { postgres: Postgres; redis: KillableRedis; workers: Workers; random: () => number };

export type Striker = {
  /** Does it, and says what was done: a release is over quickly, and may not be caught. */
  strike(kind: Kind): Promise<Kind>;
  /** The most letters that became unknown because one worker was killed. To be asked once all have come to their end. */
  mostUnknown(): Promise<number>;
  /** Waits until all that was killed is up again. */
  settle(): Promise<void>;
};

export function createStriker({ postgres, redis, workers, random }: Parts): Striker {
  const repairs = new Set<Promise<void>>();
  let redisAway: Promise<void> | undefined;
  let postgresAway: Promise<void> | undefined;
  const claimed: Claimed[] = [];

  function repair(work: () => Promise<void>): Promise<void> {
    const repairing = work();
    repairs.add(repairing);
    void repairing.finally(() => repairs.delete(repairing));
    return repairing;
  }
  async function anyWorker(): Promise<WorkerProcess> {
    for (;;) {
      const alive = workers.alive();
      if (alive.length > 0) return pick(alive, random);
      await pause(20);
    }
  }
  async function killWorker(worker: WorkerProcess): Promise<void> {
    await workers.kill(worker);
    void repair(async () => {
      await pause(500); // what PostgreSQL had been asked to do is done
      claimed.push(await claimedBy(postgres, worker.id));
    });
  }
  const strikes: Record<Kind, () => Promise<Kind>> = {
    async worker() {
      await killWorker(await anyWorker());
      return 'worker';
    },
    async 'releasing worker'() {
      const worker = await catchReleasing(postgres, workers);
      if (!worker) return strikes.worker();
      await killWorker(worker);
      return 'releasing worker';
    },
    async redis() {
      await redisAway;
      await redis.kill();
      redisAway = repair(async () => {
        await pause(rest(random));
        await redis.start();
      });
      return 'redis';
    },
    async 'redis flushed'() {
      await redisAway;
      await redis.flush();
      return 'redis flushed';
    },
    async postgres() {
      await postgresAway;
      await postgres.kill(random() < 0.5);
      postgresAway = repair(async () => {
        await pause(rest(random));
        await postgres.start();
      });
      return 'postgres';
    },
    async 'postgres process'() {
      await postgresAway;
      signalIfThere(pick(postgres.backends(), random), 'SIGKILL');
      postgresAway = repair(async () => {
        await pause(200); // it starts its other processes anew, or, if it was still recovering, ends
        await postgres.start();
      });
      return 'postgres process';
    },
  };
  return {
    strike: (kind) => strikes[kind](),
    async mostUnknown() {
      const counts = await Promise.all(claimed.map((letters) => countUnknown(postgres, letters)));
      return Math.max(0, ...counts);
    },
    async settle() {
      while (repairs.size > 0) await Promise.all(repairs);
    },
  };
}

/** How long a server stays away, in milliseconds. */
export function rest(random: () => number): number {
  return 50 + random() * 1500;
}

/** Letters that a worker had claimed when it was killed, and when that was. */
type Claimed = { ids: string[]; at: Date };

async function claimedBy(postgres: Postgres, worker: number | undefined): Promise<Claimed> {
  const [row] = await insist(postgres, (client) =>
    client.query(
      `select clock_timestamp() as at, array(
         select letter.id::text from bundle, unnest(letter_ids) as member
         join letter on letter.id = member and letter.state = 'sending'
         where letter.bundle_id = bundle.id and worker_id = $1
       ) as ids`,
      [worker],
    ),
  );
  return row as Claimed;
}

/**
 * Of how many the next thing that happened was that they were lost sight of. Where a host stands beside it, that is what the
 * relay had done to the letter before, and the worker had written down.
 */
async function countUnknown(postgres: Postgres, { ids, at }: Claimed): Promise<number> {
  const [row] = await insist(postgres, (client) =>
    client.query(
      `select count(*)::int as n from unnest($1::bigint[]) as claimed (id), lateral (
         select type, host from event where letter_id = claimed.id and at > $2 order by at limit 1
       ) as next
       where type = 'sight_lost' and host is null`,
      [ids, at],
    ),
  );
  return row?.n ?? 0;
}

/** Asks the database until it answers. */
export async function insist(
  postgres: Postgres,
  ask: (client: pg.Client) => Promise<pg.QueryResult>,
): Promise<pg.QueryResultRow[]> {
  for (let tries = 0; ; tries += 1) {
    const client = new pg.Client({ connectionString: postgres.url, connectionTimeoutMillis: 5000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await ask(client)).rows;
    } catch (error) {
      if (tries > 300) throw error;
      await pause(100);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

const holder = `
  select application_name as name from pg_locks join pg_stat_activity using (pid)
  where locktype = 'advisory' and granted
    and objid::bigint = hashtext('outspoken release')::bigint & 4294967295`;

/**
 * The worker that is in the middle of a release, stopped there; undefined if none was caught. It is stopped, and
 * then it is seen whether its transaction is still open: then it will never end it.
 */
async function catchReleasing(postgres: Postgres, workers: Workers): Promise<WorkerProcess | undefined> {
  const client = new pg.Client({ connectionString: postgres.url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const find = async () => {
      const { rows } = await client.query(holder);
      return workers.alive().find(({ name }) => name === rows[0]?.name);
    };
    for (const deadline = performance.now() + 8000; performance.now() < deadline; ) {
      const found = await find();
      if (!found) continue;
      found.program.signal('SIGSTOP');
      if ((await find()) === found) return found;
      found.program.signal('SIGCONT');
    }
  } catch {
    // PostgreSQL was struck at this very moment
  } finally {
    await client.end().catch(() => {});
  }
  return undefined;
}
