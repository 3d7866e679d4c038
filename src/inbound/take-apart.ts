import { setTimeout as sleep } from 'node:timers/promises';
import { type ParsedMail, type SimpleParserOptions, simpleParser } from 'mailparser';

/**
 * So many bytes of a header, of the words of a mail and of each part of a report are looked at. Honest ones are far
 * shorter, and whoever writes to us must not decide how long we are busy with it.
 */
export const mostLookedAt = 128 * 1024;

/** After so many milliseconds the next mail has its turn, should one never come to its end. */
const longest = 60_000;

let turn: Promise<unknown> = Promise.resolve();

/**
 * Takes a mail apart (MIME), one after the other: five megabytes of line breaks take a second and hundreds of
 * megabytes of memory, and anybody may bring fifty of them at once.
 *
 * @throws Error on what cannot be taken apart
 */
export function takeApart(raw: Buffer, options: SimpleParserOptions): Promise<ParsedMail> {
  const parsed = turn.then(() => simpleParser(raw, { ...options, maxHeadSize: mostLookedAt }));
  const ended = () => {}; // and nothing of it is held on to by those who wait
  turn = Promise.race([parsed.then(ended, ended), sleep(longest, undefined, { ref: false })]);
  return parsed;
}
