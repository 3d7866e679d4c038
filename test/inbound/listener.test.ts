import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inboundLimits } from '../../src/inbound/limits.ts';
import { startInbound } from '../../src/inbound/listener.ts';
import { layCableTo } from '../support/cable.ts';
import { fixture, type SentLetter, sendLetter } from '../support/came-back.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { bring, connectTo } from '../support/mail-client.ts';
import { inOneMinute } from '../support/moments.ts';
import { describeWith } from '../support/needs.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const roles = ['web', 'worker', 'inbound'] as const;

let smtp: TestSmtp;
beforeAll(async () => {
  smtp = await startSmtp();
});
afterAll(() => smtp.close());

/** Greets, and says lines; every answer. */
async function converse(port: number, ...lines: string[]): Promise<string[]> {
  const client = connectTo(port);
  const answers = [await client.hear()];
  for (const line of ['EHLO mx.brand.example', ...lines]) answers.push(await client.say(line));
  client.end();
  return answers;
}

describe('the listener', () => {
  let instance: Instance;
  let letter: SentLetter;
  beforeAll(async () => {
    instance = await startInstance({ roles: [...roles], smtpUrl: smtp.url });
    letter = await sendLetter(instance);
  });
  afterAll(() => instance.close());

  it('relays for nobody, from whomever, with whatever tricks', async () => {
    const before = smtp.accepted.length;
    const targets = [
      'somebody@brand.example',
      'somebody%brand.example@outspoken.example',
      'somebody!brand.example@outspoken.example',
      '@outspoken.example:somebody@brand.example',
      '"somebody@brand.example"@outspoken.example',
      'b.0123456789abcdef0123.zzz.0123456789abcdef0123@brand.example',
      'postmaster@brand.example',
    ];
    for (const sender of ['', 'letters@outspoken.example', 'somebody@brand.example']) {
      for (const target of targets) {
        const answers = await bring(instance.inboundPort, {
          to: target,
          from: sender,
          raw: fixture('reply', letter),
        });
        expect([target, answers.at(-1)]).toEqual([target, expect.stringMatching(/^5(50 5\.1\.1|01) /)]);
        expect(answers).toHaveLength(4); // refused at RCPT: the message was never asked for
      }
    }
    expect(smtp.accepted).toHaveLength(before);
    expect(await instance.query('select 1 from pen')).toEqual([]);
  });

  it('lets nobody log in, and does nothing else that was not asked for', async () => {
    const asked = ['AUTH PLAIN AGEAYg==', 'STARTTLS', 'WIZ secret', 'SHELL', 'KILL'];
    const answers = await converse(instance.inboundPort, ...asked, 'VRFY postmaster');
    expect(answers[1]).not.toMatch(/AUTH|STARTTLS/);
    expect(answers[1]).toMatch(/SIZE 5242880/);
    const unknown = expect.stringMatching(/^500 .*command not recognized/);
    expect(answers.slice(2, -1)).toEqual(asked.map(() => unknown));
    expect(answers.at(-1)).toMatch(/^252 /);
  });

  it.each(['postmaster@outspoken.example', 'Abuse@Outspoken.Example', 'postmaster'])(
    'takes mail to %s, as every mail server must, and keeps it for a person',
    async (to) => {
      const raw = `Message-ID: <${crypto.randomUUID()}@brand.example>\nFrom: somebody@brand.example\n\nHello\n`;
      const answers = await bring(instance.inboundPort, { to, from: 'somebody@brand.example', raw });
      expect(answers.at(-1)).toMatch(/^250 /);
      const [kept] = await instance.query<{ reason: string }>(
        'select reason from pen order by id desc limit 1',
      );
      expect(kept?.reason).toBe(to.toLowerCase().split('@')[0]);
    },
  );

  it('takes bounces of notices, which keep nobody busy, and tells people that it is not read', async () => {
    const to = 'notices@outspoken.example';
    const raw = fixture('postfix-failed', letter);
    const before = await instance.query('select * from event');
    expect((await bring(instance.inboundPort, { to, raw })).at(-1)).toMatch(/^250 2\.6\.0 /);
    expect((await bring(instance.inboundPort, { to, raw: fixture('complaint', letter) })).at(-1)).toMatch(
      /^250 /,
    );
    expect(await instance.query('select * from event')).toEqual(before);
    expect(await instance.query("select 1 from pen where reason not in ('postmaster', 'abuse')")).toEqual([]);
    const written = await bring(instance.inboundPort, { to, from: 'somebody@brand.example', raw });
    expect(written.at(-1)).toMatch(/^550 5\.1\.1 /);
  });

  it.each([
    'dara..sok.@brand.example', // as Japanese mobile mailboxes are
    'bounce@mailer_1.brand.example',
    'somebody@[192.0.2.1]',
    '"human.rights"@brand.example',
  ])('takes mail from %s: what the sender’s address looks like is no reason to lose it', async (from) => {
    const raw = `Message-ID: <${crypto.randomUUID()}@brand.example>\nFrom: a@brand.example\n\nHello\n`;
    const answers = await bring(instance.inboundPort, { to: letter.replyTo, from, raw });
    expect(answers.at(-1)).toMatch(/^250 2\.6\.0 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('replied');
  });

  it('takes mail for the domain of a campaign, as soon as the campaign has it', async () => {
    const to = 'postmaster@voices.example';
    const raw = 'Message-ID: <voices@brand.example>\nFrom: a@brand.example\n\nHello\n';
    expect((await bring(instance.inboundPort, { to, raw })).at(-1)).toMatch(/^550 /);
    await instance.query("update campaign set mail_domain = 'voices.example'");
    expect((await bring(instance.inboundPort, { to, raw })).at(-1)).toMatch(/^250 /);
    // letters that left before carry the old domain, and are found all the same
    expect((await letter.bring('postfix-delayed')).at(-1)).toMatch(/^250 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('delayed');
    // and those that waited meanwhile leave with the new one, and keep the Message-ID that they had
    const replyTo = letter.replyTo.replace(/@.*/, '@voices.example');
    const reply = { to: replyTo, from: 'a@brand.example', raw: raw.replace('voices@', 'answer@') };
    expect((await bring(instance.inboundPort, reply)).at(-1)).toMatch(/^250 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('replied');
    await instance.query('update campaign set mail_domain = null');
  });

  it('refuses a message above five megabytes, said before or found out after', async () => {
    const big = Buffer.concat([fixture('reply', letter), Buffer.alloc(5_400_000, 'line of text\r\n')]);
    const told = await converse(instance.inboundPort, `MAIL FROM:<a@brand.example> SIZE=${big.length}`);
    expect(told.at(-1)).toMatch(/^552 5\.3\.4 /);
    const answers = await bring(instance.inboundPort, {
      to: letter.replyTo,
      from: 'a@brand.example',
      raw: big,
    });
    expect(answers.at(-1)).toMatch(/^552 5\.3\.4 /);
    expect(await instance.query('select 1 from reply where octet_length(content) > 100000')).toEqual([]);
  });

  it('takes little from strangers: what is larger than a complaint is refused', async () => {
    const of = (bytes: number) =>
      `Message-ID: <${bytes}@brand.example>\nFrom: a@brand.example\n\n${'line of text\n'.repeat(bytes / 13)}`;
    for (const to of ['postmaster', 'abuse@outspoken.example', [letter.replyTo, 'postmaster']]) {
      const answers = await bring(instance.inboundPort, { to, from: 'a@brand.example', raw: of(270_000) });
      expect(answers.at(-1)).toMatch(/^552 /);
    }
    const bounce = await bring(instance.inboundPort, { to: 'notices@outspoken.example', raw: of(270_000) });
    expect(bounce.at(-1)).toMatch(/^552 /); // everybody knows that address, and the empty sender is anybody's
    const answers = await bring(instance.inboundPort, { to: letter.replyTo, raw: of(270_000) });
    expect(answers.at(-1)).toMatch(/^250 /);
  });

  // RFC 5321 section 4.1.1.4: only CRLF . CRLF ends a message; what servers disagree about, mail is smuggled with
  it.each(['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r.\r\n', '\r\n.\r', '\r\n\0.\r\n'])(
    'does not take %j for the end of a message: no second one comes in behind it',
    async (end) => {
      const forAbuse = () => instance.query("select id from pen where reason = 'abuse'");
      const before = await forAbuse();
      const client = connectTo(instance.inboundPort);
      await client.hear();
      await client.say('EHLO mx.brand.example');
      await client.say('MAIL FROM:<a@brand.example>');
      await client.say('RCPT TO:<postmaster>');
      expect(await client.say('DATA')).toMatch(/^354 /);
      const id = crypto.randomUUID();
      const second = `MAIL FROM:<>\r\nRCPT TO:<abuse@outspoken.example>\r\nDATA\r\n${id}`;
      const answer = await client.say(`Message-ID: <${id}@brand.example>\r\n\r\nHello${end}${second}\r\n.`);
      expect(answer).toMatch(/^250 2\.6\.0 /);
      expect(await client.say('NOOP')).toMatch(/^250 2\.0\.0 /); // nothing else was answered in between
      client.end();
      expect(await forAbuse()).toEqual(before);
    },
  );

  it('takes one message for several letters, and counts it for each', async () => {
    const other = await sendLetter(instance);
    const answers = await bring(instance.inboundPort, {
      to: [letter.returnPath, other.returnPath],
      raw: fixture('gmail-vacation', letter),
    });
    expect(answers.at(-1)).toMatch(/^250 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('auto_replied');
    expect((await other.timeline()).at(-1)?.type).toBe('auto_replied');
  });
});

describe('the limits of the listener', () => {
  const startWith = (limits: Partial<typeof inboundLimits>) =>
    startInstance({ roles: ['inbound'], inboundLimits: { ...inboundLimits, ...limits } });
  const perMinute = inboundLimits.perMinute;

  it.each([
    ['connections at a time', { connections: 3 }],
    ['connections of one client at a time', { connectionsPerClient: 3 }],
    ['connections of one client in a minute', { perMinute: { ...perMinute, connections: 3 } }],
  ])('on %s are kept with 421, and those who are in go on', async (_what, limits) => {
    const instance = await startWith(limits);
    await inOneMinute();
    const clients = Array.from({ length: 3 }, () => connectTo(instance.inboundPort));
    for (const client of clients) expect(await client.hear()).toMatch(/^220 /);
    const fourth = connectTo(instance.inboundPort);
    expect(await fourth.hear()).toMatch(/^421 /);
    for (const client of clients) expect(await client.say('NOOP')).toMatch(/^250 /);
    for (const client of [...clients, fourth]) client.end();
    await instance.close();
  });

  it('on recipients of one message put the next one off with 452', async () => {
    const instance = await startWith({ recipients: 2 });
    const answers = await converse(
      instance.inboundPort,
      'MAIL FROM:<>',
      'RCPT TO:<postmaster@outspoken.example>',
      'RCPT TO:<abuse@outspoken.example>',
      'RCPT TO:<postmaster>',
    );
    expect(answers.slice(-3).map((answer) => answer.slice(0, 3))).toEqual(['250', '250', '452']);
    await instance.close();
  });

  it('on messages of one client are kept with 421', async () => {
    const instance = await startWith({ perMinute: { ...perMinute, messages: 2 } });
    await inOneMinute();
    const said = ['MAIL FROM:<>', 'RSET', 'MAIL FROM:<>', 'RSET', 'MAIL FROM:<>'];
    expect((await converse(instance.inboundPort, ...said)).at(-1)).toMatch(/^421 /);
    await instance.close();
  });

  it('on addresses that are not here stop whoever guesses, also over a new connection', async () => {
    const instance = await startWith({ perMinute: { ...perMinute, strangers: 3 } });
    await inOneMinute();
    const guesses = Array.from(
      { length: 4 },
      (_, n) => `RCPT TO:<r.0000000000000000000${n}@outspoken.example>`,
    );
    const answers = await converse(instance.inboundPort, 'MAIL FROM:<>', ...guesses);
    expect(answers.slice(-4).map((answer) => answer.slice(0, 3))).toEqual(['550', '550', '550', '421']);
    const again = connectTo(instance.inboundPort);
    expect(await again.hear()).toMatch(/^421 /);
    again.end();
    await instance.close();
  });

  it.each([
    ['says nothing', { silence: 300 }, undefined],
    ['says a word now and then', { session: 500 }, 'NOOP'],
  ])('on time end a connection whose client %s', async (_what, limits, word) => {
    const instance = await startWith(limits);
    const client = connectTo(instance.inboundPort);
    await client.hear();
    let answer = '';
    while (!/^421 |^$/.test(answer)) {
      answer = await (word ? client.say(word) : client.hear());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(answer).toMatch(/^(421 .*)?$/);
    client.end();
    await instance.close();
  });
});

describe('the listener without its database', () => {
  it('asks to come again, and loses nothing: the report counts once the database is back', async () => {
    const clone = await cloneDatabase();
    const cable = await layCableTo(clone.url);
    const instance = await startInstance({
      roles: [...roles],
      smtpUrl: smtp.url,
      databaseUrl: cable.url,
    });
    const letter = await sendLetter(instance);
    const client = connectTo(instance.inboundPort);
    await client.hear();
    await client.say('EHLO mx.brand.example');
    await client.say('MAIL FROM:<>');
    expect(await client.say(`RCPT TO:<${letter.returnPath}>`)).toMatch(/^250 /);
    expect(await client.say('DATA')).toMatch(/^354 /);
    await cable.cut();
    expect(await client.say(`${fixture('postfix-delivered', letter).toString('latin1')}\r\n.`)).toMatch(
      /^451 4/,
    );
    client.end();
    expect((await letter.bring('postfix-delivered')).at(-1)).toMatch(/^451 4/); // at RCPT
    await cable.mend();
    await letter.becomes('accepted');
    expect((await letter.bring('postfix-delivered')).at(-1)).toMatch(/^250 /);
    expect(await letter.state()).toBe('delivered');
    await instance.close();
    await cable.close();
    await clone.drop();
  });
});

describeWith('openssl', 'the listener with a certificate', (openssl) => {
  it('offers STARTTLS, and takes mail under TLS; what was said before it counts for nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'outspoken-certificate-'));
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const about = ['-subj', '/CN=outspoken.example', '-days', '2', '-nodes'];
    execFileSync(openssl, ['req', '-x509', '-newkey', 'rsa:2048', ...about, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    });
    const instance = await startInstance({ roles: ['inbound'], settings: { inboundTls: { cert, key } } });
    const client = connectTo(instance.inboundPort);
    await client.hear();
    expect(await client.say('EHLO mx.brand.example')).toMatch(/STARTTLS/);
    // as somebody on the way would put it before the client's own words (RFC 3207 section 6)
    expect(await client.say('STARTTLS\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@outspoken.example>')).toMatch(
      /^220 /,
    );
    const line = await client.secure();
    expect(line.getPeerCertificate().subject.CN).toBe('outspoken.example');
    expect(line.getProtocol()).toMatch(/^TLSv1\.[23]$/);
    expect(await client.say('DATA')).toMatch(/^503 /);
    expect(await client.say('EHLO mx.brand.example')).not.toMatch(/STARTTLS/);
    expect(await client.say('MAIL FROM:<>')).toMatch(/^250 /);
    expect(await client.say('RCPT TO:<postmaster@outspoken.example>')).toMatch(/^250 /);
    client.end();

    const old = connectTo(instance.inboundPort);
    await old.hear();
    await old.say('EHLO mx.brand.example');
    expect(await old.say('STARTTLS')).toMatch(/^220 /);
    // what forbids the older versions is the protocol that was agreed on, not a cipher that happens to be missing
    await expect(old.secure('TLSv1.1')).rejects.toThrow(/alert protocol version/);
    old.end();

    await writeFile(key, 'not a key');
    await expect(startInbound(instance.context)).rejects.toThrow(
      'INBOUND_TLS_CERT and INBOUND_TLS_KEY must be PEM files',
    );
    await instance.close();
    await rm(folder, { recursive: true });
  });
});
