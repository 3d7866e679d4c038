import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExpectedError } from '../src/expected.ts';
import { freePort } from './free-port.ts';

/** Where letters end in a measurement: Postfix's own smtp-sink, which takes everything and writes each into a file. */
export type Sink = {
  pid: number;
  url: string;
  /** The Message-IDs of all messages it accepted, as often as it did. */
  messageIds(): Promise<string[]>;
  close(): Promise<void>;
};

/** Room for one message, in bytes: a letter of the bench takes less than a page. */
const perMessage = 4096;

/** @param messages how many will come */
export async function startSink(messages: number): Promise<Sink> {
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
  const memory = '/dev/shm';
  const parent = (await hasRoom(memory, messages * perMessage)) ? memory : tmpdir();
  const folder = await mkdtemp(join(parent, 'outspoken-sink-'));
  await chmod(folder, 0o777); // smtp-sink gives up root
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child: ChildProcess = spawn(
    program,
    // one file per message costs it less than one for all, and so does a time zone that it need not look up each time
    [...user, '-d', join(folder, 'mail'), `127.0.0.1:${port}`, '200'],
    { stdio: 'ignore', env: { ...process.env, TZ: 'UTC' } },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await answers(port);
  return {
    pid: child.pid as number,
    url: `smtp://127.0.0.1:${port}?tls=off`,
    async messageIds() {
      const ids: string[] = [];
      for (const file of await readdir(folder)) {
        const mail = await readFile(join(folder, file), 'latin1');
        for (const [, id] of mail.matchAll(/^Message-ID: <([^>]+)>/gim)) ids.push(id as string);
      }
      return ids;
    },
    async close() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function hasRoom(folder: string, bytes: number): Promise<boolean> {
  const disk = await statfs(folder).catch(() => undefined);
  return disk !== undefined && disk.bavail * disk.bsize > bytes;
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
