import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ExpectedError, reasonOf } from '../expected.ts';
import type { Evidence } from './unknown-letters.ts';

/** A Message-ID of ours (`alias.ts`) as it stands in a line. */
const ours = /(?<![0-9a-z])([0-9a-f]{20}@[a-z0-9-]+(?:\.[a-z0-9-]+)+)/i;

const alone = new RegExp(`^\\s*<?${ours.source}>?\\s*$`, 'i');

/** Postfix: `… postfix/cleanup[123]: 4XyZ: message-id=<…>`, and later, once the message is in its queue, `qmgr`. */
const cleanup = new RegExp(`: ([0-9A-Za-z]+): (?:resent-)?message-id=<?${ours.source}`, 'i');
const inQueue =
  /: ([0-9A-Za-z]+): (?:from=<[^>]*>, size=.*queue active|.*\bstatus=(?:sent|deferred|bounced)\b)/;

/**
 * Reads which letters a relay has taken, from a file: a list with a Message-ID per line, or a Postfix log. Of a
 * log, a letter counts that reached the queue; where only the lines with Message-IDs were picked out of it, they
 * are taken at their word.
 *
 * @throws ExpectedError when the file cannot be read
 */
export async function readAccepted(file: string): Promise<Evidence[]> {
  const accepted = new Map<string, string>();
  const named = new Map<string, string>();
  let whole = false;
  try {
    for await (const line of createInterface({ input: createReadStream(file, 'utf8') })) {
      const listed = alone.exec(line)?.[1];
      const [, queueId, messageId] = cleanup.exec(line) ?? [];
      if (listed) accepted.set(listed.toLowerCase(), 'is in a list of letters that were accepted');
      else if (queueId && messageId) named.set(queueId, messageId.toLowerCase());
      else {
        const [, taken = ''] = inQueue.exec(line) ?? [];
        whole ||= taken !== '';
        take(taken);
      }
    }
  } catch (error) {
    throw new ExpectedError(`${file} cannot be read (${reasonOf(error)}). Nothing was changed.`);
  }
  if (!whole) for (const queueId of [...named.keys()]) take(queueId);
  return [...accepted].map(([messageId, response]) => ({ messageId, accepted: true, response }));

  function take(queueId: string): void {
    const messageId = named.get(queueId);
    if (messageId) accepted.set(messageId, `is in the relay's log: queued as ${queueId}`);
    named.delete(queueId);
  }
}
