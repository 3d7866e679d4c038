import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExpectedError } from '../src/expected.ts';

/** Where letters end in a measurement: Postfix's own smtp-sink, which takes everything and writes it to a file. */
export type Sink = {
  pid: number;
  url: string;
  /** The Message-IDs of all messages it accepted, as often as it did. */
  messageIds(): Promise<string[]>;
  close(): Promise<void>;
};

export async function startSink(): Promise<Sink> {
  const program = [
    '/usr/sbin/smtp-sink',
    '/usr/lib/postfix/sbin/smtp-sink',
    '/usr/local/sbin/smtp-sink',
  ].find(isThere);
  if (!program)
    throw new ExpectedError(
      'The bench needs smtp-sink, which comes with Postfix (Debian: apt-get install postfix).',
    );
  // in memory where that is possible: the disk shall be the database's alone, as it is in earnest
  const folder = await mkdtemp(join(isThere('/dev/shm') ? '/dev/shm' : tmpdir(), 'outspoken-sink-'));
  await chmod(folder, 0o777); // smtp-sink gives up root
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child: ChildProcess = spawn(
    program,
    [...user, '-D', join(folder, 'mail'), `127.0.0.1:${port}`, '200'],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await answers(port);
  return {
    pid: child.pid as number,
    url: `smtp://127.0.0.1:${port}?tls=off`,
    async messageIds() {
      const mail = await readFile(join(folder, 'mail'), 'latin1').catch(() => '');
      return [...mail.matchAll(/^Message-ID: <([^>]+)>/gim)].map(([, id]) => id as string);
    },
    async close() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the sink did not come up');
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
