import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { type Action, type Moment, startSmtp, type TestSmtp } from '../support/smtp.ts';

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');

/** More than the kernel's socket buffers hold, so that a server which stops reading leaves bytes with us. */
const huge = Buffer.concat([message, Buffer.alloc(40 * 1024 * 1024, 'line of text\r\n')]);

let smtp: TestSmtp;
let mailer: Mailer;

describe.each([true, false])('the mailer (server with PIPELINING: %s)', (pipelining) => {
  beforeEach(async () => {
    smtp = await startSmtp({ pipelining });
    mailer = createMailer({ url: smtp.url, connections: 3, silence: 400 });
  });
  afterEach(async () => {
    await mailer.close();
    await smtp.close();
  });

  const once = (moment: Moment, action: Action) => smtp.script((at) => (at === moment ? action : undefined));

  it('reports who accepted, with its words', async () => {
    expect(await mailer.send(envelope, message)).toEqual({
      kind: 'accepted',
      code: 250,
      response: '250 2.0.0 ok queued as Q1',
      host: 'mx.brand.example',
    });
    expect(smtp.accepted).toMatchObject([{ from: envelope.from, to: [envelope.to], raw: message }]);
  });

  it('keeps leading dots and makes line ends CRLF', async () => {
    const dots = Buffer.from('Subject: x\r\n\r\n.\r\n..\r\n.a\r\n');
    await mailer.send(envelope, dots);
    expect(smtp.accepted[0]?.raw.toString()).toBe(dots.toString());
  });

  it.each([
    ['connect', { reply: '554 5.3.2 no service', hangUp: true }, 'try again'],
    ['connect', { reply: '421 4.3.2 busy', hangUp: true }, 'try again'],
    ['connect', { cut: 'fin' }, 'try again'],
    ['connect', { cut: 'rst' }, 'try again'],
    ['connect', { hang: true }, 'try again'],
    ['ehlo', { cut: 'fin' }, 'try again'],
    ['ehlo', { cut: 'rst' }, 'try again'],
    ['ehlo', { hang: true }, 'try again'],
    ['mail', { reply: '421 4.3.2 busy', hangUp: true }, 'try again'],
    ['mail', { reply: '451 4.3.0 later' }, 'try again'],
    ['mail', { reply: '550 5.7.1 not you' }, 'refused'],
    ['mail', { reply: '530 5.7.0 authenticate first' }, 'try again'],
    ['mail', { cut: 'fin' }, 'try again'],
    ['mail', { cut: 'rst' }, 'try again'],
    ['mail', { hang: true }, 'try again'],
    ['rcpt', { reply: '450 4.2.1 greylisted' }, 'try again'],
    ['rcpt', { reply: '550 5.1.1 no such user' }, 'refused'],
    ['rcpt', { reply: '552 5.2.2 mailbox full' }, 'refused'],
    ['rcpt', { cut: 'rst' }, 'try again'],
    ['data', { reply: '451 4.3.0 later' }, 'try again'],
    ['data', { reply: '554 5.6.0 no' }, 'refused'],
    ['data', { cut: 'fin' }, 'try again'],
    ['data', { cut: 'rst' }, 'try again'],
    ['data', { hang: true }, 'try again'],
    ['dot', { reply: '421 4.3.2 shutting down', hangUp: true }, 'try again'],
    ['dot', { reply: '451 4.3.0 later' }, 'try again'],
    ['dot', { reply: '550 5.7.1 spam' }, 'refused'],
    ['dot', { reply: '552 5.3.4 too big' }, 'refused'],
    ['dot', { reply: '599 nonsense' }, 'refused'],
    ['dot', { cut: 'fin' }, 'unknown'],
    ['dot', { cut: 'rst' }, 'unknown'],
    ['dot', { hang: true }, 'unknown'],
  ] as [Moment, Action, string][])('at %s, %j: %s', async (moment, action, kind) => {
    once(moment, action);
    const outcome = await mailer.send(envelope, message);
    expect(outcome.kind).toBe(kind);
    if ('reply' in action) expect(outcome.code).toBe(Number(action.reply.slice(0, 3)));
    else expect(outcome.code).toBeUndefined();

    // whatever happened, the next letter finds a mailer that works
    smtp.script(undefined);
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
  });

  it.each([
    ['cut with FIN', { cut: 'fin' }],
    ['cut with RST', { cut: 'rst' }],
    ['answered no more', { hang: true }],
  ] as [string, Action][])(
    'in mid-body of a message that is not out yet, %s: try again',
    async (_what, action) => {
      once('body', action);
      expect((await mailer.send(envelope, huge)).kind).toBe('try again');
    },
  );

  it('sends a letter at once when the kept connection has gone stale', async () => {
    await mailer.send(envelope, message);
    smtp.script((moment, { count }) => (moment === 'mail' && count === 0 ? { cut: 'rst' } : undefined));
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect(smtp.accepted).toHaveLength(2);
    expect(smtp.connections).toBe(2);
  });

  it('does not send twice what a stale connection may have taken', async () => {
    await mailer.send(envelope, message);
    smtp.script((moment, { count }) => (moment === 'dot' && count === 0 ? { cut: 'rst' } : undefined));
    expect((await mailer.send(envelope, message)).kind).toBe('unknown');
    expect(smtp.accepted).toHaveLength(1);
  });

  it('uses no more connections than allowed, and the same ones again', async () => {
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => mailer.send(envelope, message)));
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['accepted']));
    expect(smtp.accepted).toHaveLength(40);
    expect(smtp.connections).toBeLessThanOrEqual(3);
  });

  it('goes on over the same connection after a refusal', async () => {
    smtp.script((moment, { count }) =>
      moment === 'rcpt' && count % 2 === 0 ? { reply: '550 5.1.1 no' } : undefined,
    );
    const kinds = [];
    for (let n = 0; n < 4; n += 1) kinds.push((await mailer.send(envelope, message)).kind);
    expect(kinds).toEqual(['refused', 'accepted', 'refused', 'accepted']);
    expect(smtp.connections).toBe(1);
  });
});

describe('the mailer and the outside world', () => {
  it('tries again when nothing listens', async () => {
    const closed = await startSmtp();
    await closed.close();
    const lonely = createMailer({ url: closed.url });
    expect(await lonely.send(envelope, message)).toMatchObject({ kind: 'try again', host: '127.0.0.1' });
    await lonely.close();
  });

  it('sends nothing without TLS to a server outside this machine', async () => {
    const plain = await startSmtp();
    // the same server, named so that it does not look local: TLS becomes a must
    const careful = createMailer({ url: `smtp://localhost.:${plain.port}`, silence: 1000 });
    expect((await careful.send(envelope, message)).kind).toBe('try again');
    expect(plain.accepted).toEqual([]);
    await careful.close();
    await plain.close();
  });

  it('logs in where the URL says so, and tries again when that fails', async () => {
    const guarded = await startSmtp({ extensions: ['AUTH PLAIN'] });
    const url = guarded.url.replace('smtp://', 'smtp://us%40er:p%C3%A4ss@');
    const mail = createMailer({ url });
    expect((await mail.send(envelope, message)).kind).toBe('accepted');
    await mail.close();
    guarded.script((moment) => (moment === 'auth' ? { reply: '535 5.7.8 wrong' } : undefined));
    const locked = createMailer({ url });
    expect(await locked.send(envelope, message)).toMatchObject({ kind: 'try again', code: 535 });
    await locked.close();
    await guarded.close();
  });

  it('refuses an address that no server could take, without asking one', async () => {
    const server = await startSmtp();
    const mail = createMailer({ url: server.url });
    expect((await mail.send({ ...envelope, to: 'a@b.example>\r\nRCPT TO:<c@d.example' }, message)).kind).toBe(
      'refused',
    );
    expect(server.accepted).toEqual([]);
    await mail.close();
    await server.close();
  });
});
