import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  describe as describeOutcome,
  type Facts,
  isOurOwn,
  judge,
  outcomeTable,
} from '../../src/mail/outcome.ts';

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

  it('knows each class of replies from its first to its last', () => {
    const kindsOf = (replies: number[]) => replies.map((reply) => judge(facts({ reply })));
    expect(kindsOf([199, 200, 299, 300])).toEqual(['unknown', 'accepted', 'accepted', 'unknown']);
    expect(kindsOf([399, 400, 499])).toEqual(['unknown', 'try again', 'try again']);
    expect(kindsOf([500, 599, 600])).toEqual(['refused', 'refused', 'unknown']);
    const aboutTheSession = [503, 530, 534, 535, 538];
    const beside = aboutTheSession.flatMap((reply) => [reply - 1, reply + 1]);
    expect(new Set(kindsOf(aboutTheSession))).toEqual(new Set(['try again']));
    expect(new Set(kindsOf(beside.filter((reply) => !aboutTheSession.includes(reply))))).toEqual(
      new Set(['refused']),
    );
  });

  it('decides with every one of its rows', () => {
    expect(outcomeTable.map(({ when }) => when.length)).not.toContain(0);
    expect(new Set(outcomeTable.map(({ outcome }) => outcome)).size).toBe(4);
  });
});

describe('an outcome', () => {
  it('has the reply code and the words of the server, on one line of at most 500 characters', () => {
    expect(describeOutcome('accepted', 'mx.brand.example', ' 250-2.0.0\r\n250  ok \r\n')).toEqual({
      kind: 'accepted',
      host: 'mx.brand.example',
      code: 250,
      response: '250-2.0.0 250 ok',
    });
    expect(describeOutcome('refused', 'mx', `550 ${'x'.repeat(496)}yz`).response).toBe(
      `550 ${'x'.repeat(496)}`,
    );
  });

  it('has no code where the server gave none', () => {
    const codes = ['100', '599 no', '99 bottles', '600 too many', 'hello', '', undefined].map(
      (words) => describeOutcome('unknown', 'mx', words).code,
    );
    expect(codes).toEqual([100, 599, undefined, undefined, undefined, undefined, undefined]);
    expect(describeOutcome('try again', 'mx', undefined)).toEqual({ kind: 'try again', host: 'mx' });
  });

  it('is our own when it refuses and nobody spoke', () => {
    expect(isOurOwn({ kind: 'refused' })).toBe(true);
    expect(isOurOwn({ kind: 'refused', code: 550 })).toBe(false);
    expect(isOurOwn({ kind: 'try again' })).toBe(false);
  });

  it('is one line that can be stored and shown, whatever a server said', () => {
    const odd = fc.constantFrom('\0', '\x1b[31m', '\u202e', '\u2028', '\ud800', '\r\n', '🧵');
    const reply = fc.array(fc.oneof(odd, fc.string({ unit: 'binary' })), { maxLength: 600 });
    fc.assert(
      fc.property(reply, (parts) => {
        const { response = '', code } = describeOutcome('refused', 'mx.example', `550 ${parts.join('')}`);
        expect(response).toMatch(/^550\P{C}*$/u);
        expect(response.length).toBeLessThanOrEqual(500);
        expect(response.isWellFormed()).toBe(true);
        expect(code).toBe(550);
      }),
    );
  });
});
