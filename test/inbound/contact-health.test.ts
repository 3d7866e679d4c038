import { describe, expect, it } from '@jest/globals';
import { suspension } from '../../src/brands/contact-health.ts';
import { contacts } from '../../src/commands/contacts.ts';
import { sendLetter, writeLettersTo } from '../support/came-back.ts';
import { runHere } from '../support/commands.ts';
import { prepareDelivery } from '../support/delivery.ts';

const { instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

const list = async () => (await runHere(instance, contacts)).out;

describe('a contact', () => {
  it(`is suspended when ${suspension.failures} letters in a row came back for good, and further ones wait`, async () => {
    for (let n = 1; n <= suspension.failures; n += 1) {
      expect(await list()).toBe('No contact is suspended.\n');
      await (await sendLetter(instance, 'hm')).bring('postfix-failed');
    }
    const [waiting] = await writeLettersTo(instance, 'hm');
    await sendLetter(instance, 'nike'); // comes after it, and is not held up
    expect(await waiting?.state()).toBe('ready');
    expect(await list()).toMatch(/^\d+ {2}hm {2}since 20\S+Z, 3 came back in a row, 1 wait\n$/);

    const id = /^\d+/.exec(await list())?.[0] ?? '';
    expect(await runHere(instance, contacts, 'lift', id)).toMatchObject({ status: 0, err: '' });
    await waiting?.becomes('accepted');
    expect(await list()).toBe('No contact is suspended.\n');
    expect((await runHere(instance, contacts, 'lift', id)).err).toContain('is not suspended');
  });

  it('starts anew once it is lifted: one more failure does not suspend it', async () => {
    await (await sendLetter(instance, 'hm')).bring('postfix-failed');
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it.each([
    ['postfix-gave-up', 'a server gave up waiting'],
    ['postfix-delayed', 'a server still tries'],
    ['exim-report-over-quota', 'a mailbox was full'],
    ['qmail-gave-up', 'a queue was left'],
    ['exchange-vacation', 'somebody is away'],
    ['complaint', 'somebody complains'],
    ['unknown-bounce', 'nobody knows what happened'],
    ['mailbox-behind-failed', 'somebody on a list behind it has left'],
  ])('is not suspended by %s, however often %s', async (name) => {
    const letters = await writeLettersTo(instance, 'adidas', suspension.failures + 1);
    for (const letter of letters) {
      await letter.becomes('accepted');
      await letter.bring(name);
    }
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it('is not suspended by one letter that comes back again and again', async () => {
    const letter = await sendLetter(instance, 'puma');
    for (const name of ['postfix-failed', 'exchange-failed', 'qmail-failed', 'sendmail-report-failed'])
      await letter.bring(name);
    expect(await letter.state()).toBe('bounced');
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it('is not suspended when letters were delivered between those that came back', async () => {
    const letters = await writeLettersTo(instance, 'gap', 2 * suspension.failures);
    for (const [n, letter] of letters.entries()) {
      await letter.becomes('accepted');
      await letter.bring(n % 2 === 0 ? 'postfix-failed' : 'postfix-delivered');
    }
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it('is not suspended by failures that lie weeks apart', async () => {
    const letters = await writeLettersTo(instance, 'inditex', suspension.failures);
    for (const letter of letters) {
      await letter.becomes('accepted');
      await letter.bring('postfix-failed');
      await instance.query("update contact set failed_at = failed_at - interval '15 days'");
    }
    expect(await list()).toBe('No contact is suspended.\n');
  });

  it.each([['lift'], ['lift', 'x'], ['suspend', '1'], ['lift', '1', '2']])(
    'is left alone when the command is not understood: %s %s',
    async (...args) => {
      const ran = await runHere(instance, contacts, ...args);
      expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('npm run contacts -- lift ID') });
    },
  );
});
