import { describe, expect, it } from '@jest/globals';
import { lettersOn, timelineOn, until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addressOf,
  bringForward,
  lettersAmong,
  messageIdsIn,
  sentTwice,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery();

const age = (interval: string) =>
  instance.query(`update letter set first_tried_at = now() - $1::text::interval where state = 'deferred'`, [
    interval,
  ]);
const tries = async () =>
  (await instance.query<{ tries: number }>('select tries from letter order by id'))[0]?.tries ?? 0;

describe('a letter that is put off again and again', () => {
  it('is tried for five days, then given up and never sent, and its writer is told', async () => {
    smtp.script((moment) => (moment === 'rcpt' ? { reply: '450 4.2.2 mailbox full' } : undefined));
    const [writer] = await writeMany(instance, { people: 1, brands: ['hm'] });
    if (!writer) throw new Error('nobody wrote');
    await untilStates(instance, { deferred: 1 });
    const [messageId] = await messageIdsIn(instance, 'deferred');

    await age('119 hours');
    await bringForward(instance);
    await until(async () => (await tries()) === 2, 'the second try');
    await untilStates(instance, { deferred: 1 });

    await age('121 hours');
    await bringForward(instance);
    await untilStates(instance, { abandoned: 1 });
    const page = await instance.visitor().get(writer.receipt);
    expect(timelineOn(page, 'hm').map(({ type }) => type)).toEqual([
      ...['drafted', 'confirmed'],
      ...['released', 'claimed', 'deferred', 'fell_due'],
      ...['released', 'claimed', 'deferred', 'abandoned'],
    ]);
    expect(wordsOf(page)).toMatch(/given up/i);
    expect(page.html).not.toContain('formaction='); // there is nothing left to cancel

    // the server is well again, and others' letters go; this one has had its end
    smtp.script(undefined);
    await bringForward(instance);
    const [other] = await writeMany(instance, { people: 1, brands: ['nike'] });
    if (!other) throw new Error('nobody wrote');
    await untilStates(instance, { abandoned: 1, accepted: 1 });
    expect(lettersAmong(smtp.handedOver).map(({ to }) => to)).toEqual([[addressOf('nike')]]);
    expect(sentTwice(smtp)).toEqual([]);
    expect(await tries()).toBe(2);
    expect(await messageIdsIn(instance, 'abandoned')).toEqual([messageId]);
    expect(lettersOn(await instance.visitor().get(writer.receipt))[0]?.state).toBe('abandoned');
  });
});
