import type { Recipient } from './recipient.ts';

/**
 * What one listener takes. Whoever is over a limit is told to come again later (4yz), so that honest mail only
 * waits. Addresses of computers are kept in memory, for the window and a minute more, and nowhere else.
 */
export type InboundLimits = {
  /** Bytes of one message: an answer with its attachments, which grow by a third on the way. */
  size: number;
  /** Bytes of one message to postmaster and the like, where anybody may write: a complaint with the letter in it. */
  strangersSize: number;
  /** Recipients of one message: a report has one. */
  recipients: number;
  /** Connections at a time, of everybody and of one client. */
  connections: number;
  connectionsPerClient: number;
  /** Of one client within a minute: connections, messages, and recipients that are not here. */
  perMinute: { connections: number; messages: number; strangers: number };
  /** How long a client may say nothing (RFC 5321 section 4.5.3.2.7: five minutes), in milliseconds. */
  silence: number;
  /** How long one connection may last, in milliseconds. */
  session: number;
  /** Processes that read mail, how long one mail may take there in milliseconds, and the memory of each in megabytes. */
  reading: { processes: number; longest: number; memory: number };
};

const minute = 60_000;

export const inboundLimits: InboundLimits = {
  size: 5 * 1024 * 1024,
  strangersSize: 256 * 1024,
  recipients: 10,
  connections: 50,
  connectionsPerClient: 20,
  // A relay hands over the reports of a whole campaign; guessing addresses is what nobody does in earnest.
  perMinute: { connections: 600, messages: 3000, strangers: 60 },
  silence: 5 * minute,
  session: 30 * minute,
  // Fifty mails that take this long are through before a client that waits for its answer is taken for a silent one.
  reading: { processes: 2, longest: 10_000, memory: 128 },
};

/** How large a message to this address may be. */
export function mostBytes(
  { kind }: Recipient,
  { size, strangersSize }: Pick<InboundLimits, 'size' | 'strangersSize'>,
): number {
  return ['postmaster', 'abuse', 'notices'].includes(kind) ? strangersSize : size;
}

export type Rates = {
  /** Counts one more; false: that is too many for this minute. */
  count(what: keyof InboundLimits['perMinute'], client: string): boolean;
  /** Whether one more would be too many. */
  isFull(what: keyof InboundLimits['perMinute'], client: string): boolean;
};

/** Counts per client in windows of a minute. */
export function createRates(perMinute: InboundLimits['perMinute'], now: () => number = Date.now): Rates {
  let window = 0;
  let counts = new Map<string, number>();

  const current = (what: string, client: string): [string, number] => {
    const started = Math.floor(now() / minute);
    if (started !== window) {
      window = started;
      const counted = new Map<string, number>();
      counts = counted;
      setTimeout(() => counted.clear(), minute).unref(); // also when nobody comes any more
    }
    const key = `${what} ${network(client)}`;
    return [key, counts.get(key) ?? 0];
  };
  return {
    count(what, client) {
      const [key, before] = current(what, client);
      counts.set(key, before + 1);
      return before < perMinute[what];
    },
    isFull(what, client) {
      return current(what, client)[1] >= perMinute[what];
    },
  };
}

/** A client of IPv6 has a whole /64 to itself (RFC 6177); one of IPv4 is told so on a socket for both, too (RFC 4291). */
export function network(client: string): string {
  const address = client.replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (!address.includes(':')) return address;
  const [before = '', after] = address.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':');
}
