import { isPassing } from './database.ts';

/**
 * Does something with the database as often as it takes: for what was seen on the wire, and would be lost otherwise.
 * Waits longer each time, up to two seconds. The work must be harmless when it is done twice.
 *
 * @param onWait is told at the first failure that passes, and at every tenth after it
 */
export async function persist<Result>(
  work: () => Promise<Result>,
  onWait: (error: unknown) => void,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (tries % 10 === 1) onWait(error);
      await new Promise((resolve) => setTimeout(resolve, Math.min(2000, 100 * tries)));
    }
  }
}
