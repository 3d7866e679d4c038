import { afterAll, beforeAll, describe } from '@jest/globals';
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
