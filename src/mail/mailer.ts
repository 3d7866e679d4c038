import type { Logger } from '../log.ts';
import { chooseRelay } from './choice.ts';
import type { Signer } from './dkim.ts';
import type { Outcome } from './outcome.ts';
import { createPool, type Sent } from './pool.ts';
import { type Guard, stoppedByGuard } from './recipients.ts';
import { readRelays, type Timeouts } from './relay.ts';
import { type Place, shareOf } from './share.ts';
import { type Envelope, isNoWord, type Next, type Sending } from './transaction.ts';

/** Sends one message at a time per connection, and always answers with an outcome: it throws on surprise only. */
export type Mailer = {
  send(envelope: Envelope, bytes: Buffer): Promise<Outcome>;
  /**
   * Sends a message, and on the same connection those that follow it: where `next` gives somebody, and nothing speaks
   * against it. Such a one may come to nothing, and can go by itself then: neither was it asked whether it leaves nor told
   * what became of it.
   *
   * @returns once nobody follows any more
   */
  converse(first: Sending, next: Next): Promise<void>;
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

  async function deliver(
    first: Sending,
    next: Next,
    refusedBy: readonly Ours[] = nobody,
    last = noRelay,
  ): Promise<void> {
    const relay = choose(refusedBy);
    if (!relay) return first.came(last);
    let inVain: Sent | undefined; // the first met with a connection that was over, or with silence
    const end = await relay.pool.converse(!refusedBy.includes(relay), first, next, (sending, sent) => {
      if (sending === first && isInVain(sent)) inVain = sent;
      else sending.came(sent.outcome);
    });
    if (end !== 'over') {
      return deliver(first, next, [...refusedBy, relay], end === 'away' ? last : end.outcome);
    }
    // nothing was handed over: one that says nothing is as one that does not let us in
    if (inVain?.broke === 'silence') return deliver(first, next, [...refusedBy, relay], inVain.outcome);
    if (inVain) return deliver(first, next, refusedBy, last);
  }

  /** Each message chooses its relay, or these had not their shares; and signing takes longer than following saves. */
  const mayFollow = relays.length === 1 && !sign;

  const allowed = (sending?: Sending) => (sending && guard(sending.envelope.to) ? sending : undefined);

  async function converse(first: Sending, next: Next): Promise<void> {
    if (!guard(first.envelope.to)) return first.came(stoppedByGuard);
    if (mayFollow) return deliver(first, () => allowed(next()));
    if (!sign) return deliver(first, nobodyFollows);
    const signed = await sign(Buffer.from(first.message, 'latin1')).catch((error) => {
      log?.error({ err: error }, 'a message could not be signed');
    });
    if (!signed) return first.came(notSigned);
    return deliver({ ...first, message: signed.toString('latin1') }, nobodyFollows);
  }

  return {
    async send(envelope, bytes) {
      let outcome: Outcome | undefined;
      const came = (told: Outcome) => {
        outcome = told;
      };
      const message = bytes.toString('latin1');
      await converse({ envelope, message, leaves: () => true, came }, nobodyFollows);
      if (!outcome) throw new Error('nobody said what became of a message');
      return outcome;
    },
    converse,
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
const nobodyFollows = () => undefined;

const isInVain = ({ kept, ...conducted }: Sent) =>
  conducted.outcome.kind === 'try again' && isNoWord(conducted) && (kept || conducted.broke === 'silence');
