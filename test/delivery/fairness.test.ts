import { expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addCampaign,
  addressOf,
  gate,
  lettersAmong,
  sentTwice,
  untilStates,
  untilTheyStand,
  type Writer,
  writeMany,
  writeTogether,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

/** A bundle of a launch, and the letters of one worker that are with the mail server at once. */
const bundle = 200;
const inTheAir = 10;

describeOnEachQueue("one person's letter and a launch", (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  /** The server answers nothing, but to letters for this address, until the gate is opened. */
  const holdAllBut = (address?: string) => {
    const held = gate();
    smtp.script((moment, { to }) =>
      moment === 'dot' && to[0] !== address ? { until: held.opened } : undefined,
    );
    return held;
  };
  /** Waits until a worker has taken the bundle of a brand: it wants to send it, if it does not do so already. */
  const untilTaken = (brand: string) =>
    until(async () => {
      const taken = await instance.query(
        'select 1 from bundle join brand on brand.id = brand_id where slug = $1 and worker_id is not null',
        [brand],
      );
      return taken.length > 0;
    }, 'a bundle that is taken');
  const placeOf = (brand: string) =>
    lettersAmong(smtp.handedOver).findIndex(({ to }) => to[0] === addressOf(brand));

  it('the letter passes a launch of 500 that is on its way', async () => {
    const [launch = ''] = await addCampaign(instance, 'launch');
    const held = holdAllBut();
    await writeMany(instance, { people: 500, brands: [launch], campaign: 'launch' });
    await untilStates(instance, { sending: inTheAir, queued: 500 - inTheAir });
    await writeMany(instance, { people: 1, brands: ['nike'] });
    await untilStates(instance, { sending: inTheAir, queued: 501 - inTheAir });
    await untilTaken('nike');
    held.open();
    await untilStates(instance, { accepted: 501 });
    // it waits for what is in the air, not for any of the bundles that are being sent
    expect(placeOf('nike')).toBeLessThan(bundle / 2);
    expect(sentTwice(smtp)).toEqual([]);
  }, 300_000);

  it('the letter is the next to be released when a launch of 10,000 fills the queue', async () => {
    const launch = await addCampaign(instance, 'launch', 10);
    const start = holdAllBut();
    await writeTogether(instance, { people: 1000, brands: launch, campaign: 'launch' });
    await untilStates(instance, { sending: inTheAir, queued: 8000 - inTheAir, ready: 2000 });
    const [writer] = (await writeMany(instance, { people: 1, brands: ['nike'] })) as [Writer];

    // the bundle that was begun is sent, so that there is room for one more
    const rest = holdAllBut(lettersAmong(smtp.handedOver)[0]?.to[0]);
    start.open();
    await untilTheyStand(instance, writer, ({ nike = '' }) => ['queued', 'sending'].includes(nike));
    await untilTaken('nike');
    rest.open();
    await untilStates(instance, { accepted: 10_001 }, 120_000);
    expect(placeOf('nike')).toBeLessThan(2 * bundle + 5 * inTheAir);
    expect(sentTwice(smtp)).toEqual([]);
  }, 300_000);
});

describeOnEachQueue('a mail server that answers for some brands and not for others', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  it.each([
    ["one person's letter to each", 1],
    ['the letters of several people to each', 3],
  ])('keeps only these waiting: %s', async (_what, people) => {
    const held = gate();
    smtp.script((moment, { to }) =>
      moment === 'dot' && to[0] === addressOf('hm') ? { until: held.opened } : undefined,
    );
    await writeMany(instance, { people, brands: ['hm'] });
    await untilStates(instance, { sending: people });
    await writeMany(instance, { people, brands: ['nike'] });
    await untilStates(instance, { sending: people, accepted: people });
    held.open();
    await untilStates(instance, { accepted: 2 * people });
  });
});
