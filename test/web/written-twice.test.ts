import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { confirmLetters, lookAtConfirmation } from '../../src/letters/confirm-letters.ts';
import {
  confirmationLink,
  lettersOn,
  mailFor,
  until,
  writeAndConfirm,
  writeLetters,
} from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addCampaign, writeMany } from '../support/letters.ts';
import { impersonal, wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

/** The second letter of somebody who has written to H&M: the waiting page and the link of their mail. */
async function writeAgain(first: string, second: string, brand: string[]) {
  const receipt = await writeAndConfirm(instance, instance.visitor(), { email: first, brand: ['hm'] });
  await until(async () => {
    const [letter] = lettersOn(await instance.visitor().get(receipt));
    return letter?.state === 'accepted';
  }, 'the first letter');
  const mails = (await mailFor(instance, second)).length;
  const waiting = await writeLetters(instance.visitor(), { email: second, brand });
  return { waiting, link: await confirmationLink(instance, second, mails + 1) };
}

const lettersToHm = async () => (await mailFor(instance, 'human-rights@hm.example')).length;

describe('somebody who writes to a brand for the second time', () => {
  it('is thanked, and only what is new is sent', async () => {
    const { link } = await writeAgain('kim@mail.example', 'kim@mail.example', ['hm', 'nike']);
    const sentBefore = await lettersToHm();
    const ask = wordsOf(await instance.visitor().get(link));
    expect(ask).toContain('You have already written to H&M in this campaign. Thank you');
    expect(ask).toContain('Send your letter?');

    const { location } = await instance.visitor().post(link);
    const receipt = await until(async () => {
      const page = await instance.visitor().get(location);
      return lettersOn(page).some(({ state }) => state === 'accepted') && page;
    });
    expect(lettersOn(receipt).map(({ brand, state }) => `${brand} ${state}`)).toEqual([
      'hm cancelled',
      'nike accepted',
    ]);
    expect(wordsOf(receipt)).toContain('Not sent: you have already written to this brand in this campaign');
    expect(await lettersToHm()).toBe(sentBefore);
  });

  it('is not written for again where the numbers of the letters grow by a digit', async () => {
    const email = 'digit@mail.example';
    await writeAndConfirm(instance, instance.visitor(), { email, brand: ['inditex'] });
    await instance.query("select setval(pg_get_serial_sequence('letter', 'id'), 99998)");
    await writeLetters(instance.visitor(), { email, brand: ['inditex', 'nike'] });
    const { location } = await instance.visitor().post(await confirmationLink(instance, email, 2));
    const [inditex, nike] = lettersOn(await instance.visitor().get(location));
    expect(inditex).toMatchObject({ brand: 'inditex', state: 'cancelled' });
    expect(nike?.brand).toBe('nike');
    expect(nike?.state).not.toBe('cancelled');
    expect(await instance.query('select max(id)::int as id from letter')).toEqual([{ id: 100_000 }]);
  });

  it.each([
    ['with a tag', 'tag@mail.example', 'tag+other@mail.example'],
    ['in capitals', 'capitals@mail.example', 'CAPITALS@mail.example'],
    ['with and without a tag', 'sok+a@mail.example', 'sok@mail.example'],
  ])('is known by the same mailbox, written %s', async (_how, first, second) => {
    const { link } = await writeAgain(first, second, ['hm']);
    const sentBefore = await lettersToHm();
    const ask = wordsOf(await instance.visitor().get(link));
    expect(ask).toContain('Nothing left to send');
    expect(ask).toContain('there is nothing more to send');
    const { location } = await instance.visitor().post(link);
    const receipt = await instance.visitor().get(location);
    expect(lettersOn(receipt).map(({ state }) => state)).toEqual(['cancelled']);
    expect(wordsOf(receipt)).toContain('you have already written to this brand');
    expect(await lettersToHm()).toBe(sentBefore);
  });

  it('is another person with another mailbox', async () => {
    const { link } = await writeAgain('one@mail.example', 'other@mail.example', ['hm']);
    expect(wordsOf(await instance.visitor().get(link))).not.toContain('already written');
  });

  it('sends one letter when two submissions are confirmed at the same moment', async () => {
    const email = 'race@mail.example';
    await writeLetters(instance.visitor(), { email, brand: ['puma'] });
    const first = await confirmationLink(instance, email, 1);
    await writeLetters(instance.visitor(), { email, brand: ['puma'] });
    const second = await confirmationLink(instance, email, 2);
    const receipts = await Promise.all(
      [first, second].map(async (link) => (await instance.visitor().post(link)).location),
    );
    const states = await until(async () => {
      const pages = await Promise.all(receipts.map((receipt) => instance.visitor().get(receipt)));
      const found = pages.flatMap((page) => lettersOn(page).map(({ state }) => state)).sort();
      return found.includes('accepted') && found;
    });
    expect(states).toEqual(['accepted', 'cancelled']);
    expect(await mailFor(instance, 'human-rights@puma.example')).toHaveLength(1);
  });

  it('sends one letter also when a single statement confirms both', async () => {
    const email = 'together@mail.example';
    const tokens: string[] = [];
    for (const n of [1, 2]) {
      await writeLetters(instance.visitor(), { email, brand: ['gap'] });
      tokens.push((await confirmationLink(instance, email, n)).slice('/confirm/'.length));
    }
    const { database, vault } = instance.context;
    const [first, second] = await confirmLetters(database, vault, tokens);
    const stateOf = async (one: typeof first) =>
      one?.kind === 'confirmed' && lettersOn(await instance.visitor().get(`/r/${one.receipt}`))[0]?.state;
    expect(await stateOf(first)).not.toBe('cancelled');
    expect(await stateOf(second)).toBe('cancelled');
  });

  it('is known in their own campaign also when people of another one confirm in the same statement', async () => {
    const other = await addCampaign(instance, 'elsewhere');
    const { database, vault } = instance.context;
    const email = 'elsewhere@mail.example';
    const write = async (campaign?: string) => {
      const brands = campaign ? other : ['c-and-a'];
      const [writer] = await writeMany(instance, {
        people: 1,
        brands,
        campaign,
        confirmed: false,
        address: email,
      });
      return writer?.confirm as string;
    };
    await confirmLetters(database, vault, [await write(), await write('elsewhere')]);
    const again = await write('elsewhere');
    expect(await lookAtConfirmation(database, vault, again)).toMatchObject({
      ids: [],
      alreadyWritten: other,
    });
    expect(await lookAtConfirmation(database, vault, await write())).toMatchObject({
      alreadyWritten: ['C&A'],
    });
  });

  it('cannot be told from somebody new by the answer to the form', async () => {
    const { waiting } = await writeAgain('known@mail.example', 'known@mail.example', ['hm']);
    const fresh = await writeLetters(instance.visitor(), { email: 'knave@mail.example', brand: ['hm'] });
    const [known, unknown] = await Promise.all(
      [waiting, fresh].map(async (path) => impersonal(await instance.visitor().get(path))),
    );
    expect(known).toBe(unknown);
  });
});
