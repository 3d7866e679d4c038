import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Answer,
  answerOf,
  type Breaker,
  closed,
  heed,
  isOpen,
  startProbe,
} from '../../src/letters/breaker.ts';
import type { Outcome, Stage } from '../../src/mail/outcome.ts';

const minute = 60;
const hour = 3600;
const ordinary = { probe: false, now: 0, random: 0 };

/** Heeds one answer after the other, all at one time. */
const answered = (answers: Answer[], breaker = closed) =>
  answers.reduce((before, answer) => heed(before, answer, ordinary), breaker);

describe('what an answer says about the host', () => {
  const inSession: Stage[] = ['mail', 'rcpt', 'data', 'message'];
  const cases: [string, Outcome, Answer][] = [
    ['2yz', { kind: 'accepted', code: 250 }, 'took it'],
    ...inSession.map((stage): [string, Outcome, Answer] => [
      `421 at ${stage}`,
      { kind: 'try again', code: 421, stage },
      'asked for a break',
    ]),
    ['450 at RCPT', { kind: 'try again', code: 450, stage: 'rcpt' }, 'put it off'],
    ['451 after the message', { kind: 'try again', code: 451, stage: 'message' }, 'put it off'],
    ['421 when connecting: the relay spoke', { kind: 'try again', code: 421, stage: 'connect' }, 'nothing'],
    ['454 at login: the relay spoke', { kind: 'try again', code: 454, stage: 'login' }, 'nothing'],
    ['530: our session is refused', { kind: 'try again', code: 530, stage: 'mail' }, 'nothing'],
    ['550', { kind: 'refused', code: 550, stage: 'rcpt' }, 'nothing'],
    ['a cut before the end', { kind: 'try again', stage: 'data' }, 'nothing'],
    ['a cut after the end', { kind: 'unknown', stage: 'message' }, 'nothing'],
    ['a letter that we could not write', { kind: 'try again' }, 'nothing'],
  ];
  it.each(cases)('is known from %s', (_title, outcome, answer) => {
    expect(answerOf(outcome)).toBe(answer);
  });
});

describe('the breaker of a receiving host', () => {
  it('opens after one 421, for a minute', () => {
    const breaker = heed(closed, 'asked for a break', { probe: false, now: 1000, random: 0 });
    expect(isOpen(breaker)).toBe(true);
    expect(startProbe(breaker, { now: 1059, random: 0 })).toBeUndefined();
    expect(startProbe(breaker, { now: 1060, random: 0 })).toBeDefined();
  });

  it('opens after three letters in a row that were put off, not after one or two', () => {
    expect(isOpen(answered(['put it off', 'put it off']))).toBe(false);
    expect(isOpen(answered(['put it off', 'put it off', 'put it off']))).toBe(true);
    expect(isOpen(answered(['put it off', 'put it off', 'took it', 'put it off', 'put it off']))).toBe(false);
    expect(isOpen(answered(['put it off', 'nothing', 'put it off', 'nothing', 'put it off']))).toBe(true);
  });

  it('doubles its back-off with every probe that is put off, from a minute to an hour', () => {
    const backoffs: number[] = [];
    let breaker = answered(['asked for a break']);
    for (let now = 0; backoffs.length < 9; now += hour + minute) {
      backoffs.push(breaker.backoff);
      breaker = heed(breaker, backoffs.length % 2 ? 'asked for a break' : 'put it off', {
        probe: true,
        now,
        random: 0,
      });
    }
    expect(backoffs.map((seconds) => seconds / minute)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('closes when a probe is taken, and knows nothing any more', () => {
    const open = answered(['asked for a break']);
    expect(heed(open, 'took it', { probe: true, now: 70, random: 0 })).toBe(closed);
  });

  it('does not move for letters that were in the air when it opened', () => {
    const open = answered(['asked for a break']);
    expect(answered(['took it', 'asked for a break', 'put it off', 'nothing', 'took it'], open)).toEqual(
      open,
    );
  });

  it('stays open, and waits as long again, when a probe is refused or gets no answer', () => {
    const open = answered(['asked for a break']);
    expect(heed(open, 'nothing', { probe: true, now: 500, random: 0 })).toEqual({ ...open, probeAt: 560 });
  });
});

type Step = { pass: number } | { answer: Answer; to: number } | { loseProbe: true };

/** What may happen to a host, in any order; the clock only runs. */
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ pass: fc.oneof(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 2 * hour })) }),
  fc.record({
    answer: fc.constantFrom<Answer>('took it', 'asked for a break', 'put it off', 'nothing'),
    to: fc.nat(),
  }),
  fc.constant({ loseProbe: true as const }),
);

/**
 * Plays a sequence of events on a simulated clock. Letters leave whenever the breaker lets them, so a breaker
 * that errs is caught by what has left.
 */
function play(steps: Step[], random: () => number) {
  type Letter = { at: number; probe: boolean; backoff: number; openedAt: number };
  const probes: Letter[] = [];
  let inTheAir: Letter[] = [];
  let breaker: Breaker = closed;
  let now = 0;
  let openedAt = 0;
  const send = (probe: boolean) => {
    const letter = { at: now, probe, backoff: breaker.backoff, openedAt };
    if (probe) probes.push(letter);
    inTheAir.push(letter);
  };
  const release = () => {
    if (!isOpen(breaker)) while (inTheAir.length < 10) send(false);
    else if (!inTheAir.some(({ probe }) => probe)) {
      const probing = startProbe(breaker, { now, random: random() });
      if (probing) send(true);
      breaker = probing ?? breaker;
    }
  };
  for (const one of steps) {
    release();
    if ('pass' in one) now += one.pass;
    else if ('loseProbe' in one) inTheAir = inTheAir.filter(({ probe }) => !probe);
    else {
      const [letter] = inTheAir.splice(one.to % Math.max(1, inTheAir.length), 1);
      if (!letter) continue;
      const wasOpen = isOpen(breaker);
      breaker = heed(breaker, one.answer, { probe: letter.probe, now, random: random() });
      if (!wasOpen && isOpen(breaker)) openedAt = now;
    }
  }
  return { probes, breaker, now };
}

describe('whatever a host answers', () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 200, size: 'max' });
  const random = fc.double({ min: 0, max: 1, noNaN: true }).map((roll) => () => roll);

  it('gets at most one probe per back-off while its breaker is open', () => {
    let seen = 0;
    fc.assert(
      fc.property(steps, random, (sequence, roll) => {
        const { probes } = play(sequence, roll);
        seen += probes.length;
        for (const [n, probe] of probes.entries()) {
          expect(probe.at - probe.openedAt).toBeGreaterThanOrEqual(minute);
          const before = probes[n - 1];
          if (before?.openedAt === probe.openedAt) {
            expect(probe.at - before.at).toBeGreaterThanOrEqual(before.backoff);
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(seen).toBeGreaterThan(500);
  });

  it('may be tried out within an hour and a tenth: nobody is left alone for ever', () => {
    fc.assert(
      fc.property(steps, random, (sequence, roll) => {
        const { breaker, now } = play(sequence, roll);
        if (!isOpen(breaker)) return;
        expect(startProbe(breaker, { now: now + 1.1 * hour, random: 0 })).toBeDefined();
      }),
    );
  });
});
