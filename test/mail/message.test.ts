import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { canonicalText, encodeMailbox, encodeMessage, type Message } from '../../src/mail/message.ts';

const base: Message = {
  from: { name: 'A garment worker via Outspoken', address: 'letters@outspoken.example' },
  to: { name: 'H&M', address: 'human-rights@hm.example' },
  replyTo: 'r.0123456789abcdef0123@outspoken.example',
  subject: 'Please speak out',
  text: 'Hello\n',
  language: 'en',
  messageId: '0123456789abcdef0123@outspoken.example',
  date: new Date('2024-07-12T08:09:10Z'),
};

const khmer = 'សូមនិយាយដើម្បីកម្មករ​កាត់ដេរ';

/** Text as people may send it: many scripts, emoji, line breaks of all kinds, dots, equals signs, long lines. */
const unit = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '\n',
    '\r\n',
    '\r',
    '\n\n',
    '.',
    '..',
    '\n.\n',
    '\n.',
    '=',
    '=?utf-8?q?x?=',
    ' ',
    '\t',
    '-- ',
    'From ',
    '--',
    '👩🏽‍🏭',
    khmer,
  ),
  fc.string({ minLength: 990, maxLength: 1400, unit: fc.constantFrom('a', 'é', 'ក', ' ') }),
);
const text = fc.array(unit, { maxLength: 12 }).map((parts) => parts.join(''));
const printable = (value: string) => !/[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/u.test(value);
const line = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(khmer, '🧵', '"', '\\', '<', ',', '(x)', '=?', '=?utf-8?Q?a_b?='),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join('').replace(/\s+/g, ' ').trim())
  .filter((value) => value.length > 0 && printable(value));

describe('encoding a message', () => {
  it('gives a parser back the very text, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        text.filter(
          (value) => !/[\0\u0001-\u0008\u000b\u000c\u000e-\u001f\ufeff]/.test(value) && value.isWellFormed(),
        ),
        async (typed) => {
          const parsed = await simpleParser(encodeMessage({ ...base, text: typed }), {
            skipTextToHtml: true,
          });
          expect((parsed.text ?? '').replace(/\n+$/, '')).toBe(canonicalText(typed).replace(/\n+$/, ''));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives a parser back subject and names', async () => {
    await fc.assert(
      fc.asyncProperty(line, line, async (subject, name) => {
        const parsed = await simpleParser(encodeMessage({ ...base, subject, from: { ...base.from, name } }));
        expect(parsed.subject).toBe(subject);
        expect(parsed.from?.value).toEqual([{ name, address: base.from.address }]);
      }),
      { numRuns: 300 },
    );
  });

  it('shows a name that looks encoded as it was typed, not as what it would decode to', async () => {
    for (const hidden of ['The CEO', 'x\r\nBcc: y@z.example', 'a\u202eb']) {
      const name = `=?utf-8?B?${Buffer.from(hidden).toString('base64')}?= via Outspoken`;
      const parsed = await simpleParser(encodeMessage({ ...base, from: { ...base.from, name } }));
      expect(parsed.from?.value).toEqual([{ name, address: base.from.address }]);
    }
  });

  it('is pure ASCII with CRLF line ends, no line over 998 and no header line over 78', async () => {
    fc.assert(
      fc.property(
        text.filter((value) => value.isWellFormed()),
        line,
        (typed, subject) => {
          const raw = encodeMessage({ ...base, text: typed, subject }).toString('latin1');
          expect(raw).toMatch(/^[\t\r\n\x20-\x7e]*$/);
          expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
          const [head = '', body = ''] = raw.split(/\r\n\r\n(.*)/s);
          for (const one of head.split('\r\n')) expect(one.length).toBeLessThanOrEqual(78);
          for (const one of body.split('\r\n')) expect(one.length).toBeLessThanOrEqual(76);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('carries the fields that a letter needs', async () => {
    const parsed = await simpleParser(encodeMessage(base));
    expect(parsed.messageId).toBe('<0123456789abcdef0123@outspoken.example>');
    expect(parsed.date?.toISOString()).toBe('2024-07-12T08:09:10.000Z');
    expect(parsed.replyTo?.value).toEqual([{ name: '', address: base.replyTo }]);
    expect(parsed.to).toMatchObject({ value: [{ name: 'H&M', address: 'human-rights@hm.example' }] });
    expect(parsed.headers.get('content-language')).toBe('en');
  });

  it.each(['a\r\nBcc: x@y.example', 'a\nb', 'a\0b', 'a\u2028b'])(
    'refuses a control character in a header: %j',
    (bad) => {
      expect(() => encodeMessage({ ...base, subject: bad })).toThrow('control');
      expect(() => encodeMailbox({ name: bad, address: 'a@b.example' })).toThrow('control');
    },
  );

  it.each([
    'a@b.example>\r\nRCPT TO:<c@d.example',
    'a b@c.example',
    'ក@b.example',
    'a,b@c.example\n',
    '<a@b.example>',
  ])('refuses an impossible address: %j', (address) => {
    expect(() => encodeMailbox({ name: 'x', address })).toThrow('address');
  });
});
