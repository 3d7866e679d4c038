import { newlySuspended } from '../src/brands/contact-health.ts';
import type { Context } from '../src/context.ts';
import { isPassing } from '../src/db/database.ts';
import type { Mark } from '../src/hold/mark.ts';
import { scrubPen } from '../src/inbound/pen.ts';
import { closeCampaigns } from '../src/letters/close-campaigns.ts';
import type { Logbooks } from '../src/letters/logbooks.ts';
import { scrub } from '../src/letters/retention.ts';
import { beatWorker, callWorkers, createRollCall, placeAmong } from '../src/letters/roll-call.ts';
import { clearLogbooks, createPatience, sweepLetters } from '../src/letters/sweep.ts';
import type { Mailer } from '../src/mail/mailer.ts';
import { startLoop } from './loop.ts';
import type { Pulse } from './pulse.ts';
import type { Queues } from './queue.ts';
import { addBundles } from './release.ts';

const twoSeconds = 2000;
/**
 * A worker that shares the data folder of a dead one knows more of its letters than others do: these leave them to it for so
 * long, in which a machine starts again.
 */
const logbooksMayCome = 60_000;
const tenMinutes = 10 * 60_000;

type Options = {
  workerId: number;
  logbooks: Logbooks;
  active: Set<string>;
  pulse: Pick<Pulse, 'underWay' | 'quietFor'>;
  /** For how long letters could not be released, claimed or recorded, in milliseconds. */
  stuckFor: () => number;
  mailer: Mailer;
  mark: Mark;
};

/** The heartbeat and the sweep, and, less often, the scrub of what may no longer be kept. */
export function startTidying(
  { database, log, takenBack }: Context,
  queues: Queues,
  { workerId, logbooks, active, pulse, stuckFor, mailer, mark }: Options,
) {
  const failed = (what: string) => {
    const [waits, fails] = [`${what} has to wait for the database`, `${what} failed`];
    return (error: unknown) =>
      isPassing(error) ? log.warn({ err: error }, waits) : log.error({ err: error }, fails);
  };
  const beating = startLoop(
    () =>
      beatWorker(database, workerId, {
        inTheAir: pulse.underWay(),
        quietFor: pulse.quietFor(),
        queueIsLost: queues.isLost(),
        markIsLost: mark.wasLost(),
        relaysAreLost: mailer.isShutOut(),
        stuckFor: stuckFor(),
      }),
    { interval: twoSeconds, onError: failed('the heartbeat') },
  );
  const rollCall = createRollCall();
  const waiting = createPatience(logbooksMayCome);
  const sweeping = startLoop(
    async () => {
      const standings = await callWorkers(database);
      const now = performance.now();
      const silent = rollCall.silent(standings, now);
      mailer.share(placeAmong(standings, silent, workerId));
      const { unknown, recorded, returned, untaken } = await sweepLetters(database, {
        silent: silent.filter((id) => id !== workerId),
        logbooks,
        hasWaited: (id) => waiting.isOver(id, now),
        workerId,
        isActive: (id) => active.has(id),
        // a queue that is back may have lost all of its jobs
        queueWasLost: queues.wasLost(),
      });
      if (unknown + recorded + returned > 0)
        log.warn({ unknown, recorded, returned }, 'letters of a silent worker were taken back');
      for (const contact of await newlySuspended(database))
        log.warn(
          { contact: contact.id, failures: contact.failures, refusals: contact.refusals },
          'a contact is suspended: its letters wait',
        );
      await addBundles(queues, untaken);
    },
    { interval: twoSeconds, onError: failed('the sweep') },
  );
  const people = async () => {
    const { expired, forgotten } = await scrub(database);
    if (expired + forgotten > 0) log.info({ expired, forgotten }, 'personal data was removed on time');
  };
  const pen = async () => {
    const penned = await scrubPen(database);
    if (penned > 0) log.info({ penned }, 'mail in the pen was removed on time');
  };
  const campaigns = async () => {
    for (const campaign of await closeCampaigns(database))
      log.info({ campaign }, 'a campaign is closed, and its key destroyed');
  };
  const scrubbing = startLoop(
    async () => {
      // what keeps one of these from being done must not keep the others
      await people().catch(failed('forgetting people'));
      await pen().catch(failed('emptying the pen'));
      await campaigns().catch(failed('closing campaigns'));
      await clearLogbooks(database, logbooks).catch(failed('clearing logbooks'));
      await takenBack.forget();
    },
    { interval: tenMinutes, onError: failed('the scrub') },
  );
  return {
    async stop() {
      await Promise.all([beating.stop(), sweeping.stop(), scrubbing.stop()]);
    },
  };
}
