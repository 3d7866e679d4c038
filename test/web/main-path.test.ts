import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  lettersOn,
  mailFor,
  until,
  writeLetters,
} from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { fieldOf, wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.close());

describe('the main path, without JavaScript', () => {
  it('goes from the campaign to letters that were accepted', async () => {
    const visitor = instance.visitor();
    const home = await visitor.get('/');
    expect(home.html).toContain(campaignPath);

    const form = await visitor.get(campaignPath);
    const fields = letterFields({
      submission: fieldOf(form, 'submission'),
      brand: ['hm', 'nike', 'tchibo'],
      identity: 'named',
      name: 'សុខ ចាន់',
      country: 'KH',
      email: 'sok@mail.example',
      reason: ['no-retaliation', 'customer'],
      words: 'I sew trousers.\nមួយពាន់ 🧵',
    });
    const preview = await visitor.post(`${campaignPath}/preview`, fields);
    expect(preview.status).toBe(200);
    expect(await instance.query('select 1 from advocate')).toEqual([]);

    const sent = await visitor.post(`${campaignPath}/letters`, fields);
    expect(sent).toMatchObject({ status: 303 });
    const waiting = await visitor.get(sent.location);
    expect(wordsOf(waiting)).toContain('Look into your mailbox');
    expect(waiting.html).not.toContain('sok@mail.example');

    const link = await confirmationLink(instance, 'sok@mail.example');
    const ask = await visitor.get(link);
    expect(wordsOf(ask)).toContain('Send your 3 letters?');
    const scanned = await visitor.get(link);
    expect(scanned.status).toBe(200);
    expect(await instance.query("select 1 from letter where state <> 'draft'")).toEqual([]);

    const confirmed = await visitor.post(link);
    expect(confirmed.location).toMatch(/^\/r\/[A-Za-z0-9_-]{43}$/);
    const receipt = await until(async () => {
      const page = await visitor.get(confirmed.location);
      return lettersOn(page).every(({ state }) => state === 'accepted') && page;
    }, 'three accepted letters');
    expect(lettersOn(receipt).map(({ brand }) => brand)).toEqual(['hm', 'nike', 'tchibo']);
    expect(wordsOf(receipt)).toContain('3 of your 3 letters have been accepted');
    expect(wordsOf(receipt)).toMatch(/Accepted by mail-catcher\.example on \d+ \w+ \d{4} at \d\d:\d\d UTC/);

    const [mail] = await mailFor(instance, 'human-rights@hm.example');
    expect(mail?.text).toContain('My name is សុខ ចាន់, and I write from Cambodia.');
    expect(mail?.text).toContain('I sew trousers.\nមួយពាន់ 🧵');
    const [previewed] =
      /<pre class="letter-text" lang="en" dir="auto">([\s\S]*?)<\/pre>/.exec(preview.html)?.slice(1) ?? [];
    expect(mail?.text?.trim()).toBe(wordsWithBreaks(previewed ?? ''));
  });

  it('leads back to the receipt when the link is opened again', async () => {
    const visitor = instance.visitor();
    await writeLetters(visitor, { email: 'again@mail.example' });
    const link = await confirmationLink(instance, 'again@mail.example');
    const first = await visitor.post(link);
    const second = await visitor.post(link);
    const opened = await visitor.get(link);
    expect([second.location, opened.location]).toEqual([first.location, first.location]);
  });
});

function wordsWithBreaks(html: string): string {
  return html
    .replaceAll('&#x27;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#x3D;', '=')
    .replaceAll('&amp;', '&');
}
