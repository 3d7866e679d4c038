import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath, letterFields } from '../support/advocate.ts';
import { attribute, messageBeside, summaryOf, tagOf } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import type { Page } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterAll(() => instance.close());

const named = { identity: 'named', name: 'Sok' };
const described = { identity: 'described', description: 'a garment worker' };

type Case = {
  what: string;
  changes: Record<string, string | string[]>;
  /** The field whose message is shown, the element that the summary leads to, and the message. */
  field: string;
  anchor?: string;
  says: string;
};

const cases: Case[] = [
  {
    what: 'no brand',
    changes: { brand: [] },
    field: 'brand',
    anchor: 'brand-all',
    says: 'Pick at least one',
  },
  {
    what: 'an unknown brand beside a known one',
    changes: { brand: ['hm', 'nobody'] },
    field: 'brand',
    anchor: 'brand-all',
    says: 'not part of this campaign',
  },
  {
    what: 'an unknown reason',
    changes: { reason: ['customer', 'nonsense'] },
    field: 'reason',
    anchor: 'reason-0',
    says: 'reason',
  },
  { what: 'an unknown language', changes: { language: 'xx' }, field: 'language', says: 'languages' },
  {
    what: 'an unknown identity',
    changes: { identity: 'king' },
    field: 'identity',
    anchor: 'identity-counted',
    says: 'Pick one of the three',
  },
  { what: 'an unknown country', changes: { ...named, country: 'XX' }, field: 'country', says: 'country' },
  { what: 'a missing name', changes: { ...named, name: ' ' }, field: 'name', says: 'Enter the name' },
  {
    what: 'a name that is too long',
    changes: { ...named, name: 'ស'.repeat(81) },
    field: 'name',
    says: '80 characters long; it is 81',
  },
  {
    what: 'a name with a line break',
    changes: { ...named, name: 'Sok\nBcc: x' },
    field: 'name',
    says: 'hidden',
  },
  { what: 'a name with a null', changes: { ...named, name: 'So\0k' }, field: 'name', says: 'hidden' },
  {
    what: 'a name that turns the text around',
    changes: { ...named, name: 'Sok \u202enaS' },
    field: 'name',
    says: 'hidden',
  },
  {
    what: 'an address for a name',
    changes: { ...named, name: 'sok@mail.example' },
    field: 'name',
    says: 'name only',
  },
  {
    what: 'a missing description',
    changes: { ...described, description: '' },
    field: 'description',
    says: 'a few words',
  },
  {
    what: 'a description that is too long',
    changes: { ...described, description: 'x'.repeat(200) },
    field: 'description',
    says: '80 characters long; it is 200',
  },
  {
    what: 'a description with an isolate mark',
    changes: { ...described, description: 'a \u2066worker' },
    field: 'description',
    says: 'hidden',
  },
  {
    what: 'own words that are too long',
    changes: { words: 'y'.repeat(1501) },
    field: 'words',
    says: '1,500 characters long; they are 1,501',
  },
  { what: 'own words with a bell', changes: { words: 'ring\u0007' }, field: 'words', says: 'hidden' },
  { what: 'own words with a bidi mark', changes: { words: 'a\u200fb' }, field: 'words', says: 'hidden' },
  {
    what: 'own words with an address',
    changes: { words: 'ask me: sok@mail.example' },
    field: 'words',
    says: 'e-mail address',
  },
  {
    what: 'own words with a link',
    changes: { words: 'see https://mail.example' },
    field: 'words',
    says: 'link',
  },
  {
    what: 'own words with a phone number',
    changes: { words: 'call 012 345 678 9' },
    field: 'words',
    says: 'phone',
  },
  { what: 'no address', changes: { email: '' }, field: 'email', says: 'Enter your e-mail address' },
  { what: 'half an address', changes: { email: 'sok@mail' }, field: 'email', says: 'in the form' },
  {
    what: 'two addresses',
    changes: { email: 'a@mail.example, b@mail.example' },
    field: 'email',
    says: 'one',
  },
  {
    what: 'an address in other letters',
    changes: { email: 'សុខ.ម@mail.example' },
    field: 'email',
    says: 'other letters than a to z',
  },
  {
    what: 'an address with a line break',
    changes: { email: 'sok@mail.example\nBcc: all@mail.example' },
    field: 'email',
    says: 'in the form',
  },
];

describe.each([
  ['preview', 'asking for a preview'],
  ['letters', 'sending'],
])('%s: a form that is not right', (path, doing) => {
  afterEach(async () => {
    expect(await instance.query('select 1 from advocate')).toEqual([]);
    expect(await instance.query('select 1 from letter')).toEqual([]);
    expect(await instance.query('select 1 from notice')).toEqual([]);
  });

  const send = (changes: Record<string, string | string[]>) =>
    instance.visitor().post(`${campaignPath}/${path}`, letterFields(changes));

  it.each(cases)(`is answered with what to mend, when $what is found while ${doing}`, async (one) => {
    const page = await send(one.changes);
    expect(page.status).toBe(422);
    expect(page.html).toMatch(/<title>Error: /);
    expect(messageBeside(page, one.field)).toContain(one.says);
    const anchor = one.anchor ?? one.field;
    expect(summaryOf(page)).toEqual([{ anchor, text: messageBeside(page, one.field) }]);
    expect(tagOf(page, anchor)).not.toBe('');
    expect(describedBy(page, one.field)).toContain(`${one.field}-error`);
  });

  it.each(['name', 'description', 'country', 'words', 'email'])(
    'marks the field %s as wrong, and the others not',
    async (field) => {
      const wrong = { name: '', description: '', country: 'XX', words: '\u0007', email: 'x' } as Record<
        string,
        string
      >;
      const page = await send({
        ...(field === 'description' ? described : named),
        [field]: wrong[field] as string,
      });
      const invalid = [...page.html.matchAll(/<[^>]*aria-invalid="true"[^>]*>/g)].map(([tag]) =>
        attribute(tag, 'id'),
      );
      expect(invalid).toEqual([field]);
    },
  );

  it('names all problems at once, in the order of the form', async () => {
    const page = await send({ brand: [], reason: ['no'], words: '\u0007', identity: 'named', email: '' });
    expect(summaryOf(page).map(({ anchor }) => anchor)).toEqual([
      'brand-all',
      'reason-0',
      'words',
      'name',
      'email',
    ]);
  });
});

/** The ids of the texts that describe a field: on the element itself, or on the group that holds it. */
function describedBy(page: Page, field: string): string[] {
  const tag = [...page.html.matchAll(/<(?:input|textarea|select|fieldset)\b[^>]*>/g)]
    .map(([one]) => one)
    .find((one) => attribute(one, 'aria-describedby')?.includes(`${field}-hint`));
  return attribute(tag ?? '', 'aria-describedby')?.split(' ') ?? [];
}
