import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { allowance, spacing } from '../../src/letters/pace.ts';

const hour = 3600;
/** A minute's worth may leave at once, and one letter always may. */
const burst = (pace: number) => Math.max(1, Math.floor(pace / 60));

/** Lets a contact with this pace be served at the given moments, each wanting so many letters. */
function serve(pace: number, wishes: { gap: number; wanted: number; random: number }[]): number[] {
  const sent: number[] = [];
  let now = 0;
  let servedUntil = 0;
  for (const { gap, wanted, random } of wishes) {
    now += gap;
    const count = Math.min(wanted, allowance(pace, servedUntil - now));
    servedUntil = Math.max(servedUntil, now) + count * spacing(pace, random);
    for (let n = 0; n < count; n += 1) sent.push(now);
  }
  return sent;
}

const pace = fc.integer({ min: 1, max: 20_000 });
const wish = fc.record({
  gap: fc.oneof(
    fc.double({ min: 0, max: 2, noNaN: true }),
    fc.double({ min: 0, max: 2 * hour, noNaN: true }),
    fc.constant(0),
  ),
  wanted: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(100)),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe("a contact's pace", () => {
  it('is never exceeded in any hour by more than the burst, whenever letters are asked for', () => {
    fc.assert(
      fc.property(pace, fc.array(wish, { minLength: 1, maxLength: 300 }), (hourly, wishes) => {
        const sent = serve(hourly, wishes);
        let most = 0;
        for (let last = 0, first = 0; last < sent.length; last += 1) {
          while ((sent[last] as number) - (sent[first] as number) >= hour) first += 1;
          most = Math.max(most, last - first + 1);
        }
        expect(most).toBeLessThanOrEqual(hourly + burst(hourly));
      }),
      { numRuns: 300 },
    );
  });

  it('lets no more than the burst leave at once', () => {
    fc.assert(
      fc.property(pace, fc.double({ min: -1e6, max: 1e6, noNaN: true }), (hourly, ahead) => {
        const allowed = allowance(hourly, ahead);
        expect(allowed).toBeLessThanOrEqual(burst(hourly));
        expect(allowed).toBeGreaterThanOrEqual(0);
        expect(Number.isInteger(allowed)).toBe(true);
        if (ahead <= 0) expect(allowed).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('is used, when letters wait all the time: nearly all of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 900 }),
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (hourly, gap) => {
          const hours = 3;
          const wishes = Array.from({ length: Math.ceil((hours * hour) / gap) }, () => ({
            gap,
            wanted: 100,
            random: 1,
          }));
          expect(serve(hourly, wishes).length).toBeGreaterThanOrEqual(Math.floor(hourly * hours * 0.7));
        },
      ),
      { numRuns: 10 },
    );
  });

  it('leaves room again after a pause, but does not save it up', () => {
    expect(allowance(60, 0)).toBe(1);
    expect(allowance(60, 60)).toBe(0);
    expect(allowance(60, 59.999)).toBe(0);
    expect(allowance(600, 0)).toBe(10);
    expect(allowance(600, 30)).toBe(5);
    expect(allowance(600, -1e6)).toBe(10);
    expect(allowance(1, 0)).toBe(1);
    expect(allowance(1, 1)).toBe(0);
  });

  it('is none where none is set', () => {
    expect(allowance(null, 1e6)).toBe(Infinity);
    expect(spacing(null)).toBe(0);
  });
});
