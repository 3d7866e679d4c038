import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  mailFor,
  untilMailsAreSent,
} from '../support/advocate.ts';
import { formOn } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

const send = (fields: Record<string, string | string[]>) =>
  instance.visitor().post(`${campaignPath}/letters`, fields);

/** How many submissions and letters were stored while `work` ran. */
async function storedBy(work: () => Promise<unknown>): Promise<{ submissions: number; letters: number }> {
  const count = async () =>
    (
      await instance.query<{ submissions: number; letters: number }>(`
        select (select count(*)::int from advocate) as submissions, (select count(*)::int from letter) as letters`)
    )[0] ?? { submissions: 0, letters: 0 };
  const before = await count();
  await work();
  const after = await count();
  return {
    submissions: after.submissions - before.submissions,
    letters: after.letters - before.letters,
  };
}

/** Mails to an address, once all that were asked for have been sent. */
async function mailsOnceIdle(address: string): Promise<number> {
  await untilMailsAreSent(instance);
  return (await mailFor(instance, address)).length;
}

describe('one form', () => {
  it('is one submission and one mail when the button is pressed twice', async () => {
    const fields = letterFields({ brand: ['hm', 'nike'], email: 'double@mail.example' });
    const pages: string[] = [];
    const stored = await storedBy(async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => send(fields)));
      pages.push(...answers.map(({ status, location }) => `${status} ${location}`));
    });
    expect(stored).toEqual({ submissions: 1, letters: 2 });
    expect(new Set(pages).size).toBe(1);
    expect(pages[0]).toMatch(/^303 \/sent\//);
    expect(await mailsOnceIdle('double@mail.example')).toBe(1);
  });

  it('is one submission when it is sent again from the page before', async () => {
    const visitor = instance.visitor();
    const preview = await visitor.post(
      `${campaignPath}/preview`,
      letterFields({ email: 'back@mail.example', words: 'One\r\n\r\ntwo' }),
    );
    const stored = await storedBy(async () => {
      const first = await visitor.post(
        `${campaignPath}/letters`,
        formOn(preview, `${campaignPath}/letters`).fields,
      );
      const edited = await visitor.post(campaignPath, formOn(preview, `${campaignPath}/letters`).fields);
      const previewed = await visitor.post(
        `${campaignPath}/preview`,
        formOn(edited, `${campaignPath}/preview`).fields,
      );
      const second = await visitor.post(
        `${campaignPath}/letters`,
        formOn(previewed, `${campaignPath}/letters`).fields,
      );
      expect(second.location).toBe(first.location);
    });
    expect(stored).toEqual({ submissions: 1, letters: 1 });
    expect(await mailsOnceIdle('back@mail.example')).toBe(1);
  });

  it('is one submission after it was confirmed, too', async () => {
    const fields = letterFields({ email: 'later@mail.example', brand: ['puma'] });
    const first = await send(fields);
    await instance.visitor().post(await confirmationLink(instance, 'later@mail.example'));
    const stored = await storedBy(async () => {
      expect((await send(fields)).location).toBe(first.location);
    });
    expect(stored).toEqual({ submissions: 0, letters: 0 });
  });

  it.each([
    ['another brand', { brand: ['hm', 'asics'] }],
    ['other words', { words: 'Now with words.' }],
    ['another reason', { reason: ['due-pay'] }],
    ['another language', { language: 'de' }],
    ['another identity', { identity: 'described', description: 'a worker' }],
    ['another address', { email: 'corrected@mail.example' }],
  ])('is a new submission with %s', async (_what, change) => {
    const fields = letterFields({ brand: ['hm'], email: 'changing@mail.example' });
    const first = await send(fields);
    const stored = await storedBy(async () => {
      const second = await send({ ...fields, ...change });
      expect(second.status).toBe(303);
      expect(second.location).not.toBe(first.location);
    });
    expect(stored.submissions).toBe(1);
  });

  it('is the same submission when only what the letter does not use was changed', async () => {
    const fields = letterFields({ identity: 'counted', email: 'unused@mail.example' });
    const first = await send(fields);
    const stored = await storedBy(async () => {
      const second = await send({ ...fields, name: 'Not said', country: 'KH', words: '  \n' });
      expect(second.location).toBe(first.location);
    });
    expect(stored.submissions).toBe(0);
  });
});
