import { expect, it } from '@jest/globals';
import { describeWith } from '../support/needs.ts';
import { launchNpm } from '../support/program.ts';

/** Few enough for a test; the long run and its figures are in bench/README.md. */
const [letters, faults, seed] = [200, 8, 7];

describeWith('redis-server', 'npm run faults', () => {
  it('kills what can be killed, loses no letter, sends none twice, and tells it as one object', async () => {
    const args = ['--letters', String(letters), '--faults', String(faults), '--seed', String(seed), '--json'];
    const run = launchNpm('faults', {}, args);
    const { code } = await run.ended;
    expect([code, run.err()]).toEqual([0, expect.not.stringContaining('Missed')]);

    const told = JSON.parse(run.out());
    const number = expect.any(Number);
    expect(told).toEqual({
      letters,
      faults: {
        worker: number,
        'releasing worker': number,
        redis: number,
        'redis flushed': number,
        postgres: number,
        'postgres process': number,
      },
      lost: 0,
      duplicates: 0,
      unknown: { seen: number, resolved: number, left: number },
      seconds: number,
      seed,
    });
    const struck = Object.values<number>(told.faults);
    expect(struck.reduce((sum, n) => sum + n, 0)).toBe(faults);
    expect(struck.filter((n) => n > 0).length).toBeGreaterThanOrEqual(4);
    expect(told.unknown.seen).toBe(told.unknown.resolved + told.unknown.left);
    expect(told.seconds).toBeGreaterThan(0);
  }, 300_000);
});
