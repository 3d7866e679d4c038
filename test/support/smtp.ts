import { createServer, type Socket } from 'node:net';
import { createSecureContext, type SecureVersion, TLSSocket } from 'node:tls';
import type { Certificate } from './tls.ts';

/**
 * Where a conversation stands when a script may interfere. `handshake`: the client begins TLS; `body`: the first
 * bytes of the message were read.
 */
export type Moment =
  | 'connect'
  | 'ehlo'
  | 'starttls'
  | 'handshake'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'body'
  | 'dot'
  | 'rset';

/** What happens instead of the ordinary answer. `cut`: FIN or RST; `hang`: nothing is read or said; `until`: later. */
export type Action =
  | { reply: string }
  | { reply: string; hangUp: true }
  | { cut: 'fin' | 'rst' }
  | { hang: true }
  | { wait: number }
  | { until: Promise<unknown> };

export type Caught = {
  from: string;
  to: string[];
  raw: Buffer;
  at: number;
  /** How its client greeted. */
  greeting: string;
  /** The MAIL and RCPT commands as they were said. */
  commands: string[];
};

export type TestSmtp = {
  url: string;
  port: number;
  /** Messages that were answered with 250, in order. */
  accepted: Caught[];
  /** Messages that were read up to the final dot, whatever was answered, in order. */
  handedOver: Caught[];
  /** Connections made so far. */
  connections: number;
  /** Connections at this moment, and the most that there were at one. */
  open: number;
  mostOpen: number;
  /** Changes the script; undefined: an ordinary server. */
  script(next: Script | undefined): void;
  close(): Promise<void>;
};

/** `count` counts how often this moment came before, over all connections. */
export type Script = (
  moment: Moment,
  details: { count: number; to: string[]; raw?: Buffer },
) => Action | undefined;

type Options = {
  script?: Script;
  pipelining?: boolean;
  extensions?: string[];
  port?: number;
  /** Offers STARTTLS with it. */
  certificate?: Certificate;
  /** TLS from the first byte on, as with smtps. */
  implicitTls?: boolean;
  /** Speaks this version of TLS and no other. */
  tlsVersion?: SecureVersion;
};

/** A real SMTP server on a loopback port (RFC 5321, one recipient or more), which a script can make misbehave. */
export async function startSmtp({
  script,
  pipelining = true,
  extensions = [],
  port = 0,
  certificate,
  implicitTls = false,
  tlsVersion,
}: Options = {}): Promise<TestSmtp> {
  let current = script;
  const accepted: Caught[] = [];
  const handedOver: Caught[] = [];
  const counts = new Map<Moment, number>();
  const sockets = new Set<Socket>();
  /** The TCP socket that carries a TLS one. */
  const beneath = new WeakMap<Socket, Socket>();
  const secureContext =
    certificate &&
    createSecureContext({
      ...certificate,
      // as old as the test wants it, which OpenSSL does only at level 0
      ...(tlsVersion
        ? { minVersion: tlsVersion, maxVersion: tlsVersion, ciphers: 'DEFAULT@SECLEVEL=0' }
        : {}),
    });

  function secure(socket: Socket): Socket {
    const secured = new TLSSocket(socket, { isServer: true, secureContext });
    secured.on('error', () => {});
    beneath.set(secured, socket);
    return secured;
  }

  const server = createServer({ noDelay: true }, (socket) => {
    state.connections += 1;
    state.open += 1;
    state.mostOpen = Math.max(state.mostOpen, state.open);
    sockets.add(socket);
    socket.on('close', () => {
      state.open -= 1;
      sockets.delete(socket);
    });
    socket.on('error', () => {});
    void converse(socket);
  });

  /** Answers, unless the script does; false: the conversation is over. */
  async function answer(
    socket: Socket,
    moment: Moment,
    reply: string,
    to: string[] = [],
    raw?: Buffer,
  ): Promise<'ours' | 'script' | 'over'> {
    const count = counts.get(moment) ?? 0;
    counts.set(moment, count + 1);
    const action = current?.(moment, { count, to, raw });
    if (action && 'cut' in action) {
      if (action.cut === 'fin') socket.end();
      else (beneath.get(socket) ?? socket).resetAndDestroy();
      return 'over';
    }
    if (action && 'hang' in action) {
      socket.pause();
      return 'over';
    }
    if (action && 'wait' in action) await new Promise((resolve) => setTimeout(resolve, action.wait));
    if (action && 'until' in action) await action.until;
    const said = action && 'reply' in action ? action.reply : reply;
    if (said) socket.write(`${said}\r\n`);
    if (action && 'hangUp' in action) {
      socket.end();
      return 'over';
    }
    return action && 'reply' in action ? 'script' : 'ours';
  }

  async function converse(connected: Socket): Promise<void> {
    let socket = implicitTls ? secure(connected) : connected;
    let secured = implicitTls;
    let reader = lines(socket);
    let from = '';
    let to: string[] = [];
    let greeting = '';
    let commands: string[] = [];
    if ((await answer(socket, 'connect', '220 mx.brand.example ESMTP')) === 'over') return;
    for (let line = await reader.line(); line !== undefined; line = await reader.line()) {
      const verb = line.slice(0, 4).toUpperCase();
      let done: 'ours' | 'script' | 'over' = 'ours';
      if (verb === 'EHLO' || verb === 'HELO') {
        greeting = line;
        const offers = [
          'mx.brand.example',
          ...(pipelining ? ['PIPELINING'] : []),
          ...(certificate && !secured ? ['STARTTLS'] : []),
          ...extensions,
          '8BITMIME',
        ];
        done = await answer(
          socket,
          'ehlo',
          offers.map((offer, n) => `250${n === offers.length - 1 ? ' ' : '-'}${offer}`).join('\r\n'),
        );
      } else if (verb === 'STAR' && certificate) {
        done = await answer(socket, 'starttls', '220 2.0.0 go ahead');
        if (done === 'ours') {
          reader.stop();
          done = await answer(socket, 'handshake', '');
          if (done === 'over') return;
          socket = secure(socket);
          secured = true;
          reader = lines(socket);
        }
      } else if (verb === 'AUTH') done = await answer(socket, 'auth', '235 2.7.0 welcome');
      else if (verb === 'MAIL') {
        from = /<(.*?)>/.exec(line)?.[1] ?? '';
        to = [];
        commands = [line];
        done = await answer(socket, 'mail', '250 2.1.0 ok');
        if (done === 'script') from = '';
      } else if (verb === 'RCPT') {
        const recipient = /<(.*?)>/.exec(line)?.[1] ?? '';
        done = await answer(socket, 'rcpt', from ? '250 2.1.5 ok' : '503 5.5.1 MAIL first', [recipient]);
        if (done === 'ours' && from) to.push(recipient);
        commands.push(line);
      } else if (verb === 'DATA') {
        done = await answer(socket, 'data', to.length > 0 ? '354 go on' : '503 5.5.1 RCPT first', to);
        if (done === 'ours' && to.length > 0) {
          const raw = await reader.message(async () => (await answer(socket, 'body', '', to)) !== 'over');
          if (!raw) return;
          handedOver.push({ from, to, raw, at: Date.now(), greeting, commands });
          done = await answer(socket, 'dot', `250 2.0.0 ok queued as Q${accepted.length + 1}`, to, raw);
          if (done === 'ours') accepted.push({ from, to, raw, at: Date.now(), greeting, commands });
        }
      } else if (verb === 'RSET') done = await answer(socket, 'rset', '250 2.0.0 ok');
      else if (verb === 'QUIT') {
        socket.end('221 2.0.0 bye\r\n');
        return;
      } else socket.write(verb === 'STAR' ? '502 5.5.1 no\r\n' : '250 2.0.0 ok\r\n');
      if (done === 'over') return;
    }
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  const state: TestSmtp = {
    url: certificate
      ? `${implicitTls ? 'smtps' : 'smtp'}://127.0.0.1:${address.port}?tls=optional`
      : `smtp://127.0.0.1:${address.port}?tls=off`,
    port: address.port,
    accepted,
    handedOver,
    connections: 0,
    open: 0,
    mostOpen: 0,
    script(next) {
      current = next;
      counts.clear();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return state;
}

/** Reads a socket line by line, and after DATA up to the final dot, taking out stuffed dots (RFC 5321 4.5.2). */
function lines(socket: Socket) {
  let buffer = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  const onData = (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    wake();
  };
  const onEnd = () => {
    ended = true;
    wake();
  };
  socket.on('data', onData).on('close', onEnd).on('end', onEnd);
  const more = () => new Promise<void>((resolve) => (wake = resolve));

  return {
    /** The next line; undefined when there is none any more. */
    async line(): Promise<string | undefined> {
      for (;;) {
        const end = buffer.indexOf('\r\n');
        if (end >= 0) {
          const line = buffer.subarray(0, end).toString('utf8');
          buffer = buffer.subarray(end + 2);
          return line;
        }
        if (ended) return undefined;
        await more();
      }
    },
    /** Leaves the socket to another reader. */
    stop() {
      socket.pause().off('data', onData).off('close', onEnd).off('end', onEnd);
    },
    async message(onFirstBytes: () => Promise<boolean>): Promise<Buffer | undefined> {
      while (buffer.length === 0 && !ended) await more();
      if (!(await onFirstBytes())) {
        socket.off('data', onData); // what still comes is read by nobody
        return undefined;
      }
      for (let seen = 0; ; ) {
        const end = buffer.indexOf('\r\n.\r\n', seen);
        if (end >= 0) {
          const raw = buffer.subarray(0, end + 2).toString('latin1');
          buffer = buffer.subarray(end + 5);
          return Buffer.from(raw.replace(/(^|\r\n)\.\./g, '$1.'), 'latin1');
        }
        if (ended) return undefined;
        seen = Math.max(0, buffer.length - 4);
        await more();
      }
    },
  };
}
