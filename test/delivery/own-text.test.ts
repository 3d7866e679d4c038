import { expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { lettersOn, writeAndConfirm } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { lettersAmong, messageIdOf, untilAllEnded } from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';

/** People who differ in one thing each; those who do not share every word of their letter. */
const people: Record<string, string | string[]>[] = [
  { identity: 'counted', reason: ['customer'] },
  { identity: 'counted', reason: ['customer'] },
  { identity: 'counted', reason: ['due-pay'] },
  { identity: 'counted', reason: ['customer', 'due-pay'] },
  { identity: 'counted', reason: ['customer'], words: 'The first said this.' },
  { identity: 'counted', reason: ['customer'], words: 'The second said that.' },
  { identity: 'counted', reason: ['customer'], language: 'de' },
  { identity: 'described', reason: ['customer'], description: 'a sewing teacher' },
  { identity: 'described', reason: ['customer'], description: 'a sewing teacher', country: 'KH' },
  { identity: 'described', reason: ['customer'], description: 'a sewing teacher', country: 'FR' },
];
const brands = ['hm', 'nike'];

describeOnEachQueue('letters that are sent together', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue });

  it('hold what their own writer said, to the word, and nothing of the others', async () => {
    await instance.query("update contact set health = 'suspended'");
    const copies = new Map<string, string>();
    for (const [n, person] of people.entries()) {
      const receipt = await writeAndConfirm(smtp, instance.visitor(), {
        ...person,
        email: `writer-${n}@mail.example`,
        brand: brands,
      });
      const page = await instance.visitor().get(receipt);
      for (const { handle } of lettersOn(page)) {
        const copy = await instance.visitor().get(`${receipt}/letters/${handle}/letter.txt`);
        copies.set(handle, copy.html);
      }
    }
    expect(copies.size).toBe(people.length * brands.length);

    await instance.query("update contact set health = 'good'");
    await untilAllEnded(instance);
    const letters = lettersAmong(smtp.accepted);
    expect(letters).toHaveLength(copies.size);
    for (const letter of letters) {
      const { text = '', subject = '' } = await simpleParser(letter.raw);
      const copy = copies.get(messageIdOf(letter).split('@')[0] ?? '') ?? '';
      expect(copy).toContain(subject);
      expect(copy.trimEnd().endsWith(text.trimEnd())).toBe(true);
    }
    // as many different texts to each brand as there are people who differ
    expect(
      new Set([...copies.values()].map((copy) => copy.split('\n\n').slice(1).join())).size,
    ).toBeGreaterThanOrEqual((people.length - 1) * brands.length);
  });
});
