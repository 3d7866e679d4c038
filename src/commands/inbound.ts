import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { reasonOf } from '../expected.ts';
import { field, mostLookedAt, readHeader } from '../inbound/fields.ts';
import { inboundLimits, mostBytes } from '../inbound/limits.ts';
import { openReaders } from '../inbound/readers.ts';
import { isRefused, mustComeAgain, receiveMail } from '../inbound/receive-mail.ts';
import { findAddressee, findRecipient, takesFrom, wantsWords } from '../inbound/recipient.ts';
import type { Command, Surroundings } from './command.ts';

/** What a mail server understands of a program that it pipes mail to (sysexits.h). */
const ok = 0;
const badData = 65;
const tryLater = 75;

/**
 * Takes one mail from a file or from standard input, as the listener would: for mail servers that hand mail to
 * programs. Whatever fails in an unforeseen way asks to come again, so that no mail is lost; a mistake in the mail
 * server's settings, too, since it would otherwise send back everything until somebody looks.
 */
export const inbound: Command = {
  usage: [
    '  npm run inbound -- [--to ADDRESS] [FILE]',
    'Without --to, the address is read from X-Original-To or Delivered-To. Ends with 0 when the mail is taken',
    'care of, 65 when it is not for us or too large, 75 when it should come again, also after a mistake in the command.',
  ].join('\n'),
  failure: tryLater,

  async run({ database, vault, log, config }, { args, say, input }) {
    const given = read(args);
    if (!given) {
      say(`Usage:\n${this.usage}`);
      return tryLater;
    }
    const raw = given.file === undefined ? await input() : await readOrSay(given.file, say);
    if (!raw) return tryLater;
    const refuse = () => {
      say('This reaches nobody here; please write to the address in Reply-To.');
      return badData;
    };
    const receiving = { database, vault, log, mailDomain: config.mailDomain };
    const header = readHeader(raw.toString('latin1', 0, mostLookedAt));
    const address = given.to ?? field(header, 'x-original-to') ?? field(header, 'delivered-to');
    if (address === undefined) {
      say(`Whom it is for is neither said nor written in it.\n${this.usage}`);
      return tryLater;
    }
    // Postfix's pipe(8) writes MAILER-DAEMON for an empty sender, unless its null_sender is set
    const nullSender = /^<(?:MAILER-DAEMON)?>$/.test(field(header, 'return-path') ?? '');
    const recipient = await findRecipient(receiving, address.replace(/^<|>$/g, ''));
    if (!recipient || !takesFrom(recipient, { nullSender })) {
      say('There is no such address here.');
      return badData;
    }
    const most = mostBytes(recipient, inboundLimits);
    if (raw.length > most) {
      say(`The mail is larger than ${most / 1024} kilobytes.`);
      return badData;
    }
    const addressee = await findAddressee(receiving, recipient, raw);
    if (!addressee) return refuse();
    const readers = openReaders(log, inboundLimits.reading);
    try {
      const reading = await readers.read(raw, { nullSender, wantsWords: wantsWords(addressee) });
      const received = reading && (await receiveMail(receiving, { recipient: addressee, raw, reading }));
      if (!received || mustComeAgain(received)) return tryLater;
      return isRefused(received) ? refuse() : ok;
    } finally {
      await readers.close();
    }
  },
};

function read(args: string[]): { to?: string; file?: string } | undefined {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { to: { type: 'string' } },
      allowPositionals: true,
    });
    return positionals.length > 1 ? undefined : { to: values.to, file: positionals[0] };
  } catch {
    return undefined;
  }
}

async function readOrSay(file: string, say: Surroundings['say']): Promise<Buffer | undefined> {
  return readFile(file).catch((error) => {
    say(`${file} cannot be read (${reasonOf(error)}).`);
    return undefined;
  });
}
