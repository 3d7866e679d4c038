import { expect, it } from '@jest/globals';
import { cancelLetters } from '../../src/letters/cancel-letters.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  sentTwice,
  statesOf,
  untilAllEnded,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

describeOnEachQueue('a cancellation that races with the sending', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  it('ends as cancelled or as sent, and says which, a hundred times and more', async () => {
    const told = new Map<string, string>();
    // later and later, until some were too late; one waits for the other, and a slow machine takes a moment for each
    for (let round = 1; round <= 30; round += 1) {
      const writers = await writeMany(instance, { people: 40, brands: ['hm'] });
      await Promise.all(
        writers.map(async ({ receipt }) => {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * round * 250));
          const cancelled = await cancelLetters(instance.context, receipt.slice('/r/'.length));
          told.set(receipt, cancelled === 1 ? 'cancelled' : 'accepted');
        }),
      );
      const counts = await untilAllEnded(instance);
      for (const writer of writers.slice(0, 10)) {
        expect(await statesOf(instance, writer)).toEqual({ hm: told.get(writer.receipt) });
      }
      if (round >= 3 && (counts.cancelled ?? 0) > 0 && (counts.accepted ?? 0) > 0) break;
    }
    const counts = await untilAllEnded(instance);
    const answers = [...told.values()];
    expect(counts).toEqual({
      cancelled: answers.filter((answer) => answer === 'cancelled').length,
      accepted: answers.filter((answer) => answer === 'accepted').length,
    });
    expect(lettersAmong(smtp.handedOver).map(messageIdOf).sort()).toEqual(
      await messageIdsIn(instance, 'accepted'),
    );
    expect(sentTwice(smtp)).toEqual([]);
  }, 120_000);
});
