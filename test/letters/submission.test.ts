import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { type Problem, readTyped, type Typed } from '../../src/letters/submission.ts';
import { createVault } from '../../src/people/vault.ts';
import { plainKey } from '../support/keys.ts';
import { accepted, problemsOf, typed } from '../support/submission.ts';

describe('a form that is right', () => {
  it('becomes a submission that says what was picked and typed', () => {
    expect(
      accepted({
        brand: ['blue', 'red'],
        identity: 'named',
        name: '  Chan   Sok ',
        country: 'KH',
        reason: ['voice', 'pay'],
        words: 'I sew trousers.\r\n\r\nI am proud of it.  \n',
        email: ' Sok@MAIL.example ',
      }),
    ).toMatchObject({
      brands: [{ slug: 'red' }, { slug: 'blue' }],
      wording: { language: 'en' },
      identity: 'named',
      said: {
        name: 'Chan Sok',
        country: 'KH',
        reasons: ['pay', 'voice'],
        ownWords: 'I sew trousers.\n\nI am proud of it.',
      },
      address: 'Sok@mail.example',
    });
  });

  it('takes every brand of the campaign for the box that stands for all', () => {
    expect(accepted({ brand: ['*'] }).brands.map(({ slug }) => slug)).toEqual(['red', 'blue']);
    expect(accepted({ brand: ['*', 'blue'] }).brands.map(({ slug }) => slug)).toEqual(['red', 'blue']);
  });

  it('keeps what belongs to the chosen identity, and nothing else that was typed', () => {
    const everything = { name: 'Chan Sok', description: 'a garment worker', country: 'KH' };
    expect(accepted({ ...everything, identity: 'counted' }).said).toEqual({ reasons: [] });
    expect(accepted({ ...everything, identity: 'described' }).said).toEqual({
      reasons: [],
      description: 'a garment worker',
      country: 'KH',
    });
    expect(accepted({ ...everything, identity: 'named' }).said).toEqual({
      reasons: [],
      name: 'Chan Sok',
      country: 'KH',
    });
  });

  it('is not held up by mistakes in fields that do not count', () => {
    expect(
      accepted({ identity: 'counted', name: 'x@mail.example', description: '\u202e', country: 'XX' }).said,
    ).toEqual({ reasons: [] });
  });
});

describe('a form that is very long', () => {
  const fields = ['name', 'description', 'country', 'words', 'email', 'submission'] as const;
  it.each(
    fields.flatMap((field) => ['.', ' ', '. ', '@', '@.', '-', 'a'].map((unit) => [field, unit] as const)),
  )(
    'is judged in one pass, so that nobody can keep the server busy with its %s of %j without end',
    (field, unit) => {
      const long = `<${unit.repeat(400_000 / unit.length)}x`;
      const identity = field === 'name' ? 'named' : 'described';
      const judge = () => problemsOf({ identity, description: 'x', [field]: long });
      // what one pass needs is far below the deadline, and what a pass per character would need, far above it
      const problems = runInNewContext('judge()', { judge }, { timeout: 10_000 }) as Problem[];
      expect(problems.map((problem) => problem.field)).toEqual([field]);
    },
  );
});

describe('a form that is not right', () => {
  const cases: [string, Partial<Typed>, Typed extends Record<infer F, unknown> ? F : never, string][] = [
    ['no brand', { brand: [] }, 'brand', 'form.brand.none'],
    ['a brand that is not in the campaign', { brand: ['red', 'green'] }, 'brand', 'form.brand.unknown'],
    ['an unknown brand beside the box for all', { brand: ['*', 'x'] }, 'brand', 'form.brand.unknown'],
    ['no language', { language: '' }, 'language', 'form.language.unknown'],
    ['a language without a wording', { language: 'fr' }, 'language', 'form.language.unknown'],
    ['an unknown reason', { reason: ['pay', 'x'] }, 'reason', 'form.reason.unknown'],
    ["another language's reason", { language: 'km', reason: ['pay'] }, 'reason', 'form.reason.unknown'],
    ['an unknown identity', { identity: 'hidden' }, 'identity', 'form.identity.unknown'],
    ['an inherited property as identity', { identity: 'toString' }, 'identity', 'form.identity.unknown'],
    ['no name', { identity: 'named' }, 'name', 'form.name.missing'],
    ['a name of spaces', { identity: 'named', name: ' \u00a0 ' }, 'name', 'form.name.missing'],
    ['no description', { identity: 'described' }, 'description', 'form.description.missing'],
    ['only dots', { identity: 'described', description: ' .. .' }, 'description', 'form.description.missing'],
    [
      'a country that is none',
      { identity: 'named', name: 'Sok', country: 'XX' },
      'country',
      'form.country.unknown',
    ],
    [
      'a country in lower case',
      { identity: 'named', name: 'Sok', country: 'kh' },
      'country',
      'form.country.unknown',
    ],
    ['no address', { email: ' ' }, 'email', 'form.email.missing'],
    ['half an address', { email: 'sok@mail' }, 'email', 'form.email.invalid'],
    ['two addresses', { email: 'a@mail.example, b@mail.example' }, 'email', 'form.email.invalid'],
    [
      'a header in the address',
      { email: 'a@mail.example\r\nBcc: b@c.example' },
      'email',
      'form.email.invalid',
    ],
    ['no form number', { submission: '' }, 'submission', 'form.submission.invalid'],
    ['a short form number', { submission: 'a'.repeat(21) }, 'submission', 'form.submission.invalid'],
    [
      'a form number with odd letters',
      { submission: `${'a'.repeat(30)}%` },
      'submission',
      'form.submission.invalid',
    ],
  ];

  it.each(cases)('says so of the field: %s', (_what, changes, field, message) => {
    expect(problemsOf(changes)).toEqual([{ field, message }]);
  });

  it('tells all problems at once, in the order of the form', () => {
    const problems = problemsOf({
      submission: 'x',
      email: 'x',
      identity: 'named',
      name: '',
      country: 'XX',
      language: 'xx',
      words: '\u0000',
      brand: [],
    });
    expect(problems.map(({ field }) => field)).toEqual([
      'brand',
      'words',
      'language',
      'name',
      'country',
      'email',
      'submission',
    ]);
  });
});

describe('a body', () => {
  it('is read with one value or several for a field of several, and nothing for one that is missing', () => {
    expect(readTyped({ brand: 'red', reason: ['pay', 'voice'], words: 'a' })).toEqual({
      ...typed({ submission: '', email: '', language: '' }),
      reason: ['pay', 'voice'],
      words: 'a',
    });
    expect(readTyped(undefined)).toMatchObject({ brand: [], identity: 'counted' });
  });

  it.each([
    ['a field twice', { email: ['a@mail.example', 'b@mail.example'] }],
    ['an object where text belongs', { name: { $ne: '' } }],
    ['an object among the brands', { brand: ['red', {}] }],
    ['an identity twice', { identity: ['named', 'counted'] }],
  ])('is not taken for a form of ours: %s', (_what, body) => {
    expect(readTyped(body)).toBeUndefined();
  });
});

describe("a submission's key", () => {
  const full: Partial<Typed> = { identity: 'named', name: 'Sok', country: 'KH', words: 'mine' };
  const key = (changes: Partial<Typed> = {}) => accepted({ ...full, ...changes }).key.toString('hex');

  it('is the same for the same form, and 32 bytes long', () => {
    expect(key()).toBe(key());
    expect(accepted(full).key).toHaveLength(32);
  });

  it('does not change with what makes no difference to the letters', () => {
    expect(key({ name: ' Sok ' })).toBe(key());
    expect(key({ brand: ['red', 'red'] })).toBe(key());
    expect(key({ description: 'typed before the choice was made' })).toBe(key());
    expect(key({ brand: ['*'] })).toBe(key({ brand: ['blue', 'red'] }));
  });

  it.each<[string, Partial<Typed>]>([
    ['form', { submission: 'lkjihgfedcba9876543210' }],
    ['brands', { brand: ['red', 'blue'] }],
    ['language', { language: 'km' }],
    ['identity', { identity: 'described', description: 'Sok' }],
    ['name', { name: 'Sokh' }],
    ['country', { country: 'DE' }],
    ['reasons', { reason: ['pay'] }],
    ['own words', { words: 'mine, too' }],
    ['address', { email: 'soka@mail.example' }],
  ])('is another one with another %s', (_what, changes) => {
    expect(key(changes)).not.toBe(key());
  });

  it('cannot be computed without the master key', () => {
    const other = createVault([{ version: 1, key: plainKey(2) }]);
    expect(accepted(full, other).key.equals(accepted(full).key)).toBe(false);
  });
});
