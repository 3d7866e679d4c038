import { describe, expect, it } from '@jest/globals';
import { filesBelow, readSources, readText, roomOf } from '../support/sources.ts';

const sources = readSources('src', 'workers');
const bench = readSources('bench');

const ground = [
  'src/root.ts',
  'src/expected.ts',
  'src/time.ts',
  'src/variables.ts',
  'src/config.ts',
  'src/log.ts',
  'src/whole-file.ts',
];
/**
 * What each room may import from: the design's direction, web and workers -> inbound -> replies -> letters, campaigns,
 * notices -> people, brands, mail -> db.
 */
const direction: Record<string, string[]> = {
  'src/root.ts': [],
  'src/options.ts': [],
  'src/expected.ts': [],
  'src/endings.ts': ['src/expected.ts'],
  'src/time.ts': [],
  'src/variables.ts': [],
  'src/config.ts': ['src/expected.ts', 'src/variables.ts'],
  'src/log.ts': ['src/expected.ts'],
  'src/whole-file.ts': ['src/expected.ts'],
  'src/embedded': ground,
  'src/locale': ground,
  'src/db': [...ground, 'src/embedded'],
  'src/hold': [...ground, 'src/db'],
  'src/people': [...ground, 'src/db'],
  'src/mail': ground,
  'src/brands': [...ground, 'src/db'],
  'src/campaigns': [...ground, 'src/db', 'src/people', 'src/brands'],
  'src/letters': [...ground, 'src/db', 'src/people', 'src/brands', 'src/mail', 'src/campaigns', 'src/hold'],
  'src/notices': [...ground, 'src/db', 'src/people', 'src/mail', 'src/locale', 'src/hold'],
  'src/replies': [
    ...ground,
    ...[
      'src/db',
      'src/people',
      'src/mail',
      'src/locale',
      'src/campaigns',
      'src/letters',
      'src/notices',
      'src/hold',
    ],
  ],
};
const domain = [
  'src/db',
  'src/hold',
  'src/people',
  'src/brands',
  'src/mail',
  'src/campaigns',
  'src/letters',
  'src/notices',
  'src/replies',
];
const context = [...ground, ...domain, 'src/embedded', 'src/locale'];
Object.assign(direction, {
  'src/context.ts': context,
  'src/inbound': [
    ...ground,
    ...['src/db', 'src/people', 'src/brands', 'src/letters', 'src/replies', 'src/context.ts'],
  ],
  'src/web': [...context, 'src/context.ts'],
  workers: [...ground, ...domain, 'src/inbound', 'src/context.ts'],
  'src/commands': [...context, 'src/inbound', 'src/context.ts'],
  'src/main.ts': [
    ...ground,
    'src/options.ts',
    'src/db',
    'src/hold',
    'src/context.ts',
    'src/inbound',
    'src/web',
    'workers',
  ],
  'src/demo': [...ground, 'src/options.ts', 'src/endings.ts', 'src/embedded'],
});

/** Libraries that have one home, and the homes. */
const homes: Record<string, string[]> = {
  bullmq: ['workers'],
  ioredis: ['workers'],
  express: ['src/web'],
  'express-rate-limit': ['src/web'],
  helmet: ['src/web'],
  'csrf-csrf': ['src/web'],
  'cookie-parser': ['src/web'],
  nodemailer: ['src/mail'],
  libmime: ['src/mail'],
  libqp: ['src/mail'],
  mailparser: ['src/web', 'src/inbound'],
  'smtp-server': ['src/embedded', 'src/inbound'],
  handlebars: ['src/web', 'src/campaigns', 'src/notices'],
  pg: ['src/db', 'src/embedded', 'workers'],
  'node-pg-migrate': ['src/db'],
  pino: ['src/log.ts'],
  'intl-messageformat': ['src/locale'],
  'iso-3166': ['src/letters'],
  zod: ['src/variables.ts', 'src/campaigns', 'src/letters'],
};

const packageOf = (name: string) =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');

describe('the house', () => {
  it('is read in full: every import leads to a file that is there', () => {
    const known = new Set([...sources, ...bench].map(({ path }) => path));
    expect(known.size).toBeGreaterThan(60);
    for (const { path, imports } of [...sources, ...bench])
      for (const target of imports)
        expect([path, known.has(target) ? target : 'nowhere']).toEqual([path, target]);
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
  });

  it('has a place in its order for every room', () => {
    expect([...new Set(sources.map((source) => source.room))].filter((one) => !(one in direction))).toEqual(
      [],
    );
  });

  it('imports in one direction', () => {
    const wrong = sources.flatMap((source) =>
      source.imports
        .filter((path) => roomOf(path) !== source.room && !direction[source.room]?.includes(roomOf(path)))
        .map((path) => `${source.path} -> ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has an order that goes nowhere in circles', () => {
    const order: string[] = [];
    const visit = (one: string, above: string[]) => {
      if (above.includes(one)) throw new Error(`in a circle: ${[...above, one].join(' -> ')}`);
      if (order.includes(one)) return;
      for (const below of direction[one] ?? []) visit(below, [...above, one]);
      order.push(one);
    };
    for (const one of Object.keys(direction)) visit(one, []);
    expect(order).toHaveLength(Object.keys(direction).length);
  });

  it('has no files that need each other in a circle when they are loaded', () => {
    const byPath = new Map(sources.map((source) => [source.path, source]));
    const done = new Set<string>();
    const visit = (path: string, above: string[]) => {
      if (above.includes(path)) throw new Error(`in a circle: ${[...above, path].join(' -> ')}`);
      if (done.has(path)) return;
      for (const target of byPath.get(path)?.needs ?? []) visit(target, [...above, path]);
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(done.size).toBeGreaterThanOrEqual(sources.length);
  });

  it('has no file that nothing leads to: scripts start programs, programs import the rest', () => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
    const started = Object.values(scripts).flatMap((script) =>
      [...script.matchAll(/\bdist\/(\S+)\.js\b/g)].map(([, path]) => `${path}.ts`),
    );
    expect(started).toContain('src/main.ts');
    const byPath = new Map([...sources, ...bench].map((source) => [source.path, source]));
    const reached = new Set<string>();
    const visit = (path: string) => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const target of byPath.get(path)?.imports ?? []) visit(target);
    };
    for (const path of started) visit(path);
    // the bench starts these as processes of their own
    for (const { path } of bench) visit(path);
    expect(sources.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });
});

describe('a library', () => {
  it.each(Object.entries(homes))('%s is used in its own place only', (name, rooms) => {
    const users = sources.filter(({ packages }) => packages.some((one) => packageOf(one) === name));
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter((source) => !rooms.includes(source.room)).map(({ path }) => path)).toEqual([]);
  });

  it('has a home here if the program depends on it', () => {
    const { dependencies } = JSON.parse(readText('package.json')) as { dependencies: Record<string, string> };
    const used = new Set(sources.flatMap(({ packages }) => packages.map(packageOf)));
    expect([...used].filter((name) => !(name in homes))).toEqual([]);
    const fonts = Object.keys(dependencies).filter((name) => name.startsWith('@fontsource'));
    expect(Object.keys(dependencies).sort()).toEqual([...Object.keys(homes), ...fonts].sort());
  });

  it('for tests is not used by the program, and no test file lies among the sources', () => {
    const { devDependencies } = JSON.parse(readText('package.json')) as {
      devDependencies: Record<string, string>;
    };
    const used = [...sources, ...bench].flatMap(({ packages }) => packages.map(packageOf));
    expect(used.filter((name) => name in devDependencies)).toEqual([]);
    expect([...filesBelow('src', '.test.ts'), ...filesBelow('workers', '.test.ts')]).toEqual([]);
  });
});
