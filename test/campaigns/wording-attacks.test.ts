import { afterEach, describe, expect, it } from '@jest/globals';
import { letter, problemsWith } from '../support/wording.ts';

declare global {
  var pwned: unknown;
}

afterEach(() => {
  for (const key of ['polluted', 'page', 'main']) expect(key in Object.prototype).toBe(false);
  expect(globalThis.pwned).toBeUndefined();
});

/**
 * Templates of the kinds with which older versions of Handlebars ran foreign code (its advisories of 2019, 2021 and
 * 2026). Each must be refused by us, not merely be harmless in the version that is installed.
 */
const attacks: [string, string][] = [
  [
    'a function made of an array of arguments',
    '{{#with "constructor"}}{{#with split as |a|}}{{pop (push "globalThis.pwned=1")}}{{#with (concat (lookup join (slice 0 1)))}}{{#each (slice 2 3)}}{{#with (apply 0 a)}}{{.}}{{/with}}{{/each}}{{/with}}{{/with}}{{/with}}',
  ],
  [
    'a look-up of the constructor',
    '{{#with (lookup constructor "constructor")}}{{#with (create "globalThis.pwned=1")}}{{.}}{{/with}}{{/with}}',
  ],
  [
    '__lookupGetter__',
    '{{#with (__lookupGetter__ "__proto__")}}{{lookup (call ".") "constructor"}}{{/with}}',
  ],
  ['the constructor of the constructor', '{{constructor.constructor "globalThis.pwned=1"}}'],
  ['the same by literal segments, with code in one', "{{[constructor].[name','globalThis.pwned=1']}}"],
  ['__defineGetter__', '{{#with this as |o|}}{{__defineGetter__ "polluted" valueOf}}{{/with}}'],
  ['helperMissing', '{{#with (helperMissing name)}}{{constructor.constructor "pwned=1"}}{{/with}}'],
  ['blockHelperMissing', '{{#blockHelperMissing name}}x{{/blockHelperMissing}}'],
  ['a decorator without a name', '{{* }}'],
  ['a decorator that is unknown', '{{*constructor}}'],
  ['a partial block', '{{#> main}}{{> @partial-block}}{{/main}}'],
  ['a partial by a value', '{{> (lookup . "own_words")}}'],
  ['a partial of the prototype', '{{> toString}}'],
  ['an inline partial', '{{#*inline "main"}}{{constructor}}{{/inline}}{{> main}}'],
  ['__lookupSetter__', '{{__lookupSetter__ "__proto__"}}'],
  ['code in a segment', '{{[globalThis.pwned=1]}}'],
  ['code in a segment of a condition', "{{#if [name'),globalThis.pwned=1,('] }}x{{/if}}"],
  ['code in a string', '{{name "\\"+(globalThis.pwned=1)+\\""}}'],
  ['code in a hash', '{{name __proto__="x" polluted=1}}'],
  ['code in a number', '{{#if 1e1000}}x{{/if}}'],
  ['a line separator in a literal', '{{"\u2028globalThis.pwned=1//"}}'],
];

describe('a template that is an attack', () => {
  it.each(attacks)('is refused: %s', (_name, body) => {
    expect(problemsWith({ body })).not.toEqual([]);
    expect(problemsWith({ subject: body })).not.toEqual([]);
    expect(
      problemsWith({ passages: { reasons: [{ key: 'a', label: 'a', text: body }], lists: {} } }),
    ).not.toEqual([]);
  });

  it.each(attacks)('is just text when somebody types it: %s', (_name, typed) => {
    expect(letter('<{{own_words}}>', { ownWords: typed })).toBe(`<${typed}>`);
  });

  it('is refused although it comes as a parsed tree, where text belongs', () => {
    const tree = {
      type: 'Program',
      body: [
        {
          type: 'MustacheStatement',
          path: { type: 'PathExpression', data: false, depth: 0, parts: ['name'], original: 'name' },
          params: [{ type: 'NumberLiteral', value: 'globalThis.pwned=1', original: 1 }],
          escaped: true,
          strip: {},
        },
      ],
    };
    expect(problemsWith({ body: tree as unknown as string })).not.toEqual([]);
  });
});
