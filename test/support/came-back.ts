import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageIdOf, replyAlias, returnPath } from '../../src/letters/alias.ts';
import { projectRoot } from '../../src/root.ts';
import { lettersOn, timelineOn } from './advocate.ts';
import type { Instance } from './instance.ts';
import { untilTheyStand, writeMany } from './letters.ts';
import { bring } from './mail-client.ts';

/** What a letter carries, by which mail finds back to it. */
export type Aliases = { handle: string; messageId: string; returnPath: string; replyTo: string };

/** The aliases that a letter had or would have, if it left at this time. */
export function aliasesOf({ context }: Instance, handle: string, leftAt = new Date()): Aliases {
  const { vault, config } = context;
  return {
    handle,
    messageId: messageIdOf(handle, config.mailDomain),
    returnPath: returnPath(vault, handle, config.mailDomain, leftAt),
    replyTo: replyAlias(handle, config.mailDomain),
  };
}

/** A letter that nobody sent, for looking at mail without an instance. */
export const anyLetter: Aliases = {
  handle: '0123456789abcdef0123',
  messageId: '0123456789abcdef0123@outspoken.example',
  returnPath: 'b.0123456789abcdef0123.g9k.0123456789abcdef0123@outspoken.example',
  replyTo: 'r.0123456789abcdef0123@outspoken.example',
};

/** A mail of test/inbound/fixtures, about this letter. */
export function fixture(name: string, letter: Aliases = anyLetter): Buffer {
  const text = readFileSync(join(projectRoot, 'test/inbound/fixtures', `${name}.eml`), 'latin1');
  const filled = text
    .replaceAll('{{return-path}}', letter.returnPath)
    .replaceAll('{{reply-to}}', letter.replyTo)
    .replaceAll('{{message-id}}', letter.messageId)
    .replaceAll('{{handle}}', letter.handle);
  return Buffer.from(filled.replace(/\r?\n/g, '\r\n'), 'latin1');
}

export type SentLetter = Aliases & {
  receipt: string;
  page(): ReturnType<ReturnType<Instance['visitor']>['get']>;
  state(): Promise<string>;
  timeline(): Promise<ReturnType<typeof timelineOn>>;
  /** Waits until the receipt shows the letter in this state. */
  becomes(state: string): Promise<unknown>;
  /** Brings a mail of test/inbound/fixtures about it to its Return-Path, or to another address. */
  bring(name: string, to?: string): Promise<string[]>;
};

/** Letters of as many people to one brand, on their way. */
export async function writeLettersTo(instance: Instance, brand = 'hm', people = 1): Promise<SentLetter[]> {
  const writers = await writeMany(instance, { people, brands: [brand] });
  const visitor = instance.visitor();
  return Promise.all(
    writers.map(async ({ receipt }) => {
      const page = () => visitor.get(receipt);
      const state = async () => lettersOn(await page())[0]?.state ?? 'gone';
      const aliases = aliasesOf(instance, lettersOn(await page())[0]?.handle ?? '');
      return {
        ...aliases,
        receipt,
        page,
        state,
        timeline: async () => timelineOn(await page(), brand),
        async becomes(wanted: string) {
          await untilTheyStand(instance, { receipt }, (states) => states[brand] === wanted);
          const shown = await state();
          if (shown !== wanted) throw new Error(`the receipt shows ${shown} instead of ${wanted}`);
        },
        bring: (name: string, to = aliases.returnPath) => {
          const raw = fixture(name, aliases);
          const from = /^From: .*?([^\s<]+@[^\s>]+)/m.exec(raw.toString('latin1'))?.[1];
          return bring(instance.inboundPort, { to, raw, from: name.startsWith('reply') ? from : '' });
        },
      };
    }),
  );
}

/** One letter that has been accepted, or has come to another state. */
export async function sendLetter(instance: Instance, brand = 'hm', wanted = 'accepted'): Promise<SentLetter> {
  const [letter] = await writeLettersTo(instance, brand);
  if (!letter) throw new Error('no letter was written');
  await letter.becomes(wanted);
  return letter;
}
