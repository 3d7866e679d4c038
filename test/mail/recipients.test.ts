import { describe, expect, it } from '@jest/globals';
import { readConfig } from '../../src/config.ts';
import { guardRecipients } from '../../src/mail/recipients.ts';

const relay = {
  SMTP_URL: 'smtp://relay.example',
  PUBLIC_URL: 'https://pages.example',
  MAIL_DOMAIN: 'letters.example',
};
const listOf = (environment: Record<string, string>) => readConfig(environment).mailRecipients;

describe('MAIL_RECIPIENTS', () => {
  it.each([
    ['nobody', [], 'press@brand.example', false],
    ['everybody', ['*'], 'press@brand.example', true],
    ['an address', ['press@brand.example'], 'press@brand.example', true],
    ['an address, however it is written', ['press@brand.example'], 'Press@Brand.EXAMPLE', true],
    ['another address of the same domain', ['press@brand.example'], 'jobs@brand.example', false],
    ['an address that only ends like it', ['press@brand.example'], 'xpress@brand.example', false],
    ['a domain', ['@brand.example'], 'jobs@brand.example', true],
    ['a subdomain of a domain', ['@brand.example'], 'jobs@mail.brand.example', false],
    ['a domain that only ends like it', ['@brand.example'], 'jobs@otherbrand.example', false],
    ['a domain that hides in the local part', ['@brand.example'], '"a@brand.example"@evil.example', false],
    ['the second of a list', ['@a.example', 'b@b.example'], 'b@b.example', true],
  ] as [string, string[], string, boolean][])(
    '%s: %j lets %s through: %s',
    (_what, list, address, passes) => {
      expect(guardRecipients(list)(address)).toBe(passes);
    },
  );

  it('is everybody while the mail catcher takes all mail, and nobody once a relay is set', () => {
    expect(listOf({})).toEqual(['*']);
    expect(listOf(relay)).toEqual([]);
    expect(listOf({ ...relay, MAIL_RECIPIENTS: ' ' })).toEqual([]);
    expect(listOf({ ...relay, MAIL_RECIPIENTS: '*' })).toEqual(['*']);
  });

  it('is read as a list, in lower case', () => {
    expect(listOf({ ...relay, MAIL_RECIPIENTS: 'Test@Staff.example , @Brand.example' })).toEqual([
      'test@staff.example',
      '@brand.example',
    ]);
  });

  it.each(['everybody', '*,@brand.example', '*@brand.example', 'a@b.example c@d.example', '@brand.example,'])(
    'refuses what would be guessed at: %j',
    (value) => {
      expect(() => listOf({ ...relay, MAIL_RECIPIENTS: value })).toThrow(
        /MAIL_RECIPIENTS must be \* \(everybody\) or/,
      );
    },
  );
});
