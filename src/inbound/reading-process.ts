import { type Asked, readIncoming } from './read-incoming.ts';

/** A mail on its way into the process that reads it. */
export type Question = { raw: Buffer; asked: Asked };

/** The program of a process that reads mail, one after the other. It says that it is there, and then answers. */
process.on('message', async ({ raw, asked }: Question) => {
  process.send?.(await readIncoming(raw, asked));
});
// whoever started it ends it; it ends by itself when the line to that one breaks
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.send?.('ready');
