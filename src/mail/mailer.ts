import { type Envelope, type Line, openLine } from './line.ts';
import type { Outcome } from './outcome.ts';
import { type Guard, stoppedByGuard } from './recipients.ts';
import { readRelay } from './relay.ts';

/** Sends one message at a time per connection, and always answers with an outcome: it throws on surprise only. */
export type Mailer = {
  send(envelope: Envelope, bytes: Buffer): Promise<Outcome>;
  close(): Promise<void>;
};

export type MailerOptions = {
  /** smtp://[user:password@]host[:port][?tls=required|optional|off] or smtps://… */
  url: string;
  /** Whom it may write to. */
  guard?: Guard;
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
export function createMailer({
  url,
  guard = () => true,
  connections = 5,
  idle = 30_000,
  silence = tenMinutes,
}: MailerOptions): Mailer {
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
    async send(envelope, bytes) {
      return guard(envelope.to) ? attempt(envelope, bytes, true) : stoppedByGuard;
    },
    async close() {
      closed = true;
      for (const line of free.splice(0)) {
        open -= 1;
        line.end();
      }
    },
  };
}
