import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { patience } from '../../src/mail/relay.ts';
import { until } from '../support/advocate.ts';
import { gate } from '../support/letters.ts';
import { type Action, type Moment, startSmtp, type TestSmtp } from '../support/smtp.ts';

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const messageOf = (n: number) => Buffer.from(`From: a@outspoken.example\r\nSubject: ${n}\r\n\r\nHello\r\n`);
const subjectsAt = (...servers: TestSmtp[]) =>
  servers.flatMap(({ handedOver }) =>
    handedOver.map(({ raw }) => Number(/Subject: (\d+)/.exec(raw.toString())?.[1])),
  );
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const always =
  (moment: Moment, action: Action) =>
  (at: Moment): Action | undefined =>
    at === moment ? action : undefined;

let first: TestSmtp;
let second: TestSmtp;
let mailer: Mailer;
const open = (...urls: string[]) => {
  mailer = createMailer({ url: urls.join(' '), connections: 4 });
  return mailer;
};
/** Gives up one that says nothing after a second; an unused connection before that, as in earnest. */
const openImpatiently = (...urls: string[]) => {
  const timeouts = { ...patience, silence: 1000 };
  mailer = createMailer({ url: urls.join(' '), connections: 4, idle: 500, timeouts });
};
/** A log, and the lines that were written into it. */
const aLog = () => {
  const said: Record<string, unknown>[] = [];
  return { said, log: pino({ base: null }, { write: (line) => said.push(JSON.parse(line)) }) };
};
const leftAlone = { msg: 'a relay takes nothing; it is left alone', host: '127.0.0.1' };
const weighing = ({ url }: TestSmtp, weight: number) => `${url}&weight=${weight}`;

beforeEach(async () => {
  first = await startSmtp();
  second = await startSmtp();
});
afterEach(async () => {
  await mailer.close();
  await Promise.all([first.close(), second.close()]);
});

describe('several relays', () => {
  it('share the messages', async () => {
    open(first.url, second.url);
    for (const n of numbers(60)) expect((await mailer.send(envelope, messageOf(n))).kind).toBe('accepted');
    // by chance all of them go one way once in 2^59 runs
    expect(first.accepted.length).toBeGreaterThan(0);
    expect(second.accepted.length).toBeGreaterThan(0);
    expect(subjectsAt(first, second).sort((a, b) => a - b)).toEqual(numbers(60));
  });

  it('leave a spare one alone as long as another is well', async () => {
    open(weighing(first, 1), weighing(second, 0));
    await Promise.all(numbers(20).map((n) => mailer.send(envelope, messageOf(n))));
    expect([first.accepted.length, second.connections]).toEqual([20, 0]);
  });
});

describe('a spare relay', () => {
  it('has the messages while no other lets us in, and none once one does again', async () => {
    first.script(always('connect', { cut: 'rst' }));
    open(weighing(first, 1), weighing(second, 0));
    const send = (n: number) => mailer.send(envelope, messageOf(n));
    await Promise.all(numbers(8).map(send));
    expect([first.accepted.length, second.accepted.length]).toEqual([0, 8]);

    first.script(undefined);
    await until(
      async () => (await send(8)) && first.accepted.length > 0,
      'the first to be tried again',
      60_000,
    );
    const before = second.accepted.length;
    await Promise.all(numbers(20).map(send));
    expect([first.accepted.length, second.accepted.length]).toEqual([21, before]);
  });
});

describe('a message for a relay that lets nobody in', () => {
  it.each([
    ['refuses at once', 'connect', { reply: '554 5.3.2 no service', hangUp: true }],
    ['is busy', 'connect', { reply: '421 4.3.2 too many', hangUp: true }],
    ['hangs up', 'connect', { cut: 'rst' }],
    ['does not want to be greeted', 'ehlo', { reply: '451 4.3.0 not now' }],
    ['refuses our password', 'auth', { reply: '535 5.7.8 wrong' }],
    ['cannot check it', 'auth', { reply: '454 4.7.0 later' }],
  ] as [string, Moment, Action][])('goes through the next: it %s', async (_what, moment, action) => {
    const guarded = await startSmtp({ extensions: ['AUTH PLAIN'], script: always(moment, action) });
    open(`${guarded.url.replace('//', '//user:secret@')}&weight=9999`, weighing(second, 0));
    expect((await mailer.send(envelope, messageOf(1))).kind).toBe('accepted');
    expect([guarded.connections, guarded.handedOver.length, second.accepted.length]).toEqual([1, 0, 1]);
    await guarded.close();
  });

  it('goes through the next when nothing listens any more, and when TLS is a must and not to be had', async () => {
    await first.close();
    open(weighing(first, 5), `smtp://127.0.0.1:${second.port}?tls=required`, weighing(second, 0));
    expect((await mailer.send(envelope, messageOf(1))).kind).toBe('accepted');
    expect(subjectsAt(second)).toEqual([1]);
  });

  it('waits, with the last one’s words, when no relay lets us in', async () => {
    first.script(always('connect', { reply: '421 4.3.2 too many', hangUp: true }));
    second.script(always('connect', { reply: '554 5.3.2 no service', hangUp: true }));
    open(weighing(first, 1), weighing(second, 0));
    expect(await mailer.send(envelope, messageOf(1))).toMatchObject({
      kind: 'try again',
      code: 554,
      response: '554 5.3.2 no service',
      host: '127.0.0.1',
    });
  });

  it('waits, however many there are: those, too, that wanted a connection which others tried to get', async () => {
    first.script(always('connect', { reply: '421 4.3.2 too many', hangUp: true }));
    open(first.url);
    const outcomes = await Promise.all(numbers(20).map((n) => mailer.send(envelope, messageOf(n))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(numbers(20).map(() => 'try again'));
  });

  it('is said once to be left alone, for a second at first, however many attempts fail together', async () => {
    first.script(always('connect', { reply: '421 4.3.2 too many', hangUp: true }));
    const { said, log } = aLog();
    mailer = createMailer({ url: first.url, connections: 4, log });
    await Promise.all(numbers(4).map((n) => mailer.send(envelope, messageOf(n))));
    expect(first.connections).toBe(4);
    expect(said).toEqual([expect.objectContaining({ ...leftAlone, stage: 'connect', code: 421 })]);
    expect(said[0]?.milliseconds).toBeLessThanOrEqual(1000);

    // then a single attempt shows how things stand, and it is left alone for twice as long
    await until(async () => !mailer.isAway(), 'time to try it again', 60_000);
    const outcomes = await Promise.all(numbers(4).map((n) => mailer.send(envelope, messageOf(n))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(numbers(4).map(() => 'try again'));
    expect(first.connections).toBe(5);
    expect(said).toHaveLength(2);
    expect(said[1]?.milliseconds).toBeGreaterThan(1000);
    expect(said[1]?.milliseconds).toBeLessThanOrEqual(2000);
  });

  it('is not even tried while the relay is left alone, and does not claim that a server spoke', async () => {
    first.script(always('connect', { reply: '421 4.3.2 too many', hangUp: true }));
    open(first.url);
    await mailer.send(envelope, messageOf(1));
    const outcomes = await Promise.all(numbers(20).map((n) => mailer.send(envelope, messageOf(n))));
    for (const outcome of outcomes) {
      expect(outcome.kind).toBe('try again');
      if (outcome.code === undefined) {
        expect(outcome.response).toMatch(/^not sent: no mail relay takes mail from this system/);
        expect(outcome.host).toBeUndefined();
      }
    }
    // one attempt, and at most one more per second of a slow machine
    expect(outcomes.filter(({ code }) => code === undefined).length).toBeGreaterThanOrEqual(15);
    expect(first.connections).toBeLessThanOrEqual(5);
  });

  it('finds the relay again once it is back', async () => {
    first.script(always('connect', { cut: 'rst' }));
    open(first.url);
    expect((await mailer.send(envelope, messageOf(1))).kind).toBe('try again');
    first.script(undefined);
    await until(
      async () => (await mailer.send(envelope, messageOf(2))).kind === 'accepted',
      'a relay that is tried again',
      60_000,
    );
    expect(subjectsAt(first)).toEqual([2]);
  });
});

describe('what a relay has said about a message', () => {
  it.each([
    ['mail', { reply: '550 5.7.1 not you' }, 'refused'],
    ['mail', { reply: '451 4.3.0 later' }, 'try again'],
    ['rcpt', { reply: '550 5.1.1 nobody' }, 'refused'],
    ['rcpt', { reply: '450 4.2.0 greylisted' }, 'try again'],
    ['data', { reply: '554 5.6.0 no' }, 'refused'],
    ['dot', { reply: '451 4.3.0 later' }, 'try again'],
    ['dot', { reply: '552 5.3.4 too big' }, 'refused'],
    ['dot', { cut: 'rst' }, 'unknown'],
  ] as [Moment, Action, string][])(
    'stands: at %s, %j is not asked of another relay',
    async (moment, action, kind) => {
      first.script(always(moment, action));
      open(weighing(first, 1), weighing(second, 0));
      expect((await mailer.send(envelope, messageOf(1))).kind).toBe(kind);
      expect(second.connections).toBe(0);
    },
  );
});

describe('a relay that takes only so many connections', () => {
  it('gets all messages over those, one after the other', async () => {
    // the third and every later one is turned away, for as long as two are there
    first.script((moment) =>
      moment === 'connect' && first.open > 2 ? { reply: '421 4.7.0 too many', hangUp: true } : undefined,
    );
    open(first.url);
    const outcomes = await Promise.all(numbers(40).map((n) => mailer.send(envelope, messageOf(n))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(numbers(40).map(() => 'accepted'));
    expect(subjectsAt(first).sort((a, b) => a - b)).toEqual(numbers(40));
  });
});

describe('a relay that lets us in, and then says nothing', () => {
  it.each(['mail', 'rcpt', 'data'] as Moment[])(
    'at %s: its messages go through the next, and those that follow at once',
    async (moment) => {
      first.script(always(moment, { hang: true }));
      openImpatiently(weighing(first, 9999), weighing(second, 1));
      const outcomes = await Promise.all(numbers(8).map((n) => mailer.send(envelope, messageOf(n))));
      expect(outcomes.filter(({ kind }) => kind !== 'accepted')).toEqual([]);
      const { connections } = first;
      expect((await mailer.send(envelope, messageOf(8))).kind).toBe('accepted');
      expect(first.connections).toBeLessThanOrEqual(connections + 1); // its time may have come to be tried again
      expect(subjectsAt(second).sort((a, b) => a - b)).toEqual(numbers(9));
    },
  );

  it('is tried with one message at a time, and is well again once it answers', async () => {
    first.script(always('mail', { hang: true }));
    openImpatiently(first.url);
    expect((await mailer.send(envelope, messageOf(1))).kind).toBe('try again');
    expect(mailer.isAway()).toBe(true);
    await until(async () => !mailer.isAway(), 'time to try it again', 60_000);
    const { connections } = first;
    const outcomes = await Promise.all(numbers(5).map((n) => mailer.send(envelope, messageOf(n))));
    expect(outcomes.map(({ kind }) => kind)).toEqual(numbers(5).map(() => 'try again'));
    expect(first.connections).toBe(connections + 1);

    first.script(undefined);
    await until(
      async () => (await mailer.send(envelope, messageOf(9))).kind === 'accepted',
      'an answer',
      60_000,
    );
    await Promise.all(numbers(5).map((n) => mailer.send(envelope, messageOf(n))));
    expect(first.accepted).toHaveLength(6);
  });

  it('is said to take nothing once, however many it kept silent about, and is back whatever it answers', async () => {
    const { said, log } = aLog();
    const timeouts = { ...patience, silence: 1000 };
    mailer = createMailer({ url: first.url, connections: 4, timeouts, log });
    const sendFour = () => Promise.all(numbers(4).map((n) => mailer.send(envelope, messageOf(n))));
    const held = gate(); // so that there are four connections when it falls silent
    first.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    const sent = sendFour();
    await until(async () => first.handedOver.length === 4, 'four messages');
    held.open();
    await sent;

    first.script(always('mail', { hang: true }));
    expect((await sendFour()).map(({ kind }) => kind)).toEqual(numbers(4).map(() => 'try again'));
    expect(said).toEqual([expect.objectContaining({ ...leftAlone, reason: 'ETIMEDOUT' })]);
    expect(said[0]?.milliseconds).toBeLessThanOrEqual(1000);

    first.script(always('rcpt', { reply: '550 5.1.1 nobody' }));
    await until(async () => !mailer.isAway(), 'time to try it again', 60_000);
    expect((await mailer.send(envelope, messageOf(5))).kind).toBe('refused');
    expect(mailer.isShutOut()).toBe(false);
    expect(said.slice(1)).toEqual([expect.objectContaining({ msg: 'a relay is back', host: '127.0.0.1' })]);
  });

  it('is well as long as it answers others: one message that it keeps silent about stops nothing', async () => {
    first.script((moment, { to }) =>
      moment === 'dot' && to[0] === 'slow@hm.example' ? { hang: true } : undefined,
    );
    openImpatiently(first.url);
    const slow = mailer.send({ ...envelope, to: 'slow@hm.example' }, messageOf(0));
    let isOver = false;
    const others = (async () => {
      while (!isOver) await mailer.send(envelope, messageOf(1));
    })();
    expect((await slow).kind).toBe('unknown');
    expect(mailer.isAway()).toBe(false);
    isOver = true;
    await others;
  });
});

describe('a relay that lets us in, and refuses whatever it is given', () => {
  const toBrand = (n: number) => ({ ...envelope, to: `human-rights@brand-${n}.example` });
  const sendToBrands = async (...brands: number[]) => {
    const kinds: string[] = [];
    for (const n of brands) kinds.push((await mailer.send(toBrand(n), messageOf(n))).kind);
    return kinds;
  };
  const kindsOf = (outcomes: { kind: string }[], kind: string) =>
    outcomes.filter((outcome) => outcome.kind === kind);

  it.each([
    ['mail', '550 5.7.1 sender not allowed'],
    ['rcpt', '554 5.7.1 relay access denied'],
    ['dot', '554 5.7.1 policy'],
  ] as [Moment, string][])(
    'at %s: after three brands it is left alone, and letters wait',
    async (moment, reply) => {
      first.script(always(moment, { reply }));
      open(first.url);
      expect(await sendToBrands(1, 2, 3)).toEqual(['refused', 'refused', 'refused']);
      expect([mailer.isAway(), mailer.isShutOut()]).toEqual([true, true]);
      const outcomes = await Promise.all(numbers(20).map((n) => mailer.send(toBrand(n), messageOf(n))));
      // in one second of a slow machine it may be time for one that shows how things stand, and a second later again
      expect(kindsOf(outcomes, 'try again').length).toBeGreaterThanOrEqual(18);
      expect(kindsOf(outcomes, 'accepted')).toEqual([]);
    },
  );

  it('costs no more of those that wait for a connection either', async () => {
    first.script(always('rcpt', { reply: '554 5.7.1 relay access denied' }));
    mailer = createMailer({ url: first.url, connections: 1 });
    const outcomes = await Promise.all(numbers(10).map((n) => mailer.send(toBrand(n), messageOf(n))));
    expect([kindsOf(outcomes, 'refused').length, kindsOf(outcomes, 'try again').length]).toEqual([3, 7]);
  });

  it('costs no more once another relay is there: that one gets them', async () => {
    first.script(always('rcpt', { reply: '554 5.7.1 relay access denied' }));
    open(weighing(first, 1), weighing(second, 0));
    expect(await sendToBrands(1, 2, 3)).toEqual(['refused', 'refused', 'refused']);
    const outcomes = await Promise.all(numbers(20).map((n) => mailer.send(toBrand(n), messageOf(n))));
    expect(kindsOf(outcomes, 'accepted').length).toBeGreaterThanOrEqual(18);
    expect(mailer.isShutOut()).toBe(false);
  });

  it('is tried with one message at a time, and is well again once it takes one', async () => {
    first.script(always('rcpt', { reply: '554 5.7.1 relay access denied' }));
    open(first.url);
    await sendToBrands(1, 2, 3);
    await until(async () => !mailer.isAway(), 'time to try it again', 60_000);
    expect(mailer.isShutOut()).toBe(true); // as far as anybody knows
    const outcomes = await Promise.all(numbers(5).map((n) => mailer.send(toBrand(n), messageOf(n))));
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['refused', ...Array(4).fill('try again')]);

    first.script(always('rcpt', { reply: '451 4.3.0 later' })); // which says neither
    await until(async () => !mailer.isAway(), 'time to try it again', 60_000);
    expect(await sendToBrands(1)).toEqual(['try again']);
    expect(mailer.isShutOut()).toBe(true);

    first.script(undefined);
    await until(async () => (await sendToBrands(1))[0] === 'accepted', 'a message that is taken', 60_000);
    expect(mailer.isShutOut()).toBe(false);
    const all = await Promise.all(numbers(8).map((n) => mailer.send(toBrand(n), messageOf(n))));
    expect(kindsOf(all, 'accepted')).toHaveLength(8);
  });

  it('is still left alone while the one message is on its way, although it lets us in for that', async () => {
    first.script(always('rcpt', { reply: '554 5.7.1 relay access denied' }));
    mailer = createMailer({ url: first.url, connections: 4, idle: 100 });
    await sendToBrands(1, 2, 3);
    await until(async () => first.open === 0 && !mailer.isAway(), 'time to try it again', 60_000);
    const held = gate();
    let tried = 0;
    first.script((moment) => {
      if (moment !== 'rcpt') return undefined;
      tried += 1;
      return { until: held.opened, reply: '554 5.7.1 relay access denied' };
    });
    const one = sendToBrands(4);
    await until(async () => tried === 1, 'the one message');
    expect([mailer.isAway(), mailer.isShutOut()]).toEqual([true, true]);
    held.open();
    expect(await one).toEqual(['refused']);
    expect(tried).toBe(1);
  });

  it('is well when it was we who found the messages too large for it', async () => {
    const small = await startSmtp({ extensions: ['SIZE 10'] });
    open(small.url);
    expect(await sendToBrands(1, 2, 3, 4)).toEqual(Array(4).fill('refused'));
    expect(mailer.isAway()).toBe(false);
    await small.close();
  });

  it('is well as long as it takes others, or refuses one brand only', async () => {
    const dead = new Set([1, 2, 4, 5].map((n) => toBrand(n).to));
    first.script((moment, { to }) =>
      moment === 'rcpt' && dead.has(to[0] as string) ? { reply: '550 5.1.1 nobody' } : undefined,
    );
    open(first.url);
    await sendToBrands(1, 2, 3, 4, 5);
    await sendToBrands(5, 5, 5, 5);
    const { to } = toBrand(5);
    for (const written of [to.toUpperCase(), to.replace('e', 'E')]) {
      dead.add(written);
      expect((await mailer.send({ ...envelope, to: written }, messageOf(5))).kind).toBe('refused');
    }
    expect(mailer.isAway()).toBe(false);
    expect(await sendToBrands(6)).toEqual(['accepted']);
  });
});

describe('a mailer that is closed', () => {
  it('lets what is under way come to its end, sends nothing that waits, and leaves no connection', async () => {
    mailer = createMailer({ url: first.url, connections: 1, idle: 600_000 });
    const held = gate();
    first.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    const sent = Promise.all(numbers(3).map((n) => mailer.send(envelope, messageOf(n))));
    await until(async () => first.handedOver.length === 1, 'a message under way');
    await mailer.close();
    held.open();
    expect((await sent).map(({ kind }) => kind)).toEqual(['accepted', 'try again', 'try again']);
    await until(async () => first.open === 0, 'the end of its connection', 30_000);
  });
});

describe('a relay that goes down in the middle of it', () => {
  it('costs no message, and none arrives twice', async () => {
    open(first.url, second.url);
    const count = 300;
    const waiting = numbers(count);
    const outcomes = new Map<number, string>();
    /** A letter is tried until it has an end, as the letters of a campaign are. */
    const visit = async () => {
      for (let n = waiting.shift(); n !== undefined; n = waiting.shift()) {
        const { kind } = await mailer.send(envelope, messageOf(n));
        if (kind === 'try again') waiting.push(n);
        else outcomes.set(n, kind);
      }
    };
    // from one moment to the next: those who come are turned away, and kept connections break before the message
    first.script((moment) =>
      first.accepted.length > 20 && (moment === 'connect' || moment === 'mail') ? { cut: 'rst' } : undefined,
    );
    const sending = Promise.all(numbers(8).map(visit));
    await until(async () => second.accepted.length > 150, 'the other relay to take over', 60_000);
    first.script(undefined);
    await sending;
    expect(first.accepted.length).toBeGreaterThan(20);
    expect([...outcomes.values()].filter((kind) => kind !== 'accepted')).toEqual([]);
    expect(subjectsAt(first, second).sort((a, b) => a - b)).toEqual(numbers(count));
  });
});
