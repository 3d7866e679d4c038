import type { Campaign } from '../../campaigns/campaign.ts';
import { countAccepted } from '../../campaigns/campaign-store.ts';
import type { Context } from '../../context.ts';
import { isPassing } from '../../db/database.ts';
import { atMost } from '../../time.ts';

/** How long the first visitors wait for the number, in milliseconds. */
const firstWait = 3000;

/**
 * How many letters of a campaign were accepted, as everybody may know it: below ten nothing is told, and above it nothing
 * exact, since a count must not give a single writer away.
 *
 * It is counted at most once a minute, and a hundred times less often than that takes: every visitor wants it, and none
 * needs it to the second. While it is counted, and while it cannot be, the last number stands; undefined: there is none yet.
 */
export function keepPublicCount({ database, log }: Context) {
  let accepted: Map<number, number> | undefined;
  let counting: Promise<void> | undefined;
  let until = Number.NEGATIVE_INFINITY;

  async function count(): Promise<void> {
    const began = performance.now();
    try {
      accepted = await countAccepted(database);
    } catch (error) {
      // a database that is away or busy is asked again in a minute
      if (!isPassing(error)) log.error({ err: error }, 'the accepted letters could not be counted');
    }
    const now = performance.now();
    until = now + Math.max(60_000, 100 * (now - began));
    counting = undefined;
  }
  return async ({ id }: Campaign): Promise<{ shown: number } | undefined> => {
    if (!counting && until <= performance.now()) counting = count();
    if (accepted === undefined) await atMost(firstWait, counting);
    return accepted && { shown: Math.floor((accepted.get(id) ?? 0) / 10) * 10 };
  };
}
