import { describe, expect, it } from '@jest/globals';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  letOthersPass,
  lettersTo,
  sentTwice,
  setContact,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

const others = ['puma', 'gap'];

describeOnEachQueue("a contact's pace", (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });
  const arrived = (brand: string) => lettersTo(brand, smtp.handedOver).length;

  it('is kept by two workers together, and holds up nobody else', async () => {
    await instance.startWorker();
    await setContact(instance, 'hm', 'hourly_pace = 1');
    await writeMany(instance, { people: 5, brands: ['hm', 'nike'] });
    await untilStates(instance, { accepted: 6, ready: 4 });
    await letOthersPass(instance, others);
    expect([arrived('hm'), arrived('nike')]).toEqual([1, 5]);

    // an hour later (with a little for the jitter), the next one
    await setContact(instance, 'hm', "released_until = released_until - interval '70 minutes'");
    await untilStates(instance, { accepted: 9, ready: 3 });
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(2);

    await setContact(instance, 'hm', 'hourly_pace = null');
    await untilStates(instance, { accepted: 14 });
    expect(sentTwice(smtp)).toEqual([]);
  });
});

describe("a contact's hours", () => {
  const { smtp, instance } = prepareDelivery();

  it('are waited for', async () => {
    const fromNow = (from: string, until: string) =>
      setContact(
        instance,
        'hm',
        `time_zone = 'Asia/Phnom_Penh',
         sends_from = ((now() at time zone 'Asia/Phnom_Penh') + interval '${from}')::time,
         sends_until = ((now() at time zone 'Asia/Phnom_Penh') + interval '${until}')::time`,
      );
    await fromNow('2 hours', '4 hours');
    await writeMany(instance, { people: 2, brands: ['hm', 'nike'] });
    await untilStates(instance, { accepted: 2, ready: 2 });
    await letOthersPass(instance, others);
    expect(lettersTo('hm', smtp.handedOver)).toHaveLength(0);

    await fromNow('-2 hours', '2 hours');
    await untilStates(instance, { accepted: 6 });
    expect(lettersTo('hm', smtp.handedOver)).toHaveLength(2);
  });
});

describe('letters to one contact', () => {
  const { instance } = prepareDelivery({ roles: ['web'] });

  it('leave in the order in which they fell due, whoever wrote first', async () => {
    await setContact(instance, 'hm', 'hourly_pace = 60');
    for (let n = 0; n < 3; n += 1) await writeMany(instance, { people: 1, brands: ['hm'] });
    const turned = await instance.query<{ id: string }>(
      `with turned as (
         update letter set due_at = now() - id * interval '1 second' returning id, due_at
       )
       update waiting_letter set due_at = turned.due_at from turned where letter_id = id
       returning id::text`,
    );
    const released = [];
    for (const _ of turned) {
      await releaseLetters(instance.context.database);
      const letters = await instance.query<{ id: string }>(
        "select id::text from letter where state = 'queued'",
      );
      released.push(...letters.map(({ id }) => id));
      await instance.query("update letter set state = 'sending' where state = 'queued'");
      await instance.query('delete from bundle');
      await setContact(instance, 'hm', 'released_until = now()');
    }
    const newestFirst = turned.map(({ id }) => id).sort((a, b) => Number(b) - Number(a));
    expect(released).toEqual(newestFirst);
  });
});
