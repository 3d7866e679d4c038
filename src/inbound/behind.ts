import { sameMailbox } from '../people/address.ts';

/**
 * Whether a failure is about other mailboxes than the one that was written to. Behind a company's address there often
 * is a list, and somebody on it has left: then we know that one mailbox did not get the mail, and not that none
 * did. Servers give a mailbox another domain within the house, so what stands before the @ tells.
 */
export function isBehind(mailboxes: readonly string[], address: string | null): boolean {
  const left = (mailbox: string) => sameMailbox(mailbox).split('@')[0];
  return address !== null && mailboxes.length > 0 && !mailboxes.some((one) => left(one) === left(address));
}
