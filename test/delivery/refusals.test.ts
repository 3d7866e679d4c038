import { afterEach, describe, expect, it } from '@jest/globals';
import { suspension } from '../../src/brands/contact-health.ts';
import { contacts } from '../../src/commands/contacts.ts';
import { until } from '../support/advocate.ts';
import { sendLetter, writeLettersTo } from '../support/came-back.ts';
import { runHere } from '../support/commands.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addCampaign,
  addressOf,
  bringForward,
  stateCounts,
  untilStates,
  writeMany,
  writeTogether,
} from '../support/letters.ts';
import { untilReadiness } from '../support/readiness.ts';

describe('a contact whose letters a mail server refuses at once', () => {
  const { smtp, instance } = prepareDelivery({ shared: true });
  const list = async () => (await runHere(instance, contacts)).out;
  const refuse = (brand: string, reply: string) =>
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to[0] === addressOf(brand) ? { reply } : undefined,
    );
  const write = async (brand: string, state: string) => {
    const [letter] = await writeLettersTo(instance, brand);
    await letter?.becomes(state);
  };
  afterEach(() => smtp.script(undefined));

  it(`is suspended by ${suspension.failures} of them in a row, and further ones wait`, async () => {
    refuse('levis', '550 5.1.1 no such mailbox');
    for (let n = 1; n <= suspension.failures; n += 1) {
      expect(await list()).toBe('No contact is suspended.\n');
      await write('levis', 'rejected');
    }
    const [waiting] = await writeLettersTo(instance, 'levis');
    await sendLetter(instance, 'nike'); // comes after it, and is not held up
    expect(await waiting?.state()).toBe('ready');
    expect(await list()).toMatch(/^\d+ {2}levis {2}since 20\S+Z, 3 were refused in a row, 1 wait\n$/);

    smtp.script(undefined);
    const id = /^\d+/.exec(await list())?.[0] ?? '';
    expect(await runHere(instance, contacts, 'lift', id)).toMatchObject({ status: 0, err: '' });
    await waiting?.becomes('accepted');
    refuse('levis', '550 5.1.1 no such mailbox');
    await write('levis', 'rejected');
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it('is not suspended when letters were taken between them', async () => {
    for (let n = 1; n <= suspension.failures; n += 1) {
      refuse('asics', '554 5.7.1 not this one');
      await write('asics', 'rejected');
      smtp.script(undefined);
      await write('asics', 'accepted');
    }
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it('is not suspended when it puts letters off', async () => {
    refuse('hm', '450 4.2.0 not now');
    for (let n = 1; n <= suspension.failures; n += 1) await write('hm', 'deferred');
    expect(await list()).toBe('No contact is suspended.\n');
  });
});

describe('letters that are too large for the mail server', () => {
  const { smtp, instance } = prepareDelivery();

  it('are refused by ourselves, and suspend nobody', async () => {
    smtp.script((moment) =>
      moment === 'ehlo' ? { reply: '250-mx.brand.example\r\n250 SIZE 100' } : undefined,
    );
    await writeMany(instance, { people: suspension.failures, brands: ['hm', 'nike', 'puma'] });
    await untilStates(instance, { rejected: 3 * suspension.failures });
    expect((await runHere(instance, contacts)).out).toBe('No contact is suspended.\n');
    expect(smtp.handedOver).toEqual([]);
  });
});

describe('a relay that refuses everything', () => {
  const { smtp, instance } = prepareDelivery();
  const [brands, people] = [12, 20];

  it('costs few letters; the others wait, and leave once it was mended', async () => {
    smtp.script((moment) => (moment === 'rcpt' ? { reply: '554 5.7.1 relay access denied' } : undefined));
    const slugs = await addCampaign(instance, 'many', brands);
    // enough to each in the air that it is suspended, before the relay is known for what it is
    await writeTogether(instance, { people, brands: slugs, campaign: 'many' });
    const { parts } = await untilReadiness(instance, (said) => said.parts.mail?.status === 'degraded');
    expect(parts.mail?.reason).toMatch(/^no mail relay has taken anything/);
    // ten in the air to each of three brands, and now and then one that shows how things stand
    const few = 40;
    expect((await stateCounts(instance)).rejected).toBeLessThan(few);

    smtp.script(undefined);
    expect(await runHere(instance, contacts, 'lift', 'all')).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^Contacts that are good again: \d+\./),
    });
    let counts: Record<string, number> = {};
    await until(
      async () => {
        await bringForward(instance);
        counts = await stateCounts(instance);
        return (counts.accepted ?? 0) + (counts.rejected ?? 0) === brands * people;
      },
      'the others',
      100_000,
    );
    expect(counts.rejected).toBeLessThan(few);
    expect(await runHere(instance, contacts, 'lift', 'all')).toMatchObject({
      status: 1,
      err: expect.stringContaining('No contact is suspended'),
    });
  }, 200_000);
});
