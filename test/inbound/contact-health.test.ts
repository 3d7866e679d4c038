import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { suspension } from '../../src/brands/contact-health.ts';
import { contacts } from '../../src/commands/contacts.ts';
import { sendLetter, writeLettersTo } from '../support/came-back.ts';
import { runHere } from '../support/commands.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addressOf } from '../support/letters.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
beforeAll(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ roles: ['web', 'worker', 'inbound'], smtpUrl: smtp.url });
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

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

  describe('whose letters a mail server refuses at once', () => {
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

  it.each([['lift'], ['lift', 'x'], ['suspend', '1'], ['lift', '1', '2']])(
    'is left alone when the command is not understood: %s %s',
    async (...args) => {
      const ran = await runHere(instance, contacts, ...args);
      expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('npm run contacts -- lift ID') });
    },
  );
});
