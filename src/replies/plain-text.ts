import { deceptive } from '../people/deceptive.ts';

const misleading = new RegExp(deceptive.source, 'g');

/** What a stranger wrote, as text that can be shown: no controls, nothing that turns the direction of reading. */
export function plainText(text: string): string {
  return text
    .toWellFormed()
    .replace(misleading, '')
    .split(/\r\n?|[\n\u2028\u2029]/)
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{4,}/g, '\n\n\n')
    .trim();
}

/** The same on one line, cut to a number of characters. */
export function plainLine(text: string, most: number): string {
  const line = plainText(text).replace(/\s+/g, ' ');
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join('')}…`;
}
