import { domainToUnicode } from 'node:url';
import { sameMailbox } from '../people/address.ts';
import { plainText } from './plain-text.ts';

/** The first line of what is passed on: what stands below it in an answer is quoted. */
export const dividingLine = '-=-=-=-=- Outspoken -=-=-=-=-';
const divider = /-=-=-=-\s*Outspoken/;

/** What stands instead of something that the brand must not see. */
export const masked = '[…]';

/** What could lead from an answer back to its writer, or into their private page. */
export type Secrets = { address: string; tokens: readonly string[]; domain: string };

/**
 * What an advocate wrote in a mail, without what their mail program put around it: the mail that they answer, who
 * wrote it when to whom, their signature (RFC 3676 section 4.3). Nobody can find all of it, so the writer looks at
 * what is left before it goes anywhere.
 */
export function withoutQuotes(mail: string): string {
  const lines = plainText(mail).split('\n');
  const at = lines.findIndex((line) => divider.test(line));
  const above = withoutTail(at < 0 ? lines : lines.slice(0, at), at >= 0);
  if (above !== '' || at < 0) return above;
  // written below what it answers
  return withoutTail(
    lines.slice(at).filter((line) => !/^\s*>/.test(line) && !divider.test(line)),
    false,
  );
}

const originalMessage = /^\s*(?:-{3,}[^-]{3,60}-{3,}|_{10,})\s*$/;

function withoutTail(all: readonly string[], quoteFollows: boolean): string {
  let lines = all;
  const end = lines.findIndex((line) => /^-- ?$/.test(line) || originalMessage.test(line));
  const divided = end >= 0 && originalMessage.test(lines[end] ?? '');
  if (end >= 0) lines = lines.slice(0, end);
  const quoted = lines.findLastIndex((line) => line.trim() !== '' && !/^\s*>/.test(line));
  const follows = quoteFollows || divided || lines.slice(quoted + 1).some((line) => /^\s*>/.test(line));
  lines = lines.slice(0, quoted + 1);
  const text = (follows ? withoutAttribution(lines) : lines).join('\n').trim();
  return follows ? text.replace(/\n\s*-{10,}$/, '') : text; // the line that HTML draws above a quote
}

/**
 * "On Monday somebody wrote:", or From, Sent, To, each on a line: the last lines above a quote. Not every mail program
 * leaves a blank line above them, so they begin with the first of the headers, or with the line that has the date.
 */
function withoutAttribution(lines: readonly string[]): readonly string[] {
  const blank = lines.findLastIndex((line) => line.trim() === '');
  const block = lines.slice(blank + 1);
  const isHeader = (line: string) => /^[*\s]*[\p{L}\p{M} -]{1,20}\*?\s*[:៖：]/u.test(line);
  if (block.filter(isHeader).length >= 2) return lines.slice(0, blank + 1 + block.findIndex(isHeader));
  const last = Math.max(blank + 1, lines.length - 4);
  const tail = lines.slice(last);
  const addressed = tail.findIndex((line) => /<[^<>\s@]+@[^<>\s]+>/.test(line));
  if (addressed < 0 && !/[:៖：]\s*$/u.test(tail.at(-1) ?? '')) return lines;
  const isDated = (line: string) => /\d[:.h]\d\d|\b(?:19|20)\d\d\b/.test(line);
  const dated = tail.findLastIndex((line) => isDated(line.replace(/[^\s@]{0,80}@\S{0,200}/g, '')));
  const begins = dated >= 0 ? dated : addressed >= 0 ? addressed : tail.length - 1;
  return lines.slice(0, last + begins);
}

/**
 * Whether the text holds anything of that kind, and what is left when it is taken out: also as mail programs write
 * it that pack links into links of their own (`%40`), and as they break a long link over two lines.
 */
export function maskSecrets(text: string, { address, tokens, domain }: Secrets): string {
  const patterns = [
    mailboxPattern(address),
    new RegExp(`[abfr]\\.[0-9a-f]{20}[0-9a-z.]{0,40}${at}(?:${spellings(domain)})`, 'giu'),
    ...tokens.map((token) => new RegExp(`[^\\s<>"]{0,200}${escapeForRegExp(token)}[^\\s<>"]{0,100}`, 'gu')),
  ];
  return patterns
    .reduce((left, pattern) => left.replace(pattern, masked), text)
    .replace(/[\w-]{12,}/g, (word) => (tokens.some((token) => token.includes(word)) ? masked : word));
}

const at = '(?:@|%40|=40)';

/** With or without a tag, in any capitals, its dots and its domain as others may write them. */
function mailboxPattern(address: string): RegExp {
  const [local = '', host = ''] = sameMailbox(address).split('@');
  const name = [...local.replaceAll('.', '')].map(escapeForRegExp).join('\\.?');
  return new RegExp(`${name}\\.?(?:(?:\\+|%2B)[^\\s@<>%]{0,64})?${at}(?:${spellings(host)})`, 'giu');
}

/** In ASCII, and in its own script (IDNA). */
const spellings = (host: string) => [host, domainToUnicode(host)].map(escapeForRegExp).join('|');

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
