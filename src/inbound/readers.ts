import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../log.ts';
import type { InboundLimits } from './limits.ts';
import { type Asked, type Reading, unreadable } from './read-incoming.ts';
import type { Question } from './reading-process.ts';

/** Beside this file, and of its kind: in `dist` for the program, among the sources for tests. */
const program = fileURLToPath(new URL(`reading-process${extname(import.meta.url)}`, import.meta.url));

/** How long a process may take to come up, in milliseconds. */
const startingUp = 30_000;

/** A process, if it has come up, and the promise of how it ended. */
type Reader = { process: ChildProcess; isUp: Promise<boolean>; ended: Promise<string> };

/** Where one mail at a time is read. Its process is started for the first one, and again when it has ended. */
type Desk = { reader?: Reader };

export type Readers = ReturnType<typeof openReaders>;

/**
 * Processes that read mail: whoever writes to us keeps one of them busy for a while, or breaks it, and not the pages,
 * the sending, or the next mail. They have neither our settings nor our memory.
 */
export function openReaders(log: Logger, { processes, longest, memory }: InboundLimits['reading']) {
  const desks = Array.from({ length: processes }, (): Desk => ({}));
  const free = [...desks];
  const line: Array<(desk: Desk) => void> = [];
  let closed = false;

  /** Undefined when the process ended over it. */
  async function readAt(desk: Desk, question: Question): Promise<Reading | undefined> {
    desk.reader ??= startReader(desk, memory);
    const { process, isUp, ended } = desk.reader;
    const within = async <Result>(milliseconds: number, work: Promise<Result>) => {
      const timer = setTimeout(() => process.kill('SIGKILL'), milliseconds);
      return work.finally(() => clearTimeout(timer));
    };
    if (!(await within(startingUp, isUp))) {
      if (closed) return undefined;
      throw new Error(`a process that reads mail could not be started: ${await ended}`);
    }
    const answered = nextMessage<Reading>(process);
    process.send(question);
    const reading = await within(longest, Promise.race([answered, ended.then(() => undefined)]));
    if (!reading && !closed) log.warn({ reason: await ended }, 'a mail took too much to be read');
    return reading;
  }

  return {
    /**
     * Reads a mail once a process is free. One that a process cannot cope with cannot be read; it is not tried again.
     *
     * @returns undefined when all is closed meanwhile: then the mail must come again
     * @throws Error when there can be no process, which is no fault of the mail
     */
    async read(raw: Buffer, asked: Asked): Promise<Reading | undefined> {
      const desk = free.pop() ?? (await new Promise<Desk>((resolve) => line.push(resolve)));
      try {
        const reading = closed ? undefined : await readAt(desk, { raw, asked });
        if (reading) return reading;
        return closed ? undefined : unreadable(raw);
      } finally {
        const next = line.shift();
        if (next) next(desk);
        else free.push(desk);
      }
    },

    /** Ends the processes, whatever they are reading. */
    async close(): Promise<void> {
      closed = true;
      await Promise.all(
        desks.map(({ reader }) => {
          reader?.process.kill('SIGKILL');
          return reader?.ended;
        }),
      );
    },
  };
}

/** @param memory for V8's heap, in megabytes; buffers come on top */
function startReader(desk: Desk, memory: number): Reader {
  const child = fork(program, [], {
    execArgv: [`--max-old-space-size=${memory}`],
    serialization: 'advanced', // bytes arrive as bytes
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // what it says when it breaks may be the mail's
    env: { NODE_OPTIONS: process.env.NODE_OPTIONS },
  });
  const ended = new Promise<string>((resolve) => {
    const end = (how: string) => {
      desk.reader = undefined;
      resolve(how);
    };
    child.once('exit', (status, signal) => end(signal ?? `status ${status}`));
    child.once('error', (error) => end(error.name)); // it never ran, or its line broke, and then its end is told
  });
  const isUp = Promise.race([nextMessage(child).then(() => true), ended.then(() => false)]);
  return { process: child, isUp, ended };
}

function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve) => child.once('message', (message) => resolve(message as Message)));
}
