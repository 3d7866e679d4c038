import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  addressOf,
  letOthersPass,
  lettersAmong,
  sentTwice,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
const start = async (queue: { redisUrl?: string } = {}) => {
  smtp = await startSmtp();
  instance = await startInstance({ ...queue, smtpUrl: smtp.url });
};
const stop = async () => {
  await instance.close();
  await smtp.close();
};
const arrived = (brand: string) =>
  lettersAmong(smtp.handedOver).filter(({ to }) => to[0] === addressOf(brand)).length;
const setContact = (brand: string, change: string) =>
  instance.query(`update contact set ${change} from brand where brand.id = brand_id and slug = '${brand}'`);
const others = ['puma', 'gap'];

describeOnEachQueue("a contact's pace", (queue) => {
  beforeEach(() => start(queue()));
  afterEach(stop);

  it('is kept by two workers together, and holds up nobody else', async () => {
    await instance.startWorker();
    await setContact('hm', 'hourly_pace = 1');
    await writeMany(instance, { people: 5, brands: ['hm', 'nike'] });
    await untilStates(instance, { accepted: 6, ready: 4 });
    await letOthersPass(instance, others);
    expect([arrived('hm'), arrived('nike')]).toEqual([1, 5]);

    // an hour later (with a little for the jitter), the next one
    await setContact('hm', "released_until = released_until - interval '70 minutes'");
    await untilStates(instance, { accepted: 9, ready: 3 });
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(2);

    await setContact('hm', 'hourly_pace = null');
    await untilStates(instance, { accepted: 14 });
    expect(sentTwice(smtp)).toEqual([]);
  });
});

describe("a contact's hours", () => {
  beforeEach(() => start());
  afterEach(stop);

  it('are waited for', async () => {
    const fromNow = (from: string, until: string) =>
      setContact(
        'hm',
        `time_zone = 'Asia/Phnom_Penh',
         sends_from = ((now() at time zone 'Asia/Phnom_Penh') + interval '${from}')::time,
         sends_until = ((now() at time zone 'Asia/Phnom_Penh') + interval '${until}')::time`,
      );
    await fromNow('2 hours', '4 hours');
    await writeMany(instance, { people: 2, brands: ['hm', 'nike'] });
    await untilStates(instance, { accepted: 2, ready: 2 });
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(0);

    await fromNow('-2 hours', '2 hours');
    await untilStates(instance, { accepted: 6 });
    expect(arrived('hm')).toBe(2);
  });
});
