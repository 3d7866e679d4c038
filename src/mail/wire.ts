import type { Socket } from 'node:net';

/** One reply of a server (RFC 5321 section 4.2): its words as they came, several lines with their breaks. */
export type Reply = {
  /** Undefined: what came is no reply code. */
  code: number | undefined;
  text: string;
};

/** Why there is no reply: the connection is gone, or nothing came for too long. */
export class WireBroken extends Error {
  override name = 'WireBroken';
  readonly silent: boolean;

  constructor(silent: boolean) {
    super(silent ? 'the server said nothing for too long' : 'the connection is gone');
    this.silent = silent;
  }
}

/** A connection on which we were let in: what we say, and the replies in their order. */
export type Wire = {
  /** Each character is a byte; `allIsOut` tells whether the kernel has the whole of it. */
  say(text: string): { allIsOut(): boolean };
  /**
   * The next reply. @throws WireBroken
   *
   * @param within ends the connection if it takes longer, in milliseconds
   */
  reply(within?: number): Promise<Reply>;
  /** Nothing is to come: whatever the server says from here on ends the connection. */
  expectNothing(): void;
  alive(): boolean;
  /** It stands, and no reply is there for which nobody has waited. */
  isQuiet(): boolean;
  /** Ends the connection politely, and for certain within seconds. */
  end(): void;
  /** Ends it at once: nothing that could be said would be understood. */
  drop(): void;
};

/** A server whose reply does not end gets no more memory than this, in characters. */
const longestReply = 64 * 1024;

/** How long a server has for its goodbye, in milliseconds. */
const farewell = 2000;

/**
 * @param socket connected, and secured where it is to be; nobody else reads from it any more
 * @param silence how long the server may say and take nothing, in milliseconds
 */
export function openWire(socket: Socket, silence: number): Wire {
  const replies: Reply[] = [];
  let waiting: { resolve(reply: Reply): void; reject(error: WireBroken): void } | undefined;
  let expecting = false;
  let broken: WireBroken | undefined;
  let rest = '';
  let lines = '';

  socket.setTimeout(silence);
  socket.on('timeout', () => breakOff(true));
  socket.on('data', read);
  socket.on('end', () => {
    if (/^[45]\d\d[ -]/.test(rest)) take(rest); // last words of a server that had no time for a line's end
    breakOff(false);
  });
  socket.on('error', () => breakOff(false));
  socket.on('close', () => breakOff(false));

  /** Bytes as characters until a line is whole: a character of UTF-8 may come in two pieces. */
  function read(chunk: Buffer): void {
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.charCodeAt(end - 1) === 0x0d ? rest.slice(0, end - 1) : rest.slice(0, end);
      rest = rest.slice(end + 1);
      if (/^\d{3}-/.test(line)) lines += `${line}\n`;
      else if (line.trim() !== '' || lines !== '') {
        take(lines + line);
        lines = '';
      }
    }
    if (rest.length + lines.length > longestReply) breakOff(false);
  }

  function take(text: string): void {
    const code = /^\d{3}(?!\d)/.exec(text)?.[0];
    const reply = { code: code === undefined ? undefined : Number(code), text: decode(text) };
    if (!expecting)
      breakOff(false); // 421 to an idle connection, or a server that lost count
    else if (waiting) {
      const { resolve } = waiting;
      waiting = undefined;
      resolve(reply);
    } else replies.push(reply);
  }

  function breakOff(silent: boolean): void {
    if (broken) return;
    broken = new WireBroken(silent);
    socket.destroy();
    waiting?.reject(broken);
    waiting = undefined;
  }

  return {
    say(text) {
      expecting = true;
      let written = false;
      // called when the kernel has the last byte; as long as it has not, the server lacks the end
      socket.write(text, 'latin1', (error) => {
        written = !error;
      });
      return { allIsOut: () => written };
    },
    reply(within) {
      const next = replies.shift();
      if (next) return Promise.resolve(next);
      if (broken) return Promise.reject(broken);
      const reply = new Promise<Reply>((resolve, reject) => {
        waiting = { resolve, reject };
      });
      if (within === undefined) return reply;
      const timer = setTimeout(() => breakOff(true), within);
      return reply.finally(() => clearTimeout(timer));
    },
    expectNothing() {
      expecting = false;
      if (replies.length > 0) breakOff(false);
    },
    alive: () => broken === undefined,
    isQuiet: () => broken === undefined && replies.length === 0,
    end() {
      if (broken) return;
      expecting = true;
      socket.end('QUIT\r\n');
      setTimeout(() => breakOff(false), farewell).unref();
    },
    drop: () => breakOff(false),
  };
}

/** UTF-8, as most servers write (RFC 6531 section 3.7.4.2), else each byte as a character. */
function decode(text: string): string {
  if (!/[\x80-\xff]/.test(text)) return text;
  const decoded = Buffer.from(text, 'latin1').toString('utf8');
  return decoded.includes('\ufffd') ? text : decoded;
}
