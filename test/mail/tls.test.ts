import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createMailer } from '../../src/mail/mailer.ts';
import type { Outcome } from '../../src/mail/outcome.ts';
import { projectRoot } from '../../src/root.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { makeAuthority } from '../support/tls.ts';

const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
const message = 'From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n';
const authority = makeAuthority();
const yesterday = new Date(Date.now() - 24 * 60 * 60_000);

let folder: string;
let trusted: string;
let smtp: TestSmtp | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outspoken-tls-'));
  trusted = join(folder, 'authority.pem');
  await writeFile(trusted, authority.cert);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await smtp?.close();
  smtp = undefined;
});
const start = async (options: Parameters<typeof startSmtp>[0]) => {
  smtp = await startSmtp(options);
  return smtp;
};

const program = `
  const { createMailer } = await import(process.argv[1]);
  const mailer = createMailer({ url: process.argv[2] });
  const outcome = await mailer.send(${JSON.stringify(envelope)}, Buffer.from(${JSON.stringify(message)}));
  await mailer.close();
  console.log(JSON.stringify(outcome));`;

/** Sends as the built program does it on a machine that trusts the authority, which Node reads when it starts. */
async function sendTrusting(url: string, flags: string[] = []): Promise<Outcome> {
  const mailer = join(projectRoot, 'dist/src/mail/mailer.js');
  const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', program, mailer, url], {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: trusted },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(said) as Outcome;
}

describe('a relay outside this machine', () => {
  // an address of this machine that does not look like it: TLS becomes a must without a word about it
  const host = '0.0.0.0';
  const outside = (server: TestSmtp, scheme = 'smtp') => `${scheme}://${host}:${server.port}`;

  it.each([
    { how: 'after STARTTLS', implicitTls: false, scheme: 'smtp' },
    { how: 'inside TLS', implicitTls: true, scheme: 'smtps' },
  ])('gets mail $how, when somebody we trust vouches for it', async ({ implicitTls, scheme }) => {
    const server = await start({ certificate: authority.vouch(host), implicitTls });
    expect(await sendTrusting(outside(server, scheme))).toMatchObject({ kind: 'accepted', code: 250 });
    expect(server.accepted.map(({ raw }) => raw.toString())).toEqual([message]);
  });

  it.each([
    ['its certificate is for another name', { certificate: authority.vouch('other.example') }],
    ['its certificate has run out', { certificate: authority.vouch(host, yesterday) }],
    ['nobody vouches for it', { certificate: makeAuthority().vouch(host) }],
    ['it has no TLS', {}],
  ] as [string, Parameters<typeof startSmtp>[0]][])(
    'gets no mail when %s: the message waits',
    async (_what, options) => {
      const server = await start(options);
      expect(await sendTrusting(outside(server))).toMatchObject({ kind: 'try again', stage: 'connect' });
      expect([server.connections > 0, server.handedOver.length]).toEqual([true, 0]);
    },
  );

  // RFC 3207 section 6: somebody on the way could add words to the server's answer to STARTTLS
  it.each(['250-mx.brand.example\r\n250 AUTH PLAIN\r\n', '250 AUTH PLAIN '])(
    'is not believed what it said before TLS: %j gets no password',
    async (injected) => {
      const heard: string[] = [];
      const server = createServer((socket) => {
        socket.on('error', () => {}).write('220 mx.brand.example\r\n');
        socket.once('data', () => {
          socket.write('250-mx.brand.example\r\n250 STARTTLS\r\n');
          socket.once('data', () => {
            socket.write(`220 go ahead\r\n${injected}`);
            const secured = new TLSSocket(socket, { isServer: true, ...authority.vouch(host) });
            secured
              .on('error', () => {})
              .on('data', (line) => {
                heard.push(String(line));
                secured.write('250 mx.brand.example\r\n');
              });
          });
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const outcome = await sendTrusting(`smtp://user:secret@${host}:${port}`);
      expect(outcome).toMatchObject({ kind: 'try again', stage: 'login' });
      expect(heard.join('')).toMatch(/^EHLO [^\r]*\r\n(QUIT\r\n)?$/);
      await new Promise((resolve) => server.close(resolve));
    },
  );

  it('must be vouched for by the name that we called', async () => {
    const server = await start({ certificate: authority.vouch('localhost') });
    const called = (name: string) => `smtp://${name}:${server.port}?tls=required`;
    expect(await sendTrusting(called('127.0.0.1'))).toMatchObject({ kind: 'try again' });
    expect(await sendTrusting(called('localhost'))).toMatchObject({ kind: 'accepted' });
  });

  it('gets no mail over anything older than TLS 1.2, whatever the machine allows', async () => {
    const old = await start({
      certificate: authority.vouch(host),
      implicitTls: true,
      tlsVersion: 'TLSv1.1',
    });
    expect(await speakAnything(old.port)).toBe('TLSv1.1');
    const lax = ['--tls-min-v1.0', '--tls-cipher-list=DEFAULT@SECLEVEL=0'];
    expect(await sendTrusting(outside(old, 'smtps'), lax)).toMatchObject({ kind: 'try again' });
    await old.close();

    const newer = await start({
      certificate: authority.vouch(host),
      implicitTls: true,
      tlsVersion: 'TLSv1.2',
    });
    expect(await sendTrusting(outside(newer, 'smtps'), lax)).toMatchObject({ kind: 'accepted' });
  });
});

/** What a client without scruples agrees on with a server. */
function speakAnything(port: number): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      },
      () => {
        resolve(socket.getProtocol());
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });
}

describe('a relay on this machine', () => {
  const sendTo = async (url: string) => {
    const mailer = createMailer({ url });
    const outcome = await mailer.send(envelope, Buffer.from(message));
    await mailer.close();
    return outcome.kind;
  };
  const certificate = makeAuthority().vouch('localhost');

  it('is spoken to over TLS where it offers that, whoever vouches for it', async () => {
    const moments: string[] = [];
    const server = await start({ certificate });
    server.script((moment) => void moments.push(moment));
    expect(await sendTo(`smtp://127.0.0.1:${server.port}`)).toBe('accepted');
    expect(moments).toEqual([
      'connect',
      'ehlo',
      'starttls',
      'handshake',
      'ehlo',
      'mail',
      'rcpt',
      'data',
      'body',
      'dot',
    ]);
  });

  it('is spoken to in plain text where it offers nothing else, or where the URL says so', async () => {
    const server = await start({});
    expect(await sendTo(`smtp://127.0.0.1:${server.port}`)).toBe('accepted');
    await server.close();
    const secured = await start({ certificate });
    const moments: string[] = [];
    secured.script((moment) => void moments.push(moment));
    expect(await sendTo(`smtp://127.0.0.1:${secured.port}?tls=off`)).toBe('accepted');
    expect(moments).not.toContain('starttls');
  });

  it('gets no mail without TLS, or from a stranger, where the URL says that TLS is a must', async () => {
    const plain = await start({});
    expect(await sendTo(`smtp://127.0.0.1:${plain.port}?tls=required`)).toBe('try again');
    expect(plain.handedOver).toEqual([]);
    await plain.close();
    const stranger = await start({ certificate });
    expect(await sendTo(`smtp://127.0.0.1:${stranger.port}?tls=required`)).toBe('try again');
    expect(stranger.handedOver).toEqual([]);
  });
});
