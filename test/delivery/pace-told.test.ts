import { describe, expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addCampaign,
  letOthersPass,
  lettersTo,
  setContact,
  stateCounts,
  untilStates,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery();

const arrived = (brand: string) => lettersTo(brand, smtp.accepted).length;
/** Shows that the worker had its turn: letters to somebody else come and go, one after the other. */
const others = ['nike', 'nike'];
const receiptOf = async (writers: Writer[], n = 0) =>
  wordsOf(await instance.visitor().get(writers[n]?.receipt ?? ''));
/** As if so much time had gone by since the contact's last letter. */
const pass = (brand: string, interval: string) =>
  setContact(instance, brand, `released_until = released_until - interval '${interval}'`);
describe("a contact's pace", () => {
  it('lets one letter after the other go, and the receipt says so', async () => {
    await setContact(instance, 'hm', 'hourly_pace = 4');
    const writers = await writeMany(instance, { people: 3, brands: ['hm'] });
    await until(async () => arrived('hm') === 1, 'the first letter');
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(1);
    const receipts = await Promise.all(writers.map((_, n) => receiptOf(writers, n)));
    expect(receipts.filter((words) => /one after the other, at a steady pace/.test(words))).toHaveLength(2);

    await pass('hm', '8 minutes');
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(1); // a quarter of an hour is not over
    await pass('hm', '9 minutes');
    await until(async () => arrived('hm') === 2, 'the second letter', 30_000);
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(2);
    await pass('hm', '17 minutes');
    await untilStates(instance, { accepted: 3 + 6 });
  });

  it('is the same for all campaigns that write to it', async () => {
    const [brand = ''] = await addCampaign(instance, 'another');
    await setContact(instance, 'hm', 'hourly_pace = 4');
    await setContact(instance, brand, "health = 'suspended'");
    await setContact(instance, 'hm', "health = 'suspended'");
    await instance.query(
      `update campaign_brand set contact_id = (
         select contact.id from contact join brand on brand.id = brand_id where slug = 'hm')
       from brand where brand.id = campaign_brand.brand_id and slug = $1`,
      [brand],
    );
    await writeMany(instance, { people: 2, brands: ['hm'] });
    await writeMany(instance, { people: 2, brands: [brand], campaign: 'another' });
    await setContact(instance, 'hm', "health = 'good'");
    await until(async () => arrived('hm') === 1, 'a letter', 30_000);
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(1);
    expect(await stateCounts(instance)).toEqual({ accepted: 1 + 2, ready: 3 });
  });

  it('counts every letter of a bundle', async () => {
    const people = 40; // within the burst of a minute
    await setContact(instance, 'hm', "hourly_pace = 3600, health = 'suspended'");
    await writeMany(instance, { people, brands: ['hm'] });
    await setContact(instance, 'hm', "health = 'good'");
    await untilStates(instance, { accepted: people });
    // a second each, and up to a tenth longer; the events are written a little later than the pace is reckoned from
    const [ahead] = await instance.query<{ seconds: number }>(
      `select extract(epoch from max(released_until) - max(at))::float8 as seconds
       from event join letter on letter.id = letter_id join contact on contact.id = contact_id
       where type = 'released'`,
    );
    expect(ahead?.seconds).toBeGreaterThan(people / 2);
    expect(ahead?.seconds).toBeLessThanOrEqual(1.1 * people);
  });

  it('has a little chance in it, so that contacts with the same pace do not go in step', async () => {
    const brands = ['hm', 'inditex', 'c-and-a', 'adidas', 'gap', 'puma'];
    await instance.query('update contact set hourly_pace = 4');
    await writeMany(instance, { people: 1, brands }); // ready in one moment, and released in one
    await untilStates(instance, { accepted: brands.length });
    const [next] = await instance.query<{ moments: number; spread: number }>(
      `select count(distinct released_until)::int as moments,
         extract(epoch from max(released_until) - min(released_until))::float8 as spread
       from contact where released_until > now()`,
    );
    expect(next?.moments).toBe(brands.length);
    expect(next?.spread).toBeLessThanOrEqual(1.5 * 60); // a tenth of a quarter of an hour
  });
});

describe("a contact's hours", () => {
  /** Hours on a clock far from UTC that begin and end so much from now. */
  const hours = (from: string, until: string) =>
    `time_zone = 'Asia/Phnom_Penh',
     sends_from = date_trunc('minute', now() at time zone 'Asia/Phnom_Penh' + interval '${from}')::time,
     sends_until = date_trunc('minute', now() at time zone 'Asia/Phnom_Penh' + interval '${until}')::time`;

  it('are waited for, and the receipt says which they are', async () => {
    await setContact(instance, 'hm', hours('2 hours', '6 hours'));
    const writers = await writeMany(instance, { people: 2, brands: ['hm'] });
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(0);
    const [set] = await instance.query<{ hours: string }>(
      `select to_char(sends_from, 'HH24:MI') || '–' || to_char(sends_until, 'HH24:MI') as hours
       from contact where sends_from is not null`,
    );
    expect(await receiptOf(writers)).toContain(
      `the hours in which letters to this brand leave: ${set?.hours} (Asia/Phnom Penh)`,
    );

    await setContact(instance, 'hm', hours('-2 hours', '2 hours'));
    await untilStates(instance, { accepted: 2 + 2 });
  });

  it('end, too', async () => {
    await setContact(instance, 'hm', hours('-6 hours', '-2 hours'));
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await letOthersPass(instance, others);
    expect(arrived('hm')).toBe(0);
  });
});
