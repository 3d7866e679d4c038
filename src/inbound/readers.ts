import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { codeOf } from '../expected.ts';
import type { Logger } from '../log.ts';
import type { InboundLimits } from './limits.ts';
import { type Asked, type Reading, unreadable } from './read-incoming.ts';
import type { Question } from './reading-thread.ts';

/** Beside this file, and of its kind: in `dist` for the program, among the sources for tests. */
const program = new URL(`reading-thread${extname(import.meta.url)}`, import.meta.url);

/** A thread, if it has come up, and the promise of why it ended. */
type Thread = { worker: Worker; isUp: Promise<boolean>; ended: Promise<string> };

/** Where one mail at a time is read. Its thread is started for the first one, and again when it has ended. */
type Desk = { thread?: Thread };

export type Readers = ReturnType<typeof openReaders>;

/**
 * Threads that read mail: whoever writes to us keeps one of them busy for a while, and not the pages, the sending, or
 * the next mail for ever.
 */
export function openReaders(log: Logger, { threads, longest, memory }: InboundLimits['reading']) {
  const desks = Array.from({ length: threads }, (): Desk => ({}));
  const free = [...desks];
  const line: Array<(desk: Desk) => void> = [];
  let closed = false;

  /** Undefined when the thread ended over it. */
  async function readAt(desk: Desk, question: Question): Promise<Reading | undefined> {
    desk.thread ??= startThread(desk, memory);
    const { worker, isUp, ended } = desk.thread;
    if (!(await isUp)) {
      if (closed) return undefined;
      throw new Error(`a thread that reads mail could not be started: ${await ended}`);
    }
    const answered = nextMessage<Reading>(worker);
    const timer = setTimeout(() => void worker.terminate(), longest);
    worker.postMessage(question);
    const reading = await Promise.race([answered, ended.then(() => undefined)]);
    clearTimeout(timer);
    if (!reading && !closed) log.warn({ reason: await ended }, 'a mail took too much to be read');
    return reading;
  }

  return {
    /**
     * Reads a mail once a thread is free. One that a thread cannot cope with cannot be read; it is not tried again.
     *
     * @returns undefined when all is closed meanwhile: then the mail must come again
     * @throws Error when there can be no thread, which is no fault of the mail
     */
    async read(raw: Buffer, asked: Asked): Promise<Reading | undefined> {
      const desk = free.pop() ?? (await new Promise<Desk>((resolve) => line.push(resolve)));
      try {
        const reading = closed ? undefined : await readAt(desk, { raw, asked });
        if (reading) return withBuffers(reading);
        return closed ? undefined : unreadable(raw);
      } finally {
        const next = line.shift();
        if (next) next(desk);
        else free.push(desk);
      }
    },

    /** Ends the threads, whatever they are reading. */
    async close(): Promise<void> {
      closed = true;
      await Promise.all(desks.map(({ thread }) => thread?.worker.terminate()));
    },
  };
}

function startThread(desk: Desk, memory: number): Thread {
  const worker = new Worker(program, { resourceLimits: { maxOldGenerationSizeMb: memory } });
  let reason = 'it was ended';
  worker.on('error', (error) => {
    reason = codeOf(error) ?? 'an error'; // and not its words, which may be the mail's
  });
  const ended = new Promise<string>((resolve) => {
    worker.once('exit', () => {
      desk.thread = undefined;
      resolve(reason);
    });
  });
  const isUp = Promise.race([nextMessage(worker).then(() => true), ended.then(() => false)]);
  return { worker, isUp, ended };
}

function nextMessage<Message>(worker: Worker): Promise<Message> {
  return new Promise((resolve) => worker.once('message', resolve));
}

/** Between threads, Buffers become plain bytes. */
function withBuffers({ digest, written, ...reading }: Reading): Reading {
  const buffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    ...reading,
    digest: buffer(digest),
    written: written && {
      ...written,
      cargo: written.cargo.map((one) => ({ ...one, bytes: buffer(one.bytes) })),
    },
  };
}
