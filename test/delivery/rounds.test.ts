import { afterEach, describe, expect, it } from '@jest/globals';
import { type Loop, startLoop } from '../../workers/loop.ts';
import { until } from '../support/advocate.ts';
import { gate } from '../support/letters.ts';

/** So long that no round comes by itself. */
const never = 600_000;

let loop: Loop;
afterEach(() => loop.stop());

describe('rounds', () => {
  it('come by themselves, and also after one that failed, of which somebody is told', async () => {
    let rounds = 0;
    const told: unknown[] = [];
    const failure = new Error('the first round');
    loop = startLoop(
      async () => {
        rounds += 1;
        if (rounds === 1) throw failure;
      },
      { interval: 1, onError: (error) => told.push(error) },
    );
    await until(async () => rounds >= 3, 'three rounds');
    expect(told).toEqual([failure]);
  });

  it('come at once when they are woken, also by what comes in the middle of one', async () => {
    const held = gate();
    let rounds = 0;
    loop = startLoop(
      async () => {
        rounds += 1;
        if (rounds === 2) await held.opened;
      },
      { interval: never, onError: () => {} },
    );
    await until(async () => rounds === 1, 'the first round');
    loop.wake();
    await until(async () => rounds === 2, 'the one that was asked for');
    loop.wake();
    held.open();
    await until(async () => rounds === 3, 'one more');
  });

  it('keep their distance, however often they are woken', async () => {
    const began: number[] = [];
    loop = startLoop(
      async () => {
        began.push(performance.now());
      },
      { interval: never, gap: 16, onError: () => {} },
    );
    while (began.length < 10) {
      loop.wake();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const apart = began.slice(1).map((at, n) => at - (began[n] as number));
    // a timer may come a little early by this clock, and late as much as it likes
    expect(Math.min(...apart)).toBeGreaterThan(14);
  });

  it('wait until it is their time, and nobody need wake them for that', async () => {
    let [asked, rounds] = [0, 0];
    loop = startLoop(
      async () => {
        rounds += 1;
      },
      {
        interval: never,
        gap: 1,
        isTime: async () => {
          asked += 1;
          return asked > 3;
        },
        onError: () => {},
      },
    );
    await until(async () => rounds === 1, 'a round');
    expect(asked).toBe(4);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([asked, rounds]).toEqual([4, 1]);
  });

  it('are asked for again where nobody could say whether it is their time', async () => {
    let rounds = 0;
    const told: unknown[] = [];
    const failure = new Error('no answer');
    loop = startLoop(
      async () => {
        rounds += 1;
      },
      {
        interval: 1,
        isTime: async () => {
          if (told.length === 0) throw failure;
          return true;
        },
        onError: (error) => told.push(error),
      },
    );
    await until(async () => rounds > 0, 'a round');
    expect(told).toEqual([failure]);
  });

  it('end with the one that is under way', async () => {
    const held = gate();
    let [begun, ended] = [0, 0];
    loop = startLoop(
      async () => {
        begun += 1;
        await held.opened;
        ended += 1;
      },
      { interval: 1, onError: () => {} },
    );
    await until(async () => begun === 1, 'a round');
    loop.wake();
    let isStopped = false;
    const stopped = loop.stop().then(() => {
      isStopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve)); // whoever does not wait for the round is through by then
    expect(isStopped).toBe(false);
    held.open();
    await stopped;
    expect([begun, ended]).toEqual([1, 1]);
  });
});
