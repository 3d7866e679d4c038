import { describe, expect, it } from '@jest/globals';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { sweepLetters } from '../../src/letters/sweep.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addressOf,
  letOthersPass,
  lettersAmong,
  noLogbooks,
  stateCounts,
  untilStates,
  writeMany,
} from '../support/letters.ts';

describe('after a time in which nothing was taken from the queue', () => {
  const { smtp, instance } = prepareDelivery({ roles: ['web'] });
  const setContact = (change: string) =>
    instance.query(`update contact set ${change} from brand where brand.id = brand_id and slug = 'hm'`);
  const setHours = (from: string, until: string) =>
    setContact(`sends_from = ((now() at time zone 'UTC') + interval '${from}')::time,
      sends_until = ((now() at time zone 'UTC') + interval '${until}')::time`);
  const arrived = () => lettersAmong(smtp.handedOver).filter(({ to }) => to[0] === addressOf('hm')).length;
  const others = ['nike', 'puma'];

  it('a contact gets no more letters at once than its pace allows, however long it was', async () => {
    await setContact('hourly_pace = 6');
    await writeMany(instance, { people: 6, brands: ['hm'] });
    for (let hour = 1; hour <= 6; hour += 1) {
      await releaseLetters(instance.context.database);
      await setContact("released_until = released_until - interval '1 hour'");
    }
    expect(await stateCounts(instance)).toEqual({ queued: 1, ready: 5 });

    await instance.startWorker();
    await letOthersPass(instance, others);
    // what lay in the queue, and what is allowed by now
    expect(arrived()).toBeLessThanOrEqual(2);
  });

  it('letters wait for the next day when the hours of their contact are over', async () => {
    await setHours('-2 hours', '2 hours');
    await writeMany(instance, { people: 3, brands: ['hm'] });
    await releaseLetters(instance.context.database);
    expect(await stateCounts(instance)).toEqual({ queued: 3 });
    await setHours('2 hours', '4 hours');
    await instance.query("update bundle set released_at = released_at - interval '1 hour'"); // its job comes at once
    await instance.startWorker();
    await letOthersPass(instance, others);
    expect(arrived()).toBe(0);

    await setHours('-2 hours', '2 hours');
    await untilStates(instance, { accepted: 3 + others.length });
    expect(arrived()).toBe(3);
  });

  it('they do so too while a worker sweeps, before anything is taken', async () => {
    await writeMany(instance, { people: 3, brands: ['hm'] });
    await releaseLetters(instance.context.database);
    const sweep = () =>
      sweepLetters(instance.context.database, {
        ...{ silent: [], ...noLogbooks },
        workerId: 0,
        isActive: () => false,
        queueWasLost: false,
      });
    await sweep();
    expect(await stateCounts(instance)).toEqual({ queued: 3 });
    await setHours('2 hours', '4 hours');
    await sweep();
    expect(await stateCounts(instance)).toEqual({ ready: 3 });
  });
});
