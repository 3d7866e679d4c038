import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readWording, textsByLanguageSchema } from '../../src/campaigns/campaign.ts';
import type { Particulars } from '../../src/campaigns/wording.ts';
import { projectRoot } from '../../src/root.ts';

const folder = join(projectRoot, 'templates/letters/speak-out-for-central');
const read = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));

type BrandOfFile = { slug: string; name: string; lists: [string, ...string[]] };
const campaign: { languages: string[]; wordings: string[]; brands: BrandOfFile[] } =
  await read('campaign.json');
const texts = textsByLanguageSchema.parse(
  Object.fromEntries(
    await Promise.all(
      campaign.languages.map(async (language) => [language, (await read(`${language}.json`)).texts]),
    ),
  ),
);
const wordings = await Promise.all(
  campaign.wordings.map(async (language, id) =>
    readWording({
      ...(await read(`${language}.json`)),
      body: await readFile(join(folder, `${language}.body.hbs`), 'utf8'),
      id,
      language,
      version: 1,
    }),
  ),
);

const ownWords = 'I have worn your clothes for years.\n\nI would like to go on.';
const identities: [string, Partial<Particulars>][] = [
  ['counted', {}],
  ['counted, with own words', { ownWords }],
  ['described', { description: 'a garment worker' }],
  ['described, with a country', { description: 'a garment worker', country: 'Cambodia' }],
  ['named', { name: 'សុខ ចាន់' }],
  ['named, with a country and own words', { name: 'សុខ ចាន់', country: 'Cambodia', ownWords }],
];

describe('the first campaign', () => {
  it('asks at least twelve brands, each once', () => {
    const slugs = campaign.brands.map(({ slug }) => slug);
    expect(slugs.length).toBeGreaterThanOrEqual(12);
    expect(new Set(slugs).size).toBe(slugs.length);
    expect(new Set(campaign.brands.map(({ name }) => name)).size).toBe(slugs.length);
  });

  it.each(Object.entries(texts))(
    'keeps its four lists apart, each with its source, in %s',
    (_language, one) => {
      const keys = one.lists.map(({ key }) => key);
      expect(new Set(keys).size).toBe(4);
      for (const { lists } of campaign.brands) for (const key of lists) expect(keys).toContain(key);
      for (const key of keys) expect(campaign.brands.some(({ lists }) => lists[0] === key)).toBe(true);
      const sources = one.sources.map(({ key }) => key);
      for (const { source } of one.lists) expect(sources).toContain(source);
      for (const { source } of one.story) {
        expect(source).not.toEqual([]);
        for (const key of source) expect(sources).toContain(key);
      }
      for (const source of one.sources) {
        expect(source.publisher).not.toBe('');
        expect(source.date).toMatch(/\b20\d\d$/);
      }
    },
  );

  it('puts no brand on a list that its source does not name it on', () => {
    const on = (key: string) =>
      campaign.brands
        .filter(({ lists }) => lists.includes(key))
        .map(({ name }) => name)
        .sort();
    expect(on('bfc-2024-journal')).toEqual(['H&M', 'Inditex', 'Nike']);
    expect(on('bfc-2024-ccc')).toEqual(['C&A', 'H&M', 'Inditex', 'Nike']);
    expect(on('joint-statement-2024')).toEqual(
      ['adidas', 'American Eagle', 'ASICS', 'Gap', "Levi's", 'New Balance', 'Puma', 'PVH', 'VF'].sort(),
    );
    expect(on('open-letter-2016')).toEqual(
      ['H&M', 'C&A', 'Inditex', "Levi's", 'Marks & Spencer', 'Tchibo', 'Primark'].sort(),
    );
  });

  it('holds no e-mail address', async () => {
    for (const file of await readdir(folder))
      expect(await readFile(join(folder, file), 'utf8')).not.toMatch(/[^\s"]@[^\s"]/);
  });
});

describe.each(wordings.map((wording) => [wording.language, wording] as const))(
  'the wording in %s',
  (_language, wording) => {
    const { passages, render } = wording;
    const reasons = passages.reasons.map(({ key }) => key);

    it('offers at least five reasons, and words for every list', () => {
      expect(new Set(reasons).size).toBe(reasons.length);
      expect(reasons.length).toBeGreaterThanOrEqual(5);
      const lists = new Set(campaign.brands.flatMap((brand) => brand.lists));
      expect(Object.keys(passages.lists).sort()).toEqual([...lists].sort());
    });

    it('has the reasons that the other wordings have', () => {
      for (const other of wordings)
        expect(other.passages.reasons.map(({ key }) => key).sort()).toEqual([...reasons].sort());
    });

    describe.each(campaign.brands.map((brand) => [brand.name, brand] as const))('to %s', (name, brand) => {
      const letter = (particulars: Partial<Particulars>) =>
        render({ brand: name, list: brand.lists[0], reasons: [], ...particulars });

      it.each(identities)('reads as a letter from somebody who is %s', (_identity, particulars) => {
        for (const picked of [[], reasons.slice(0, 2)]) {
          const { sender, subject, text } = letter({ ...particulars, reasons: picked });
          expect(text).not.toMatch(/\{\{|\}\}|undefined|null|\[object/);
          expect(text).not.toMatch(/ {2}| [,.;:]|\n{3}|[ \t]\n|\.\.|,,/);
          expect(text.trim()).toBe(text);
          expect(text).toContain(name);
          expect(subject).toContain(name);
          expect(text).toContain(passages.lists[brand.lists[0]]?.ask.slice(0, 30));
          for (const { key, text: reason } of passages.reasons)
            expect(text.includes(reason)).toBe(picked.includes(key));
          const who = particulars.name ?? particulars.description;
          expect(sender).toMatch(/ via Outspoken$/);
          for (const part of [who, particulars.country, particulars.ownWords])
            if (part) expect(text).toContain(part);
          if (who) expect(sender).toBe(`${who} via Outspoken`);
        }
      });

      it('fits on about a page', () => {
        const words = (text: string) => text.split(/\s+/).length;
        expect(words(letter({}).text)).toBeGreaterThan(150);
        expect(
          words(letter({ name: 'Sok', country: 'Cambodia', reasons: reasons.slice(0, 3) }).text),
        ).toBeLessThan(520);
      });
    });

    it('tells brands of different lists different things', () => {
      const one = (list: string) => render({ brand: 'Red', list, reasons: [] }).text;
      const lists = Object.keys(passages.lists);
      expect(new Set(lists.map(one)).size).toBe(lists.length);
    });
  },
);
