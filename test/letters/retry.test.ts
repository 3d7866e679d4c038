import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { patience, stretch, waitAfter } from '../../src/letters/retry.ts';

const hour = 3600;
const day = 24 * hour;

/** When a letter that every server puts off is tried, and when it is given up; seconds since the first try. */
function play(random: () => number): { tries: number[]; abandonedAt: number } {
  const tries = [0];
  for (;;) {
    const due = (tries.at(-1) as number) + waitAfter(tries.length, random());
    if (due >= patience) return { tries, abandonedAt: due };
    tries.push(due);
  }
}

/** Any course of the dice: the given rolls, over and over. */
const dice = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 })
  .map((rolls) => {
    let n = 0;
    return () => rolls[n++ % rolls.length] as number;
  });

describe('a letter that is always put off', () => {
  it('is tried a few times in the first hour', () => {
    fc.assert(
      fc.property(dice, (random) => {
        const { tries } = play(random);
        const early = tries.filter((at) => at < hour).length;
        expect(early).toBeGreaterThanOrEqual(3);
        expect(early).toBeLessThanOrEqual(5);
      }),
    );
  });

  it('is then left alone for half an hour or more between two tries', () => {
    fc.assert(
      fc.property(dice, (random) => {
        const { tries } = play(random);
        const gaps = tries.slice(1).map((at, n) => ({ at, gap: at - (tries[n] as number) }));
        for (const { at, gap } of gaps) if (at > hour) expect(gap).toBeGreaterThanOrEqual(hour / 2);
      }),
    );
  });

  it('is tried until the fifth day is over, not longer, and given up soon after, not before', () => {
    fc.assert(
      fc.property(dice, (random) => {
        const { tries, abandonedAt } = play(random);
        expect(tries.at(-1)).toBeGreaterThan(5 * day - 2 * hour);
        expect(tries.at(-1)).toBeLessThan(5 * day);
        expect(abandonedAt).toBeGreaterThanOrEqual(5 * day);
        expect(abandonedAt).toBeLessThan(5 * day + 2 * hour);
      }),
    );
  });
});

describe('chance', () => {
  const roll = fc.double({ min: 0, max: 1, noNaN: true });

  it('only adds to a wait, and a tenth at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), roll, (tries, random) => {
        expect(waitAfter(tries, random)).toBeGreaterThanOrEqual(waitAfter(tries, 0));
        expect(waitAfter(tries, random)).toBeLessThanOrEqual(waitAfter(tries, 0) * 1.1);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), roll, (seconds, random) => {
        expect(stretch(seconds, random)).toBeGreaterThanOrEqual(seconds);
        expect(stretch(seconds, random)).toBeLessThanOrEqual(seconds * 1.1 + 1e-6);
      }),
    );
  });

  it('scatters letters that were put off together', () => {
    const waits = new Set(Array.from({ length: 200 }, () => waitAfter(1)));
    expect(waits.size).toBeGreaterThan(10);
  });
});
