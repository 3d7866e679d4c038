import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Candidate, chooseRelay } from '../../src/mail/choice.ts';
import { afterFailure, type Health, mayConnect, well } from '../../src/mail/health.ts';
import { shareOf } from '../../src/mail/share.ts';

const states = ['away', 'opening', 'well'] as const;
const relay = fc.record({
  weight: fc.nat({ max: 9 }),
  state: fc.constantFrom(...states),
  room: fc.boolean(),
});
const relays = fc.array(relay, { maxLength: 6 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** What counts, the most important first. */
const ranks = ({ state, weight, room }: Candidate) => [
  states.indexOf(state),
  Number(weight > 0),
  Number(room),
];

describe('the choice between relays', () => {
  it('takes one whenever one is there, and none otherwise', () => {
    fc.assert(
      fc.property(relays, random, (all, draw) => {
        const chosen = chooseRelay(all, draw);
        expect((chosen?.state ?? 'away') !== 'away').toBe(all.some(({ state }) => state !== 'away'));
      }),
    );
  });

  it('prefers what is well, then what has a weight, then what has room', () => {
    fc.assert(
      fc.property(relays, random, (all, draw) => {
        const chosen = chooseRelay(all, draw);
        if (!chosen) return;
        for (const other of all) expect(String(ranks(chosen)) >= String(ranks(other))).toBe(true);
      }),
    );
  });

  it('gives each of those its share, to the message', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }), (weights) => {
        const all: Candidate[] = weights.map((weight) => ({ weight, state: 'well', room: true }));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const taken = all.map(() => 0);
        // as many draws as there are shares, spread evenly
        for (let n = 0; n < total; n += 1) {
          const chosen = chooseRelay(all, (n + 0.5) / total);
          const at = all.indexOf(chosen as Candidate);
          taken[at] = (taken[at] ?? 0) + 1;
        }
        expect(taken).toEqual(weights);
      }),
    );
  });

  it('shares evenly among relays that weigh nothing, once all others are away', () => {
    const spare = [0, 1].map((): Candidate => ({ weight: 0, state: 'well', room: true }));
    const all: Candidate[] = [{ weight: 5, state: 'away', room: true }, ...spare];
    expect([0.1, 0.4, 0.6, 0.9].map((draw) => all.indexOf(chooseRelay(all, draw) as Candidate))).toEqual([
      1, 1, 2, 2,
    ]);
  });
});

describe('a relay that lets nobody in', () => {
  /** The windows of a relay that never answers: when each attempt is made, and how long it is left alone. */
  const outage = (draw: number, attempts: number) => {
    let health: Health = well;
    let now = 5000;
    return Array.from({ length: attempts }, () => {
      health = afterFailure(health, now, draw);
      const window = health.until - now;
      now = health.until;
      return window;
    });
  };

  it('is left alone twice as long each time, up to ten minutes', () => {
    expect(outage(0, 12).map((window) => window / 1000)).toEqual([
      1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600,
    ]);
  });

  it('is left alone up to a quarter shorter by chance, and never longer', () => {
    fc.assert(
      fc.property(random, (draw) => {
        const longest = outage(0, 14);
        for (const [n, window] of outage(draw, 14).entries()) {
          expect(window).toBeLessThanOrEqual((longest[n] as number) + 0.001);
          expect(window).toBeGreaterThan((longest[n] as number) * 0.75 - 0.001);
        }
      }),
    );
  });

  it('is tried once after each window, and by nobody within it', () => {
    const health = afterFailure(well, 1000, 0);
    expect(mayConnect(health, 1999, 0)).toBe(false);
    expect(mayConnect(health, 2000, 0)).toBe(true);
    expect(mayConnect(health, 2000, 1)).toBe(false);
  });

  it('is tried by anybody as long as nothing is wrong with it', () => {
    expect(mayConnect(well, 0, 99)).toBe(true);
  });
});

describe('the connections that a relay allows', () => {
  const shares = (connections: number, workers: number) =>
    Array.from({ length: workers }, (_, rank) => shareOf(connections, { workers, rank }));

  it('are shared out among the workers, to the last one', () => {
    expect(shares(10, 3)).toEqual([4, 3, 3]);
    expect(shares(10, 1)).toEqual([10]);
  });

  it('are never exceeded together, unless there are more workers than connections', () => {
    const count = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(count, count, (connections, workers) => {
        const all = shares(connections, workers);
        expect(Math.min(...all)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(1);
        expect(all.reduce((sum, share) => sum + share, 0)).toBe(Math.max(connections, workers));
      }),
    );
  });
});
