import { describe, expect, it } from '@jest/globals';
import { type Facts, judge, outcomeTable } from '../../src/mail/outcome.ts';

const facts = (given: Partial<Facts>): Facts => ({ stage: 'message', handedOver: true, ...given });

describe('the outcome table', () => {
  it.each([
    ['250 after the message', { reply: 250 }, 'accepted'],
    ['251 after the message', { reply: 251 }, 'accepted'],
    ['421 at MAIL', { stage: 'mail', reply: 421, handedOver: false }, 'try again'],
    ['421 after the message', { reply: 421 }, 'try again'],
    ['450 at RCPT', { stage: 'rcpt', reply: 450, handedOver: false }, 'try again'],
    ['451 after the message', { reply: 451 }, 'try again'],
    ['550 at RCPT', { stage: 'rcpt', reply: 550, handedOver: false }, 'refused'],
    ['552 after the message', { reply: 552 }, 'refused'],
    ['554 at DATA', { stage: 'data', reply: 554, handedOver: false }, 'refused'],
    [
      '554 as the greeting: our session is refused, not the letter',
      { stage: 'connect', reply: 554, handedOver: false },
      'try again',
    ],
    ['535 at login', { stage: 'login', reply: 535, handedOver: false }, 'try again'],
    ['530 at MAIL: authentication is wanted', { stage: 'mail', reply: 530, handedOver: false }, 'try again'],
    ['503 at MAIL: the session is confused', { stage: 'mail', reply: 503, handedOver: false }, 'try again'],
    ['no connection', { stage: 'connect', handedOver: false }, 'try again'],
    ['a cut before the final dot was out', { stage: 'message', handedOver: false }, 'try again'],
    ['a cut after the final dot', { stage: 'message', handedOver: true }, 'unknown'],
    ['an answer that is no SMTP reply, after the final dot', { reply: 354 }, 'unknown'],
    [
      'an address that no server could take',
      { stage: 'data', handedOver: false, unsendable: true },
      'refused',
    ],
  ] as [string, Partial<Facts>, string][])('%s', (_what, given, outcome) => {
    expect(judge(facts(given))).toBe(outcome);
  });

  it('never says "accepted" without a 2yz reply to the message, and never "try again" after a full hand-over without a reply', () => {
    const stages = ['connect', 'login', 'mail', 'rcpt', 'data', 'message'] as const;
    for (const stage of stages) {
      for (const reply of [undefined, 200, 250, 299, 300, 354, 399, 400, 421, 499, 500, 503, 535, 550, 599]) {
        for (const handedOver of [true, false]) {
          const outcome = judge({ stage, reply, handedOver });
          if (outcome === 'accepted') expect([stage, Math.floor((reply ?? 0) / 100)]).toEqual(['message', 2]);
          if (outcome === 'try again' && handedOver && stage === 'message') expect(reply).toBeDefined();
        }
      }
    }
  });

  it('decides with every one of its rows', () => {
    expect(outcomeTable.map(({ when }) => when.length)).not.toContain(0);
    expect(new Set(outcomeTable.map(({ outcome }) => outcome)).size).toBe(4);
  });
});
