import { stretch } from './retry.ts';

/** A pace is kept over this window: that much of an hour's letters may leave at once, in seconds. */
const burst = 60;

/**
 * How many letters a contact may get now (generic cell rate algorithm): as many as keep it no more than
 * `burst` seconds ahead of its pace, and one whenever it is not ahead at all.
 *
 * @param hourlyPace letters per hour; null: any number
 * @param ahead how far the contact is ahead of its pace, in seconds; negative: behind
 */
export function allowance(hourlyPace: number | null, ahead: number): number {
  if (hourlyPace === null) return Infinity;
  const interval = 3600 / hourlyPace;
  const tolerance = Math.max(burst, interval);
  return Math.max(0, Math.floor((tolerance - Math.max(ahead, 0)) / interval + 1e-9));
}

/**
 * How far one letter puts a contact ahead of its pace, in seconds. It is a little more than the pace asks for,
 * never less, so that contacts with the same pace do not get their letters at the same moments.
 *
 * @param random from 0 to 1
 */
export function spacing(hourlyPace: number | null, random = Math.random()): number {
  return hourlyPace === null ? 0 : stretch(3600 / hourlyPace, random);
}
