import type { Outcome } from './outcome.ts';

/** Whether mail may go to an address. */
export type Guard = (address: string) => boolean;

/** What becomes of a message that the guard stops. No server had a word in it, so there is no host. */
export const stoppedByGuard: Outcome = Object.freeze({
  kind: 'try again',
  response: 'not sent: MAIL_RECIPIENTS does not let this system write to this address',
});

/**
 * The guard that keeps a system which is only tried out from mailing anybody by accident.
 *
 * @param list `*` (everybody), or addresses and domains (`@example.org`, which does not stand for its
 *   subdomains), all in lower case; none: nobody
 */
export function guardRecipients(list: readonly string[]): Guard {
  if (list.includes('*')) return () => true;
  const allowed = new Set(list);
  return (address) => {
    const known = address.toLowerCase();
    return allowed.has(known) || allowed.has(known.slice(known.lastIndexOf('@')));
  };
}
