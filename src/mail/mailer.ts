import type { Logger } from '../log.ts';
import { chooseRelay } from './choice.ts';
import type { Signer } from './dkim.ts';
import type { Outcome } from './outcome.ts';
import { createPool } from './pool.ts';
import { type Guard, stoppedByGuard } from './recipients.ts';
import { readRelays, type Timeouts } from './relay.ts';
import { type Place, shareOf } from './share.ts';
import type { Envelope } from './transaction.ts';

/** Sends one message at a time per connection, and always answers with an outcome: it throws on surprise only. */
export type Mailer = {
  send(envelope: Envelope, bytes: Buffer): Promise<Outcome>;
  /** No relay takes anything, and it is not time to try again: whatever were sent now would have to wait. */
  isAway(): boolean;
  /** No relay took anything when it was last tried, however long ago that is. */
  isShutOut(): boolean;
  /**
   * Takes this worker's share of the connections that a relay allows to all of them. To be told again and again:
   * a smaller share counts at once, a larger one only when it is told twice, since others may still have it.
   */
  share(place: Place): void;
  close(): Promise<void>;
};

export type MailerOptions = {
  /** The relays, as SMTP_URL names them. */
  url: string;
  /** What it calls itself to them. */
  name?: string;
  /** Whom it may write to. */
  guard?: Guard;
  /** Signs a message, if that is ours to do. */
  sign?: Signer;
  /** How many connections are open to a relay at most, whatever it allows. */
  connections?: number;
  /** How long an unused connection is kept, in milliseconds. */
  idle?: number;
  timeouts?: Timeouts;
  log?: Logger;
};

/** No server had a word in it, so there is no host. */
const noRelay: Outcome = Object.freeze({
  kind: 'try again',
  stage: 'connect',
  response: 'not sent: no mail relay takes mail from this system at the moment',
});

const notSigned: Outcome = Object.freeze({
  kind: 'try again',
  response: 'not sent: this system could not sign it',
});

/**
 * Keeps connections to the relays open and hands each message to a free one. As long as nothing was handed over,
 * a message costs nobody a retry: when a kept connection turns out to be closed, it goes out on a fresh one at
 * once, and when a relay does not let us in, or says nothing, through the next. What a relay has said about the message
 * stands.
 */
export function createMailer({
  url,
  name,
  guard = () => true,
  sign,
  connections = 5,
  idle = 30_000,
  timeouts,
  log,
}: MailerOptions): Mailer {
  const relays = readRelays(url, timeouts, name).map((relay) => ({
    ...relay,
    share: 1,
    pool: createPool(relay, {
      most: relay.connections === undefined ? connections : 1, // until the share is known
      idle,
      onTrouble({ outcome, reason }, milliseconds) {
        const { host } = relay;
        const { code, stage } = outcome;
        log?.warn({ host, stage, code, reason, milliseconds }, 'a relay takes nothing; it is left alone');
      },
      onBack: () => log?.info({ host: relay.host }, 'a relay is back'),
    }),
  }));
  type Ours = (typeof relays)[number];

  function choose(refusedBy: readonly Ours[]): Ours | undefined {
    if (relays.length === 1 && refusedBy.length === 0) return relays[0];
    const candidates = relays.map((relay) => {
      const connect = !refusedBy.includes(relay);
      const { weight, pool } = relay;
      return { relay, weight, state: pool.state(connect), room: pool.room(connect) };
    });
    return chooseRelay(candidates, Math.random())?.relay;
  }

  function notSignable(error: unknown): Outcome {
    log?.error({ err: error }, 'a message could not be signed');
    return notSigned;
  }

  async function deliver(
    envelope: Envelope,
    bytes: Buffer,
    refusedBy: readonly Ours[] = nobody,
    last = noRelay,
  ): Promise<Outcome> {
    const relay = choose(refusedBy);
    if (!relay) return last;
    const sent = await relay.pool.send(!refusedBy.includes(relay), envelope, bytes);
    if (!sent || !('kept' in sent)) {
      return deliver(envelope, bytes, [...refusedBy, relay], sent?.outcome ?? last);
    }
    const { outcome, broke, kept } = sent;
    if (outcome.kind !== 'try again') return outcome;
    // nothing was handed over: one that says nothing is as one that does not let us in
    if (broke === 'silence') return deliver(envelope, bytes, [...refusedBy, relay], outcome);
    // some close a connection after so many messages, and say so to the next MAIL (seen from Exim)
    const isOver = broke === 'cut' || (outcome.code === 421 && outcome.stage === 'mail');
    return kept && isOver ? deliver(envelope, bytes, refusedBy, last) : outcome;
  }

  return {
    send(envelope, bytes) {
      if (!guard(envelope.to)) return Promise.resolve(stoppedByGuard);
      return sign
        ? sign(bytes).then((signed) => deliver(envelope, signed), notSignable)
        : deliver(envelope, bytes);
    },
    isAway: () => relays.every(({ pool }) => pool.state(true) === 'away'),
    isShutOut: () => relays.every(({ pool }) => pool.isShutOut()),
    share(place) {
      for (const relay of relays) {
        if (relay.connections === undefined) continue;
        const share = shareOf(relay.connections, place);
        relay.pool.limit(Math.min(connections, share, relay.share));
        relay.share = share;
      }
    },
    async close() {
      for (const { pool } of relays) pool.close();
    },
  };
}

const nobody: readonly never[] = [];
