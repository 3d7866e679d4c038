import { describe, expect, it } from '@jest/globals';
import { type EventType, moves, news, states } from '../../src/letters/letter.ts';
import { flatten } from '../../src/locale/locale.ts';
import { identities } from '../../src/people/advocate.ts';
import type { ReplyState } from '../../src/replies/reply.ts';
import type { Fault } from '../../src/web/refusal.ts';
import { filesBelow, readSources, readText, withoutComments } from '../support/sources.ts';

const english = flatten(JSON.parse(readText('locales/en.json')));
const code = readSources('src', 'workers').map(({ path, text }) => ({ path, text: withoutComments(text) }));
const templates = ['pages', 'partials', 'notices'].flatMap((folder) =>
  filesBelow(`templates/${folder}`, '.hbs').map((path) => ({ path, text: readText(path) })),
);
const spaces = [
  ...new Set([...english.keys()].filter((key) => key.includes('.')).map((key) => key.split('.')[0])),
];

const faults = Object.keys({
  notFound: true,
  incomplete: true,
  forbidden: true,
  tooLarge: true,
  mediaType: true,
  badRequest: true,
  tooMany: true,
  usedUp: true,
  broken: true,
  away: true,
} satisfies Record<Fault, true>);
const events: EventType[] = ['drafted', ...Object.values(moves).map(({ event }) => event), ...news];
const aboutLines = ['missing', 'long', 'characters', 'invalid'];
const aboutWords = ['long', 'characters', 'address', 'link', 'phone'];

/** States of a reply that is passed on, in either direction. */
const onTheirWay: readonly ReplyState[] = [
  'waiting',
  'sending',
  'accepted',
  'rejected',
  'abandoned',
  'bounced',
];

/** Keys that are put together while the program runs: how they stand in the sources, and what they can become. */
const composed: Record<string, readonly string[]> = {
  'form.name.*': aboutLines,
  'form.description.*': aboutLines,
  'form.words.*': aboutWords,
  'form.identity.*': identities,
  'form.identity.*Hint': identities,
  'fault.*Title': faults,
  'fault.*Text': faults,
  'receipt.event.*': [...new Set(events)],
  'receipt.state.*': [...states, 'duplicate', 'doubted'],
  'receipt.reply.*': ['brand', 'automatic', 'own'],
  'receipt.forward.*': ['kept', 'unknown', ...onTheirWay],
  'receipt.own.*': ['draft', 'unknown', ...onTheirWay],
  'receipt.attachment.*': ['passed', 'held'],
  'answer.*': ['missing', 'long', 'characters', 'address', 'full', 'enough', 'empty'],
  'receipt.legend.*': ['accepted', 'waiting', 'ended', 'unknown', 'stopped'],
};
const composedKeys = Object.entries(composed).flatMap(([shape, parts]) =>
  parts.map((part) => shape.replace('*', part)),
);

/** Keys that stand in the sources as they are. */
const literal = [
  ...templates.flatMap(({ text }) =>
    [...text.matchAll(/[({]\s*t\s+"([^"]+)"/g)].map(([, key]) => key as string),
  ),
  ...code.flatMap(({ text }) =>
    [...text.matchAll(new RegExp(`'((?:${spaces.join('|')})\\.[A-Za-z.]+)'`, 'g'))].map(
      ([, key]) => key as string,
    ),
  ),
].filter((key) => key !== 'campaign.json');

describe('the texts of the pages', () => {
  it('exist for every key that the templates and the sources name', () => {
    expect(literal.length).toBeGreaterThan(150);
    expect([...new Set(literal)].filter((key) => !english.has(key))).toEqual([]);
  });

  it('exist for every key that is put together', () => {
    expect(composedKeys.filter((key) => !english.has(key))).toEqual([]);
  });

  it('are all used', () => {
    const used = new Set([...literal, ...composedKeys, 'formats']);
    expect([...english.keys()].filter((key) => !used.has(key))).toEqual([]);
  });

  it('are put together in the ways that are listed here, and in no other', () => {
    const shapes = code.flatMap(({ text }) =>
      [
        ...text.matchAll(
          new RegExp(`\`((?:${spaces.join('|')})\\.[A-Za-z.]*)\\$\\{[^\`]*?\\}([A-Za-z.]*)\``, 'g'),
        ),
      ].map(([, before, after]) => `${before}*${after}`),
    );
    expect([...new Set(shapes)].sort()).toEqual(Object.keys(composed).sort());
    const shown = templates.flatMap(({ path, text }) =>
      [...text.matchAll(/\{\{\s*t\s+([^"\s}]+)/g)].map(([, name]) => `${path}: ${name}`),
    );
    expect(shown).toEqual([
      'templates/partials/letter-form.hbs: label',
      'templates/partials/letter-form.hbs: hint',
      'templates/partials/letters.hbs: label',
    ]);
  });

  it('cover what free text can be told: the words of its reports are those that are listed here', () => {
    const text = withoutComments(readText('src/letters/free-text.ts'));
    const reports = [...text.matchAll(/report\('([a-z]+)'/g)].map(([, message]) => message as string);
    expect([...new Set(reports)].sort()).toEqual([...new Set([...aboutLines, ...aboutWords])].sort());
  });
});

describe('a template', () => {
  const words = (text: string) =>
    text
      .replace(/\{\{[\s\S]*?\}\}/g, ' ')
      .replace(/<!doctype html>|<(script|style)[\s\S]*?<\/\1>|<[^>]*>|&[a-z]+;/g, ' ')
      .replace(/[^\p{L}]+/gu, ' ')
      .trim();

  it.each(templates.map(({ path, text }) => [path, text]))('holds no words of its own: %s', (_path, text) => {
    expect(words(text)).toBe('');
  });

  it.each(templates.map(({ path, text }) => [path, text]))(
    'loads nothing from elsewhere and runs nothing inline: %s',
    (_path, text) => {
      // but for the link by which a reader leaves, which nothing follows by itself
      const loaded = text.replace(/<a class="leave" href="[^"]+" rel="noreferrer">/, '');
      expect(loaded).not.toMatch(/(?:src|href|action|data-stream)="(?:https?:)?\/\//);
      expect(text).not.toMatch(/\son[a-z]+="|\sstyle="|javascript:/);
      expect(text).not.toMatch(/\{\{\{|\{\{&/);
      for (const [tag] of text.matchAll(/<(?:script|link rel="stylesheet")[^>]*>/g))
        expect(tag).toContain('nonce="{{nonce}}"');
    },
  );

  it.each(templates.map(({ path, text }) => [path, text]))('lets every form be ours: %s', (_path, text) => {
    for (const [form] of text.matchAll(/<form\b[^>]*method="post"[\s\S]*?<\/form>/g))
      expect(form).toContain('{{> csrf}}');
  });
});

describe('every page', () => {
  const sent = new Set(
    code.flatMap(({ text }) =>
      [...text.matchAll(/(?:pages|this)\.send\(\s*request,\s*response,\s*'([a-z-]+)'/g)].map(
        ([, name]) => name as string,
      ),
    ),
  );
  const names = filesBelow('templates/pages', '.hbs').map((path) => path.replace(/^.*\/|\.hbs$/g, ''));
  const partials = filesBelow('templates/partials', '.hbs').map((path) => path.replace(/^.*\/|\.hbs$/g, ''));

  it('is sent by a route, and every page that is sent is there', () => {
    expect(names.length).toBeGreaterThan(12);
    expect([...sent].sort()).toEqual(names.sort());
  });

  it('and every partial is part of another, or is sent alone', () => {
    const included = templates.flatMap(({ text }) =>
      [...text.matchAll(/\{\{#?>\s*([a-z-]+)/g)].map(([, name]) => name as string),
    );
    const alone = code.flatMap(({ text }) =>
      [...text.matchAll(/pages\.partial\('([a-z-]+)'/g)].map(([, name]) => name as string),
    );
    expect([...new Set([...included, ...alone])].sort()).toEqual(partials.sort());
  });
});
