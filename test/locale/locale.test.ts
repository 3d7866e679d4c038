import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { IntlMessageFormat } from 'intl-messageformat';
import { flatten, loadLocales } from '../../src/locale/locale.ts';
import { projectRoot } from '../../src/root.ts';
import { loadViews } from '../../src/web/views.ts';

const ours = join(projectRoot, 'locales');
const files = (await readdir(ours)).filter((file) => file.endsWith('.json'));
const read = async (file: string) => flatten(JSON.parse(await readFile(join(ours, file), 'utf8')));
const english = await read('en.json');
const moment = new Date('2024-07-12T08:09:10Z');

/** What a translation can get wrong: keys that English lacks, messages that do not parse, other values in them. */
function mistakes(language: string, texts: Map<string, string>): string[] {
  return [...texts].flatMap(([key, message]) => {
    if (key === 'formats') return [];
    if (key === 'direction') return ['ltr', 'rtl'].includes(message) ? [] : [`direction is ${message}`];
    if (!english.has(key)) return [`${key} is unknown`];
    try {
      const wanted = valuesIn('en', english.get(key) ?? '');
      const given = valuesIn(language, message);
      return given.every((name) => wanted.includes(name))
        ? []
        : [`${key} has the values ${given.join(', ')}`];
    } catch {
      return [`${key} does not parse`];
    }
  });
}

type Part = { type: number; value?: string; options?: Record<string, { value: Part[] }> };

/** The names of the values that a message asks for. */
function valuesIn(language: string, message: string): string[] {
  const names = new Set<string>();
  const visit = (parts: Part[]) => {
    for (const { type, value, options } of parts) {
      if (type !== 0 && type !== 7) names.add(value ?? '');
      for (const option of Object.values(options ?? {})) visit(option.value);
    }
  };
  visit(new IntlMessageFormat(message, language, undefined, { ignoreTag: true }).getAst() as Part[]);
  return [...names].sort();
}

describe.each(files)('the texts in %s', (file) => {
  const language = file.replace('.json', '');

  it('are right: each belongs to a key, parses, and asks for no value that nobody gives', async () => {
    expect(mistakes(language, await read(file))).toEqual([]);
  });

  it('can be said with their values, in one and in many', async () => {
    const locale = (await loadLocales()).get(language);
    expect(locale.language).toBe(language);
    for (const [key, message] of await read(file)) {
      if (['formats', 'direction'].includes(key)) continue;
      for (const count of [0, 1, 2, 11]) {
        const values = Object.fromEntries(valuesIn(language, message).map((name) => [name, count]));
        expect(locale.text(key, values)).not.toMatch(/[{}]|undefined/);
      }
    }
  });
});

describe('the check of a translation', () => {
  it('finds what it looks for', () => {
    const wrong = {
      nonsense: 'x',
      direction: 'left',
      site: { name: '{a', home: '{who}' },
      receipt: { copy: 'fine' },
    };
    expect(mistakes('km', flatten(wrong))).toEqual([
      'nonsense is unknown',
      'direction is left',
      'site.name does not parse',
      'site.home has the values who',
    ]);
  });
});

describe('a second language', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outspoken-locales-'));
    await writeFile(join(folder, 'en.json'), await readFile(join(ours, 'en.json')));
    await writeFile(
      join(folder, 'km.json'),
      JSON.stringify({
        how: { title: 'របៀបដែលវាដំណើរការ', meansTitle: 'អត្ថន័យ' },
        preview: { title: '{count, plural, other {សំបុត្រ #}}' },
      }),
    );
    await writeFile(join(folder, 'notes.txt'), 'not a language');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is one more file: it says its own texts, and the rest in English', async () => {
    const locales = await loadLocales(folder);
    expect(locales.all.map(({ language, name }) => [language, name])).toEqual([
      ['en', 'English'],
      ['km', 'ខ្មែរ'],
    ]);
    const khmer = locales.get('km');
    expect(khmer.text('how.title')).toBe('របៀបដែលវាដំណើរការ');
    expect(khmer.text('preview.title', { count: 3 })).toMatch(/^សំបុត្រ (3|៣)$/);
    expect(khmer.text('how.keepTitle')).toBe(locales.get('en').text('how.keepTitle'));
    expect(khmer.text('confirm.title', { count: 1 })).toBe('Send your letter?');
  });

  it('is written from left to right, unless its file says otherwise', async () => {
    await writeFile(join(folder, 'ar.json'), JSON.stringify({ direction: 'rtl' }));
    const { all } = await loadLocales(folder);
    expect(all.map(({ language, direction }) => [language, direction])).toEqual([
      ['en', 'ltr'],
      ['ar', 'rtl'],
      ['km', 'ltr'],
    ]);
  });

  it('sets values apart where it is written from right to left, and what it says in English', async () => {
    const texts = {
      direction: 'rtl',
      copy: { title: 'رسالتك إلى {brand}' },
      preview: { named: '{count, plural, other {اسمك {brand} #}}' },
    };
    await writeFile(join(folder, 'ar.json'), JSON.stringify(texts));
    const locales = await loadLocales(folder);
    const arabic = locales.get('ar');
    expect(arabic.text('copy.title', { brand: 'Yes!' })).toBe('رسالتك إلى \u2068Yes!\u2069');
    expect(arabic.text('preview.named', { brand: 'Yes!', count: 3 })).toMatch(/^اسمك \u2068Yes!\u2069 [3٣]$/);
    expect(arabic.list(['Yes!', 'No'])).toContain('\u2068Yes!\u2069');
    expect(arabic.text('copy.back')).toBe('\u2068Back to your letters\u2069');
    for (const language of ['en', 'km'])
      expect(locales.get(language).text('copy.title', { brand: 'Yes!' })).toBe('Your letter to Yes!');
  });

  it('writes dates and lists in its own way, and times in UTC, told as such', async () => {
    const locales = await loadLocales(folder);
    const [en, km] = [locales.get('en'), locales.get('km')];
    expect(en.moment(moment)).toBe('12 July 2024 at 08:09 UTC');
    expect(en.stamp(moment)).toMatch(/12 Jul.*08:09:10 UTC/);
    expect(en.list(['Red', 'Blue', 'Green'])).toBe('Red, Blue and Green');
    expect(km.moment(moment)).toContain('កក្កដា');
    expect(km.moment(moment)).toContain('UTC');
    expect(km.list(['Red', 'Blue'])).not.toBe(en.list(['Red', 'Blue']));
  });

  it('says how its dates are put together, where a script can do it', async () => {
    const { patterns } = (await loadLocales(folder)).get('km');
    expect(patterns?.moment.text).toContain('{day} {month} {year}');
    expect(patterns?.moment.months[6]).toBe('កក្កដា');
    const { patterns: english } = (await loadLocales(folder)).get('en');
    expect(english?.moment.text).toBe('{day} {month} {year} at {hour}:{minute} {timeZoneName}');
    expect(english?.stamp.text).toBe('{day} {month}, {hour}:{minute}:{second} {timeZoneName}');
    expect(english?.stamp.months).toContain('Jul');
    for (const other of ['th', 'my']) {
      await writeFile(join(folder, `${other}.json`), '{}'); // years of another calendar; other digits
      expect((await loadLocales(folder)).get(other).patterns).toBeUndefined();
    }
  });

  it('is shown by the pages without a change in any of them', async () => {
    const views = await loadViews();
    const locales = await loadLocales(folder);
    const data = {
      csrf: 'x',
      nonce: 'n',
      demo: false,
      private: false,
      path: '/how',
      languages: locales.all.map(({ language, name }) => ({ language, name, current: language === 'km' })),
      draftDays: 7,
      personalDays: 28,
    };
    const html = views.page('how', locales.get('km'), data);
    expect(html).toContain('<html lang="km" dir="ltr">');
    expect(html).toContain('<h1>របៀបដែលវាដំណើរការ</h1>');
    expect(html).toContain(
      '<a href="?lang=km" lang="km" dir="auto" hreflang="km" aria-current="true">ខ្មែរ</a>',
    );
  });

  it('is not what somebody gets who asks for a third', async () => {
    const locales = await loadLocales(folder);
    for (const asked of ['fr', '', undefined, '__proto__', 'constructor'])
      expect(locales.get(asked).language).toBe('en');
  });

  it('cannot hide a mistake of the program: a key that English lacks is an error', async () => {
    const locales = await loadLocales(folder);
    for (const { text } of locales.all) expect(() => text('no.such.key')).toThrow('no.such.key');
  });

  it('needs English beside it', async () => {
    await rm(join(folder, 'en.json'));
    await expect(loadLocales(folder)).rejects.toThrow('en.json');
  });
});
