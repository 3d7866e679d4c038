import type { Logger } from '../log.ts';
import type { Mailer } from '../mail/mailer.ts';
import { stoppedByGuard } from '../mail/recipients.ts';
import { sha256 } from '../people/vault.ts';
import { handleOf } from './alias.ts';
import type { BundleRow, BundleStore, Claimed, Sent } from './bundle-store.ts';
import { startFlight } from './flight.ts';
import type { Places } from './places.ts';
import type { WriteOut } from './write-out.ts';

export type Sending = {
  bundles: BundleStore;
  writeOut: WriteOut;
  mailer: Mailer;
  log: Logger;
  /** Room in the air: a letter takes a place from its claim to its record. What a crash leaves `unknown` at most. */
  places: Places;
  /** Set when the process is asked to stop: no further letter is claimed. */
  stopping: AbortSignal;
};

/**
 * How long the first answer waits for the others of its ten, in milliseconds: one statement for ten costs
 * little more than one for three. A slow one is left to the next statement.
 */
const gathering = 10;

/**
 * Sends the letters of one bundle, a few at a time: claimed in the database before a byte leaves, recorded
 * within milliseconds of the server's answer. A slow answer holds up its own letter, not the others. A bundle
 * that another worker took, or that is done, is left alone.
 */
export async function sendBundle(sending: Sending, bundleId: string): Promise<void> {
  const { bundles, mailer, stopping, places } = sending;
  const bundle = await bundles.take(bundleId);
  if (!bundle) return;
  const left = [...bundle.letter_ids];
  const flight = startFlight<Sent>();
  let held = 0; // places that are ours
  // an answered letter is in its place until that is recorded: the next one has it from that very statement
  const idle = () => held - flight.inAir() - flight.landed();
  try {
    for (;;) {
      const wanted = stopping.aborted ? 0 : left.length;
      if (wanted > 0 && held === 0) held = await places.take(wanted);
      else held += places.takeNow(Math.max(0, wanted - held + flight.inAir()));
      const { unrecorded, holdOff } = await bundles.heed(bundle, flight.land());
      if (holdOff || mailer.isAway()) left.length = 0; // the rest waits again, untried
      const spare = Math.max(0, Math.min(places.asked(), held - 1, idle()));
      const next = left.splice(0, Math.min(wanted, idle() - spare));
      if (next.length > 0 || unrecorded.length > 0) {
        const claimed = await bundles.recordAndClaim(bundle, unrecorded, next);
        for (const letter of claimed) flight.start(sendLetter(sending, bundle, letter));
      } else if (flight.inAir() + flight.landed() === 0) break;
      const lent = places.lend(spare);
      held -= lent;
      // who asked for them has found others meanwhile, so they are for this bundle's letters
      if (lent < spare && left.length > 0) continue;
      if (left.length === 0 || stopping.aborted) {
        const unused = idle();
        places.give(unused);
        held -= unused;
      }
      await flight.answer(gathering);
    }
  } finally {
    await flight.over();
    places.give(held);
  }
  await bundles.finish(bundle);
}

async function sendLetter(
  { bundles, mailer, log, writeOut }: Sending,
  bundle: BundleRow,
  letter: Claimed,
): Promise<Sent> {
  const { id, tries } = letter;
  let written: Awaited<ReturnType<WriteOut>>;
  try {
    written = await bundles.insist(() => writeOut(bundle, letter));
  } catch (error) {
    // Nothing was sent, so the letter may wait until the cause is mended; the others of its bundle go on.
    log.error({ letter: id, err: error }, 'a letter could not be written out');
    return { id, tries, outcome: { kind: 'try again' } };
  }
  const { message, from } = written;
  try {
    const outcome = await mailer.send({ from, to: bundle.address, id: handleOf(letter.message_id) }, message);
    if (outcome === stoppedByGuard) {
      log.info({ letter: id }, 'a letter was not sent: MAIL_RECIPIENTS does not have its address');
      return { id, tries, outcome };
    }
    return { id, tries, outcome, hash: sha256(message) };
  } catch (error) {
    log.error({ letter: id, err: error }, 'sending a letter failed in an unexpected way');
    return { id, tries, outcome: { kind: 'unknown' }, hash: sha256(message) };
  }
}
