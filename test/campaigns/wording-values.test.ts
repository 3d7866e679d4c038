import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Passages, variableNames } from '../../src/campaigns/wording.ts';
import { compiled, letter } from '../support/wording.ts';

const tricky = [
  '{{name}}',
  '{{{own_words}}}',
  '{{#if name}}',
  '{{/if}}',
  '{{>page}}',
  '\\{{brand}}',
  '}}',
  '</script>',
  '&amp;',
  '<b>',
  '"\'`=',
  '$&',
  '$1',
  "$'",
  '$$',
  '__proto__',
  'constructor',
  '%s',
  '\\n',
  'undefined',
  'false',
  '0',
  'ស្ត្រី\u200bកាត់ដេរ',
  '👩🏽‍🏭',
];
const piece = fc.oneof(fc.constantFrom(...tricky), fc.string({ unit: 'grapheme', maxLength: 8 }));
/** One line, as a name is after its check. */
const line = fc
  .array(piece, { minLength: 1, maxLength: 5 })
  .map((parts) =>
    parts
      .join(' ')
      .replace(/[\s\p{Cc}\p{Cs}]+/gu, ' ')
      .trim(),
  )
  .filter((value) => value !== '');
/** Paragraphs, as own words are after theirs. */
const paragraphs = fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n\n'));

const passages: Passages = {
  reasons: [{ key: 'pay', label: 'Pay', text: 'reason: {{brand}}|' }],
  lists: { one: { link: 'link: {{brand}}|', ask: 'ask: {{name}}|' } },
};

describe('what people typed', () => {
  it('stands in the letter as they typed it, once for each time it is named, and is never interpreted', () => {
    const body = ['brand', 'name', 'description', 'country', 'own_words', 'link', 'ask', 'reasons']
      .map((name) => `${name}=[{{${name}}}]`)
      .join('\n');
    fc.assert(
      fc.property(line, line, line, line, paragraphs, (brand, name, description, country, ownWords) => {
        const particulars = { brand, name, description, country, ownWords, list: 'one', reasons: ['pay'] };
        expect(letter(body, particulars, passages)).toBe(
          [
            `brand=[${brand}]`,
            `name=[${name}]`,
            `description=[${description}]`,
            `country=[${country}]`,
            `own_words=[${ownWords}]`,
            `link=[link: ${brand}|]`,
            `ask=[ask: ${name}|]`,
            `reasons=[reason: ${brand}|]`,
          ].join('\n'),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('counts as said when it is not empty, whatever it says', () => {
    fc.assert(
      fc.property(line, (name) => {
        expect(letter('{{#if name}}yes{{else}}no{{/if}}', { name })).toBe('yes');
      }),
    );
    expect(letter('{{#if name}}yes{{else}}no{{/if}}', { name: '' })).toBe('no');
    expect(letter('{{#if name}}yes{{else}}no{{/if}}')).toBe('no');
  });

  it('leaves sender and subject one line each, whatever it holds', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      paragraphs,
      fc.constant('a\r\nBcc: b@mail.example'),
    );
    const parts = { sender: '{{name}} ({{brand}})', subject: '{{brand}}: {{own_words}}' };
    fc.assert(
      fc.property(anything, anything, anything, (brand, name, ownWords) => {
        const { sender, subject } = compiled(parts)({ brand, name, ownWords, list: '', reasons: [] });
        for (const text of [sender, subject]) {
          expect(text).not.toMatch(/[\r\n\u2028\u2029\t\v\f]/);
          expect(text).toBe(text.trim());
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not leak from one letter into the next', () => {
    const render = compiled({ body: '{{name}}{{description}}{{own_words}}' });
    const nothing = { brand: 'Red', list: '', reasons: [] };
    expect(render({ ...nothing, name: 'a', description: 'b', ownWords: 'c' }).text).toBe('abc');
    expect(render(nothing).text).toBe('');
  });
});

describe('a letter that a template makes endless', () => {
  const all = variableNames.map((name) => `{{${name}}}`).join('');

  it.each(['a', '🧵', 'ស្ត្រី'])('is cut, and no character of it in two: %s', (unit) => {
    const ownWords = unit.repeat(24_000 / unit.length);
    const body = `x${all.repeat(Math.floor(9_000 / all.length))}`;
    const { text, subject } = compiled({ body, subject: `x${'{{own_words}}'.repeat(20)}` })({
      brand: 'Red',
      list: '',
      reasons: [],
      ownWords,
    });
    expect(text.length).toBeLessThanOrEqual(60_000);
    expect(subject.length).toBeLessThanOrEqual(900);
    for (const one of [text, subject]) {
      expect(one.isWellFormed()).toBe(true);
      expect(one).not.toContain('\ufffd');
    }
  });

  it('is whole when it is as long as the longest own words make it', () => {
    const ownWords = '👩🏻‍❤️‍💋‍👩🏿'.repeat(1500);
    expect(letter(`${'x'.repeat(9000)}\n\n{{own_words}}\n\nthe end`, { ownWords })).toMatch(/the end$/);
  });
});
