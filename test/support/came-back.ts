import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../src/root.ts';
import { lettersOn, timelineOn, until, writeAndConfirm } from './advocate.ts';
import type { Instance } from './instance.ts';
import type { Caught, TestSmtp } from './smtp.ts';

/** A letter that has left, and what its mail can be answered to. */
export type SentLetter = { handle: string; messageId: string; returnPath: string; replyTo: string };

/** What a letter that left carries. */
export function sentLetter({ from, raw }: Caught): SentLetter {
  const header = (name: string) =>
    new RegExp(`^${name}:\\s*<?([^>\\r\\n]+)`, 'im').exec(raw.toString())?.[1] ?? '';
  const messageId = header('Message-ID');
  return { handle: messageId.split('@')[0] ?? '', messageId, returnPath: from, replyTo: header('Reply-To') };
}

/** A letter that nobody sent, for looking at mail without an instance. */
export const anyLetter: SentLetter = {
  handle: '0123456789abcdef0123',
  messageId: '0123456789abcdef0123@outspoken.example',
  returnPath: 'b.0123456789abcdef0123.g9k.0123456789abcdef0123@outspoken.example',
  replyTo: 'r.0123456789abcdef0123@outspoken.example',
};

/** A mail of test/inbound/fixtures, about this letter. */
export function fixture(name: string, letter: SentLetter = anyLetter): Buffer {
  const text = readFileSync(join(projectRoot, 'test/inbound/fixtures', `${name}.eml`), 'latin1');
  const filled = text
    .replaceAll('{{return-path}}', letter.returnPath)
    .replaceAll('{{reply-to}}', letter.replyTo)
    .replaceAll('{{message-id}}', letter.messageId)
    .replaceAll('{{handle}}', letter.handle);
  return Buffer.from(filled.replace(/\r?\n/g, '\r\n'), 'latin1');
}

/** Writes a letter to a brand and waits until it has left. */
export async function sendLetter(instance: Instance, smtp: TestSmtp, brand = 'hm') {
  const visitor = instance.visitor();
  const email = `${crypto.randomUUID()}@mail.example`;
  const before = smtp.accepted.length;
  const receipt = await writeAndConfirm(smtp, visitor, { brand: [brand], email });
  const page = () => visitor.get(receipt);
  const state = async () => lettersOn(await page()).find((letter) => letter.brand === brand)?.state;
  const caught = await until(
    async () => smtp.accepted.slice(before).find(({ from }) => from.startsWith('b.')),
    'a letter that leaves',
    30_000,
  );
  return {
    ...sentLetter(caught),
    page,
    state,
    timeline: async () => timelineOn(await page(), brand),
    /** Waits until the receipt shows the letter in this state. */
    becomes: (wanted: string) =>
      until(async () => (await state()) === wanted, `a letter that is ${wanted}`, 30_000),
  };
}
