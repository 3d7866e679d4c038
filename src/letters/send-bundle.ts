import { hash } from 'node:crypto';
import type { Logger } from '../log.ts';
import type { Mailer } from '../mail/mailer.ts';
import type { Outcome } from '../mail/outcome.ts';
import { stoppedByGuard } from '../mail/recipients.ts';
import type { Air, Lane } from './air.ts';
import { handleOf } from './alias.ts';
import type { BundleRow, BundleStore, Claimed } from './bundle-store.ts';
import { startFlight } from './flight.ts';
import { after, earlier, type Until } from './lane.ts';
import type { LetterId } from './letter.ts';
import type { Logbook } from './logbook.ts';
import type { Logbooks } from './logbooks.ts';
import { few, type Places } from './places.ts';
import type { Sent } from './record-sent.ts';
import type { WriteOut } from './write-out.ts';

export type Sending = {
  bundles: BundleStore;
  writeOut: WriteOut;
  mailer: Pick<Mailer, 'isAway'>;
  log: Logger;
  logbooks: Pick<Logbooks, 'open'>;
  /** Letters that are with a mail server: what a crash leaves `unknown` at most. */
  air: Air;
  /** Letters that are claimed: one has a place from its claim to its record. */
  places: Places;
  /** Set when the process is asked to stop: no further letter is claimed, and none that was claimed leaves any more. */
  stopping: AbortSignal;
};

/**
 * How long the first answer waits for others, in milliseconds: one statement for ten costs little more than one for
 * three. A slow one is left to the next statement. While others of the bundle wait to leave, more are to come.
 */
const gathering = { last: 10, more: 50 };

/**
 * A letter leaves so soon after it was claimed, and after that was asked for, or not at all; in milliseconds. What is
 * claimed cannot be taken back by its writer, and pays no heed to a campaign that is paused, or to a hold. The answer of the
 * database, or this process, may have been held up since.
 */
const claimHolds = { claimed: 2000, asked: 6000 };

/** Who has lately put off or refused letters gets so many at once at most. */
const carefully = 10;

/** A letter that was claimed and has not left. */
type Stayed = { stayed: LetterId };

/**
 * Sends the letters of one bundle: claimed in the database before a byte leaves, many at a time where they are taken as
 * fast, each noted in the logbook as it leaves, and recorded within milliseconds of the server's answer. A slow answer holds
 * up its own letter, not the others. A bundle that another worker took, or that is done, is left alone.
 */
export async function sendBundle(sending: Sending, bundleId: string): Promise<void> {
  const logbook = sending.logbooks.open(bundleId);
  let isOver = false;
  try {
    const bundle = await sending.bundles.take(bundleId);
    if (bundle) await sendTaken(sending, bundle, logbook);
    isOver = true;
  } finally {
    logbook.close(isOver);
  }
}

async function sendTaken(sending: Sending, bundle: BundleRow, logbook: Logbook): Promise<void> {
  const { air, bundles, mailer, stopping, places } = sending;
  const left = [...bundle.letter_ids];
  const lane = air.lane(left.length <= few);
  const flight = startFlight<Sent | Stayed>();
  let held = 0; // places that are ours
  let isWhole = true; // every letter was claimed, or is to be
  // an answered letter is in its place until that is recorded: the next one has it from that very statement
  const idle = () => held - flight.inAir() - flight.landed();
  const mayClaim = () => (stopping.aborted ? 0 : Math.max(0, mostOf(bundle) - flight.inAir()));
  const turnBack = () => {
    isWhole = false;
    left.length = 0; // the rest waits again, untried
    lane.turnBack();
  };
  stopping.addEventListener('abort', lane.turnBack);
  try {
    for (;;) {
      const wanted = Math.min(left.length, mayClaim());
      if (wanted > 0 && held === 0) held = await places.take(wanted);
      else held += places.takeNow(Math.max(0, wanted - held + flight.inAir()));
      const landed = flight.land();
      const sent = landed.filter((one) => 'outcome' in one);
      const stayed = landed.flatMap((one) => ('stayed' in one ? one.stayed : []));
      const { unrecorded, holdOff } = await bundles.heed(bundle, sent);
      if (holdOff || mailer.isAway() || stayed.length > 0) turnBack();
      lane.resume(sent.filter(isWarning).length);
      if (stayed.length > 0) await bundles.letGo(bundle, stayed);
      const spare = Math.max(0, Math.min(places.asked(), held - 1, idle()));
      const next = left.splice(0, Math.min(idle() - spare, mayClaim()));
      if (
        isWhole &&
        unrecorded.length > 0 &&
        left.length + next.length + flight.inAir() + flight.landed() === 0
      ) {
        await bundles.recordAndFinish(bundle, unrecorded);
        return;
      }
      if (next.length > 0 || unrecorded.length > 0) {
        const latest = after(claimHolds.asked);
        const claimed = await bundles.recordAndClaim(bundle, unrecorded, next);
        isWhole &&= claimed.length === next.length;
        const until = earlier(latest, after(claimHolds.claimed));
        for (const letter of claimed)
          flight.start(sendLetter(sending, bundle, letter, { logbook, lane, until }));
      } else if (flight.inAir() + flight.landed() === 0) break;
      const lent = places.lend(spare);
      held -= lent;
      // who asked for them has found others meanwhile, so they are for this bundle's letters
      if (lent < spare && left.length > 0) continue;
      const unused = Math.max(0, idle() - Math.min(left.length, mayClaim()));
      places.give(unused);
      held -= unused;
      await flight.answer(flight.inAir() > carefully ? gathering.more : gathering.last, lane.isPaused);
    }
  } finally {
    stopping.removeEventListener('abort', lane.turnBack);
    lane.close();
    await flight.over();
    places.give(held);
  }
  await bundles.finish(bundle);
}

/** After anything but a yes the others of its bundle wait until it was heeded. */
const isWarning = ({ outcome }: Sent) => outcome.kind !== 'accepted';

/** How many letters of a bundle may be claimed at a time, as far as it goes by where they go. */
function mostOf({ receiver, refusals }: BundleRow): number {
  return receiver === 'well' && refusals === 0 ? Number.POSITIVE_INFINITY : carefully;
}

type Way = { logbook: Logbook; lane: Lane; until: Until };

async function sendLetter(
  { bundles, log, writeOut }: Sending,
  bundle: BundleRow,
  claimed: Claimed,
  { logbook, lane, until }: Way,
): Promise<Sent | Stayed> {
  const { id, tries } = claimed;
  let written: Awaited<ReturnType<WriteOut>>;
  try {
    written = await bundles.insist(() => writeOut(bundle, claimed));
  } catch (error) {
    // Nothing was sent, so the letter may wait until the cause is mended; the others of its bundle go on.
    log.error({ letter: id, err: error }, 'a letter could not be written out');
    lane.pause();
    return { id, tries, outcome: { kind: 'try again' } };
  }
  const { message, from } = written;
  let hasLeft = false;
  let sent: Sent | undefined;
  const came = (outcome: Outcome) => {
    sent = { id, tries, outcome };
    if (outcome === stoppedByGuard) {
      log.info({ letter: id }, 'a letter was not sent: MAIL_RECIPIENTS does not have its address');
    } else sent.hash = hash('sha256', message, 'hex'); // of its bytes, since it is ASCII
    if (isWarning(sent)) lane.pause();
    logbook.landed(sent);
  };
  const outgoing = {
    envelope: { from, to: bundle.address, id: handleOf(claimed.message_id) },
    message,
    leaves() {
      const mayLeave = logbook.leaves(id);
      hasLeft ||= mayLeave;
      return mayLeave;
    },
    came,
    failed(error: unknown) {
      log.error({ letter: id, err: error }, 'sending a letter failed in an unexpected way');
      if (!sent) came({ kind: hasLeft ? 'unknown' : 'try again' });
    },
  };
  await lane.send(outgoing, until);
  return sent ?? { stayed: id };
}
