import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { addCampaign, gate, sentTwice, stateCounts, untilStates, writeMany } from '../support/letters.ts';
import { describeOnEachQueue, jobsIn, readQueue } from '../support/queues.ts';

/** How many bundles may be on their way, and how many letters one holds. */
const most = { bundles: 40, letters: 200 };

describeOnEachQueue('the queue stays short', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  it('while 8,000 letters wait, and while they leave', async () => {
    const brands = await addCampaign(instance, 'launch', 10);
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    const look = async () => {
      const found = await readQueue(instance);
      const [row] = await instance.query<{ bundles: number; letters: number }>(
        'select count(*)::int as bundles, coalesce(max(cardinality(letter_ids)), 0) as letters from bundle',
      );
      return {
        ...(row as { bundles: number; letters: number }),
        jobs: ['singles', 'bundles'].flatMap((kind) => jobsIn(found, kind)).length,
      };
    };
    await writeMany(instance, { people: 1, brands, campaign: 'launch' });
    await until(async () => (await look()).bundles === brands.length, 'bundles of a letter each');
    await writeMany(instance, { people: 799, brands, campaign: 'launch' });
    await until(async () => (await look()).jobs === most.bundles, 'a full queue', 120_000);
    expect((await stateCounts(instance)).ready).toBeGreaterThanOrEqual(1000);
    const { redisUrl } = queue();
    // 25 is the aim
    if (redisUrl) expect((await bytesIn(redisUrl)) / 8000).toBeLessThan(15);

    const seen = [await look()];
    held.open();
    await until(
      async () => {
        seen.push(await look());
        return (await stateCounts(instance)).accepted === 8000;
      },
      'all letters',
      120_000,
    );
    expect(Math.max(...seen.map(({ bundles }) => bundles))).toBe(most.bundles);
    // a job's last breath may come after its bundle's; three large and four small ones are worked on at a time
    expect(Math.max(...seen.map(({ jobs }) => jobs))).toBeLessThanOrEqual(most.bundles + 7);
    expect(Math.max(...seen.map(({ letters }) => letters))).toBe(most.letters);
    expect(sentTwice(smtp)).toEqual([]);
    await untilStates(instance, { accepted: 8000 });
    await until(async () => (await look()).jobs === 0, 'an empty queue');
    expect(await look()).toEqual({ bundles: 0, letters: 0, jobs: 0 });
  }, 300_000);
});

/** What all keys of a Redis take, in bytes. */
async function bytesIn(url: string): Promise<number> {
  const redis = new Redis(url);
  const sizes = await Promise.all(
    (await redis.keys('*')).map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)),
  );
  redis.disconnect();
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  expect(bytes).toBeGreaterThan(1000); // a control: the jobs are there
  return bytes;
}
