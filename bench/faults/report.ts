import type { Kind } from './strikes.ts';
import type { Verdict } from './verdict.ts';

export type Run = {
  letters: number;
  seed: number;
  seconds: number;
  faults: Record<Kind, number>;
  verdict: Verdict;
  /** The same with what the relay said each time. */
  duplicates: string[];
  /** What happened to letters that went wrong. */
  timelines: string[];
  /** What the relay did on purpose, by kind. */
  mischief: Record<string, number>;
  states: Record<string, number>;
  /** The most letters that became unknown because one worker was killed. */
  mostUnknown: number;
  /** Workers that ended although nobody killed them. */
  surprises: string[];
  /** What workers logged at level warn or above. */
  said: Map<string, number>;
  /** How often somebody had to send a form again. */
  tries: number;
};

/** What a kill may leave unknown: the letters that a worker has in the air (workers/send-bundle.ts). */
const mostUnknownPerKill = 10;

/** Why the run is not what it should be; empty: all is well. */
export function misses({ verdict, mostUnknown, surprises }: Run): string[] {
  return [
    ...(verdict.lost.length > 0 ? [`${verdict.lost.length} letters were lost`] : []),
    ...(verdict.duplicates.length > 0
      ? [`${verdict.duplicates.length} letters were sent more than once`]
      : []),
    ...(mostUnknown > mostUnknownPerKill ? [`a killed worker left ${mostUnknown} letters unknown`] : []),
    ...(surprises.length > 0 ? [`${surprises.length} workers ended although nobody killed them`] : []),
  ];
}

/** The one JSON object. */
export function summary({ letters, faults, verdict, seconds, seed }: Run): string {
  const { seen, resolved, left } = verdict.unknown;
  return JSON.stringify({
    letters,
    faults,
    lost: verdict.lost.length,
    duplicates: verdict.duplicates.length,
    unknown: { seen, resolved, left: left.length },
    seconds,
    seed,
  });
}

export function report(run: Run): string {
  const { verdict } = run;
  const total = Object.values(run.faults).reduce((sum, n) => sum + n, 0);
  const problems = misses(run);
  return [
    `${run.letters} letters, ${total} faults, seed ${run.seed}, ${Math.round(run.seconds)} seconds`,
    '',
    'Killed with SIGKILL, or flushed',
    ...bars(run.faults),
    '',
    'What the mail server did on purpose',
    ...bars(run.mischief),
    '',
    'How the letters ended',
    ...bars(run.states),
    '',
    row('lost', verdict.lost.length),
    row('sent more than once', verdict.duplicates.length),
    row('unknown at some time', verdict.unknown.seen),
    row('  resolved by evidence', verdict.unknown.resolved),
    row('  left for a person', verdict.unknown.left.length),
    row('  at most by one killed worker', run.mostUnknown),
    row('forms sent again because of an outage', run.tries),
    row('workers that ended by themselves', run.surprises.length),
    '',
    'What workers logged',
    ...bars(Object.fromEntries([...run.said].sort(([, one], [, other]) => other - one).slice(0, 25))),
    ...list(
      'Lost',
      verdict.lost.map(({ messageId, why }) => `${messageId}: ${why}`),
    ),
    ...list('Sent more than once', run.duplicates),
    ...list('What happened to these', run.timelines),
    ...list('Unknown, for a person to look into', verdict.unknown.left),
    '',
    problems.length === 0 ? 'All targets are met.' : `Missed: ${problems.join('; ')}.`,
  ].join('\n');
}

const row = (what: string, n: number) => `${what.padEnd(52)} ${String(n).padStart(6)}`;

function bars(counts: Record<string, number>): string[] {
  const most = Math.max(...Object.values(counts), 1);
  return Object.entries(counts).map(
    ([what, n]) =>
      `  ${what.slice(0, 90).padEnd(90)} ${String(n).padStart(6)} ${'#'.repeat(Math.ceil((n / most) * 30))}`,
  );
}

function list(title: string, lines: string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > 100 ? [`  and ${lines.length - 100} more`] : [];
  return ['', title, ...lines.slice(0, 100).map((line) => `  ${line}`), ...more];
}
