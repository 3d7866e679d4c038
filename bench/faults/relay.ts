import { openSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { delayAt, type Mischief, type Moment, mischiefAt, nameOf } from './mischief.ts';

/**
 * The mail server of the fault run, a process of its own that nobody kills. What it accepts it writes to its
 * journal before it says so; now and then it misbehaves, as the seed decides. `argv`: seed, file of the journal.
 * stdout: its port, and at the end (SIGTERM) what it did, as JSON.
 */
const [seed = '0', journalFile = ''] = process.argv.slice(2);
const journal = openSync(journalFile, 'a', 0o600);
const host = 'relay.example';

let connections = 0;
let queued = 0;
const attempts = new Map<string, number>();
const done: Record<string, number> = {};

const server = createServer({ noDelay: true }, (socket) => {
  connections += 1;
  socket.on('error', () => {});
  void converse(socket, `connection ${connections}`).catch(() => socket.destroy());
});

async function converse(socket: Socket, name: string): Promise<void> {
  const lines = readLines(socket);
  const say = (reply: string) => socket.write(`${reply}\r\n`);
  /** Misbehaves if it is time to. `refused`: something else was said than usual; `over`: the connection is gone. */
  const misbehave = (moment: Moment, about: string): 'no' | 'refused' | 'over' => {
    const mischief = mischiefAt(Number(seed), moment, about);
    if (!mischief) return 'no';
    const name = nameOf(moment, mischief);
    done[name] = (done[name] ?? 0) + 1;
    return carryOut(socket, mischief);
  };

  if (misbehave('connect', name) !== 'no') return;
  say(`220 ${host} ESMTP`);
  let letter = '';
  let refused = true;
  let what: ReturnType<typeof misbehave>;
  for await (const line of lines) {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') {
      what = misbehave('ehlo', name);
      if (what === 'over') return;
      if (what === 'no') say(`250-${host}\r\n250-PIPELINING\r\n250 8BITMIME`);
    } else if (verb === 'MAIL') {
      letter = nextAttempt(/<b\.([0-9a-f]+)\./.exec(line)?.[1] ?? `not a letter ${name}`);
      what = misbehave('mail', letter);
      if (what === 'over') return;
      refused = what === 'refused';
      if (!refused) say('250 2.1.0 ok');
    } else if (verb === 'RCPT') {
      what = refused ? 'no' : misbehave('rcpt', letter);
      if (what === 'over') return;
      if (refused) say('503 5.5.1 MAIL first');
      else if (what === 'no') say('250 2.1.5 ok');
      refused ||= what === 'refused';
    } else if (verb === 'DATA') {
      what = refused ? 'no' : misbehave('data', letter);
      if (what === 'over') return;
      if (refused) say('503 5.5.1 RCPT first');
      refused ||= what === 'refused';
      if (refused) continue;
      say('354 go on');
      const messageId = await readMessage(lines, () => misbehave('body', letter) !== 'over');
      if (messageId === undefined) return;
      await new Promise((resolve) => setTimeout(resolve, delayAt(Number(seed), letter)));
      what = misbehave('dot', letter);
      if (what === 'over') return;
      if (what === 'refused') continue;
      queued += 1;
      const reply = `250 2.0.0 Ok: queued as ${queued.toString(36).toUpperCase().padStart(6, '0')}`;
      writeSync(journal, `${messageId}\t${reply}\n`);
      if (misbehave('kept', letter) === 'over') return;
      say(reply);
    } else if (verb === 'QUIT') {
      socket.end('221 2.0.0 bye\r\n');
      return;
    } else say('250 2.0.0 ok'); // RSET, NOOP
  }
}

function carryOut(socket: Socket, what: Mischief): 'refused' | 'over' {
  if ('cut' in what && what.cut === 'RST') {
    socket.resetAndDestroy();
    return 'over';
  }
  if ('reply' in what) socket.write(`${what.reply}\r\n`);
  if ('reply' in what && !what.hangUp) return 'refused';
  socket.end();
  setTimeout(() => socket.destroy(), 1000).unref();
  return 'over';
}

function nextAttempt(letter: string): string {
  const attempt = (attempts.get(letter) ?? 0) + 1;
  attempts.set(letter, attempt);
  return `${letter} ${attempt}`;
}

async function* readLines(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  socket.setEncoding('latin1');
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    const lines = (rest + chunk).split('\r\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** Reads up to the final dot; undefined: the connection ended before it, or `goOn` ended it after the first line. */
async function readMessage(lines: AsyncGenerator<string>, goOn: () => boolean): Promise<string | undefined> {
  let messageId = '';
  for (let n = 0; ; n += 1) {
    const { value: line, done: ended } = await lines.next();
    if (ended || (n === 0 && !goOn())) return undefined;
    if (line === '.') return messageId;
    messageId ||= /^Message-ID: <([^>]+)>/i.exec(line)?.[1] ?? '';
  }
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${address !== null && typeof address !== 'string' ? address.port : ''}\n`);
});

process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify(done)}\n`, () => process.exit(0));
});
