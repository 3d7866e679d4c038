import { type Penned, putIntoPen } from './pen.ts';
import type { Receiving } from './receive-mail.ts';

/** A mail that a person wrote to a letter's address. */
export type Reply = { handle: string; raw: Buffer; digest: Buffer };

/**
 * What becomes of a person's answer. Until replies are recorded and forwarded, each waits in the holding pen, so
 * that none is lost.
 */
export async function takeReply(receiving: Receiving, reply: Reply): Promise<Penned> {
  return putIntoPen(receiving, { reason: 'reply', ...reply });
}
