import { describe, expect, it } from '@jest/globals';
import { describeWith } from '../support/needs.ts';
import { launchNpm } from '../support/program.ts';

/** Every number in an object, however deep. */
const numbersIn = (value: unknown): number[] =>
  typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [value as number];

describeWith('smtp-sink', 'npm run bench', () => {
  describeWith('redis-server', 'with --json', () => {
    it('prints one object: what a bare pool reaches, what we do on each queue, and the ratios', async () => {
      const theirs = { DKIM_SELECTOR: 'theirs', REDIS_URL: 'redis://127.0.0.1:1' }; // of the instance that they run
      const bench = launchNpm('bench', theirs, [
        '--letters',
        '400',
        '--rounds',
        '1',
        '--warm-up',
        '40',
        '--json',
      ]);
      const { code } = await bench.ended;
      expect([code, bench.err()]).toEqual([
        0,
        expect.stringMatching(/^round 1 of 1: [\d, ]+ letters per second\n$/),
      ]);

      const told = JSON.parse(bench.out());
      const number = expect.any(Number);
      const figures = { perSecond: number, cpuMicros: number };
      expect(told).toEqual({
        letters: 400,
        rounds: 1,
        yardstick: figures,
        outspoken: [
          { queue: 'redis', perSubmission: 20, ...figures },
          { queue: 'redis', perSubmission: 1, ...figures },
          { queue: 'postgres', perSubmission: 20, ...figures },
        ],
        ratio: { redis20: number, redis1: number, postgres20: number },
      });
      const figuresOnly = [
        told.yardstick,
        told.outspoken.map(({ queue, ...rest }: { queue: string }) => rest),
        told.ratio,
      ];
      for (const figure of numbersIn(figuresOnly)) expect(figure).toBeGreaterThan(0);
      const [redis20] = told.outspoken;
      expect(told.ratio.redis20).toBeCloseTo(redis20.perSecond / told.yardstick.perSecond, 1);
    }, 240_000);
  });
});

describe.each([
  [
    'bench',
    [
      ['--letters', '201'],
      ['--letters', 'many'],
      ['--rounds', '0'],
      ['--workers', '0'],
      ['--warm-up', '7'],
      ['--variants', 'mongo20'],
      ['--fast'],
      ['400'],
    ],
  ],
  ['faults', [['--letters', '0'], ['--faults', '1.5'], ['--seed', 'x'], ['--gentle'], ['300']]],
])('npm run %s', (name, wrong) => {
  it.each(wrong)('says how it is used when it is not understood: %s %s', async (...args) => {
    const launched = launchNpm(name, {}, args.filter(Boolean));
    expect((await launched.ended).code).toBe(1);
    expect(launched.out()).toBe('');
    expect(launched.err()).toMatch(new RegExp(`^([^\\n]+\\n)?Usage: npm run ${name} -- \\[[^\\n]+\\n$`));
  });
});
