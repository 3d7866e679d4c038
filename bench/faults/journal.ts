import { closeSync, openSync, readSync } from 'node:fs';

/** What the relay has written down, read as far as it has come. */
export type Journal = {
  /** Reads on. */
  read(): void;
  /** By Message-ID: what the relay answered, as often as it accepted the message. */
  entries: Map<string, string[]>;
  close(): void;
};

export function openJournal(file: string): Journal {
  const handle = openSync(file, 'r');
  const entries = new Map<string, string[]>();
  const buffer = Buffer.alloc(64 * 1024);
  let rest = '';
  return {
    entries,
    read() {
      for (;;) {
        const length = readSync(handle, buffer, 0, buffer.length, null);
        if (length === 0) return;
        const lines = (rest + buffer.toString('latin1', 0, length)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const [messageId = '', reply = ''] = line.split('\t');
          entries.set(messageId, [...(entries.get(messageId) ?? []), reply]);
        }
      }
    },
    close: () => closeSync(handle),
  };
}
