import { parentPort } from 'node:worker_threads';
import { type Asked, readIncoming } from './read-incoming.ts';

/** A mail on its way into a thread, where a Buffer arrives as plain bytes. */
export type Question = { raw: Uint8Array; asked: Asked };

/** The program of a thread that reads mail, one after the other. It says that it is there, and then answers. */
parentPort?.on('message', async ({ raw, asked }: Question) => {
  parentPort?.postMessage(await readIncoming(Buffer.from(raw.buffer, raw.byteOffset, raw.length), asked));
});
parentPort?.postMessage('ready');
