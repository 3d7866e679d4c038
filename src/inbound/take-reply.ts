import { keepReply } from '../replies/keep-reply.ts';
import { type Penned, putIntoPen } from './pen.ts';
import type { Reading } from './read-incoming.ts';
import type { Receiving } from './receive-mail.ts';
import { isOurDomain } from './recipient.ts';
import { type Recorded, recordNews } from './record-news.ts';

/** A mail that was written to a letter's address, by a person or by a machine. */
export type Reply = { handle: string; raw: Buffer; reading: Reading };

/**
 * Takes an answer to a letter: it is kept for the advocate, told on the letter's page, and passed on by a worker,
 * all or nothing. What the letter has no room for waits in the pen.
 */
export async function takeReply(receiving: Receiving, reply: Reply): Promise<Recorded | Penned> {
  const { database, vault, mailDomain } = receiving;
  const { handle, raw, reading } = reply;
  const { digest, verdict, written } = reading;
  if (!written) return putIntoPen(receiving, { reason: 'unreadable', raw, digest, handle });
  const automatic = verdict.kind === 'automatic reply' || (await isFromUs(receiving, reading));
  const topic = automatic ? 'auto_replied' : 'replied';
  try {
    return await recordNews(
      database,
      { handle, mailDomain, digest },
      topic,
      {},
      async (transaction, letter) => {
        if (await keepReply(transaction, vault, letter, { ...written, digest, automatic })) return;
        const penned = await putIntoPen(
          { ...receiving, database: transaction },
          { reason: 'too many replies', raw, digest, handle },
        );
        if (penned.kind === 'full') throw new PenIsFull();
      },
    );
  } catch (error) {
    if (error instanceof PenIsFull) return { kind: 'full' };
    throw error;
  }
}

class PenIsFull extends Error {}

/** Our own mail that comes round to us: some programs that forward mail drop the mark that it carries. */
async function isFromUs({ database, mailDomain }: Receiving, { from }: Reading): Promise<boolean> {
  const domain = from.slice(from.lastIndexOf('@') + 1);
  return isOurDomain(database, domain, mailDomain);
}
