import { expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  gate,
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  stateCounts,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue, jobsIn, readQueue, wipeQueue } from '../support/queues.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas', 'american-eagle', 'asics', 'gap'];

describeOnEachQueue('the queue is disposable', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  it('every letter goes out exactly once although the queue is wiped in mid-flight', async () => {
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    await writeMany(instance, { people: 25, brands });
    await until(async () => lettersAmong(smtp.handedOver).length > 0, 'letters in the air');
    // in a bundle per brand, or more where a round of releasing came while they were written
    await until(async () => !(await stateCounts(instance)).ready, 'all letters in bundles');
    await until(async () => jobsIn(await readQueue(instance)).length > 0, 'jobs');

    await instance.query("update bundle set released_at = now() + interval '1 hour'"); // until it is wiped, and looked at
    await wipeQueue(instance);
    // a control: bundles that nobody has taken have lost their jobs, so nobody will take them
    expect((await open()).filter(({ worker_id }) => worker_id === null).length).toBeGreaterThan(0);
    expect(jobsIn(await readQueue(instance))).toEqual([]);
    held.open();
    // what nobody took within ten seconds is given a job again; ten seconds pass at once
    await instance.query("update bundle set released_at = now() - interval '11 seconds'");
    await untilStates(instance, { accepted: 25 * brands.length });
    expect(lettersAmong(smtp.handedOver).map(messageIdOf).sort()).toEqual(
      await messageIdsIn(instance, 'accepted'),
    );
    await until(async () => (await open()).length === 0, 'an end of all bundles'); // after their last letters are recorded

    // and the queue works as before, without a sweep
    await writeMany(instance, { people: 1, brands });
    await untilStates(instance, { accepted: 26 * brands.length });
  }, 90_000);

  const open = () => instance.query<{ worker_id: number | null }>('select worker_id from bundle');
});
