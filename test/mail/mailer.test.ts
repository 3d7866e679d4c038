import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { makeAuthority } from '../support/tls.ts';

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');

/** More than the kernel's socket buffers hold: a server answers before it is through. */
const huge = Buffer.concat([message, Buffer.alloc(16 * 1024 * 1024, 'line of text\r\n')]);

let smtp: TestSmtp;
let mailer: Mailer;

describe.each([true, false])('the mailer (server with PIPELINING: %s)', (pipelining) => {
  beforeEach(async () => {
    smtp = await startSmtp({ pipelining });
    mailer = createMailer({ url: smtp.url, connections: 3 });
  });
  afterEach(async () => {
    await mailer.close();
    await smtp.close();
  });

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

  it('sends a letter at once when the kept connection has gone stale', async () => {
    await mailer.send(envelope, message);
    smtp.script((moment, { count }) => (moment === 'mail' && count === 0 ? { cut: 'rst' } : undefined));
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect(smtp.accepted).toHaveLength(2);
    expect(smtp.connections).toBe(2);
  });

  it('sends a letter at once when the server closes a connection after so many of them', async () => {
    await mailer.send(envelope, message);
    smtp.script((moment, { count }) =>
      moment === 'mail' && count === 0
        ? { reply: '421 too many messages in this connection', hangUp: true }
        : undefined,
    );
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect(smtp.connections).toBe(2);
  });

  it('lets a 421 stand that a fresh connection gets: it is no matter of the connection', async () => {
    smtp.script((moment) =>
      moment === 'mail' ? { reply: '421 4.7.0 too much mail', hangUp: true } : undefined,
    );
    expect(await mailer.send(envelope, message)).toMatchObject({
      kind: 'try again',
      code: 421,
      stage: 'mail',
    });
    expect(smtp.connections).toBe(1);
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

  it('gives up a connection on which it was answered in mid-body: the rest would be taken for commands', async () => {
    smtp.script((moment, { count }) =>
      moment === 'body' && count === 0 ? { reply: '552 5.3.4 too big' } : undefined,
    );
    expect(await mailer.send(envelope, huge)).toMatchObject({ kind: 'refused', code: 552 });
    expect((await mailer.send(envelope, message)).kind).toBe('accepted');
    expect(smtp.accepted.map(({ raw }) => raw)).toEqual([message]);
    expect(smtp.connections).toBe(2);
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

  it('keeps its password to itself where no way to log in is offered', async () => {
    const open = await startSmtp({ certificate: makeAuthority().vouch('relay.example') });
    const said: string[] = [];
    // TLS is optional here, and fails: what is left would be read by anybody on the way
    open.script((moment) => {
      said.push(moment);
      return moment === 'starttls' ? { reply: '454 4.7.0 not now' } : undefined;
    });
    const mail = createMailer({ url: open.url.replace('//', '//user:secret@') });
    expect((await mail.send(envelope, message)).kind).toBe('try again');
    expect(said).toContain('starttls');
    expect(said).not.toContain('auth');
    await mail.close();
    await open.close();
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
