import { describe, expect, it } from '@jest/globals';
import { createMailer } from '../../src/mail/mailer.ts';
import { patience, type Timeouts } from '../../src/mail/relay.ts';
import { type Action, type Moment, startSmtp } from '../support/smtp.ts';
import { makeAuthority } from '../support/tls.ts';

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');
/** Longer than a test may take: only the short one of the three can end it. */
const long: Timeouts = { connect: 120_000, greeting: 120_000, silence: 120_000 };
const short = 3000;

it('a relay gets half a minute to let us in, and ten minutes to take a message', () => {
  expect(patience).toEqual({ connect: 30_000, greeting: 30_000, silence: 600_000 });
});

describe.each([
  { how: 'in plain text', certificate: undefined },
  { how: 'over TLS', certificate: makeAuthority().vouch('relay.example') },
])('a relay that is spoken to $how', ({ certificate }) => {
  const sendWith = async (timeouts: Timeouts, moment: Moment, action: Action) => {
    const smtp = await startSmtp({
      certificate,
      extensions: ['AUTH PLAIN'],
      script: (at, { count }) => (at === moment && count === 0 ? action : undefined),
    });
    const mailer = createMailer({ url: smtp.url.replace('//', '//user:secret@'), timeouts });
    const { kind } = await mailer.send(envelope, message);
    await mailer.close();
    await smtp.close();
    return kind;
  };

  it.concurrent('is given up when it does not greet us', async () => {
    expect(await sendWith({ ...long, connect: short }, 'connect', { hang: true })).toBe('try again');
  });

  it.concurrent.each(['ehlo', ...(certificate ? ['starttls', 'handshake'] : []), 'auth'] as Moment[])(
    'is given up when it is silent at %s',
    async (moment) => {
      expect(await sendWith({ ...long, greeting: short }, moment, { hang: true })).toBe('try again');
    },
  );

  it.concurrent.each([
    ['mail', 'try again'],
    ['dot', 'unknown'],
  ] as [Moment, string][])('is given up when it is silent at %s: %s', async (moment, kind) => {
    expect(await sendWith({ ...long, silence: short }, moment, { hang: true })).toBe(kind);
  });

  it.concurrent.each(['mail', 'data', 'dot'] as Moment[])(
    'may take longer over a message than over a greeting, at %s',
    async (moment) => {
      expect(await sendWith({ ...long, greeting: short }, moment, { wait: 2 * short })).toBe('accepted');
    },
  );
});
