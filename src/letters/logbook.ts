import { closeSync, constants, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { codeOf, ExpectedError } from '../expected.ts';
import type { LetterId } from './letter.ts';
import type { Sent } from './record-sent.ts';

/**
 * What a worker writes down about one bundle, in a file, from before it takes it: which of its letters have left, and what
 * came of them. A claim in the database can carry two hundred letters; which ten of them are with a mail server is known here,
 * and outlives the worker's end, however sudden: what a process has written is the kernel's (write(2)). It does not outlive
 * the machine's end, so what is missing in a logbook of another boot means nothing.
 */
export type Logbook = {
  /**
   * To be said before a letter leaves.
   *
   * @returns false: it must not leave, since that could not be written down, or the bundle was taken from this worker
   */
  leaves(id: LetterId): boolean;
  /** What became of one that left. */
  landed(sent: Sent): void;
  /** To be said once the bundle has come to its end. If it has not, whoever looks after it needs what was written. */
  close(isOver: boolean): void;
};

/** What the logbook of somebody who is gone says. */
export type Found = {
  /** Those that left, or were about to; undefined: others may have, too. */
  left: ReadonlySet<LetterId> | undefined;
  /** What came of some of them. */
  landed: Sent[];
};

type Begun = {
  /** What tells this boot of the machine from every other one; undefined: nothing does. */
  boot: string | undefined;
  /** Is called once if it cannot be written any more. */
  onTrouble: () => void;
  /** How to write down what came of letters, of all logbooks of this process that have not yet. */
  unwritten: Set<() => void>;
};

/**
 * To be called before the bundle is taken.
 *
 * @throws ExpectedError when there is no room for it, and what the system says when it cannot be made
 */
export function beginLogbook(path: string, begun: Begun): Logbook {
  const remove = () => rmSync(path, { force: true });
  const file = openSync(path, 'ax', 0o600);
  try {
    const line = `boot ${begun.boot ?? ''}\n`;
    if (writeSync(file, line) < line.length) throw new ExpectedError(`There is no room for ${path}.`);
    return goOnWith(file, { ...begun, remove, size: line.length });
  } catch (error) {
    closeSync(file);
    remove();
    throw error;
  }
}

function goOnWith(
  file: number,
  { onTrouble, unwritten, remove, size: begun }: Begun & { remove: () => void; size: number },
): Logbook {
  let size = begun;
  let isOurs = true;
  let lines = '';
  function put(line: string): void {
    const bytes = Buffer.from(lines + line);
    lines = '';
    unwritten.delete(flush);
    try {
      size += bytes.length;
      if (writeSync(file, bytes) === bytes.length) return;
    } catch {
      // told below
    }
    if (isOurs) onTrouble();
    isOurs = false;
  }
  const flush = () => {
    if (lines) put('');
  };
  return {
    leaves(id) {
      // what came back before this one leaves is known before it, in whatever bundle it was
      for (const write of unwritten) if (write !== flush) write();
      if (!isOurs) return false;
      put(`out ${id}\n`);
      // Whoever takes the bundle over writes first and reads then. If they have not written yet, they will read this.
      if (isOurs) {
        const found = fstatSync(file);
        isOurs = found.size === size && found.nlink > 0;
      }
      return isOurs;
    },
    landed(sent) {
      lines += `in ${JSON.stringify(sent)}\n`;
      if (unwritten.has(flush)) return;
      unwritten.add(flush);
      setImmediate(flush); // unless another one leaves before
    },
    close(isOver) {
      if (!isOver) flush();
      lines = '';
      unwritten.delete(flush);
      closeSync(file);
      if (isOver) remove();
    },
  };
}

/**
 * Writes into a logbook that it was taken over, and only then reads it.
 *
 * @returns undefined: it is not there
 */
export function endLogbook(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDWR | constants.O_APPEND);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    writeSync(file, 'taken\n');
    const bytes = Buffer.alloc(fstatSync(file).size);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

/** A line that was cut off says nothing: what it was about had not happened yet. */
export function readLogbook(text: string, boot: string | undefined): Found {
  const lines = text.split('\n').slice(0, -1);
  const all = (pattern: RegExp) => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return {
    left: boot !== undefined && lines[0] === `boot ${boot}` ? new Set(all(/^out (\d+)$/)) : undefined,
    landed: all(/^in (\{.*\})$/).flatMap(readSent),
  };
}

function readSent(json: string): Sent[] {
  try {
    return [JSON.parse(json)];
  } catch {
    return [];
  }
}
