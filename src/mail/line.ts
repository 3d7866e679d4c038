import { Socket } from 'node:net';
import { Readable, type Writable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { codeOf } from '../expected.ts';
import { judge, type Outcome, type Stage } from './outcome.ts';
import type { Relay } from './relay.ts';

export type Envelope = {
  from: string;
  to: string;
  /** Asks for reports of what becomes of the message, which name this id. */
  id?: string;
};

/** One connection to a relay that let us in. */
export type Line = {
  /** It carried messages before this one. */
  kept: boolean;
  /** `lost`: the connection broke without a word about this message. */
  send(envelope: Envelope, bytes: Buffer): Promise<{ outcome: Outcome; lost: boolean }>;
  alive(): boolean;
  /** Put aside until `wake`; after `idle` milliseconds `onIdle` is called. */
  rest(idle: number, onIdle: () => void): void;
  wake(): void;
  end(): void;
};

/** A relay that let us not in: nothing was handed over. */
export type Refused = {
  outcome: Outcome;
  /** What the library or the system calls it, such as ECONNREFUSED or EAUTH. */
  reason?: string;
};

/** Connects, says EHLO, secures the line as the relay demands it, and logs in. */
export async function openLine(relay: Relay): Promise<Line | Refused> {
  const socket = new Socket(); // ours, so that it can be asked whether everything was written
  const connection = new SMTPConnection({ ...relay.options, socket });
  const failed = (stage: Stage) => (error: unknown) => ({
    outcome: outcomeOf({ stage, error, handedOver: false, host: relay.host }),
    reason: (error as { originalCode?: string }).originalCode ?? codeOf(error),
  });
  connection.on('error', () => {}); // told to the callback that waits as well

  const connected = await settle(connection, (done) => connection.connect(done)).catch(failed('connect'));
  if (connected) return connected;
  const host = greetedAs(connection.lastServerResponse) ?? relay.host;
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

  // under TLS another one than ours, which encrypts into it
  const wire = connection._socket || socket;
  wire.setTimeout(relay.timeouts.silence);
  let idleTimer: NodeJS.Timeout | undefined;
  return {
    kept: false,
    alive: () => !connection.destroyed,
    rest(idle, onIdle) {
      idleTimer = setTimeout(onIdle, idle);
      idleTimer.unref();
    },
    wake: () => clearTimeout(idleTimer),
    end: () => connection.quit(),
    send: (envelope, bytes) => sendOn(connection, wire, host, envelope, bytes),
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

async function sendOn(
  connection: SMTPConnection,
  wire: Socket,
  host: string,
  envelope: Envelope,
  bytes: Buffer,
) {
  const message = new Outgoing(bytes, wire);
  try {
    const response = await new Promise<string>((resolve, reject) => {
      connection.send(
        { from: envelope.from, to: [envelope.to], size: bytes.length, dsn: reportsOn(envelope) },
        message,
        (error, info) => (error ? reject(error) : resolve(info.response)),
      );
    });
    const reply = Number.parseInt(response, 10);
    return {
      outcome: describe(judge({ stage: 'message', reply, handedOver: true }), host, response),
      lost: false,
    };
  } catch (error) {
    // Node counts what it could not yet give to the kernel: with bytes left over, the server lacks the end.
    const handedOver = message.written && wire.writableLength === 0;
    const stage = stageOf(error, message.started);
    const outcome = outcomeOf({ stage, error, handedOver, host });
    // a server that answers in mid-body still waits for the rest of it, and would take RSET for text
    const between = !message.started || handedOver;
    if (!connection.destroyed && outcome.code !== undefined && between) await reset(connection);
    else connection.close();
    return { outcome, lost: outcome.code === undefined && codeOf(error) !== 'ETIMEDOUT' };
  }
}

/**
 * What is asked of a server that offers DSN (RFC 3461): reports of delivery, failure and delay, which carry the
 * header of the message and not its text. A server that offers none is asked nothing.
 */
function reportsOn({ id, to }: Envelope) {
  return id === undefined
    ? undefined
    : { id, return: 'HDRS', notify: ['SUCCESS', 'FAILURE', 'DELAY'], recipient: `rfc822;${to}` };
}

/** After a refusal the session is clean again only after RSET (RFC 5321 section 4.1.1.5). */
async function reset(connection: SMTPConnection): Promise<void> {
  await settle(connection, (done) => connection.reset(done)).catch(() => connection.close());
}

/** Below this a message fits a socket's write buffer, so it may leave in one piece; in bytes. */
const onePiece = 8192;

/** The bytes of one message, which knows when the server asked for them and when the last was passed on. */
class Outgoing extends Readable {
  started = false;
  written = false;
  readonly #bytes: Buffer;
  readonly #wire: Socket;

  constructor(bytes: Buffer, wire: Socket) {
    super();
    this.#bytes = bytes;
    this.#wire = wire;
  }

  override _read(): void {
    this.push(this.#bytes);
    this.push(null);
  }

  /** nodemailer pipes a message into its dot-stuffing stream once DATA was answered with 354. */
  override pipe<Target extends NodeJS.WritableStream>(target: Target): Target {
    this.started = true;
    const together = this.#bytes.length < onePiece; // text and final dot in one write: the server wakes up once
    if (together) this.#wire.cork();
    (target as unknown as Writable).once('end', () => {
      this.written = true;
      if (together) this.#wire.uncork();
    });
    target.end(this.#bytes);
    return target;
  }
}

type Failure = { stage: Stage; error: unknown; handedOver: boolean; host: string };

function outcomeOf({ stage, error, handedOver, host }: Failure): Outcome {
  const { responseCode, response } = error as { responseCode?: number; response?: string };
  const unsendable = responseCode === undefined && ['EENVELOPE', 'EMESSAGE'].includes(codeOf(error) ?? '');
  return {
    ...describe(judge({ stage, reply: responseCode, handedOver, unsendable }), host, response),
    stage,
  };
}

function describe(kind: Outcome['kind'], host: string, response: string | undefined): Outcome {
  const words = response?.replace(/\s+/g, ' ').trim().slice(0, 500);
  const code = words ? Number.parseInt(words, 10) : Number.NaN;
  return {
    kind,
    host,
    ...(words ? { response: words } : {}),
    ...(code >= 100 && code <= 599 ? { code } : {}),
  };
}

function stageOf(error: unknown, started: boolean): Stage {
  if (started) return 'message';
  const command = String((error as { command?: unknown }).command ?? '');
  if (command.startsWith('MAIL')) return 'mail';
  if (command.startsWith('RCPT')) return 'rcpt';
  return 'data';
}

/** The domain in the reply to EHLO (RFC 5321 section 4.1.1.1). */
function greetedAs(response: string | false): string | undefined {
  return /^250[ -]([A-Za-z0-9.[\]:-]{1,200})/.exec(response || '')?.[1];
}
