import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { encodeMessage, type Message } from '../../src/mail/message.ts';

const base: Message = {
  from: { name: 'H&M, through Outspoken', address: 'a.0123456789abcdef0123@outspoken.example' },
  to: { name: '', address: 'advocate@mail.example' },
  subject: 'An answer',
  text: 'Hello\n',
  language: 'en',
  messageId: '0123456789abcdef0123@outspoken.example',
  date: new Date('2024-07-12T08:09:10Z'),
};

describe('a message with attachments', () => {
  const stem = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .map((text) => text.replace(/[\p{C}\p{Z}/\\<>:"|?*]/gu, '_').normalize('NFC'));
  const attachment = fc.record({
    name: fc.tuple(stem, fc.constantFrom('.pdf', '.jpg', '')).map((parts) => parts.join('')),
    type: fc.constantFrom('application/pdf', 'image/jpeg'),
    bytes: fc.uint8Array({ maxLength: 4000 }).map((bytes) => Buffer.from(bytes)),
  });

  it('gives a parser back its text, and every byte of every file under its name', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(attachment, { minLength: 1, maxLength: 4 }), async (attachments) => {
        const bytes = encodeMessage({ ...base, attachments });
        for (const line of bytes.toString('latin1').split('\r\n')) {
          expect(line.length).toBeLessThanOrEqual(998); // RFC 5322 section 2.1.1
          expect(line).toMatch(/^[\t\x20-\x7e]*$/);
        }
        const mail = await simpleParser(bytes);
        expect(mail.text?.trim()).toBe('Hello');
        expect(mail.attachments.map(({ filename, contentType }) => [filename, contentType])).toEqual(
          attachments.map(({ name, type }) => [name, type]),
        );
        mail.attachments.forEach(({ content }, n) => {
          expect(content.equals(attachments[n]?.bytes as Buffer)).toBe(true);
        });
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('encodes a name so that no quotes stand around what is encoded (RFC 2231 section 7)', async () => {
    const name = 'សេចក្តីថ្លែងការណ៍~1 (ចុងក្រោយ)!.pdf';
    const bytes = encodeMessage({
      ...base,
      attachments: [{ name, type: 'application/pdf', bytes: Buffer.of(1) }],
    });
    const parameters = [...bytes.toString('latin1').matchAll(/filename\S*?\*=(\S+?);?\s/g)].map(
      ([, value]) => value,
    );
    expect(parameters.length).toBeGreaterThan(1);
    for (const value of parameters) expect(value).toMatch(/^(utf-8'')?[\w.%!~-]+$/);
    expect((await simpleParser(bytes)).attachments[0]?.filename).toBe(name);
  });

  it.each([
    ['a type', { type: 'text/plain\r\nX: y', name: 'a' }],
    ['a name', { type: 'text/plain', name: 'a\r\nX: y' }],
  ])('refuses %s that would end the header', (_what, part) => {
    expect(() => encodeMessage({ ...base, attachments: [{ ...part, bytes: Buffer.from('x') }] })).toThrow();
  });
});

describe('a message in a thread', () => {
  it('names what came before, and what it answers', async () => {
    const mail = await simpleParser(encodeMessage({ ...base, thread: ['one@x.example', 'two@y.example'] }));
    expect(mail.inReplyTo).toBe('<two@y.example>');
    expect(mail.references).toEqual(['<one@x.example>', '<two@y.example>']);
  });

  it.each(['a@b>\r\nBcc: c@d.example', 'no-address', 'a b@c.example', '<a@b.example'])(
    'refuses an id that is none: %j',
    (id) => {
      expect(() => encodeMessage({ ...base, thread: [id] })).toThrow();
    },
  );
});
