import { beforeEach, expect, it } from '@jest/globals';
import { mailFor, until, writeLetters } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { bringForward, sentTwice, stateCounts, writeMany } from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

const brands = ['hm', 'nike', 'puma', 'gap'];
const letters = 400;

describeOnEachQueue('a relay that is away', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });
  /** How often the relay was left alone for a while, and then tried. */
  let lulls = 0;
  beforeEach(() => {
    lulls = 0;
    let last = Date.now();
    smtp.script((moment) => {
      if (moment !== 'connect') return undefined;
      if (Date.now() - last > 500) lulls += 1;
      last = Date.now();
      return { cut: 'rst' };
    });
  });
  const triedLetters = async () => {
    const [row] = await instance.query<{ n: number }>(
      'select count(*)::int as n from letter where tries > 0',
    );
    return row?.n ?? 0;
  };

  it('costs few letters a try; the others wait untried, and all leave once it is back', async () => {
    await writeMany(instance, { people: letters / brands.length, brands });
    await writeLetters(instance.visitor(), { email: 'advocate@mail.example' });
    // many attempts at once at first, and then each twice as long after the one before: this is a while
    await until(async () => lulls >= 3, 'a relay that was tried again', 60_000);
    expect(await triedLetters()).toBeLessThan(letters / 2);
    expect(await stateCounts(instance)).not.toHaveProperty('accepted');

    smtp.script(undefined);
    await until(
      async () => {
        await bringForward(instance);
        return (await stateCounts(instance)).accepted === letters;
      },
      'all letters',
      100_000,
    );
    expect(sentTwice(smtp)).toEqual([]);
    await instance.query("update notice set due_at = now() where state = 'waiting'");
    await until(
      async () => (await mailFor(smtp, 'advocate@mail.example')).length === 1,
      'the notice',
      60_000,
    );
  }, 200_000);
});
