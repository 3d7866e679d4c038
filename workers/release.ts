import type { Context } from '../src/context.ts';
import { isPassing } from '../src/db/database.ts';
import { type Bundle, releaseLetters } from '../src/letters/release-letters.ts';
import { dueNotices } from '../src/notices/notice-queue.ts';
import { type Loop, startLoop } from './loop.ts';
import type { Job, Queues } from './queue.ts';

/** Letters of one person leave as small bundles, and go before the large ones of a launch. */
const small = 20;

export function jobOf({ id, size }: Pick<Bundle, 'id' | 'size'>): Job {
  return { id, later: size > small };
}

/**
 * Releases what is due, a second after the last time at the latest, and at once after a hint. Under load the
 * rounds keep half a second apart: what came meanwhile shares its bundles, and a bundle of thirty costs little
 * more than one of three.
 */
export function startRelease({ database, log }: Context, queues: Queues): Loop {
  const onError = (error: unknown) => {
    if (isPassing(error)) log.warn({ err: error }, 'releasing letters has to wait for the database');
    else log.error({ err: error }, 'releasing letters failed');
  };
  return startLoop(
    async () => {
      const bundles = await releaseLetters(database);
      await queues.bundles.add(bundles.map(jobOf));
      await queues.notices.add(await dueNotices(database));
    },
    { interval: 1000, gap: 500, onError },
  );
}
