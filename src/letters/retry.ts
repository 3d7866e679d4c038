/**
 * When a deferred letter is tried again. RFC 5321 section 4.5.4.1 asks for waits of at least 30 minutes after
 * the first hour, and for giving up after four to five days.
 */

const minute = 60;
const firstHour = [5 * minute, 10 * minute, 15 * minute, 30 * minute];
const later = 60 * minute;

/**
 * The next try is planned no later than this after the first one, in seconds. While a campaign is paused, a contact
 * suspended or the whole instance away, nothing is tried: then it is one try more, whenever that may be.
 */
export const patience = 5 * 24 * 60 * minute;

/**
 * How long to wait after the given number of tries, in seconds.
 *
 * @param tries how often the letter was tried, 1 or more
 * @param random from 0 to 1
 */
export function waitAfter(tries: number, random = Math.random()): number {
  return Math.round(stretch(firstHour[tries - 1] ?? later, random));
}

/**
 * Up to a tenth longer, at random: what was put off together does not all come back together, and nothing
 * comes too early.
 */
export function stretch(seconds: number, random: number): number {
  return seconds * (1 + random / 10);
}
