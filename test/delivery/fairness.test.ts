import { expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addCampaign,
  addressOf,
  gate,
  lettersAmong,
  sentTwice,
  statesOf,
  untilStates,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

/** A bundle of a launch, and the letters of one worker that are with the mail server at once. */
const bundle = 100;
const inTheAir = 10;

describeOnEachQueue("one person's letter and a launch", (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  /** The server answers nothing from this message on, until the gate is opened. */
  const holdFrom = (message: number) => {
    const held = gate();
    smtp.script((moment) =>
      moment === 'dot' && smtp.handedOver.length > message ? { until: held.opened } : undefined,
    );
    return held;
  };
  const placeOf = (brand: string) =>
    lettersAmong(smtp.handedOver).findIndex(({ to }) => to[0] === addressOf(brand));

  it('the letter passes a launch of 500 that is on its way', async () => {
    const [launch = ''] = await addCampaign(instance, 'launch');
    const held = holdFrom(0);
    await writeMany(instance, { people: 500, brands: [launch], campaign: 'launch' });
    await untilStates(instance, { sending: inTheAir, queued: 500 - inTheAir });
    await writeMany(instance, { people: 1, brands: ['nike'] });
    await untilStates(instance, { sending: inTheAir, queued: 501 - inTheAir });
    held.open();
    await untilStates(instance, { accepted: 501 });
    // it waits for what is in the air, not for any of the bundles that are being sent
    expect(placeOf('nike')).toBeLessThan(bundle);
    expect(sentTwice(smtp)).toEqual([]);
  }, 60_000);

  it('the letter is the next to be released when a launch of 5,000 fills the queue', async () => {
    const launch = await addCampaign(instance, 'launch', 10);
    const start = holdFrom(0);
    await instance.query("update contact set health = 'suspended' where address like '%@launch-%'");
    await writeMany(instance, { people: 500, brands: launch, campaign: 'launch' });
    await instance.query("update contact set health = 'good'");
    await untilStates(instance, { sending: inTheAir, queued: 4000 - inTheAir, ready: 1000 });
    const [writer] = (await writeMany(instance, { people: 1, brands: ['nike'] })) as [Writer];

    const rest = holdFrom(bundle + 1); // enough for one bundle, so that there is room for one more
    start.open();
    await until(async () => ['queued', 'sending'].includes((await statesOf(instance, writer)).nike ?? ''));
    rest.open();
    await untilStates(instance, { accepted: 5001 });
    expect(placeOf('nike')).toBeLessThan(2 * bundle + 5 * inTheAir);
    expect(sentTwice(smtp)).toEqual([]);
  }, 60_000);
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
