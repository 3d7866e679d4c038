import { describe, expect, it } from '@jest/globals';
import { moves, news, states } from '../../src/letters/letter.ts';
import { filesBelow, readSources, readText, withoutComments } from '../support/sources.ts';

const sources = readSources('src', 'workers');
const code = sources.map(({ path, text }) => ({ path, text: withoutComments(text) }));
const having = (pattern: RegExp, where = code) =>
  where.filter(({ text }) => pattern.test(text)).map(({ path }) => path);

describe('the sheet of the pages', () => {
  const sheet = withoutComments(readText('templates/assets/outspoken.css'));
  const declarations = [...sheet.matchAll(/(?<=[{;]\s*)([a-z-]+):\s*([^;{}]+);/g)].map(
    ([, property = '', value = '']) => ({ property, value: value.trim() }),
  );
  const sides = (value: string) => value.match(/(?:[^\s(]|\([^()]*(?:\([^()]*\)[^()]*)*\))+/g) ?? [];

  it('names no left and no right, which change places with the language', () => {
    expect(declarations.length).toBeGreaterThan(400);
    const named = declarations.filter(
      ({ property, value }) =>
        /(?:^|-)(?:left|right)(?:$|-)/.test(property) || /^(?:left|right)$/.test(value),
    );
    expect(named).toEqual([{ property: 'float', value: 'left' }]); // of a legend that is as wide as its line
  });

  it('gives both sides the same where it gives all four', () => {
    const four = declarations.filter(
      ({ property, value }) =>
        /^(?:margin|padding|inset|border-width)$/.test(property) && sides(value).length === 4,
    );
    expect(four.filter(({ value }) => sides(value)[1] !== sides(value)[3])).toEqual([]);
    expect(sides('0 calc((1px + 2px) * -1) 0 max(1px, 2px)')).toEqual([
      '0',
      'calc((1px + 2px) * -1)',
      '0',
      'max(1px, 2px)',
    ]);
  });
});

describe('the sources', () => {
  it('write to nobody but the log, the terminal and the page: there is no console', () => {
    expect(having(/\bconsole\s*\./)).toEqual([]);
  });

  it('read the environment where the program starts, and nowhere else', () => {
    const places = having(/\bprocess\.env\b/);
    expect(places).toEqual([
      'src/commands/main.ts',
      'src/demo/instance.ts', // what the demo's instance inherits
      'src/embedded/cluster.ts', // what the embedded server inherits
      'src/inbound/readers.ts', // what the processes that read mail inherit
      'src/main.ts',
    ]);
    for (const path of ['src/commands/main.ts', 'src/main.ts'])
      expect(withoutComments(readText(path)).match(/readConfig\(process\.env|process\.env/g)).toEqual([
        'readConfig(process.env',
      ]);
  });

  it('end the process in the programs only, and in what they begin and end with', () => {
    const programs = /^src\/(main|options|endings|commands\/[a-z]+|db\/write-schema)\.ts$/;
    expect(having(/\bprocess\.exit\b/).filter((path) => !programs.test(path))).toEqual([]);
  });

  it('are in files that one can read at a sitting', () => {
    const long = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > 230)).toEqual([]);
  });

  it('have names that say what is inside', () => {
    const vague = /(^|[-/])(utils?|helpers?|managers?|services?|common|misc|shared|lib)([-./]|$)/;
    expect(sources.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
    for (const { path } of sources) expect(path).toMatch(/^[a-z/-]+\.ts$/);
  });

  it('leave nothing for later', () => {
    expect(having(/\b(TODO|FIXME|XXX|HACK)\b/, sources)).toEqual([]);
    expect(having(/@ts-ignore|@ts-nocheck|@ts-expect-error|\bas any\b/)).toEqual([]);
    expect(having(/biome-ignore(?!.*: \S)/, sources)).toEqual([]);
  });
});

describe('lists', () => {
  // `order by id` beside `select id::text` means the text: 10 before 9
  const byDigits =
    /select\s(?:(?!select)[^`])*?\b(?:\w+\.)?id::text\b(?!\s+as\b)(?:(?!select)[^`])*?\border by (?:[\w.]+, )*id\b/;
  it('are sorted by the numbers of their rows, not by the digits', () => {
    expect(byDigits.test('select letter.id::text, at from letter order by id')).toBe(true);
    expect(byDigits.test('select id::text, at from letter order by at, id')).toBe(true);
    expect(byDigits.test('select id::text from letter order by at, letter.id')).toBe(false);
    expect(having(byDigits)).toEqual([]);
  });
});

/** Every statement that changes table `name`: from its verb to the end of what it sets. */
const changes = (name: string) =>
  code.flatMap(({ path, text }) =>
    [
      ...text.matchAll(
        new RegExp(`\\bupdate\\s+${name}\\b(?!_)[\\s\\S]*?(?=\\bwhere\\b|\\bfrom\\b|\\breturning\\b)`, 'gi'),
      ),
    ].map(([statement]) => ({ path, statement })),
  );

describe("a letter's state", () => {
  it('is written in one file, where each move leaves its event behind', () => {
    const writing = changes('letter').filter(({ statement }) => /\bstate\s*=/.test(statement));
    expect(changes('letter').length).toBeGreaterThanOrEqual(3);
    expect([...new Set(writing.map(({ path }) => path))]).toEqual(['src/letters/move.ts']);
  });

  it('begins as a draft: whoever adds a letter does not say its state', () => {
    const adding = code.flatMap(({ path, text }) =>
      [...text.matchAll(/insert into letter \(([^)]*)\)/g)].map(([, columns = '']) => ({ path, columns })),
    );
    expect(adding.map(({ path }) => path)).toEqual(['src/letters/write-letters.ts']);
    for (const { columns } of adding) expect(columns.split(', ')).not.toContain('state');
  });

  it('is one of those that the database knows', () => {
    const enumOf = (name: string) =>
      [
        ...(
          new RegExp(`create type ${name} as enum \\(([^)]*)\\)`).exec(readText('src/db/schema.sql'))?.[1] ??
          ''
        ).matchAll(/'([^']*)'/g),
      ].map(([, value]) => value);
    expect(enumOf('letter_state')).toEqual([...states]);
    const events = new Set(['drafted', ...Object.values(moves).map(({ event }) => event), ...news]);
    expect(enumOf('event_type').sort()).toEqual([...events].sort());
  });
});

describe('the record of events', () => {
  it('is written with the moves and the first draft, removed by the scrub, and never changed', () => {
    expect(having(/insert into event\b/i)).toEqual(['src/letters/move.ts', 'src/letters/write-letters.ts']);
    expect(having(/delete from event\b/i)).toEqual(['src/letters/retention.ts']);
    expect(having(/outspoken\.scrub/)).toEqual(['src/letters/retention.ts']);
    expect(changes('event')).toEqual([]);
  });
});

describe('personal columns', () => {
  it('are encrypted and read in one file', () => {
    const users = having(/\b(sealAdvocate|openAddress|openSaid|openTokens)\b/);
    expect(users).toContain('src/people/advocate.ts');
    expect(having(/\bcreateCipheriv|createDecipheriv\b/)).toEqual(['src/people/vault.ts']);
    expect(having(/\brandomBytes\b/).length).toBeGreaterThan(0);
    expect(having(/\bMath\.random\b/).filter((path) => path.startsWith('src/people/'))).toEqual([]);
  });
});

describe('the log', () => {
  /** Ids, counts, codes, times, and our own addresses: nothing that a person typed. A new word here is a decision. */
  const words = [
    ...['letter', 'bundle', 'notice', 'reply', 'worker', 'contact', 'campaign', 'domain', 'err'],
    ...['unknown', 'recorded', 'returned', 'expired', 'forgotten', 'penned', 'failures', 'refusals'],
    ...['method', 'route', 'status', 'milliseconds', 'code', 'state', 'reason', 'kind', 'rule'],
    ...['queue', 'host', 'port', 'tls'],
  ];

  it('is told in words that hold nothing personal', () => {
    const calls = code.flatMap(({ path, text }) =>
      [...text.matchAll(/\blog\.(?:debug|info|warn|error|fatal)\(\s*\{([^}]*)\}/g)].flatMap(
        ([, fields = '']) =>
          fields.split(',').map((field) => `${path}: ${/(\w+)(?:: [^{}]*)?$/.exec(field.trim())?.[1]}`),
      ),
    );
    expect(calls.length).toBeGreaterThan(20);
    expect(calls.filter((call) => !words.includes(call.split(': ')[1] ?? ''))).toEqual([]);
  });

  it('has messages that are the same for everybody', () => {
    expect(having(/\blog\.(?:debug|info|warn|error|fatal)\([^)]*`/)).toEqual([]);
  });
});

describe('migrations', () => {
  it('are numbered without a gap that hides one, and each says which way it goes', () => {
    const files = filesBelow('src/db/migrations', '.sql');
    const numbers = files.map((path) => Number(/\/(\d{4})_[a-z-]+\.sql$/.exec(path)?.[1]));
    expect(numbers[0]).toBe(1);
    expect(new Set(numbers).size).toBe(files.length);
    for (const path of files) expect(readText(path)).toMatch(/^-- Up Migration\n/);
  });
});
