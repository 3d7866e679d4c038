import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startFlight } from '../../src/letters/flight.ts';
import { gate } from '../support/letters.ts';

const after = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a flight of letters', () => {
  it('lands every answer once, in whatever order they come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(8), { maxLength: 20 }), async (waits) => {
        const flight = startFlight<number>();
        for (const [n, wait] of waits.entries()) flight.start(after(wait).then(() => n));
        const landed: number[] = [];
        while (landed.length < waits.length) {
          await flight.answer(1);
          const now = flight.land();
          expect(now.length).toBeGreaterThan(0);
          landed.push(...now);
          expect(flight.inAir()).toBeLessThanOrEqual(waits.length - landed.length);
        }
        expect(landed.sort((a, b) => a - b)).toEqual(waits.map((_, n) => n));
        expect([flight.inAir(), flight.land()]).toEqual([0, []]);
      }),
      { numRuns: 25 },
    );
  });

  it('is not waited for when nothing is in the air', async () => {
    const flight = startFlight<number>();
    await flight.answer(60_000);
    await flight.over();
    flight.start(Promise.resolve(1));
    await flight.over();
    await flight.answer(60_000);
    expect(flight.land()).toEqual([1]);
  });

  it('does not wait for a slow answer once a quick one has come', async () => {
    const flight = startFlight<string>();
    const slow = gate();
    flight.start(slow.opened.then(() => 'slow'));
    flight.start(Promise.resolve('quick'));
    await flight.answer(5);
    expect(flight.land()).toEqual(['quick']);
    expect(flight.inAir()).toBe(1);
    slow.open();
    await flight.over();
    expect(flight.land()).toEqual(['slow']);
  });

  it('waits for the first answer, however long it takes, and gathers those that come with it', async () => {
    const flight = startFlight<number>();
    const first = gate();
    for (const n of [1, 2, 3]) flight.start(first.opened.then(() => n));
    const answered = flight.answer(60_000);
    first.open();
    await answered;
    expect(flight.land()).toEqual([1, 2, 3]);
  });
});
