import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { looseMailbox, maskAddress, readAddress, sameMailbox } from '../../src/people/address.ts';
import { hashToken, looksLikeToken, mintToken, numberOf } from '../../src/people/token.ts';

const long = (length: number) => 'a'.repeat(length);
/** A domain of exactly so many characters. */
const domainOf = (length: number) =>
  `${`${long(50)}.`
    .repeat(20)
    .slice(0, length - 8)
    .replace(/\.$/, 'a')}.example`;

describe('an e-mail address', () => {
  it.each([
    ['sok@mail.example', 'sok@mail.example'],
    ['  sok@mail.example\n', 'sok@mail.example'],
    ['Sok.Chan@MAIL.Example', 'Sok.Chan@mail.example'],
    ["o'neill+news_1@a-b.mail.example", "o'neill+news_1@a-b.mail.example"],
    ['{|}~!#$%&*/=?^`@mail.example', '{|}~!#$%&*/=?^`@mail.example'],
    ['sok@bücher.example', 'sok@xn--bcher-kva.example'],
    ['sok@BU\u0308CHER.example', 'sok@xn--bcher-kva.example'],
    ['sok@ខ្មែរ.example', 'sok@xn--j2e0cg3n2c.example'],
    [`${long(64)}@mail.example`, `${long(64)}@mail.example`],
  ])('is read as mail is addressed: %j', (typed, address) => {
    expect(readAddress(typed)).toBe(address);
  });

  it.each([
    '',
    ' ',
    '@',
    'sok',
    'sok@',
    '@mail.example',
    'sok@mail',
    'sok@.example',
    'sok@mail..example',
    'sok@-mail.example',
    'sok@mail-.example',
    'sok@mail.example.',
    'sok@mail.1',
    'sok@[127.0.0.1]',
    'sok@127.0.0.1',
    'sok chan@mail.example',
    'sok@mail example',
    '.sok@mail.example',
    'sok.@mail.example',
    'so..k@mail.example',
    '"sok"@mail.example',
    'sok@chan@mail.example',
    '<sok@mail.example>',
    'Sok <sok@mail.example>',
    'a@mail.example,b@mail.example',
    'a@mail.example;b@mail.example',
    'សុខ@mail.example',
    'sök@mail.example',
    'sok@mail.example\r\nBcc: b@mail.example',
    'sok\u0000@mail.example',
    'sok\u200b@mail.example',
    'sok@mail.example\u202e',
    'sok@mail%2eexample',
    'sok@mail.example/x',
    'sok@mail.example?x',
    'sok@mail.example#x',
    'sok@mail.example\\x',
    'sok@mail\t.example',
    'sok@mail\n.example',
    'sok@user:pass@mail.example',
    'sok@mail.example:25',
    `${long(65)}@mail.example`,
    `sok@${long(64)}.example`,
    `${long(60)}@${domainOf(200)}`,
  ])('is refused when mail cannot be addressed so: %j', (typed) => {
    expect(readAddress(typed)).toBeUndefined();
  });

  it('may be 254 characters long and no longer (RFC 5321 section 4.5.3.1)', () => {
    const longest = `${long(54)}@${domainOf(199)}`;
    expect(longest).toHaveLength(254);
    expect(readAddress(longest)).toBe(longest);
    expect(readAddress(`a${longest}`)).toBeUndefined();
  });

  it('is judged at once however long it is: to write a host in ASCII takes time that grows with the square', () => {
    const signs = Array.from({ length: 20_000 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join('');
    const typed = `sok@${signs.repeat(10)}.example`;
    const read = runInNewContext('read()', { read: () => readAddress(typed) }, { timeout: 10_000 });
    expect(read).toBeUndefined();
  });

  it('is one that an SMTP command and a header can carry, whatever was typed', () => {
    const part = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('sok', '.', '@', 'mail.example', '>', '\n'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const address = readAddress(parts.join('')) ?? 'none@mail.example';
        expect(address).toMatch(/^[!-~]+@[a-z0-9.-]+$/);
        expect(address).not.toMatch(/[<>()[\]\\,;:" ]/);
        expect(readAddress(address)).toBe(address);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the mailbox behind an address', () => {
  it.each([
    ['Sok@Mail.example', 'sok@mail.example'],
    ['sok+brand@mail.example', 'sok@mail.example'],
    ['sok+a+b@mail.example', 'sok@mail.example'],
    ['SOK+A@MAIL.EXAMPLE', 'sok@mail.example'],
  ])('is the same for %s and %s', (one, other) => {
    expect(sameMailbox(one)).toBe(sameMailbox(other));
  });

  it.each([
    ['sok@mail.example', 'sok@post.example'],
    ['sok@mail.example', 'so.k@mail.example'],
    ['+a@mail.example', '+b@mail.example'],
    ['sok@mail.example', 'sokh@mail.example'],
    ['sok-a@mail.example', 'sok-b@mail.example'],
  ])('is not the same for %s and %s', (one, other) => {
    expect(sameMailbox(one)).not.toBe(sameMailbox(other));
  });
});

describe('the mailbox that an address means where signs are overlooked', () => {
  const services = new Map([
    ['dots.example', /\./g],
    ['signs.example', /[._-]/g],
  ]);

  it.each([
    ['sok.chan@dots.example', 'sokchan@dots.example'],
    ['s.o.k@signs.example', 'sok@signs.example'],
    ['sok-chan@signs.example', 'Sok_Chan+news@signs.example'],
    ['sok.chan@mail.example', 'Sok.Chan+news@mail.example'],
  ])('is the same for %s and %s', (one, other) => {
    expect(looseMailbox(one, services)).toBe(looseMailbox(other, services));
  });

  it.each([
    ['sok@signs.example', 'sokh@signs.example'],
    ['sok@signs.example', 'sok@dots.example'],
    ['sok-chan@dots.example', 'sokchan@dots.example'],
    ['sok.chan@mail.example', 'sokchan@mail.example'],
    ['sok_chan@mail.example', 'sok-chan@mail.example'],
  ])('is not the same for %s and %s', (one, other) => {
    expect(looseMailbox(one, services)).not.toBe(looseMailbox(other, services));
  });
});

describe('an address that is shown back', () => {
  it.each([
    ['advocate@mail.example', 'ad•••@mail.example'],
    ['soka@mail.example', 'so•••@mail.example'],
    ['sok@mail.example', 's•••@mail.example'],
    ['a@mail.example', 'a•••@mail.example'],
  ])('is known to its owner and tells nobody else: %s', (address, shown) => {
    expect(maskAddress(address)).toBe(shown);
  });

  it('does not tell how long it is', () => {
    expect(maskAddress('soka@mail.example')).toBe(maskAddress('sokabcdefgh@mail.example'));
  });
});

describe('a token', () => {
  it('is 256 random bits that fit into a link, and never the same', () => {
    const tokens = Array.from({ length: 500 }, mintToken);
    expect(new Set(tokens).size).toBe(500);
    for (const token of tokens) {
      expect(looksLikeToken(token)).toBe(true);
      expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    }
  });

  it('is told from others by a number of four digits, always the same', () => {
    const tokens = Array.from({ length: 2000 }, mintToken);
    const numbers = tokens.map(numberOf);
    for (const number of numbers) expect(number).toMatch(/^\d{4}$/);
    expect(numbers.some((number) => number.startsWith('0'))).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(1500);
    expect(tokens.map(numberOf)).toEqual(numbers);
  });

  it('is stored as a hash that does not lead back', () => {
    const token = mintToken();
    expect(hashToken(token)).toHaveLength(32);
    expect(hashToken(token).equals(Buffer.from(token, 'base64url'))).toBe(false);
    expect(hashToken(token).equals(hashToken(mintToken()))).toBe(false);
  });

  it.each([
    '',
    'a'.repeat(42),
    'a'.repeat(44),
    `${'a'.repeat(42)}=`,
    `${'a'.repeat(42)}/`,
    `${'a'.repeat(43)}\n`,
  ])('is not seen in anything else: %j', (text) => {
    expect(looksLikeToken(text)).toBe(false);
  });
});
