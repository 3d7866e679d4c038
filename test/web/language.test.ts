import { rm } from 'node:fs/promises';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  lettersOn,
  mailFor,
  until,
  writeAndConfirm,
  writeLetters,
} from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { closing, makePseudoLocales, opening } from '../support/pseudo-locale.ts';
import { sheetsOn } from '../support/sheets.ts';
import { openStream } from '../support/stream.ts';
import { type Page, unescapeHtml, type Visitor } from '../support/visitor.ts';

let folder: string;
let instance: Instance;
beforeAll(async () => {
  folder = await makePseudoLocales();
  instance = await startInstance({ localeFolder: folder });
});
afterAll(async () => {
  await instance.close();
  await rm(folder, { recursive: true, force: true });
});

/** Somebody whose browser asks for Khmer. */
function khmer(): Visitor {
  const visitor = instance.visitor();
  visitor.headers = { 'Accept-Language': 'km, en;q=0.5' };
  return visitor;
}

const languageOf = (page: Page) => ({
  html: /<html lang="([^"]*)"/.exec(page.html)?.[1],
  header: page.headers.get('content-language'),
});
const inKhmer = { html: 'km', header: 'km' };
const inEnglish = { html: 'en', header: 'en' };

describe('the language of the pages', () => {
  it.each([
    ['km', inKhmer],
    ['km-KH', inKhmer],
    ['fr, km;q=0.8, en;q=0.5', inKhmer],
    ['en, km;q=0.9', inEnglish],
    ['fr', inEnglish],
    ['*', inEnglish],
    ['', inEnglish],
    ['%%%,,;q=', inEnglish],
  ])('is what the browser asks for: %s', async (asked, language) => {
    const visitor = instance.visitor();
    visitor.headers = { 'Accept-Language': asked };
    const page = await visitor.get('/how');
    expect(languageOf(page)).toEqual(language);
    expect(page.headers.get('vary')).toContain('Accept-Language');
  });

  it('can be chosen on every page, and the choice is kept', async () => {
    const visitor = instance.visitor();
    const page = await visitor.get('/how');
    expect(page.html).toContain('href="?lang=km"');
    const chosen = await visitor.get('/how?lang=km');
    expect([chosen.status, chosen.location]).toEqual([303, '/how']);
    expect(languageOf(await visitor.get('/how'))).toEqual(inKhmer);
    const other = await visitor.post(`${campaignPath}/preview`, letterFields({ email: '' }));
    expect(languageOf(other)).toEqual(inKhmer);
    visitor.headers = { 'Accept-Language': 'en' };
    expect(languageOf(await visitor.get('/'))).toEqual(inKhmer);
    await visitor.get('/?lang=en');
    visitor.headers = { 'Accept-Language': 'km' };
    expect(languageOf(await visitor.get('/'))).toEqual(inEnglish);
  });

  it.each(['xx', '', '../../etc', '<script>', '__proto__', 'km%0d%0aSet-Cookie:x=1'])(
    'is not changed by a language that we do not have: %s',
    async (wanted) => {
      const visitor = instance.visitor();
      const answer = await visitor.get(`/how?lang=${wanted}`);
      expect([answer.status, answer.location]).toEqual([303, '/how']);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(languageOf(await visitor.get('/how'))).toEqual(inEnglish);
    },
  );

  it.each(['//elsewhere.example/', '/\\elsewhere.example/', '///elsewhere.example', '/\\/elsewhere.example'])(
    'cannot be chosen in a way that leads to another host: %s',
    async (path) => {
      const location = await locationOf(`${path}?lang=km`);
      expect(location).toMatch(/^\/elsewhere\.example\/?$/);
    },
  );

  it('does not change with somebody else’s cookie', async () => {
    const visitor = instance.visitor();
    visitor.headers = { cookie: 'language=constructor' };
    expect(languageOf(await visitor.get('/how'))).toEqual(inEnglish);
  });
});

describe('a second language', () => {
  it('is what every text of every page is said in', async () => {
    const visitor = khmer();
    const form = `${campaignPath}/preview`;
    const waiting = await writeLetters(visitor, { email: 'walker@mail.example', brand: ['hm', 'nike'] });
    const link = await confirmationLink(instance, 'walker@mail.example');
    const confirm = await visitor.get(link);
    const { location: receipt } = await visitor.post(link);
    await until(async () => lettersOn(await visitor.get(receipt)).every(({ state }) => state === 'accepted'));
    const [letter] = lettersOn(await visitor.get(receipt));
    const pages: [string, Page][] = [
      ['home', await visitor.get('/')],
      ['how', await visitor.get('/how')],
      ['campaign', await visitor.get(campaignPath)],
      ['errors', await visitor.post(form, letterFields({ brand: [], email: '', words: 'a@b.example' }))],
      ['preview', await visitor.post(form, letterFields({ identity: 'named', name: 'Kim', country: 'KH' }))],
      ['waiting', await visitor.get(waiting)],
      ['confirm', confirm],
      ['receipt', await visitor.get(receipt)],
      ['copy', await visitor.get(`${receipt}/letters/${letter?.handle}`)],
      ['erase', await visitor.get(`${receipt}/erase`)],
      ['erased', await visitor.get('/erased')],
      ['gone', await visitor.get(`/r/${'A'.repeat(43)}`)],
      ['nothing', await visitor.get('/nothing')],
      ['mail', await visitor.get('/mail')],
    ];
    for (const [name, page] of pages) {
      expect({ name, ...languageOf(page) }).toEqual({ name, ...inKhmer });
      expect({ name, unmarked: await unmarked(page) }).toEqual({ name, unmarked: [] });
    }
  });

  it('is the language of the mail, too, while the letter has its own', async () => {
    const receipt = await writeAndConfirm(instance, khmer(), {
      email: 'mixed@mail.example',
      brand: ['puma'],
      language: 'de',
    });
    const [notice] = await mailFor(instance, 'mixed@mail.example');
    expect(notice?.subject).toContain(opening);
    expect(notice?.text).toContain(`${opening}ខ្ញុំ Hello`);
    const letter = await until(async () => (await mailFor(instance, 'human-rights@puma.example'))[0]);
    expect(letter.headers.get('content-language')).toBe('de');
    const { handle } = lettersOn(await khmer().get(receipt))[0] ?? {};
    const copy = await khmer().get(`${receipt}/letters/${handle}`);
    expect(sheetsOn(copy).map(({ language }) => language)).toEqual(['de']);
    const preview = await khmer().post(`${campaignPath}/preview`, letterFields({ language: 'de' }));
    expect(sheetsOn(preview).map(({ language }) => language)).toEqual(['de']);
  });

  it('is the language of what an open receipt hears', async () => {
    const receipt = await writeAndConfirm(instance, khmer(), { email: 'hearing@mail.example' });
    const stream = await openStream(`${instance.url}${receipt}/events`, { 'Accept-Language': 'km' });
    await until(async () => stream.events.length > 0);
    expect(stream.events[0]?.data).toContain(opening);
    stream.close();
  });

  it('marks what it does not have, and shows in English, as English', async () => {
    for (const path of ['/', campaignPath]) {
      const page = await khmer().get(path);
      expect(page.html).toMatch(
        /<p lang="en" dir="auto">A Cambodian labour-rights group|<p class="standfirst" lang="en" dir="auto">A Cambodian/,
      );
      expect((await instance.visitor().get(path)).html).not.toMatch(/<p[^>]* lang="en"/);
    }
  });
});

/** Where a request is sent on to whose path is passed as it stands, which no browser would do. */
function locationOf(path: string): Promise<string> {
  const { hostname, port } = new URL(instance.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path }, (response) => {
      response.resume();
      resolve(response.headers.location ?? '');
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Names and addresses, and what Intl says in Khmer. */
const named = /^(English|[\p{Script=Khmer}]+|Kim|H&M|Nike|[^ ]*@[^ ]*|UTC)$/u;

/** Texts of a page that stand neither in the locale file nor in a part that says that it is English. */
async function unmarked(page: Page): Promise<string[]> {
  const brands = await instance.query<{ name: string }>('select name from brand');
  const known = new Set(brands.map(({ name }) => name));
  return page.html
    .replace(/<(script|style|head|pre|time|q|option)\b[\s\S]*?<\/\1>/g, '')
    .replace(/<([a-z][a-z0-9]*)\b[^>]* lang="en"[^>]*>[\s\S]*?<\/\1>/g, '')
    .replace(/<ol class="mails">[\s\S]*?<\/ol>/, '') // what mails say, each in its own language
    .split(/<[^>]+>/)
    .map((text) => unescapeHtml(text).trim())
    .filter((text) => /\p{L}/u.test(text) && !text.includes(opening) && !text.includes(closing))
    .filter((text) => !known.has(text) && !named.test(text));
}
