import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkLine, checkWords, limits } from '../../src/letters/free-text.ts';
import { deceptive } from '../../src/people/deceptive.ts';

type Judged = { text?: string; message?: string; values?: Record<string, string | number> };

function judge(
  check: (report: (message: string, values?: Judged['values']) => undefined) => string | undefined,
) {
  const judged: Judged = {};
  const text = check((message, values) => {
    Object.assign(judged, { message, ...(values ? { values } : {}) });
    return undefined;
  });
  return text === undefined ? judged : { ...judged, text };
}
const name = (typed: string) => judge((report) => checkLine(typed, limits.name, report));
const words = (typed: string) => judge((report) => checkWords(typed, report));

const zeroWidth = ['\u200b', '\u200c', '\u200d', '\u2060'];
/** Controls, and what turns text around or hides its order. */
const refused = [
  ...'\0\u0001\u0007\b\v\f\u000e\u001b\u001f\u007f\u0080\u0085\u009f',
  ...'\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069',
  ...'\ufeff\ufff9\ufffa\ufffb',
  '\u{e0041}',
  '🏴\u{e0073}\u{e0061}\u{e0079} \u{e0068}\u{e0069}',
  '\ud800',
  '\udc00',
];

describe('a name or a description', () => {
  it.each([
    ['សុខ ចាន់', 'សុខ ចាន់'],
    ['  Sok\u00a0 Chan ', 'Sok Chan'],
    ["Anne-Marie O'Neill", "Anne-Marie O'Neill"],
    ['Nguye\u0302\u0303n', 'Nguyễn'.normalize('NFC')],
    ['a worker (of 20 years)', 'a worker (of 20 years)'],
    ['កម្មករ\u200bកាត់ដេរ', 'កម្មករ\u200bកាត់ដេរ'],
    ['क्\u200dष', 'क्\u200dष'],
    ['Zoë 🧵', 'Zoë 🧵'],
  ])('is taken as it is written, composed and on one line: %j', (typed, text) => {
    expect(name(typed)).toEqual({ text });
  });

  it.each([...refused, 'a\nb', 'a\tb', 'a\u2028b', 'a\u2029b'])(
    'is refused with a hidden character or a line break: %j',
    (character) => {
      expect(name(`Sok ${character} Chan`)).toEqual({ message: 'characters' });
    },
  );

  it.each([
    'sok@mail.example',
    'Sok <sok',
    'Sok "x"',
    'https://mail.example',
    'WWW.mail.example',
    'a worker, 012 345 678',
    'Sok ០១២៣៤៥៦៧៨',
    'sok＠mail.example',
    '12345',
    '...',
    '\u200b\u200b',
    '\u3164',
    '\u115f\u200d',
  ])('is refused when it is no name at all: %j', (typed) => {
    expect(name(typed)).toEqual({ message: 'invalid' });
  });

  it.each([
    ['a letter', 'a'],
    ['a Khmer letter with its signs', 'ញ៉ាំ'.slice(0, 4)],
    ['a family', '👨‍👩‍👧‍👦'],
    ['the longest emoji', '👩🏻‍❤️‍💋‍👩🏿'],
    ['a flag', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'],
  ])('counts %s as one, up to the limit and not beyond', (_what, one) => {
    const room = limits.name - 1;
    expect(name(`a${one.repeat(room)}`).message).toBeUndefined();
    expect(name(`a${one.repeat(room + 1)}`)).toEqual({
      message: 'long',
      values: { limit: limits.name, length: limits.name + 1 },
    });
  });

  it('counts a long text as its characters, however they fall', () => {
    for (const one of ['🧵', '👩🏻‍❤️‍💋‍👩🏿', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🇰🇭', 'ស្ត្រី', 'e\u0301'])
      for (const before of ['', 'a', 'ab', 'abc']) {
        const typed = `x${before}${one.repeat(300)}x`;
        const characters = [...new Intl.Segmenter().segment(typed.normalize('NFC'))].length;
        expect(name(typed)).toMatchObject({ values: { length: characters } });
      }
  });

  it('may have as many marks on a letter as any script needs, and is too long when all of it has', () => {
    expect(name(`a${'\u0301'.repeat(30)}`).message).toBeUndefined();
    expect(name(`a${'\u0301'.repeat(30)}`.repeat(limits.name))).toMatchObject({ message: 'long' });
  });
});

// Putting marks in order takes time that grows with the square of their number: here it would be minutes. The
// deadline is far below that, and far above what counting them takes.
describe.each([
  ['that have to change places', `${'\u0301'.repeat(100_000)}${'\u0323'.repeat(100_000)}`],
  ['of which some are marks in compatibility forms only', '\u0323\uff9e'.repeat(100_000)],
  ['as few as no script has', '\u0301'.repeat(31)],
])('marks piled up on one letter, %s', (_which, marks) => {
  it.each([
    ['a name', name],
    ['own words', words],
  ])('are refused at once in %s', (_what, check) => {
    const judged = runInNewContext('judge()', { judge: () => check(`a${marks}`) }, { timeout: 10_000 });
    expect(judged).toEqual({ message: 'characters' });
  });
});

describe('own words', () => {
  it('keep their paragraphs, whatever the line breaks were', () => {
    expect(words(' one \r\ntwo\rthree\u2028four\t\n\nfive\n\n')).toEqual({
      text: 'one\ntwo\nthree\nfour\n\nfive',
    });
  });

  it('may be empty', () => {
    expect(words(' \n ')).toEqual({ text: '' });
  });

  it('are composed, so that the same words are the same bytes', () => {
    expect(words('Nguye\u0302\u0303n')).toEqual(words('Nguyễn'));
  });

  it.each(zeroWidth)('may hold %j, with which some scripts are written', (character) => {
    expect(words(`កម្មករ${character}កាត់ដេរ`)).toEqual({ text: `កម្មករ${character}កាត់ដេរ` });
  });

  it.each(refused)('are refused with %j', (character) => {
    expect(words(`I sew ${character} trousers`)).toEqual({ message: 'characters' });
  });

  it('may have as many characters as promised, counted as people count', () => {
    expect(words('ស្ត្រី'.repeat(limits.ownWords / 2)).message).toBeUndefined();
    expect(words('🧵'.repeat(limits.ownWords)).message).toBeUndefined();
    expect(words('🧵'.repeat(limits.ownWords + 1))).toEqual({
      message: 'long',
      values: { limit: limits.ownWords, length: limits.ownWords + 1 },
    });
  });

  it.each([
    'write to sok@mail.example',
    'write to sok.chan+x@a.mail.example, please',
    'sok@mail.example',
    'ឆ្លើយ​មក sok@mail.example។',
    '<sok@mail.example>',
    'write to sok＠mail．example',
  ])('are refused with an e-mail address: %j', (typed) => {
    expect(words(typed)).toEqual({ message: 'address' });
  });

  it.each([
    'see https://mail.example',
    'FTP://x',
    'read www.mail.example/a',
    'WWW.mail.example',
    'https：／／mail.example',
    'join us: group.example/central',
    't.me/central',
    'read brand-news.com, and act',
    'Read NEWS.ORG',
    'read news．com',
  ])('are refused with a link: %j', (typed) => {
    expect(words(typed)).toEqual({ message: 'link' });
  });

  it.each([
    'call 01234567',
    'call 012345678',
    'call 012 345 678',
    'call +855 12 345 678',
    'call (012) 345-678',
    'call 012.345.678',
    'call 0 1 2 3 4 5 6 7 8',
    'call 012/345/678 from 2024-07-12',
    'ទូរស័ព្ទ ០១២ ៣៤៥ ៦៧៨',
    'call ٠١٢٣٤٥٦٧٨',
    'call ０１２３４５６７８',
    'my card is 1234567890',
  ])('are refused with something like a phone number: %j', (typed) => {
    expect(words(typed)).toEqual({ message: 'phone' });
  });

  it.each([
    'They asked for 1 billion riel.',
    'They asked for 1,000,000,000 riel (US$243,000).',
    'It happened on 12 July 2024, and again in 2025.',
    'It happened on 2024-07-12.',
    'Es geschah am 12.07.2024 und am 4.6.2024.',
    'C’était le 12/07/2024.',
    'I sewed there from 2019-2024, and 2019–2024 is long.',
    'ថ្ងៃទី១២ ខែកក្កដា ឆ្នាំ២០២៤',
    'I sew 120 trousers an hour, 8 hours a day, 26 days a month, for US$ 204.',
    'Meet me @ the gate. A fair wage @ last',
    'Rule 1. Rule 2. Rule 3.',
    'and/or; either / or; 50/50',
    'They left.We stayed.And they said no.It was 5 a.m./p.m., etc./or so.',
    'The committee.company law, for information.',
  ])('are taken with ordinary numbers and signs: %j', (typed) => {
    expect(words(typed)).toEqual({ text: typed });
  });

  // The deadline is a hundred times what one pass needs, and far below what a pass per character would.
  const deadline = { timeout: 10_000 };
  const marks = '\u0301'.repeat(15);
  it.each([
    ' ',
    '\t',
    'a',
    '@',
    'a@',
    '@.',
    `@${marks}`,
    '.',
    '1',
    '1 ',
    '1./',
    'www.',
    '://',
    'a.b',
    'a.bc/',
    '.com',
    '\r',
    '20',
  ])('are judged in one pass, so that nobody can keep the server busy with %j without end', (unit) => {
    const long = `x${unit.repeat(200_000 / unit.length)}x`;
    const judged = runInNewContext('judge()', { judge: () => words(long) }, deadline);
    expect(judged).toMatchObject({ message: 'long' });
    const allowed = `x${unit.repeat(1400 / unit.replace(marks, '').length)}x`;
    expect(runInNewContext('judge()', { judge: () => words(allowed) }, deadline).message).not.toBe('long');
  });
});

describe('whatever is typed', () => {
  const anything = fc
    .array(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom(...refused, ...zeroWidth, '\n', '\r\n', ' ', 'a', '{{name}}', 'ស្ត្រី'),
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''));

  it('is either refused with a reason, or taken without a character that deceives', () => {
    fc.assert(
      fc.property(anything, (typed) => {
        for (const { text, message } of [name(typed), words(typed)]) {
          expect(text === undefined).toBe(message !== undefined);
          expect(text ?? '').not.toMatch(deceptive);
          expect(text ?? '').toBe((text ?? '').normalize('NFC').trim());
          expect((text ?? '').isWellFormed()).toBe(true);
        }
        expect(name(typed).text ?? '').not.toMatch(/[\r\n\t\u2028\u2029]/);
      }),
      { numRuns: 500 },
    );
  });

  it('is taken again as it was taken', () => {
    fc.assert(
      fc.property(anything, (typed) => {
        const { text } = words(typed);
        if (text !== undefined) expect(words(text)).toEqual({ text });
        const line = name(typed).text;
        if (line !== undefined) expect(name(line)).toEqual({ text: line });
      }),
      { numRuns: 500 },
    );
  });
});
