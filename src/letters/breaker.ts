import type { Outcome } from '../mail/outcome.ts';
import { stretch } from './retry.ts';

/**
 * When letters to a receiving host are held back, because it asked for that. A host is the domain of a
 * contact's address: what a relay says about a letter is what that domain's servers said, or would say.
 *
 * Closed, letters go at their own pace. Open, only a probe goes: one letter per back-off, which is doubled by
 * every probe that is put off. These functions are pure, and the only ones that decide; times are in seconds.
 */
export type Breaker = {
  /** How many letters in a row were put off while it was closed. */
  strikes: number;
  /** How long the host is left alone; 0: closed. */
  backoff: number;
  /** When the next probe may go, while it is open. */
  probeAt: number;
};

export const closed: Breaker = { strikes: 0, backoff: 0, probeAt: 0 };

/** The first back-off, and the longest. */
const shortest = 60;
const longest = 3600;

/** That many letters put off in a row count as much as one 421. */
const enough = 3;

export function isOpen({ backoff }: Breaker): boolean {
  return backoff > 0;
}

/** What an outcome says about the host, beyond the letter. */
export type Answer = 'took it' | 'asked for a break' | 'put it off' | 'nothing';

/**
 * 421 means that the service itself is not available (RFC 5321 section 4.2.3); any other 4yz may concern one
 * mailbox or one letter. What is said before MAIL is about the relay. A refusal proves nothing: a host that
 * blocks us must not be sent more letters to refuse.
 */
export function answerOf({ kind, code = 0, stage }: Outcome): Answer {
  if (kind === 'accepted') return 'took it';
  if (kind !== 'try again' || stage === 'connect' || stage === 'login') return 'nothing';
  if (code === 421) return 'asked for a break';
  return code >= 400 && code <= 499 ? 'put it off' : 'nothing';
}

type Circumstances = {
  /** The letter was sent as a probe. */
  probe: boolean;
  now: number;
  /** From 0 to 1. */
  random: number;
};

/** What follows from one letter's answer. */
export function heed(breaker: Breaker, answer: Answer, { probe, now, random }: Circumstances): Breaker {
  const backOff = (backoff: number) => ({ strikes: 0, backoff, probeAt: now + stretch(backoff, random) });
  if (isOpen(breaker)) {
    if (!probe) return breaker; // it was in the air already when the host asked for a break
    if (answer === 'took it') return closed;
    return backOff(answer === 'nothing' ? breaker.backoff : Math.min(longest, 2 * breaker.backoff));
  }
  if (answer === 'nothing') return breaker;
  if (answer === 'took it') return closed;
  const strikes = breaker.strikes + 1;
  return answer === 'asked for a break' || strikes >= enough ? backOff(shortest) : { ...breaker, strikes };
}

/**
 * Sends a probe, if it is time for one: whatever becomes of it, the next one is at least a back-off away.
 *
 * @returns undefined when no probe may go now
 */
export function startProbe(
  breaker: Breaker,
  { now, random }: Omit<Circumstances, 'probe'>,
): Breaker | undefined {
  if (!isOpen(breaker) || now < breaker.probeAt) return undefined;
  return { ...breaker, probeAt: now + stretch(breaker.backoff, random) };
}
