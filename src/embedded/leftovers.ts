import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { endOrphan, isAlive, type Patience } from './orphan.ts';

/** What a start or a restore has in the data folder only while it is under way, and the id of its process. */
const passing =
  /^(?:(?:postgres-new|restoring)-(\d+)(?:\.password)?|(?:app-key|postgres-password)\.part-(\d+))$/;

/**
 * Removes what starts and restores left in a data folder that were killed in the middle: a half-made database, or a
 * whole one with people in it. Nobody's is what a process made that is no more, and what has our own id before we have
 * made anything: in a container every start may have the same.
 */
export async function removeLeftovers(folder: string, patience: Patience): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, one, other] = passing.exec(name) ?? [];
    const pid = Number(one ?? other);
    if (!pid || (pid !== process.pid && isAlive(pid))) continue;
    const left = join(folder, name);
    try {
      // on a backup that is tried out runs a server, which goes on without the one that started it
      const password = await readFile(join(left, 'postgres-password'), 'utf8').catch(() => undefined);
      if (password !== undefined && !(await endOrphan(join(left, 'postgres'), password, patience))) continue;
      await rm(left, { recursive: true, force: true });
    } catch {
      // what cannot be removed, as root's cannot by another, or has a server on it still, is in nobody's way
    }
  }
}
