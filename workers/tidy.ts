import { newlySuspended } from '../src/brands/contact-health.ts';
import type { Context } from '../src/context.ts';
import { scrubPen } from '../src/inbound/pen.ts';
import { scrub } from '../src/letters/retention.ts';
import { beatWorker, sweepLetters } from '../src/letters/sweep.ts';
import { startLoop } from './loop.ts';
import type { Queues } from './queue.ts';
import { jobOf } from './release.ts';

const fiveSeconds = 5000;
const tenMinutes = 10 * 60_000;

type Options = { workerId: number; active: Set<string> };

/** The heartbeat and the sweep, and, less often, the scrub of what may no longer be kept. */
export function startTidying({ database, log }: Context, queues: Queues, { workerId, active }: Options) {
  const sweeping = startLoop(
    async () => {
      await beatWorker(database, workerId);
      const { unknown, returned, untaken } = await sweepLetters(database, workerId, [...active]);
      if (unknown + returned > 0)
        log.warn({ unknown, returned }, 'letters of a silent worker were taken back');
      for (const contact of await newlySuspended(database))
        log.warn(
          { contact: contact.id, failures: contact.failures },
          'a contact is suspended: its letters wait',
        );
      await queues.bundles.add(untaken.map(jobOf));
    },
    { interval: fiveSeconds, onError: (error) => log.error({ err: error }, 'the sweep failed') },
  );
  const scrubbing = startLoop(
    async () => {
      const { expired, forgotten } = await scrub(database);
      const penned = await scrubPen(database);
      if (expired + forgotten + penned > 0)
        log.info({ expired, forgotten, penned }, 'personal data was removed on time');
    },
    { interval: tenMinutes, onError: (error) => log.error({ err: error }, 'the scrub failed') },
  );
  return {
    async stop() {
      await Promise.all([sweeping.stop(), scrubbing.stop()]);
    },
  };
}
