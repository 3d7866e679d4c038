import type { Condition } from '../../src/letters/condition.ts';
import { until } from './advocate.ts';

/** What /readyz says: the status code, and the parts that are not well with their reasons. */
export async function readiness({ url }: { url: string }): Promise<{ code: number } & Condition> {
  const response = await fetch(new URL('/readyz', url));
  return { code: response.status, ...((await response.json()) as Condition) };
}

/** Waits until /readyz says what is wanted, and returns it. */
export async function untilReadiness(
  instance: { url: string },
  wanted: (said: { code: number } & Condition) => boolean,
  patience = 60_000,
): Promise<{ code: number } & Condition> {
  let last: unknown;
  return until(
    async () => {
      const said = await readiness(instance);
      last = said;
      return wanted(said) && said;
    },
    'readiness',
    patience,
  ).catch(() => {
    throw new Error(`waited in vain; /readyz says ${JSON.stringify(last)}`);
  });
}
