import type { Action, Moment } from './smtp.ts';

/** What a mail server can do at a stage, as the columns of a table of verdicts name it. */
export const does: Record<string, Action> = {
  FIN: { cut: 'fin' },
  RST: { cut: 'rst' },
  silence: { hang: true },
  '421': { reply: '421 4.3.2 closing', hangUp: true },
  '4yz': { reply: '451 4.3.0 not now' },
  '5yz': { reply: '554 5.7.1 never' },
};

/** The cells of a table of verdicts: its first line has the columns' names, and each other one begins with a stage. */
export function readVerdicts(
  table: string,
): { stage: Moment; when: string; outcome: string; kind: string }[] {
  const [[, ...columns] = [], ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  return rows.flatMap(([stage, ...outcomes]) =>
    outcomes.map((outcome, n) => ({
      stage: stage as Moment,
      when: columns[n] as string,
      outcome,
      kind: outcome === 'later' ? 'try again' : outcome,
    })),
  );
}
