import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls, type SecureVersion, type TLSSocket } from 'node:tls';

/** A mail server that brings us mail, word by word. */
export type MailClient = {
  /** Says a line, and waits for the whole answer; its lines are joined by blanks. */
  say(line: string, encoding?: BufferEncoding): Promise<string>;
  /** What the server says by itself, e.g. its greeting. */
  hear(): Promise<string>;
  /** Goes on under TLS, after STARTTLS was said; `newest`: the newest version of it that this client knows. */
  secure(newest?: SecureVersion): Promise<TLSSocket>;
  end(): void;
};

export function connectTo(port: number): MailClient {
  let socket = connect(port, '127.0.0.1');
  let heard: string[] = [];
  let waiting: Array<(reply: string) => void> = [];
  let partial: string[] = [];
  let over = false;

  const listen = () => {
    socket.on('error', () => {});
    socket.on('close', () => {
      over = true;
      for (const tell of waiting.splice(0)) tell('');
    });
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // it passes on the socket's
    lines.on('line', (line) => {
      partial.push(line);
      if (/^\d{3}-/.test(line)) return;
      const reply = partial.join(' ');
      partial = [];
      const tell = waiting.shift();
      if (tell) tell(reply);
      else heard.push(reply);
    });
  };
  listen();
  const hear = () => {
    const reply = heard.shift();
    if (reply !== undefined || over) return Promise.resolve(reply ?? '');
    return new Promise<string>((resolve) => waiting.push(resolve));
  };
  return {
    hear,
    say(line, encoding = 'utf8') {
      socket.write(`${line}\r\n`, encoding);
      return hear();
    },
    async secure(newest = 'TLSv1.3') {
      const plain = socket;
      plain.removeAllListeners('data');
      const old = newest < 'TLSv1.2' ? { minVersion: newest, ciphers: 'DEFAULT@SECLEVEL=0' } : {};
      const tls = connectTls({ socket: plain, rejectUnauthorized: false, maxVersion: newest, ...old });
      await new Promise<void>((resolve, reject) => {
        tls.once('secureConnect', resolve);
        tls.once('error', reject);
      });
      socket = tls;
      heard = [];
      waiting = [];
      listen();
      return tls;
    },
    end: () => void socket.destroy(),
  };
}

type Bringing = { to: string | string[]; from?: string; raw: Buffer | string };

/** Brings one message, as a mail server would; the answers in order, the last one to the message itself. */
export async function bring(port: number, { to, from = '', raw }: Bringing): Promise<string[]> {
  const client = connectTo(port);
  const answers = [await client.hear(), await client.say('EHLO mx.brand.example')];
  answers.push(await client.say(`MAIL FROM:<${from}>`));
  for (const one of [to].flat()) answers.push(await client.say(`RCPT TO:<${one}>`));
  if (answers.some((answer) => answer.startsWith('250 2.1.5'))) {
    answers.push(await client.say('DATA'));
    const text = Buffer.from(raw).toString('latin1').replace(/\r?\n/g, '\r\n').replace(/^\./gm, '..');
    answers.push(await client.say(`${text}\r\n.`, 'latin1'));
  }
  client.end();
  return answers;
}
