/**
 * Whether a relay lets us in. One that did not is left alone for a while, which doubles each time; after it one
 * attempt shows how things stand. Times are in milliseconds; these functions are pure.
 */
export type Health = {
  /** How many windows in a row ended with a relay that let nobody in. */
  readonly failures: number;
  /** Until when it is left alone. */
  readonly until: number;
};

export const well: Health = Object.freeze({ failures: 0, until: 0 });

const firstWindow = 1000;
const longestWindow = 10 * 60_000;

/**
 * What follows when nobody was let in. A quarter of the window is left to chance, so that workers do not all
 * come back at once.
 *
 * @param random from 0 to 1
 */
export function afterFailure({ failures }: Health, now: number, random: number): Health {
  const window = Math.min(longestWindow, firstWindow * 2 ** failures);
  return { failures: failures + 1, until: now + window * (1 - random / 4) };
}

/** @param opening how many attempts are under way */
export function mayConnect(health: Health, now: number, opening: number): boolean {
  return health.failures === 0 || (opening === 0 && now >= health.until);
}
