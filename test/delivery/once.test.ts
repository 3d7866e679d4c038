import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  gate,
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  sentTwice,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { addRawJobs, describeOnEachQueue, describeOnRedis } from '../support/queues.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const idsAt = (smtp: TestSmtp) => lettersAmong(smtp.handedOver).map(messageIdOf);

describeOnEachQueue('a letter leaves once', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue, roles: ['web'] });

  it('although its job was added ten times, and two workers take from the queue', async () => {
    await writeMany(instance, { people: 30, brands: ['hm', 'nike'] });
    const bundles = await releaseLetters(instance.context.database);
    expect(bundles).toHaveLength(2);
    // BullMQ ignores an id that it has; a job's first letter is not part of ours
    const jobs = [...'abcdefghij'].flatMap((letter) => bundles.map(({ id }) => `${letter}${id}`));
    await addRawJobs(instance, jobs);

    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    await instance.startWorker();
    await instance.startWorker();
    await until(async () => smtp.handedOver.length >= 10);
    await addRawJobs(instance, jobs); // while they are in the air
    held.open();
    await untilStates(instance, { accepted: 60 });

    await addRawJobs(instance, jobs); // after they are done
    await writeMany(instance, { people: 1, brands: ['puma'] });
    await untilStates(instance, { accepted: 61 });
    expect(idsAt(smtp).sort()).toEqual(await messageIdsIn(instance, 'accepted'));
  });
});

describeOnRedis('two instances on one database and one Redis', (redis) => {
  let smtps: TestSmtp[];
  let instances: Instance[];
  beforeEach(async () => {
    smtps = [await startSmtp(), await startSmtp()];
    const first = await startInstance({ redisUrl: redis().url, smtpUrl: smtps[0]?.url });
    const { databaseUrl, config } = first.context;
    const second = await startInstance({
      redisUrl: redis().url,
      smtpUrl: smtps[1]?.url,
      databaseUrl,
      settings: { appKeys: config.appKeys },
    });
    instances = [second, first];
  });
  afterEach(async () => {
    for (const instance of instances) await instance.close();
    for (const smtp of smtps) await smtp.close();
  });

  it('share 200 letters, and each goes out exactly once', async () => {
    const [instance] = instances as [Instance];
    const [one, other] = smtps as [TestSmtp, TestSmtp];
    const both = gate(); // nobody is done before both have begun
    for (const smtp of smtps)
      smtp.script((moment) => (moment === 'dot' ? { until: both.opened } : undefined));
    const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas', 'gap', 'puma', 'tchibo'];
    await writeMany(instance, { people: 25, brands });
    await until(async () => one.handedOver.length > 0 && other.handedOver.length > 0, 'both', 60_000);
    both.open();
    await untilStates(instance, { accepted: 200 });
    expect([...idsAt(one), ...idsAt(other)].sort()).toEqual(await messageIdsIn(instance, 'accepted'));
    expect([sentTwice(one), sentTwice(other)]).toEqual([[], []]);
  });
});

describe('releasing', () => {
  it('puts a letter into one bundle, however many workers release at once', async () => {
    const instance = await startInstance({ roles: ['web'] });
    await writeMany(instance, { people: 5, brands: ['hm', 'nike'] });
    const rounds = await Promise.all(
      Array.from({ length: 8 }, () => releaseLetters(instance.context.database)),
    );
    expect(rounds.flat()).toHaveLength(2);
    const [row] = await instance.query(
      'select count(*)::int as all, count(distinct letter)::int as distinct from bundle, unnest(letter_ids) letter',
    );
    expect(row).toEqual({ all: 10, distinct: 10 });
    await instance.close();
  });
});
