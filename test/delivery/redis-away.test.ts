import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  campaignPath,
  confirmationLink,
  lettersOn,
  until,
  writeAndConfirm,
  writeLetters,
} from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  gate,
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  stateCounts,
  untilStates,
  writeMany,
  writeTogether,
} from '../support/letters.ts';
import { describeWith } from '../support/needs.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas', 'american-eagle', 'asics', 'gap'];

describeWith('redis-server', 'a Redis that goes away', () => {
  let redis: RedisServer;
  let smtp: TestSmtp;
  let instance: Instance;
  beforeEach(async () => {
    redis = (await startRedis()) as RedisServer;
    smtp = await startSmtp();
    instance = await startInstance({ redisUrl: redis.url, smtpUrl: smtp.url });
  });
  afterEach(async () => {
    await instance.close();
    await smtp.close();
    await redis.close();
  });
  const arrived = () => lettersAmong(smtp.handedOver).map(messageIdOf).sort();

  it('keeps nobody from writing, and letters released meanwhile go out when it is back', async () => {
    // the queue worked before, so that what follows is an interruption
    await writeAndConfirm(smtp, instance.visitor(), { email: 'before@mail.example' });
    await untilStates(instance, { accepted: 1 });

    await redis.kill();
    const visitor = instance.visitor();
    await writeLetters(visitor, { email: 'meanwhile@mail.example', brand: ['nike', 'puma'] });
    await writeMany(instance, { people: 4, brands });
    await untilStates(instance, { accepted: 1, draft: 2, queued: 32 });
    expect((await visitor.get(campaignPath)).status).toBe(200);

    redis = (await startRedis(redis)) as RedisServer;
    const link = await confirmationLink(smtp, 'meanwhile@mail.example');
    const { location } = await visitor.post(link);
    await instance.query("update bundle set released_at = released_at - interval '11 seconds'");
    await untilStates(instance, { accepted: 35 });
    const receipt = await visitor.get(location);
    expect(lettersOn(receipt).map(({ state }) => state)).toEqual(['accepted', 'accepted']);
    expect(arrived()).toEqual(await messageIdsIn(instance, 'accepted'));
  }, 120_000);

  it('in the middle of a campaign costs no letter, and sends none twice', async () => {
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    await writeTogether(instance, { people: 30, brands });
    await until(async () => smtp.handedOver.length >= 10, 'letters in the air');
    await redis.kill();
    held.open();
    // what was taken from the queue before goes on without it
    await until(async () => ((await stateCounts(instance)).accepted ?? 0) >= 30, 'letters without Redis');
    redis = (await startRedis(redis)) as RedisServer;
    await untilStates(instance, { accepted: 240 }, 90_000);
    expect(arrived()).toEqual(await messageIdsIn(instance, 'accepted'));
  }, 120_000);
});

describeWith('redis-server', 'the web role', () => {
  it('takes letters although there is no Redis at all', async () => {
    const gone = (await startRedis()) as RedisServer;
    await gone.close();
    const instance = await startInstance({ roles: ['web'], redisUrl: gone.url });
    const location = await writeLetters(instance.visitor(), { brand: brands });
    expect((await instance.visitor().get(location)).status).toBe(200);
    expect(await stateCounts(instance)).toEqual({ draft: brands.length });
    await instance.close();
  });
});
