import { describe, expect, it } from '@jest/globals';
import { statement } from '../../src/db/database.ts';
import { lettersOn, timelineOn, until } from '../support/advocate.ts';
import { type Delivery, prepareDelivery } from '../support/delivery.ts';
import type { Instance } from '../support/instance.ts';
import {
  addCampaign,
  addressOf,
  gate,
  lettersTo,
  messageIdOf,
  sentTwice,
  setContact,
  stateCounts,
  statesOf,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

/** Letters of one worker that may be with the mail server at once. */
const inTheAir = 10;

/** Writes letters to a brand, and waits until ten of them are with its server, which holds its answers back. */
const fillTheAir = async ({ smtp, instance }: Delivery, brand: string, people: number) => {
  const held = gate();
  smtp.script((moment, { to }) =>
    moment === 'dot' && to[0] === addressOf(brand) ? { until: held.opened } : undefined,
  );
  const writers = await writeMany(instance, { people, brands: [brand] });
  await until(async () => lettersTo(brand, smtp.handedOver).length === inTheAir, 'ten letters in the air');
  await untilStates(instance, { sending: inTheAir, queued: people - inTheAir });
  return { held, writers };
};
/** Shows that the worker had its turn: a letter to someone else comes and goes. */
const letAnotherLetterPass = async (instance: Instance, brand: string, campaign?: string) => {
  const before = (await stateCounts(instance)).accepted ?? 0;
  await writeMany(instance, { people: 1, brands: [brand], campaign });
  await until(async () => ((await stateCounts(instance)).accepted ?? 0) > before, 'another letter');
};

describeOnEachQueue('letters that wait in the queue', (queue) => {
  const delivery = prepareDelivery({ queue });
  const { smtp, instance } = delivery;
  const arrived = () => lettersTo('hm', smtp.handedOver);

  it('stop when their campaign is paused, all but those in the air, and go on afterwards', async () => {
    const other = await addCampaign(instance, 'another');
    const { held } = await fillTheAir(delivery, 'hm', 60);
    await instance.query(`update campaign set state = 'paused' where slug <> 'another'`);
    held.open();
    await untilStates(instance, { accepted: inTheAir, ready: 60 - inTheAir });
    await letAnotherLetterPass(instance, other[0] as string, 'another');
    expect(arrived()).toHaveLength(inTheAir);

    await instance.query("update campaign set state = 'open'");
    await untilStates(instance, { accepted: 61 });
    expect(sentTwice(smtp)).toEqual([]);
  });

  it('stop when their contact is suspended, all but those in the air, and go on afterwards', async () => {
    const { held } = await fillTheAir(delivery, 'hm', 60);
    await setContact(instance, 'hm', "health = 'suspended'");
    held.open();
    await untilStates(instance, { accepted: inTheAir, ready: 60 - inTheAir });
    await letAnotherLetterPass(instance, 'nike');
    expect(arrived()).toHaveLength(inTheAir);

    await setContact(instance, 'hm', "health = 'good'");
    await untilStates(instance, { accepted: 61 });
    expect(sentTwice(smtp)).toEqual([]);
  });

  it('are not sent when their writer takes them back', async () => {
    const { held, writers } = await fillTheAir(delivery, 'hm', 30);
    const visitor = instance.visitor();
    const receipts = await Promise.all(writers.map(({ receipt }) => visitor.get(receipt)));
    const at = receipts.findIndex((page) => lettersOn(page)[0]?.state === 'queued');
    const receipt = writers[at]?.receipt ?? '';
    const handle = lettersOn(receipts[at] as (typeof receipts)[number])[0]?.handle;
    expect((await visitor.post(`${receipt}/letters/${handle}/cancel`)).location).toBe(
      `${receipt}?cancelled=1`,
    );
    held.open();
    await untilStates(instance, { accepted: 29, cancelled: 1 });
    const page = await visitor.get(receipt);
    expect(timelineOn(page, 'hm').map(({ type }) => type)).toEqual([
      ...['drafted', 'confirmed', 'released', 'cancelled'],
    ]);
    expect(arrived().map((letter) => messageIdOf(letter).split('@')[0])).not.toContain(handle);
    expect(arrived()).toHaveLength(29);
  });
});

describe('letters that may not leave yet', () => {
  const { smtp, instance } = prepareDelivery();

  it.each([
    ['their campaign is paused', "update campaign set state = 'paused' where slug = 'asking'"],
    ['their contact is suspended', "update contact set health = 'suspended' where id = $1"],
    ['they can only be written into a web form', "update contact set kind = 'form' where id = $1"],
    ['they can only go by post', "update contact set kind = 'post' where id = $1"],
  ])('wait when %s', async (_why, forbid) => {
    const [brand = ''] = await addCampaign(instance, 'asking');
    const [contact] = await instance.query<{ id: number }>(
      'select contact.id from contact join brand on brand.id = brand_id where slug = $1',
      [brand],
    );
    const id = [contact?.id];
    // held back while they are written, and then only by the reason that this is about
    await instance.query("update contact set health = 'suspended' where id = $1", id);
    await writeMany(instance, { people: 3, brands: [brand], campaign: 'asking' });
    await instance.context.database.transaction(async (transaction) => {
      await transaction.rows(statement("update contact set health = 'good' where id = $1"), id);
      await transaction.rows(statement(forbid), forbid.includes('$1') ? id : []);
    });
    await letAnotherLetterPass(instance, 'nike');
    await letAnotherLetterPass(instance, 'puma');
    expect(lettersTo(brand, smtp.handedOver)).toEqual([]);
    expect(await stateCounts(instance)).toEqual({ ready: 3, accepted: 2 });

    await instance.query("update campaign set state = 'open'");
    await instance.query("update contact set health = 'good', kind = 'email' where id = $1", id);
    await untilStates(instance, { accepted: 5 });
    expect(lettersTo(brand, smtp.handedOver)).toHaveLength(3);
  });

  it('go out after their campaign closed, if they were confirmed while it was open', async () => {
    await setContact(instance, 'hm', "health = 'suspended'");
    const [writer] = await writeMany(instance, { people: 1, brands: ['hm'] });
    await letAnotherLetterPass(instance, 'nike');
    await instance.query("update campaign set state = 'closed', fingerprint_key = null, key_version = null");
    await setContact(instance, 'hm', "health = 'good'");
    await untilStates(instance, { accepted: 2 });
    if (writer) expect(await statesOf(instance, writer)).toEqual({ hm: 'accepted' });
  });
});
