import { hides } from '../people/deceptive.ts';

export const limits = { name: 80, description: 80, ownWords: 1500 } as const;

/** Says what is wrong: the last part of a message's key, and its figures. */
type Report = (message: string, values?: Record<string, string | number>) => undefined;

// Anybody can send 64 kB, so every pattern here reads the text once, whatever it holds.

/** A name or a description: one line that will stand in From and in the text. */
export function checkLine(typed: string, limit: number, report: Report): string | undefined {
  if (/[\r\n\t\u2028\u2029]/.test(typed.trim()) || misleads(typed)) {
    return report('characters');
  }
  const text = typed.normalize('NFC').replace(/\s+/g, ' ').trim();
  if (text === '') return report('missing');
  if (length(text) > limit) return report('long', { limit, length: length(text) });
  const isName =
    /\p{L}/u.test(text.replace(invisible, '')) && !/[@<>"]/.test(plain(text)) && !holdsLink(text);
  return isName && !holdsPhoneNumber(text) ? text : report('invalid');
}

/** A description without the full stop at its end: the sentence that it stands in has one of its own. */
export function withoutStop(typed: string): string {
  return /^.*[^.\s]/s.exec(typed)?.[0] ?? ''; // from the end, once: `[.\s]+$` would try at every dot
}

/** Own words: paragraphs, without what would lead back to a person or turn the letter into an advertisement. */
export function checkWords(typed: string, report: Report): string | undefined {
  if (misleads(typed)) return report('characters');
  const lines = typed.normalize('NFC').split(/\r\n?|[\n\u2028\u2029]/);
  const text = lines
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
  if (length(text) > limits.ownWords) return report('long', { limit: limits.ownWords, length: length(text) });
  if (/[^\s@]@[^\s@.]+\.[^\s@]/.test(plain(text))) return report('address');
  if (holdsLink(text)) return report('link');
  return holdsPhoneNumber(text) ? report('phone') : text;
}

/**
 * What mail programs make a link of: with a scheme, or a host's name as such. Of names without a path only the commonest
 * endings that are no words are known: many people set no space after a full stop.
 */
function holdsLink(text: string): boolean {
  const [path, ending] = [
    /[\p{L}\p{N}]\.\p{L}{2,24}\/[^\s/]/u,
    /[\p{L}\p{N}]\.(?:com|org|net|info|biz|xyz|kh)(?![\p{L}\p{N}])/iu,
  ];
  return [/:\/\/|\bwww\.\S/i, path, ending].some((pattern) => pattern.test(plain(text)));
}

/** Full-width signs and the like as the ordinary ones that they are read as. */
function plain(text: string): string {
  return text.normalize('NFKC');
}

function misleads(typed: string): boolean {
  return hides(typed) || tags.test(typed.replace(flags, ''));
}

/** A second, invisible ASCII. Emoji of regional flags are spelled with it (UTS #51, ED-14a), and nothing else is. */
const tags = /[\u{e0000}-\u{e007f}]/u;
const flags = /\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{1,6}\u{e007f}/gu;

/** Letters by name that nobody sees: a name of these is none. */
const invisible = /\p{Default_Ignorable_Code_Point}/gu;

/** 2024-07-12, 12.07.2024 and 2019-2024 have as many digits as a phone number. */
const dates =
  /\b(?:(?:19|20)\d\d-[01]\d-[0-3]\d|[0-3]?\d([./-])[01]?\d\1(?:19|20)\d\d|(?:19|20)\d\d ?[-/–] ?(?:19|20)\d\d)\b/g;

function holdsPhoneNumber(text: string): boolean {
  return /(?:\p{Nd}[\s()./-]{0,2}){8,}/u.test(text.replace(dates, ' – '));
}

/** The longest character that people send, an emoji of two persons, has 15 code units. */
const longestCharacter = 16;

/** As people count: a letter with its marks is one. Marks piled up without end count as well. */
function length(text: string): number {
  return Math.max(Math.ceil(text.length / longestCharacter), countCharacters(text));
}

const segmenter = new Intl.Segmenter();
const piece = 256;

/** Piece by piece, since every segment carries a copy of the whole text that it was cut from. */
function countCharacters(text: string): number {
  let count = 0;
  for (let start = 0; start < text.length; ) {
    const isHalf = /[\ud800-\udbff]/.test(text.charAt(start + piece - 1));
    const end = start + piece - (isHalf ? 1 : 0);
    const segments = [...segmenter.segment(text.slice(start, end))];
    const last = segments.at(-1)?.index ?? 0;
    const goesOn = end < text.length && last > 0; // the last one may be cut through: it is read again
    count += goesOn ? segments.length - 1 : segments.length;
    start = goesOn ? start + last : end;
  }
  return count;
}
