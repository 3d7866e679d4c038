import type { SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import { isLoopback } from '../config.ts';

export type Relay = {
  options: SMTPConnectionOptions;
  host: string;
  auth?: { user: string; pass: string };
  /** Its share of the messages, beside the other relays; 0: only while these are away. */
  weight: number;
  /** How many connections it may have from all workers together; absent: any number. */
  connections?: number;
  timeouts: Timeouts;
};

/** How long a relay is waited for, in milliseconds. */
export type Timeouts = {
  /** Until it is connected, has greeted us, and TLS stands. */
  connect: number;
  /** Each answer until we may send: to EHLO, STARTTLS, AUTH. */
  greeting: number;
  /** Each answer about a message. */
  silence: number;
};

/**
 * RFC 5321 section 4.5.3.2.6: a client waits ten minutes for the answer to the final dot, since giving up
 * early is how the same message arrives twice. Before a message is on its way, giving up early is no harm.
 */
export const patience: Timeouts = { connect: 30_000, greeting: 30_000, silence: 10 * 60_000 };

/**
 * The relays that SMTP_URL names, separated by commas or spaces:
 * smtp://[user:password@]host[:port][?tls=required|optional|off&weight=N&connections=N] or smtps://….
 *
 * @param name what we call ourselves (RFC 5321 section 4.1.1.1). Relays write it into every message; without it, it is
 *   this machine's own name, which is none of their receivers' business, or one that says nothing
 */
export function readRelays(urls: string, timeouts: Timeouts = patience, name?: string): Relay[] {
  return urls.split(/[\s,]+/).map((url) => readRelay(url, timeouts, name));
}

/** Outside this machine TLS is a must, with a certificate that holds, unless the URL says otherwise. */
function readRelay(url: string, timeouts: Timeouts, name: string | undefined): Relay {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const tls = searchParams.get('tls') ?? (isLoopback(host) ? 'optional' : 'required');
  const connections = Number(searchParams.get('connections'));
  return {
    host,
    auth: username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : undefined,
    weight: Number(searchParams.get('weight') ?? 1),
    connections: connections > 0 ? connections : undefined,
    timeouts,
    options: {
      host,
      name,
      port: Number(port) || (protocol === 'smtps:' ? 465 : 25),
      secure: protocol === 'smtps:',
      requireTLS: protocol === 'smtp:' && tls === 'required',
      ignoreTLS: tls === 'off',
      opportunisticTLS: tls === 'optional',
      tls: { minVersion: 'TLSv1.2', rejectUnauthorized: tls !== 'optional' },
      connectionTimeout: timeouts.connect,
      greetingTimeout: timeouts.greeting,
      socketTimeout: timeouts.greeting, // until we may send; see openLine
      socketCloseTimeout: 0, // what a server did not read before we gave up must not reach it afterwards
    },
  };
}
