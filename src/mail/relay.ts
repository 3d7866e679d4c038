import type { SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import { isLoopback } from '../config.ts';

export type Relay = { options: SMTPConnectionOptions; host: string; auth?: { user: string; pass: string } };

/**
 * How to reach the relay that a URL names: smtp://[user:password@]host[:port][?tls=required|optional|off] or
 * smtps://…. Outside this machine TLS is a must unless the URL says otherwise.
 *
 * @param silence how long a server may say nothing, in milliseconds
 */
export function readRelay(url: string, silence: number): Relay {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const tls = searchParams.get('tls') ?? (isLoopback(host) ? 'optional' : 'required');
  return {
    host,
    auth: username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : undefined,
    options: {
      host,
      port: Number(port) || (protocol === 'smtps:' ? 465 : 25),
      secure: protocol === 'smtps:',
      requireTLS: protocol === 'smtp:' && tls === 'required',
      ignoreTLS: tls === 'off',
      opportunisticTLS: tls === 'optional',
      tls: tls === 'optional' ? { rejectUnauthorized: false } : {},
      connectionTimeout: Math.min(30_000, silence),
      greetingTimeout: Math.min(30_000, silence),
      socketTimeout: silence,
    },
  };
}
