import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { campaignPath, letterFields } from '../support/advocate.ts';
import { type Cable, layCable } from '../support/cable.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  sentTwice,
  stateCounts,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { describeWith } from '../support/needs.ts';
import { readiness, untilReadiness } from '../support/readiness.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas'];

/** Workers shall be at work ten seconds after Redis is back; a machine that is busy gets more. */
const soon = 45_000;

describeWith('redis-server', 'an outage of Redis', () => {
  let redis: RedisServer;
  let cable: Cable;
  let smtp: TestSmtp;
  let instance: Instance;
  let written = 0;
  beforeEach(async () => {
    redis = (await startRedis()) as RedisServer;
    cable = await layCable({ port: redis.port, host: '127.0.0.1' });
    smtp = await startSmtp();
    instance = await startInstance({ redisUrl: `redis://127.0.0.1:${cable.port}`, smtpUrl: smtp.url });
    written = 0;
    await write(1); // what follows is an interruption
    await arrive();
  });
  afterEach(async () => {
    redis.process.kill('SIGCONT');
    await instance.close();
    await smtp.close();
    await cable.close();
    await redis.close();
  }, 60_000);

  async function write(people: number): Promise<void> {
    await writeMany(instance, { people, brands });
    written += people * brands.length;
  }
  /** All letters have arrived, each of them once. */
  async function arrive(): Promise<void> {
    await untilStates(instance, { accepted: written }, soon);
    expect(sentTwice(smtp)).toEqual([]);
    expect(lettersAmong(smtp.accepted).map(messageIdOf).sort()).toEqual(
      await messageIdsIn(instance, 'accepted'),
    );
  }
  const queueIs = (status: string) =>
    untilReadiness(instance, ({ parts }) => parts.queue?.status === status, soon);

  /** While it lasts, forms are taken, letters are stored and /readyz says what is wrong; afterwards they go out. */
  async function outlast(begin: () => unknown, end: () => unknown): Promise<void> {
    await begin();
    const said = await queueIs('degraded');
    expect(said).toMatchObject({ code: 200, status: 'degraded', parts: { database: { status: 'ok' } } });
    expect(said.parts.queue?.reason).toMatch(/^worker \d+ cannot use the queue for \d+ seconds$/);
    const sent = await instance.visitor().post(`${campaignPath}/letters`, letterFields());
    expect(sent.status).toBe(303);
    await instance.query('delete from notice');
    await instance.query('delete from advocate where confirmed_at is null');
    await instance.query("update letter set state = 'cancelled' where state = 'draft'");
    await write(2);
    await end();
    await queueIs('ok');
    await untilStates(instance, { accepted: written, cancelled: 1 }, soon);
    expect(sentTwice(smtp)).toEqual([]);
  }

  it('in which it is killed and started again', async () => {
    await outlast(
      () => redis.kill(),
      async () => {
        redis = (await startRedis(redis)) as RedisServer;
      },
    );
  }, 150_000);

  it('in which it is full', async () => {
    const client = new Redis(redis.url);
    await outlast(
      () => client.config('SET', 'maxmemory', '1'),
      () => client.config('SET', 'maxmemory', '0'),
    );
    client.disconnect();
  }, 150_000);

  it('in which it is stopped: it keeps its connections and says nothing', async () => {
    await outlast(
      () => redis.process.kill('SIGSTOP'),
      () => redis.process.kill('SIGCONT'),
    );
  }, 150_000);

  it('in which every connection stands and is dead, and only new ones work', async () => {
    await write(1);
    cable.freeze();
    await write(2);
    await arrive();
    await queueIs('ok');
    await write(1);
    await arrive();
  }, 150_000);

  it('in which it is slow', async () => {
    const client = new Redis(redis.url);
    await client.call('CLIENT', 'PAUSE', '3000', 'ALL');
    await write(2);
    await arrive();
    client.disconnect();
  }, 150_000);

  it('that lasts while a worker starts', async () => {
    await instance.close();
    await redis.kill();
    instance = await startInstance({ redisUrl: `redis://127.0.0.1:${cable.port}`, smtpUrl: smtp.url });
    smtp.accepted.length = 0;
    smtp.handedOver.length = 0;
    written = 0;
    await write(2);
    await queueIs('degraded');
    expect((await readiness(instance)).code).toBe(200);
    expect((await stateCounts(instance)).accepted).toBeUndefined();
    redis = (await startRedis(redis)) as RedisServer;
    await arrive();
  }, 150_000);
});
