import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPlaces, few } from '../../src/letters/places.ts';

/** Long enough for everybody who is not kept waiting to have been served. */
const aTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('places that are shared', () => {
  it('are given at once while there are enough, and never more than were asked for', async () => {
    const places = createPlaces(() => 10);
    expect(await places.take(3)).toBe(3);
    expect(places.takeNow(4)).toBe(4);
    expect(places.takeNow(9)).toBe(3);
    expect(places.takeNow(1)).toBe(0);
  });

  it('are never held by more takers than there are places, and each taker gets some', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.record({ most: fc.integer({ min: 1, max: 30 }), more: fc.nat(5) }), {
          minLength: 1,
          maxLength: 12,
        }),
        async (total, takers) => {
          const places = createPlaces(() => total);
          let held = 0;
          const served = await Promise.all(
            takers.map(async ({ most, more }) => {
              let mine = await places.take(most);
              expect(mine).toBeGreaterThanOrEqual(1);
              expect(mine).toBeLessThanOrEqual(most);
              mine += places.takeNow(more);
              held += mine;
              expect(held).toBeLessThanOrEqual(total);
              while (mine > 0) {
                await aTurn();
                const back = Math.min(mine, 2);
                mine -= back;
                held -= back;
                places.give(back);
              }
              return true;
            }),
          );
          expect(served).toHaveLength(takers.length);
          expect(places.takeNow(total + 1)).toBe(total);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('go to those who wait in the order in which they came', async () => {
    const places = createPlaces(() => 2);
    await places.take(2);
    const order: number[] = [];
    const waiting = [0, 1, 2].map(async (n) => {
      const mine = await places.take(2);
      order.push(n);
      places.give(mine);
    });
    places.give(2);
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2]);
  });

  it('go first to those who want few, in their order, and are lent to them and to nobody else', async () => {
    const places = createPlaces(() => 10);
    await places.take(10);
    const order: string[] = [];
    const wait = async (who: string, most: number) => {
      const mine = await places.take(most);
      order.push(who);
      return mine;
    };
    const launch = wait('a launch', 100);
    const served = [wait('one person', few), wait('another', 1)];
    expect(places.asked()).toBe(few + 1);
    expect(places.lend(5)).toBe(few + 1);
    expect(await Promise.all(served)).toEqual([few, 1]);
    expect(order).toEqual(['one person', 'another']);
    expect([places.asked(), places.lend(5)]).toEqual([0, 0]);
    places.give(7);
    places.give(1);
    expect(await launch).toBe(8);
  });

  it('are worth waiting a moment for, until most of them are free', async () => {
    const places = createPlaces(() => 10);
    await places.take(10);
    const waiting = places.take(10);
    for (let n = 0; n < 8; n += 1) places.give(1);
    expect(await waiting).toBe(8);
  });

  it('are taken one by one by those who waited a moment, rather than not at all', async () => {
    const places = createPlaces(() => 10);
    await places.take(10);
    const waiting = places.take(10);
    places.give(1);
    expect(await waiting).toBe(1);
  });

  it('are not divided among those who wait, however long they did, when they come back one after the other', async () => {
    const places = createPlaces(() => 10);
    await places.take(10);
    const [first, second] = [places.take(100), places.take(100)];
    await new Promise((resolve) => setTimeout(resolve, 300));
    places.give(7);
    await aTurn();
    places.give(3);
    expect(await first).toBe(10);
    places.give(1); // and nobody waits in vain
    expect(await second).toBe(1);
  });
});
