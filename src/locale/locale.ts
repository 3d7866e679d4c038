import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IntlMessageFormat } from 'intl-messageformat';
import { projectRoot } from '../root.ts';

/** Which way a script is written, as HTML calls it. */
export type Direction = 'ltr' | 'rtl';

export type Values = Record<string, string | number | boolean | undefined>;

/** One language of the pages and notices. Its texts are ICU messages in `locales/<language>.json`. */
export type Locale = {
  /** BCP 47 tag, as in the file's name. */
  language: string;
  /** The language's name for itself. */
  name: string;
  direction: Direction;
  /**
   * The text of a key, with its values put in. A key that this language lacks is said in English.
   *
   * @throws Error for a key that English lacks: that is a mistake of the program
   */
  text(key: string, values?: Values): string;
  /** As the language writes them: a moment (in UTC, to the minute), one to the second, and a list of things. */
  moment(date: Date): string;
  stamp(date: Date): string;
  list(items: readonly string[]): string;
  /**
   * How moments and stamps are put together, for a script that knows the reader's zone; browsers lack languages that we
   * have. Undefined where years or digits are others than a script's own.
   */
  patterns: { moment: Pattern; stamp: Pattern } | undefined;
  /** How large a file is: `12 kB`. */
  size(bytes: number): string;
};

/** How a date is put together: `{day} {month} {year} at {hour}:{minute} {timeZoneName}`, and the names of the months in it. */
export type Pattern = { text: string; months: string[] };

export type Locales = {
  /** English first, then by tag. */
  all: Locale[];
  /** The locale of a tag, else English. */
  get(language: string | undefined): Locale;
};

/**
 * Reads every locale file of a folder. A new language is a new file; nothing else knows the list.
 */
export async function loadLocales(folder = join(projectRoot, 'locales')): Promise<Locales> {
  const languages = (await readdir(folder))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -5));
  const texts = new Map<string, Map<string, string>>();
  for (const language of languages) {
    texts.set(language, flatten(JSON.parse(await readFile(join(folder, `${language}.json`), 'utf8'))));
  }
  const english = texts.get('en');
  if (!english) throw new Error('locales/en.json is missing');
  const all = [...texts]
    .map(([language, own]) => createLocale(language, own, english))
    .sort(
      (a, b) =>
        Number(b.language === 'en') - Number(a.language === 'en') || a.language.localeCompare(b.language),
    );
  return {
    all,
    get: (language) => all.find((locale) => locale.language === language) ?? (all[0] as Locale),
  };
}

function createLocale(language: string, own: Map<string, string>, english: Map<string, string>): Locale {
  const messages = new Map<string, IntlMessageFormat>();
  const formats = own.get('formats') ?? language; // a file may ask for another region's dates: en-GB
  const moment = new Intl.DateTimeFormat(formats, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: 'UTC',
    timeZoneName: 'short',
  });
  const stamp = new Intl.DateTimeFormat(formats, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZone: 'UTC',
    timeZoneName: 'short',
  });
  const list = new Intl.ListFormat(formats, { type: 'conjunction' });
  const direction = own.get('direction') === 'rtl' ? 'rtl' : 'ltr';
  const kilobytes = unit(formats, 'kilobyte', 0);
  const megabytes = unit(formats, 'megabyte', 1);
  return {
    language,
    direction,
    name: new Intl.DisplayNames([language], { type: 'language' }).of(language) ?? language,
    text(key, values) {
      let format = messages.get(key);
      if (!format) {
        const message = own.get(key) ?? english.get(key);
        if (message === undefined) throw new Error(`there is no text for the key ${key}`);
        const said = own.has(key) ? language : 'en';
        format = new IntlMessageFormat(message, said, undefined, { ignoreTag: true });
        if (direction === 'rtl') format = new IntlMessageFormat(withValuesApart(format.getAst()), said);
        messages.set(key, format);
      }
      const text = String(format.format(values));
      return direction === 'rtl' && !own.has(key) ? apart(text) : text;
    },
    moment: (date) => moment.format(date),
    stamp: (date) => stamp.format(date),
    list: (items) => list.format(direction === 'rtl' ? items.map(apart) : items),
    patterns: canBeCopied(moment) ? { moment: patternOf(moment), stamp: patternOf(stamp) } : undefined,
    size: (bytes) =>
      bytes < 1_000_000
        ? kilobytes.format(Math.max(1, Math.round(bytes / 1000)))
        : megabytes.format(bytes / 1_000_000),
  };
}

/** What `bdi` is in HTML, also where there are no elements: a text goes its own way (FSI and PDI, UAX #9 section 2.4.2). */
const apart = (text: string) => `\u2068${text}\u2069`;

type Elements = ReturnType<IntlMessageFormat['getAst']>;

/**
 * A message whose values are each set apart. In words that are written from right to left, the name of a brand or of a
 * server would else give the signs at its end away to them: `Yes!` would be read as `!Yes`.
 */
function withValuesApart(elements: Elements): Elements {
  const [before, after] = [...apart('')].map((value) => ({ type: 0, value })) as Elements;
  return elements.flatMap((element) => {
    if (element.type === 1) return [before, element, after] as Elements; // an argument: a value as it is
    if (!('options' in element)) return [element];
    const options = Object.entries(element.options).map(([name, { value }]) => [
      name,
      { value: withValuesApart(value) },
    ]);
    return [{ ...element, options: Object.fromEntries(options) } as Elements[number]];
  });
}

function canBeCopied(format: Intl.DateTimeFormat): boolean {
  const { calendar, numberingSystem } = format.resolvedOptions();
  return calendar === 'gregory' && numberingSystem === 'latn';
}

function patternOf(format: Intl.DateTimeFormat): Pattern {
  const months = Array.from({ length: 12 }, (_, month) => format.formatToParts(Date.UTC(2000, month, 1)));
  const [january = []] = months;
  return {
    text: january.map(({ type, value }) => (type === 'literal' ? value : `{${type}}`)).join(''),
    months: months.map((parts) => parts.find(({ type }) => type === 'month')?.value ?? ''),
  };
}

function unit(language: string, name: string, maximumFractionDigits: number): Intl.NumberFormat {
  return new Intl.NumberFormat(language, { style: 'unit', unit: name, maximumFractionDigits });
}

/** Nested objects to dotted keys. */
export function flatten(tree: Record<string, unknown>, prefix = ''): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') flat.set(prefix + key, value);
    else
      for (const [name, text] of flatten(value as Record<string, unknown>, `${prefix}${key}.`))
        flat.set(name, text);
  }
  return flat;
}
