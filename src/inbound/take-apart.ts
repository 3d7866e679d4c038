import { type ParsedMail, type SimpleParserOptions, simpleParser } from 'mailparser';
import { mostLookedAt } from './fields.ts';

/** How many parts a mail may have: many pictures, but not a list of parts without end. */
const mostParts = 100;

/**
 * Takes a mail apart (MIME). Five megabytes of line breaks take seconds and hundreds of megabytes of memory.
 *
 * @throws Error on what cannot be taken apart
 */
export function takeApart(raw: Buffer, options: SimpleParserOptions): Promise<ParsedMail> {
  return simpleParser(raw, { ...options, maxHeadSize: mostLookedAt, maxChildNodes: mostParts });
}
