import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { scrub } from '../../src/letters/retention.ts';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  lettersOn,
  mailFor,
  writeLetters,
} from '../support/advocate.ts';
import { formOn } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { sheetsOn } from '../support/sheets.ts';
import { wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
  await instance.query("update contact set health = 'suspended'"); // letters wait where they can be looked at
});
afterAll(() => instance.close());
afterEach(() => instance.query("update campaign set state = 'open', opens_at = null, closes_at = null"));

let count = 0;
/** Letters that wait for their confirmation: its link, and the address it went to. */
async function write(changes: Record<string, string | string[]> = {}) {
  count += 1;
  const email = `writer${count}@mail.example`;
  await writeLetters(instance.visitor(), { email, brand: ['hm', 'nike'], ...changes });
  return { email, link: await confirmationLink(instance, email) };
}

const drafts = async () =>
  (await instance.query<{ n: number }>("select count(*)::int as n from letter where state = 'draft'"))[0]?.n;

describe('letters that somebody else wrote with the same address', () => {
  it('have a number of their own, in the mail and behind its link, which their writer’s page alone shows', async () => {
    const email = 'watched@mail.example';
    const numberIn = (words: string) => /\bnumber\b[^.]{0,25} (\d{4})\b/.exec(words)?.[1];
    const written = new Map<string, string | undefined>();
    for (const [brand, called] of [
      ['nike', 'Nike'],
      ['hm', 'H&M'],
    ] as const) {
      const visitor = instance.visitor();
      const page = await visitor.get(await writeLetters(visitor, { email, brand: [brand] }));
      written.set(called, numberIn(wordsOf(page)));
    }
    const link = await confirmationLink(instance, email, 2);
    const mails = (await mailFor(instance, email)).map(({ text = '' }) => text);
    expect(mails.some((text) => text.includes(link))).toBe(true);
    for (const text of mails) {
      const page = wordsOf(await instance.visitor().get(/\/confirm\/[\w-]{43}/.exec(text)?.[0] ?? ''));
      const [called] = [...written.keys()].filter((brand) => page.includes(` ${brand} `));
      expect([called, numberIn(text)]).toEqual([called, written.get(called ?? '')]);
      expect(numberIn(text)).toMatch(/^\d{4}$/);
      expect(numberIn(page)).toBe(numberIn(text));
    }
  });
});

describe('the link in the mail', () => {
  it('shows what will be sent, and confirms nothing however often it is opened', async () => {
    const { link } = await write();
    const before = await drafts();
    for (let n = 0; n < 5; n += 1) {
      const page = await instance.visitor().get(link);
      expect(wordsOf(page)).toContain('Send your 2 letters?');
      expect(wordsOf(page)).toMatch(/H&M\s+Nike/);
      const head = await fetch(new URL(link, instance.url), { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
    }
    expect(await drafts()).toBe(before);
  });

  it('warns once more when the letters carry a name, and only then', async () => {
    const named = await write({ identity: 'named', name: 'Kim' });
    const page = await instance.visitor().get(named.link);
    expect(wordsOf(page)).toContain('Your name will be read by these 2 brands, who may pass it on.');
    expect(wordsOf(page)).not.toContain('Kim'); // whoever opens links in the mailbox learns no more than they must
    const counted = await write();
    expect(wordsOf(await instance.visitor().get(counted.link))).not.toContain('Your name');
  });

  it('confirms when the button on its page is pressed, once for all', async () => {
    const { link } = await write();
    const visitor = instance.visitor();
    const form = formOn(await visitor.get(link), link);
    const answers = await Promise.all([1, 2, 3].map(() => visitor.post(link, form.fields)));
    expect(new Set(answers.map(({ status, location }) => `${status} ${location}`)).size).toBe(1);
    const receipt = await visitor.get(answers[0]?.location ?? '');
    expect(lettersOn(receipt).map(({ brand }) => brand)).toEqual(['hm', 'nike']);
    expect((await visitor.get(link)).location).toBe(answers[0]?.location);
  });

  it('stands in a plain mail that says what it is, from the campaign, to one address', async () => {
    const { email, link } = await write();
    const [mail] = await mailFor(instance, email);
    expect(mail?.from?.value[0]?.address).toBe('notices@outspoken.example');
    expect(mail?.text).toContain(`${instance.url}${link}`);
    expect(mail?.text?.match(/https?:/g)).toHaveLength(1);
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.html).toBe(false);
    expect(mail?.text).not.toMatch(/H&M|Nike/);
  });

  it.each([
    ['was altered', (link: string) => link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ['was made up', () => `/confirm/${'A'.repeat(43)}`],
    ['was cut off', (link: string) => link.slice(0, -5)],
    ['has something behind it', (link: string) => `${link}x`],
    ['is the one of the receipt', (link: string) => link.replace('/confirm/', '/r/')],
  ])('leads to a page that says what to do when it %s', async (_what, alter) => {
    const { link } = await write();
    const before = await drafts();
    for (const page of [
      await instance.visitor().get(alter(link)),
      await instance.visitor().post(alter(link)),
    ]) {
      expect(page.status).toBe(404);
      expect(page.html).toMatch(/<h1>[^<]+<\/h1>\s*<p>[^<]+/);
      expect(page.html).toContain('href="/"');
    }
    expect(await drafts()).toBe(before);
  });

  it.each([
    ['cut off', (link: string) => link.slice(0, -5)],
    ['given an end', (link: string) => `${link}.`],
  ])('is asked for as a whole when a mail program has %s', async (_what, alter) => {
    const { link } = await write();
    for (const address of [link, link.replace('/confirm/', '/r/')]) {
      const page = await instance.visitor().get(alter(address));
      expect(page.status).toBe(404);
      expect(wordsOf(page)).toContain('This link is not complete');
      expect(wordsOf(page)).toContain('Copy the whole address once more');
    }
  });

  it('is over after a week, and the letters with it', async () => {
    const { link, email } = await write();
    const young = await write();
    const [row] = await instance.query<{ id: string }>(
      'select id from advocate order by id desc offset 1 limit 1',
    );
    await instance.query(
      `update advocate set created_at = now() - interval '7 days 1 minute', kept_until = now() - interval '1 minute'
       where id = $1`,
      [row?.id],
    );
    await scrub(instance.context.database);
    for (const page of [await instance.visitor().get(link), await instance.visitor().post(link)]) {
      expect(page.status).toBe(404);
      expect(wordsOf(page)).toContain('not confirmed within 7 days are deleted');
    }
    expect(await instance.query('select 1 from advocate where id = $1', [row?.id])).toEqual([]);
    expect(await mailFor(instance, email)).toHaveLength(1);
    expect((await instance.visitor().get(young.link)).status).toBe(200);
  });
});

describe('letters that wait for their confirmation', () => {
  const words = 'Worth reading twice';
  const said = { words, identity: 'named', name: 'Kim', country: 'KH' };

  it('are shown by a second button as they will be sent, which sends and changes nothing', async () => {
    const { link } = await write(said);
    const before = await drafts();
    const visitor = instance.visitor();
    const first = await visitor.get(link);
    expect(first.html).toContain(`formaction="${link}/letters"`);
    expect(sheetsOn(first)).toEqual([]);
    expect(wordsOf(first)).not.toContain(words);

    const page = await visitor.post(`${link}/letters`, formOn(first, link).fields);
    expect(page.status).toBe(200);
    expect(sheetsOn(page).map(({ to }) => to)).toEqual(['H&M', 'Nike']);
    for (const { text } of sheetsOn(page)) expect(text).toMatch(/Worth reading twice[\s\S]*Kim/);
    expect(page.html).not.toContain(`${link}/letters`);
    expect(wordsOf(page)).toContain('Your name will be read by these 2 brands');
    expect(await drafts()).toBe(before);

    const { location } = await visitor.post(link, formOn(page, link).fields);
    const letters = lettersOn(await visitor.get(location));
    const copies = letters.map(({ handle }) => visitor.get(`${location}/letters/${handle}`));
    expect((await Promise.all(copies)).flatMap(sheetsOn)).toEqual(sheetsOn(page));
  });

  it('are not shown where a link is all that is opened', async () => {
    const { link } = await write(said);
    const { status, location, html } = await instance.visitor().get(`${link}/letters`);
    expect([status, location]).toEqual([303, link]);
    expect(html).not.toContain(words);
  });

  it('are shown without those that would be a second one to a brand', async () => {
    const { email, link } = await write({ brand: ['nike'] });
    await instance.visitor().post(link);
    await writeLetters(instance.visitor(), { email, brand: ['hm', 'nike'] });
    const second = await confirmationLink(instance, email, 2);
    const page = await instance.visitor().post(`${second}/letters`);
    expect(sheetsOn(page).map(({ to }) => to)).toEqual(['H&M']);
    expect(wordsOf(page)).toContain('You have already written to Nike');
  });

  it('are not there any more once they are confirmed: that leads to their own page', async () => {
    const { link } = await write(said);
    const { location } = await instance.visitor().post(link);
    const page = await instance.visitor().post(`${link}/letters`);
    expect([page.status, page.location]).toEqual([303, location]);
  });

  it('are not shown by a link that nobody has, nor while their campaign is closed', async () => {
    const unknown = await instance.visitor().post(`/confirm/${'A'.repeat(43)}/letters`);
    expect(unknown.status).toBe(404);
    expect(wordsOf(unknown)).toContain('This link no longer works');
    const { link } = await write(said);
    await instance.query("update campaign set state = 'closed'");
    const closed = await instance.visitor().post(`${link}/letters`);
    expect(closed.status).toBe(410);
    expect(closed.html).toContain(`href="${link}/erase"`);
    expect(wordsOf(closed)).not.toContain(words);
  });
});

const stops = [
  ['is paused', "state = 'paused'", 'This campaign is paused'],
  ['is closed', "state = 'closed'", 'This campaign is closed'],
  ['has not begun', "opens_at = now() + interval '1 hour'", 'This campaign has not begun'],
  ['has ended', "closes_at = now() - interval '1 second'", 'This campaign is closed'],
] as const;

describe.each(stops)('while the campaign %s', (_what, change, says) => {
  const stop = () => instance.query(`update campaign set ${change}`);

  it.each(['preview', 'letters'])(
    'a form that is sent to %s comes back with what was typed',
    async (path) => {
      await stop();
      const before = await drafts();
      const typed = letterFields({ words: 'Worth keeping', identity: 'named', name: 'Kim', country: 'KH' });
      const page = await instance.visitor().post(`${campaignPath}/${path}`, typed);
      expect(page.status).toBe(409);
      expect(wordsOf(page)).toContain(says);
      expect(wordsOf(page)).toContain('Your letter was not stored');
      const { _csrf, ...kept } = formOn(page, `${campaignPath}/preview`).fields;
      expect(kept).toEqual(
        Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, [value].flat()])),
      );
      expect(await drafts()).toBe(before);
    },
  );

  it('nothing can be confirmed, and it can once the campaign is open again', async () => {
    const { link } = await write();
    await stop();
    const before = await drafts();
    for (const page of [await instance.visitor().get(link), await instance.visitor().post(link)]) {
      expect(page.status).toBe(410);
      expect(wordsOf(page)).toContain(says);
      expect(wordsOf(page)).toContain('deleted 7 days after you wrote it');
      expect(wordsOf(page).includes('Open this link again later')).toBe(!says.includes('closed'));
    }
    expect(await drafts()).toBe(before);
    await instance.query("update campaign set state = 'open', opens_at = null, closes_at = null");
    expect((await instance.visitor().post(link)).status).toBe(303);
  });

  it('its page has no form, and says why', async () => {
    await stop();
    const page = await instance.visitor().get(campaignPath);
    expect(page.status).toBe(200);
    expect(wordsOf(page)).toContain(says);
    expect(page.html).not.toContain('<textarea');
    expect(page.html).not.toContain('href="#write"');
  });
});

describe('a campaign that is a draft', () => {
  it('is not to be seen', async () => {
    await instance.query("update campaign set state = 'draft'");
    expect((await instance.visitor().get(campaignPath)).status).toBe(404);
    expect((await instance.visitor().post(`${campaignPath}/letters`, letterFields())).status).toBe(404);
    expect((await instance.visitor().get('/')).html).not.toContain(campaignPath);
  });
});
