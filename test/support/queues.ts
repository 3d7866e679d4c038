import { afterAll, beforeAll, describe } from '@jest/globals';
import { createPostgresBackend, Queue, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import type { Instance } from './instance.ts';
import { describeWith } from './needs.ts';
import { type RedisServer, startRedis } from './redis.ts';

/** What a suite is told about its queue: nothing to give to `startInstance` (PostgreSQL), or a Redis URL. */
export type QueueOption = () => { redisUrl?: string };

/**
 * The same suite twice: with BullMQ on PostgreSQL, as in the embedded default, and on a Redis of its own.
 */
export function describeOnEachQueue(title: string, suite: (queue: QueueOption) => void): void {
  describe(`${title} (queue on PostgreSQL)`, () => suite(() => ({})));
  describeOnRedis(`${title} (queue on Redis)`, (redis) => suite(() => ({ redisUrl: redis().url })));
}

/** A suite with a Redis of its own. */
export function describeOnRedis(title: string, suite: (redis: () => RedisServer) => void): void {
  describeWith('redis-server', title, () => {
    let redis: RedisServer | undefined;
    beforeAll(async () => {
      redis = await startRedis();
    });
    afterAll(() => redis?.close());
    // within, since hooks that end something run in the order in which they were written
    describe('', () => suite(() => redis as RedisServer));
  });
}

/** Adds jobs to the queue of bundles behind the back of our own code. */
export async function addRawJobs({ context }: Instance, ids: string[]): Promise<void> {
  const jobs = ids.map((jobId) => ({ name: 'j', data: {}, opts: { jobId } }));
  const { config, databaseUrl } = context;
  if (config.redisUrl) {
    const connection = new Redis(config.redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue('bundles', { connection, prefix: 'outspoken' });
    await queue.addBulk(jobs);
    await queue.close();
    connection.disconnect();
  } else {
    const Postgres = withBackend(createPostgresBackend);
    const queue = new Postgres.Queue('bundles', { connection: { connectionString: databaseUrl, max: 1 } });
    await queue.addBulk(jobs);
    await queue.close();
  }
}

/** Everything that the queue holds, as text: all keys and values of Redis, or all rows of BullMQ's tables. */
export async function readQueue({ context, query }: Instance): Promise<string[]> {
  if (context.config.redisUrl) return readRedis(context.config.redisUrl);
  const tables = await query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'bullmq' and table_name <> 'migration'",
  );
  const rows = await Promise.all(
    tables.map(({ name }) => query<{ row: string }>(`select t::text as row from bullmq."${name}" t`)),
  );
  return rows.flat().map(({ row }) => row);
}

export type StoredJob = { data: string; opts: string };

/** The jobs among what `readQueue` found; `kind` is the name of a queue. */
export function jobsIn(found: string[], kind = 'bundles'): StoredJob[] {
  return found.flatMap((text) => {
    const [, hash] = new RegExp(`^outspoken:${kind}:j\\d+ (\\{.*)$`).exec(text) ?? [];
    if (hash) return [JSON.parse(hash) as StoredJob];
    // a row as PostgreSQL writes it: (queue,id,seq,name,state,data,"opts with doubled quotes",…
    const [, data, opts] =
      new RegExp(`^\\(${kind},j\\d+,\\d+,\\w+,\\w+,([^,]*),"((?:""|[^"])*)",`).exec(text) ?? [];
    return data && opts ? [{ data, opts: opts.replaceAll('""', '"') }] : [];
  });
}

/** Wipes it, as a Redis without persistence that is restarted would, or an operator in a hurry. */
export async function wipeQueue({ context, query }: Instance): Promise<void> {
  if (context.config.redisUrl) {
    const redis = new Redis(context.config.redisUrl);
    await redis.flushall();
    redis.disconnect();
  } else {
    const tables = await query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'bullmq' and table_name <> 'migration'",
    );
    await query(`truncate ${tables.map(({ name }) => `bullmq."${name}"`).join(', ')} cascade`);
  }
}

export async function readRedis(url: string): Promise<string[]> {
  const redis = new Redis(url);
  const read: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => redis.get(key),
    hash: (key) => redis.hgetall(key),
    list: (key) => redis.lrange(key, 0, -1),
    set: (key) => redis.smembers(key),
    zset: (key) => redis.zrange(key, '0', '-1'),
    stream: (key) => redis.xrange(key, '-', '+'),
  };
  const found: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    const reader = read[type];
    if (!reader && type !== 'none') throw new Error(`Redis holds a ${type}, which this cannot read`);
    found.push(`${key} ${JSON.stringify(await reader?.(key))}`);
  }
  redis.disconnect();
  return found;
}
