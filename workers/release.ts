import type { Context } from '../src/context.ts';
import { isPassing } from '../src/db/database.ts';
import { readStanding, type Standing } from '../src/hold/hold.ts';
import type { Mark } from '../src/hold/mark.ts';
import { few } from '../src/letters/places.ts';
import { apart, type Bundle, isTimeToRelease, releaseLetters } from '../src/letters/release-letters.ts';
import { dueNotices } from '../src/notices/notice-queue.ts';
import { dueReplies } from '../src/replies/reply-queue.ts';
import { type Loop, startLoop } from './loop.ts';
import type { Job, Queues } from './queue.ts';

/** Adds the jobs of bundles; those of few letters go a way of their own. */
export async function addBundles(
  { singles, bundles }: Queues,
  added: readonly (Pick<Bundle, 'id' | 'size'> & Pick<Job, 'again'>)[],
): Promise<void> {
  const jobs = (isSmall: boolean) =>
    added.filter(({ size }) => size <= few === isSmall).map(({ id, again }) => ({ id, again }));
  await Promise.all([singles.add(jobs(true)), bundles.add(jobs(false))]);
}

/**
 * Releases what is due, a second after the last time at the latest, and soon after a hint: as soon as the rounds of all
 * workers are far enough apart (`isTimeToRelease`). `stuckFor` says for how long none has come to a good end, in
 * milliseconds.
 */
export function startRelease(
  { database, log }: Context,
  queues: Queues,
  mark: Mark,
): Loop & { stuckFor(): number } {
  const onError = (error: unknown) => {
    if (isPassing(error)) log.warn({ err: error }, 'releasing letters has to wait for the database');
    else log.error({ err: error }, 'releasing letters failed');
  };
  const tell = tellOfHold(log);
  let endedAt = performance.now();
  const loop = startLoop(
    async () => {
      const standing = await readStanding(database);
      tell(standing);
      if (!standing.hold && !(await mark.isLost())) {
        await addBundles(queues, await releaseLetters(database, 'in turn'));
        await queues.notices.add(await dueNotices(database));
        await queues.replies.add(await dueReplies(database));
      } // else what waits, waits
      endedAt = performance.now();
    },
    { interval: 1000, gap: apart.least, isTime: () => isTimeToRelease(database), onError },
  );
  return { ...loop, stuckFor: () => performance.now() - endedAt };
}

/** Says once that sending is on hold, and once that it goes on. */
function tellOfHold(log: Context['log']): (standing: Standing) => void {
  let told = false;
  return ({ hold }) => {
    if (hold && !told)
      log.error(
        { reason: hold.because },
        'sending is on hold; nothing leaves until you have run: npm run reconcile',
      );
    else if (!hold && told) log.info('sending goes on');
    told = hold !== undefined;
  };
}
