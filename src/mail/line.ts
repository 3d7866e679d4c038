import { Socket } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { codeOf } from '../expected.ts';
import { describe, judge, type Outcome, type Stage } from './outcome.ts';
import type { Relay } from './relay.ts';
import { readServer } from './server.ts';
import { converse, type Next, type Sending, type Tell } from './transaction.ts';
import { openWire } from './wire.ts';

/** One connection to a relay that let us in. */
export type Line = {
  /** It carried messages before this one. */
  kept: boolean;
  converse(first: Sending, next: Next, tell: Tell): Promise<void>;
  alive(): boolean;
  /** Put aside until `wake`; after `idle` milliseconds `onIdle` is called. */
  rest(idle: number, onIdle: () => void): void;
  wake(): void;
  end(): void;
  /** Ends it at once, wherever it stands. */
  drop(): void;
};

/** A relay that let us not in: nothing was handed over. */
export type Refused = {
  outcome: Outcome;
  /** What the library or the system calls it, such as ECONNREFUSED or EAUTH. */
  reason?: string;
};

/**
 * Connects, says EHLO, secures the line as the relay demands it, and logs in: that is nodemailer's. Then the line is
 * ours, since nodemailer cannot tell what was handed over, and takes three times as long (docs/decisions/0019).
 */
export async function openLine(relay: Relay): Promise<Line | Refused> {
  const connection = new SMTPConnection({ ...relay.options, socket: new Socket() });
  const failed = (stage: Stage) => (error: unknown) => ({
    outcome: refusalOf(stage, error, relay.host),
    reason: (error as { originalCode?: string }).originalCode ?? codeOf(error),
  });
  connection.on('error', () => {}); // told to the callback that waits as well

  const connected = await settle(connection, (done) => connection.connect(done)).catch(failed('connect'));
  if (connected) return connected;
  const server = readServer(connection.lastServerResponse || '', relay.host);
  if (relay.auth) {
    const auth = relay.auth;
    const loggedIn = await settle(connection, (done) =>
      // not offered, perhaps because TLS failed and was optional: then a password must not leave us
      connection.allowsAuth
        ? connection.login(auth, done)
        : done(Object.assign(new Error(), { code: 'EAUTH' })),
    ).catch(failed('login'));
    if (loggedIn) {
      connection.close();
      return loggedIn;
    }
  }

  // under TLS another one than the first, which encrypts into it
  const socket = connection._socket as Socket;
  socket.removeAllListeners('data').removeAllListeners('timeout');
  const wire = openWire(socket, relay.timeouts.silence);
  let idleTimer: NodeJS.Timeout | undefined;
  return {
    kept: false,
    alive: wire.alive,
    rest(idle, onIdle) {
      idleTimer = setTimeout(onIdle, idle);
      idleTimer.unref();
    },
    wake: () => clearTimeout(idleTimer),
    end: wire.end,
    drop: wire.drop,
    converse: (first, next, tell) => converse(wire, server, first, next, tell),
  };
}

/** Waits for a command's callback, or for the connection's failure, whichever tells first. */
async function settle(
  connection: SMTPConnection,
  start: (done: (error?: Error | null) => void) => void,
): Promise<undefined> {
  let onError: ((error: Error) => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      onError = reject;
      connection.once('error', reject);
      start((error) => (error ? reject(error) : resolve()));
    });
  } finally {
    if (onError) connection.off('error', onError);
  }
}

function refusalOf(stage: Stage, error: unknown, host: string): Outcome {
  const { responseCode, response } = error as { responseCode?: number; response?: string };
  const kind = judge({ stage, reply: responseCode, handedOver: false });
  return { ...describe(kind, host, response), stage };
}
