import type { Result, Shares, Variant } from './measure.ts';

export type Measured = {
  letters: number;
  warmUp: number;
  rounds: number;
  yardstick: Result[];
  outspoken: { variant: Variant; results: (Result & Shares)[] }[];
};

/** What the bench says as one JSON object. */
export function summary(measured: Measured): string {
  const { letters, rounds, yardstick, outspoken } = measured;
  const ratio = {
    redis20: ratioOf(measured, 'redis', 20),
    redis1: ratioOf(measured, 'redis', 1),
    postgres20: ratioOf(measured, 'postgres', 20),
  };
  const variants = outspoken.map(({ variant, results }) => ({ ...variant, ...speed(results) }));
  return JSON.stringify({ letters, rounds, yardstick: speed(yardstick), outspoken: variants, ratio });
}

/** The same for people, with who used the processor. */
export function report(measured: Measured): string {
  const { letters, warmUp, rounds, yardstick, outspoken } = measured;
  const line = (what: string, results: Result[], ratio: number | null) => {
    const { perSecond, cpuMicros } = speed(results);
    return row(what, [perSecond, cpuMicros, ratio?.toFixed(2) ?? '']);
  };
  const processes = ['writer', 'workers', 'postgres', 'redis', 'sink'] as const;
  return [
    row(`medians of ${rounds} rounds, ${letters} letters after ${warmUp}`, ['per sec', 'CPU µs', 'ratio']),
    line('bare nodemailer pool', yardstick, 1),
    ...outspoken.map(({ variant, results }) =>
      line(nameOf(variant), results, ratioOf(measured, variant.queue, variant.perSubmission)),
    ),
    '',
    row('CPU µs per letter, by process', processes),
    ...outspoken.map(({ variant, results }) =>
      row(
        nameOf(variant),
        processes.map((who) => middle(results.map((result) => result[who]))),
      ),
    ),
  ].join('\n');
}

/** Letters per second over the yardstick's; null: not measured. */
function ratioOf({ yardstick, outspoken }: Measured, queue: string, perSubmission: number): number | null {
  const found = outspoken.find(
    ({ variant }) => variant.queue === queue && variant.perSubmission === perSubmission,
  );
  if (!found) return null;
  return Math.round((speed(found.results).perSecond / speed(yardstick).perSecond) * 100) / 100;
}

function speed(results: Result[]): Result {
  return {
    perSecond: middle(results.map(({ perSecond }) => perSecond)),
    cpuMicros: middle(results.map(({ cpuMicros }) => cpuMicros)),
  };
}

function middle(numbers: number[]): number {
  return Math.round(numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN);
}

function nameOf({ queue, perSubmission }: Variant): string {
  return `Outspoken, ${queue}, ${perSubmission} per submission`;
}

function row(what: string, cells: readonly (string | number)[]): string {
  return `${what.padEnd(46)}${cells.map((cell) => String(cell).padStart(10)).join('')}`;
}
