import type { Context } from '../src/context.ts';
import type { Mark } from '../src/hold/mark.ts';
import { createAir } from '../src/letters/air.ts';
import { openBundles } from '../src/letters/bundle-store.ts';
import type { Logbooks } from '../src/letters/logbooks.ts';
import { createPlaces } from '../src/letters/places.ts';
import { sendBundle } from '../src/letters/send-bundle.ts';
import { createWriter } from '../src/letters/write-out.ts';
import type { Mailer } from '../src/mail/mailer.ts';
import { createPulse } from './pulse.ts';
import type { Queues } from './queue.ts';

/** Letters in the air at once, which is what a crash can leave `unknown`. Each has a connection of its own. */
export const lettersInTheAir = 10;

/** How many may be claimed beyond them, where they are taken as fast. With those in the air, what a lost machine leaves `unknown`. */
const mostAhead = 290;

/** Bundles at a time: with more than one, the last letters of one do not keep the next one waiting. */
const bundlesAtOnce = 3;
const singlesAtOnce = 4;

type Options = {
  workerId: number;
  logbooks: Logbooks;
  mark: Mark;
  mailer: Mailer;
  stopping: AbortSignal;
  onDone: () => void;
};

/** Takes bundles from the queue and sends them. `active` are the ids of those under way. */
export function startSendingBundles(
  context: Context,
  { singles, bundles: large }: Pick<Queues, 'singles' | 'bundles'>,
  { workerId, logbooks, mark, mailer, stopping, onDone }: Options,
) {
  const { database, vault, wordings, log, config } = context;
  // where a logbook does not say for sure what has stayed, all that is claimed may have left
  const air = createAir(mailer, lettersInTheAir, logbooks.isReliable ? mostAhead : 0);
  const places = createPlaces(() => lettersInTheAir + air.ahead());
  const store = openBundles(database, { workerId, logbook: logbooks.name, mark, log });
  const statements = createPulse();
  const bundles = {
    ...store,
    take: statements.of(store.take),
    recordAndClaim: statements.of(store.recordAndClaim),
    recordAndFinish: statements.of(store.recordAndFinish),
    letGo: statements.of(store.letGo),
    finish: statements.of(store.finish),
  };
  const writeOut = createWriter({ vault, wordings, mailDomain: config.mailDomain });
  const sending = { bundles, writeOut, mailer, log, logbooks, air, places, stopping };
  const active = new Set<string>();
  const handle = async (id: string) => {
    if (active.has(id)) return; // a job that came twice
    if (mailer.isAway()) return; // nobody took the bundle, so the sweep brings it again
    active.add(id);
    try {
      await sendBundle(sending, id);
    } catch (error) {
      log.error({ bundle: id, err: error }, 'a bundle was dropped; the sweep takes its letters back');
    } finally {
      active.delete(id);
      onDone();
    }
  };
  const workers = [singles.work(handle, singlesAtOnce), large.work(handle, bundlesAtOnce)];
  return {
    active,
    /** For how long the database has let nothing be claimed or recorded that was to be, in milliseconds. */
    stuckFor: statements.quietFor,
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}
