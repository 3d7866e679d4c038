import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dividingLine, maskSecrets, withoutQuotes } from '../../src/replies/own-words.ts';

const secrets = {
  address: 'Dara.Sok+letters@mail.example',
  tokens: [`${'A'.repeat(42)}x`, `${'b_-'.repeat(14)}z`],
  domain: 'outspoken.example',
};
const token = secrets.tokens[0];

describe('what an advocate wrote in a mail', () => {
  const quoted = (...lines: string[]) => [dividingLine, ...lines].map((line) => `> ${line}`);
  it.each([
    ['above a quote', ['Thank you.', '', 'On Mon, H&M wrote:', ...quoted('Hello', 'link')], 'Thank you.'],
    [
      'above a quote that is introduced in two lines',
      [
        'Thank you.',
        '',
        'On Mon, 9 Nov 2026 at 15:40, H&M, through Outspoken',
        '<a.1@outspoken.example> wrote:',
        '',
        ...quoted('Hello'),
      ],
      'Thank you.',
    ],
    [
      'above a header as Outlook writes it, with the writer’s own name and address',
      [
        'Thank you.',
        '',
        'From: H&M',
        'Sent: Monday',
        'To: Dara Sok <x@mail.example>',
        'Subject: Hello',
        '',
        dividingLine,
        'Hello',
      ],
      'Thank you.',
    ],
    [
      'above a quote, with no blank line between',
      [
        'Thank you.',
        'We wait.',
        'On Monday, 9 November 2026 at 15:40, H&M <a.1@outspoken.example> wrote:',
        '',
        dividingLine,
      ],
      'Thank you.\nWe wait.',
    ],
    [
      'above such a one in two lines',
      [
        'Thank you.',
        'Am 09.11.2026 um 15:40 schrieb H&M, through Outspoken',
        '<a.1@outspoken.example>:',
        ...quoted('Hello'),
      ],
      'Thank you.',
    ],
    [
      'above such a one whose address is a link',
      [
        'Thank you.',
        'On Mon, 9 Nov 2026 at 15:40, H&M, through Outspoken',
        '<a.0123.4567@outspoken.example',
        '[a.0123.4567@outspoken.example]>',
        'wrote:',
        ...quoted('Hello'),
      ],
      'Thank you.',
    ],
    [
      'above a header, with no blank line between',
      ['Thank you.', 'Von: H&M', 'Gesendet: Montag', 'An: Dara Sok', '', dividingLine],
      'Thank you.',
    ],
    [
      'above a line that HTML draws',
      ['Thank you.', '', '-'.repeat(80), '', 'From: H&M', 'Sent: Monday', '', dividingLine],
      'Thank you.',
    ],
    ['above a header in Khmer', ['អរគុណ។', '', 'ពី៖ H&M', 'ទៅ៖ ដារ៉ា', '', dividingLine, 'Hello'], 'អរគុណ។'],
    [
      'above a line that divides',
      ['Thank you.', '________________________________', 'From: H&M'],
      'Thank you.',
    ],
    ['above “Original Message”', ['Thank you.', '', '-----Original Message-----', 'From: H&M'], 'Thank you.'],
    ['below what it answers', ['On Mon, H&M wrote:', ...quoted('Hello'), '', 'Thank you.'], 'Thank you.'],
    ['above a signature', ['Thank you.', '', '-- ', 'Dara Sok, +855 12 345 678'], 'Thank you.'],
    [
      'above a signature, though it speaks of an address',
      ['Thank you.', '', 'Ask press@brand.example.', '-- ', 'Dara Sok'],
      'Thank you.\n\nAsk press@brand.example.',
    ],
    ['without a quote', ['Thank you.', '', 'To be clear: we wait.'], 'Thank you.\n\nTo be clear: we wait.'],
    [
      'between quotes of its own',
      ['> You say:', 'Yes.', '', '> And then?', 'No.'],
      '> You say:\nYes.\n\n> And then?\nNo.',
    ],
    ['and is nothing', ['', ...quoted('Hello')], ''],
  ])('is found %s', (_where, lines, words) => {
    expect(withoutQuotes(lines.join('\r\n'))).toBe(words);
  });

  it('is found once: nothing more is taken away by looking again', () => {
    const line = fc.constantFrom(
      'Yes.',
      '',
      '> quoted',
      '-- ',
      'On Monday you wrote:',
      `> ${dividingLine}`,
      'a@b.example',
      'To: x',
      '____________',
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const words = withoutQuotes(lines.join('\n'));
        expect(words).not.toContain(dividingLine);
        expect(words).not.toMatch(/^-- ?$/m);
      }),
    );
  });

  it('is read in a time that grows with it, whatever it holds', () => {
    for (const piece of ['> ', ' ', '\n', '-', '_', ':', 'a@', '. ', 'ក៖'])
      expect(withoutQuotes(piece.repeat(60_000 / piece.length)).length).toBeLessThanOrEqual(60_000);
    expect(withoutQuotes(`<${'@'.repeat(59_000)}\n${dividingLine}`)).toHaveLength(59_001);
    expect(withoutQuotes(`${'a'.repeat(59_000)}:\n${dividingLine}`)).toBe('');
  });
});

describe('what the brand must not see', () => {
  const address = fc.constantFrom(
    'dara.sok@mail.example',
    'DARA.SOK@MAIL.EXAMPLE',
    'Dara.Sok+letters@mail.example',
    'dara.sok+other@Mail.Example',
    'darasok@mail.example',
    'Dara.Sok%40mail.example',
    'dara.sok%2Bletters%40mail.example',
    'dara.sok=40mail.example',
  );
  const secret = fc.oneof(
    address,
    fc.constantFrom(
      `https://letters.example/r/${token}`,
      `${token}`,
      'a.0123456789abcdef0123.0123456789abcdef0123@outspoken.example',
      'f.0123456789abcdef0123.g2i.0123456789abcdef0123@Outspoken.example',
    ),
  );

  it('is masked wherever it stands, and what is masked stays so', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        secret,
        fc.string({ unit: 'grapheme' }),
        (before, value, after) => {
          const text = maskSecrets(`${before}${value}${after}`, secrets);
          expect(text.toLowerCase()).not.toContain(value.toLowerCase());
          expect(text.toLowerCase()).not.toMatch(/dara\.?sok(\W\w+)?(@|[%=]40)mail\.example/);
          expect(text).not.toContain(token);
          expect(maskSecrets(text, secrets)).toBe(text);
        },
      ),
    );
  });

  it('is masked in links that a mail program packs into its own', () => {
    const packed = `https://links.example/?url=${encodeURIComponent(`https://letters.example/r/${token}`)}&data=05%7C01%7Cdara.sok%40mail.example%7C1`;
    expect(maskSecrets(`See ${packed} now`, secrets)).not.toMatch(new RegExp(`${token}|dara|sok`));
  });

  it('is masked when a long link was broken over two lines', () => {
    const link = `https://letters.example/r/${token}`;
    for (let length = link.length - 30; length <= link.length - 12; length += 1)
      expect(maskSecrets(`${link.slice(0, length)}\n${link.slice(length)}`, secrets)).not.toMatch(/[Ab]{12}/);
  });

  it('is masked when its domain stands there in its own script', () => {
    const mine = { ...secrets, address: 'dara@xn--bcher-kva.example' };
    for (const written of ['dara@bücher.example', 'Dara@BÜCHER.example', 'dara@xn--bcher-kva.example'])
      expect(maskSecrets(`Write to ${written}.`, mine)).toBe('Write to […].');
    const alias = 'a.0123456789abcdef0123.0123456789abcdef0123';
    const ours = { ...secrets, domain: 'xn--bcher-kva.example' };
    for (const written of [`${alias}@bücher.example`, `${alias}@xn--bcher-kva.example`])
      expect(maskSecrets(`Write to ${written}.`, ours)).toBe('Write to […].');
  });

  it('is nothing else', () => {
    const text =
      'Write to somebody@brand.example, or see https://brand.example/r/statement. Dara. Sok @ mail.example';
    expect(maskSecrets(text, secrets)).toBe(text);
  });

  it('is masked in a time that grows with the text', () => {
    for (const piece of ['dara.sok+', 'https://', 'a.0123456789abcdef0123', 'x', '@'])
      expect(maskSecrets(piece.repeat(60_000 / piece.length), secrets).length).toBeGreaterThan(0);
  });
});
