import { Socket } from 'node:net';
import { Readable, type Writable } from 'node:stream';
import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import { isLoopback } from '../config.ts';
import { codeOf } from '../expected.ts';
import { judge, type Outcome, type Stage } from './outcome.ts';

export type Envelope = { from: string; to: string };

/** Sends one message at a time per connection, and always answers with an outcome: it throws on surprise only. */
export type Mailer = {
  send(envelope: Envelope, bytes: Buffer): Promise<Outcome>;
  close(): Promise<void>;
};

export type MailerOptions = {
  /** smtp://[user:password@]host[:port][?tls=required|optional|off] or smtps://… */
  url: string;
  /** How many connections are open at most. */
  connections?: number;
  /** How long an unused connection is kept, in milliseconds. */
  idle?: number;
  /** How long a silent server is waited for, in milliseconds. */
  silence?: number;
};

/**
 * RFC 5321 section 4.5.3.2.6: a client waits ten minutes for the answer to the final dot, since giving up
 * early is how the same message arrives twice.
 */
const tenMinutes = 10 * 60_000;

/**
 * Keeps connections to one relay open and hands each message to a free one. A connection that the relay
 * closed while it was idle costs nobody a retry: the message goes out on a fresh one at once.
 */
export function createMailer({ url, connections = 5, idle = 30_000, silence = tenMinutes }: MailerOptions): Mailer {
  const relay = readRelay(url, silence);
  const free: Line[] = [];
  const queue: Array<() => void> = [];
  let open = 0;
  let closed = false;

  async function take(): Promise<Line | undefined> {
    while (open >= connections && free.length === 0) {
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    const line = free.pop();
    if (line) return line;
    open += 1;
    return undefined;
  }

  function giveBack(line: Line | undefined): void {
    if (line?.alive() && !closed) {
      line.rest(idle, () => drop(line));
      free.push(line);
    } else {
      line?.end();
      open -= 1;
    }
    queue.shift()?.();
  }

  function drop(line: Line): void {
    const at = free.indexOf(line);
    if (at === -1) return;
    free.splice(at, 1);
    open -= 1;
    line.end();
    queue.shift()?.();
  }

  async function attempt(envelope: Envelope, bytes: Buffer, mayRepeat: boolean): Promise<Outcome> {
    let line = await take();
    const used = line !== undefined;
    try {
      line?.wake();
      if (!line) {
        const opened = await openLine(relay);
        if ('failure' in opened) return opened.failure;
        line = opened.line;
      }
      const { outcome, silent } = await line.send(envelope, bytes);
      // a kept connection that ended without a word before it had the message was merely stale
      if (!(used && mayRepeat && silent && outcome.kind === 'try again')) return outcome;
    } finally {
      giveBack(line);
    }
    return attempt(envelope, bytes, free.length > 0);
  }

  return {
    send: (envelope, bytes) => attempt(envelope, bytes, true),
    async close() {
      closed = true;
      for (const line of free.splice(0)) {
        open -= 1;
        line.end();
      }
    },
  };
}

type Relay = { options: SMTPConnectionOptions; host: string; auth?: { user: string; pass: string } };

function readRelay(url: string, silence: number): Relay {
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

/** One kept connection. */
type Line = {
  send(envelope: Envelope, bytes: Buffer): Promise<{ outcome: Outcome; silent: boolean }>;
  alive(): boolean;
  rest(idle: number, onIdle: () => void): void;
  wake(): void;
  end(): void;
};

async function openLine(relay: Relay): Promise<{ line: Line } | { failure: Outcome }> {
  const socket = new Socket(); // ours, so that it can be asked whether everything was written
  const connection = new SMTPConnection({ ...relay.options, socket });
  const failed = (stage: Stage) => (error: unknown) => ({
    failure: outcomeOf({ stage, error, handedOver: false, host: relay.host }),
  });
  connection.on('error', () => {}); // told to the callback that waits as well

  const connected = await settle(connection, (done) => connection.connect(done)).catch(failed('connect'));
  if (connected) return connected;
  const host = greetedAs(connection.lastServerResponse) ?? relay.host;
  if (relay.auth) {
    const auth = relay.auth;
    const loggedIn = await settle(connection, (done) => connection.login(auth, done)).catch(failed('login'));
    if (loggedIn) {
      connection.close();
      return loggedIn;
    }
  }

  let idleTimer: NodeJS.Timeout | undefined;
  return {
    line: {
      alive: () => !connection.destroyed,
      rest(idle, onIdle) {
        idleTimer = setTimeout(onIdle, idle);
        idleTimer.unref();
      },
      wake: () => clearTimeout(idleTimer),
      end: () => connection.quit(),
      send: (envelope, bytes) => sendOn(connection, socket, host, envelope, bytes),
    },
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

async function sendOn(connection: SMTPConnection, socket: Socket, host: string, envelope: Envelope, bytes: Buffer) {
  const message = new Outgoing(bytes, socket);
  try {
    const response = await new Promise<string>((resolve, reject) => {
      connection.send({ from: envelope.from, to: [envelope.to], size: bytes.length }, message, (error, info) =>
        error ? reject(error) : resolve(info.response),
      );
    });
    const reply = Number.parseInt(response, 10);
    return { outcome: describe(judge({ stage: 'message', reply, handedOver: true }), host, response), silent: false };
  } catch (error) {
    // Node counts what it could not yet give to the kernel: with bytes left over, the server lacks the end
    const handedOver = message.written && socket.writableLength === 0;
    const stage = stageOf(error, message.started);
    const outcome = outcomeOf({ stage, error, handedOver, host });
    if (!connection.destroyed && outcome.code !== undefined) await reset(connection);
    else connection.close();
    return { outcome, silent: outcome.code === undefined };
  }
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
  readonly #socket: Socket;

  constructor(bytes: Buffer, socket: Socket) {
    super();
    this.#bytes = bytes;
    this.#socket = socket;
  }

  override _read(): void {
    this.push(this.#bytes);
    this.push(null);
  }

  /** nodemailer pipes a message into its dot-stuffing stream once DATA was answered with 354. */
  override pipe<Target extends NodeJS.WritableStream>(target: Target): Target {
    this.started = true;
    const together = this.#bytes.length < onePiece; // text and final dot in one write: the server wakes up once
    if (together) this.#socket.cork();
    (target as unknown as Writable).once('end', () => {
      this.written = true;
      if (together) this.#socket.uncork();
    });
    target.end(this.#bytes);
    return target;
  }
}

type Failure = { stage: Stage; error: unknown; handedOver: boolean; host: string };

function outcomeOf({ stage, error, handedOver, host }: Failure): Outcome {
  const { responseCode, response } = error as { responseCode?: number; response?: string };
  const unsendable = responseCode === undefined && ['EENVELOPE', 'EMESSAGE'].includes(codeOf(error) ?? '');
  return describe(judge({ stage, reply: responseCode, handedOver, unsendable }), host, response);
}

function describe(kind: Outcome['kind'], host: string, response: string | undefined): Outcome {
  const words = response?.replace(/\s+/g, ' ').trim().slice(0, 500);
  const code = words ? Number.parseInt(words, 10) : Number.NaN;
  return { kind, host, ...(words ? { response: words } : {}), ...(code >= 100 && code <= 599 ? { code } : {}) };
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
