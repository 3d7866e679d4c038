import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { confirmationLink, mailFor, untilMailsAreSent, writeLetters } from '../support/advocate.ts';
import { formOn } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { impersonal, type Page, wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

const write = (email: string) => writeLetters(instance.visitor(), { email });

async function askAgain(waiting: string): Promise<Page> {
  const visitor = instance.visitor();
  const form = formOn(await visitor.get(waiting), `${waiting}/again`);
  const answer = await visitor.post(form.action, form.fields);
  expect([answer.status, answer.location]).toEqual([303, `${waiting}?again`]);
  return visitor.get(answer.location);
}

const mailsTo = async (email: string) => (await mailFor(instance, email)).length;

describe('a mailbox gets two confirmation mails in 24 hours', () => {
  it('and no third one, whichever way its address is written', async () => {
    const pages: string[] = [];
    for (const email of [
      'flood@mail.example',
      'flood+1@mail.example',
      'FLOOD@mail.example',
      'flood@MAIL.example',
    ]) {
      pages.push(impersonal(await instance.visitor().get(await write(email))));
    }
    await untilMailsAreSent(instance);
    const mails = await Promise.all(
      ['flood@mail.example', 'flood+1@mail.example', 'FLOOD@mail.example'].map(mailsTo),
    );
    expect(mails).toEqual([1, 1, 0]);
    expect(new Set(pages.map((page) => page.replace(/FL•••|fl•••/, '…'))).size).toBe(1);
  });

  it('and no third one when they are asked for at the same moment', async () => {
    await Promise.all(Array.from({ length: 6 }, () => write('rush@mail.example')));
    await untilMailsAreSent(instance);
    expect(await mailsTo('rush@mail.example')).toBe(2);
  });

  it('and no third one by asking to have it sent again', async () => {
    const waiting = await write('again@mail.example');
    await confirmationLink(instance, 'again@mail.example');
    await untilMailsAreSent(instance);
    const pages: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const page = await askAgain(waiting);
      expect(wordsOf(page)).toContain('If this address can still get mail from us today');
      pages.push(impersonal(page));
      await untilMailsAreSent(instance);
    }
    expect(await mailsTo('again@mail.example')).toBe(2);
    expect(new Set(pages).size).toBe(1);
    const links = (await mailFor(instance, 'again@mail.example')).map(
      ({ text }) => /\/confirm\/\S+/.exec(text ?? '')?.[0],
    );
    expect(links[0]).toBe(links[1]);
  });

  it('and others after a day, with the same link', async () => {
    const waiting = await write('tomorrow@mail.example');
    await write('tomorrow@mail.example');
    await write('tomorrow@mail.example');
    await untilMailsAreSent(instance);
    expect(await mailsTo('tomorrow@mail.example')).toBe(2);
    await instance.query(`
      update confirmation_cap set asked_at = array(select asked - interval '24 hours' from unnest(asked_at) asked)`);
    await askAgain(waiting);
    await untilMailsAreSent(instance);
    expect(await mailsTo('tomorrow@mail.example')).toBe(3);
  });
});

describe('the page that says "look into your mailbox"', () => {
  it('sends nothing more once the letters are confirmed, and says so', async () => {
    const waiting = await write('done@mail.example');
    await instance.visitor().post(await confirmationLink(instance, 'done@mail.example'));
    expect(wordsOf(await instance.visitor().get(waiting))).toContain('You have confirmed these letters');
    await instance.visitor().post(`${waiting}/again`);
    await untilMailsAreSent(instance);
    expect(await mailsTo('done@mail.example')).toBe(1);
  });

  it('tells enough of the address to see a typing error, and not all of it', async () => {
    const page = await instance.visitor().get(await write('masked.name@mail.example'));
    expect(wordsOf(page)).toContain('ma•••@mail.example');
    expect(page.html).not.toContain('masked.name');
  });

  it('is not there for a made-up token', async () => {
    const made = `/sent/${'A'.repeat(43)}`;
    expect((await instance.visitor().get(made)).status).toBe(404);
    const asked = await instance.visitor().post(`${made}/again`);
    expect((await instance.visitor().get(asked.location)).status).toBe(404);
  });

  it('does not lead to the letters: only the mail does', async () => {
    const waiting = await write('only@mail.example');
    const page = await instance.visitor().get(waiting);
    expect(page.html).not.toMatch(/\/(r|confirm)\//);
    const token = waiting.slice('/sent/'.length);
    for (const path of ['confirm', 'r'])
      expect((await instance.visitor().get(`/${path}/${token}`)).status).toBe(404);
  });
});
