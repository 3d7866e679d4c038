import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { startCatcher } from '../../src/embedded/catcher.ts';
import { createMailer } from '../../src/mail/mailer.ts';
import { confirmationLink, mailFor, until, writeAndConfirm, writeLetters } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { startSmtp } from '../support/smtp.ts';
import { unescapeHtml, wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
  await writeAndConfirm(instance, instance.visitor(), {
    email: 'caught@mail.example',
    identity: 'described',
    description: 'a & ខ្មែរ worker',
    words: 'Line one.\r\n.Line two with a dot',
  });
  await until(async () => (await mailFor(instance, 'human-rights@hm.example')).length === 1);
});
afterAll(() => instance.close());

/** The path of the message with this subject. */
async function messageWith(subject: RegExp): Promise<string> {
  const { html } = await instance.visitor().get('/mail');
  const link = [...html.matchAll(/<a href="(\/mail\/[^"]+)" dir="auto">([^<]*)<\/a>/g)].find(
    ([, , text = '']) => subject.test(unescapeHtml(text)),
  );
  return link?.[1] ?? '';
}

/** The status that a request gets which names this host, as a page whose name points here would make it. */
function statusFor(
  host: string,
  path: string,
  url = instance.url,
  more: Record<string, string> = {},
): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers: { host, ...more } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('the mail catcher', () => {
  it('lists what was sent, newest first: to whom, from whom, about what, when', async () => {
    const page = await instance.visitor().get('/mail');
    const words = wordsOf(page);
    expect(words).toContain('caught@mail.example');
    expect(words).toContain('Please confirm your letters');
    expect(words).toContain('a & ខ្មែរ worker via Outspoken');
    expect(words.indexOf('please speak out')).toBeLessThan(words.indexOf('Please confirm your letters'));
    expect(page.html).toMatch(/<time datetime="\d{4}-\d\d-\d\dT[^"]*">/);
  });

  it('shows a message: headers, text, raw source', async () => {
    const path = await messageWith(/please speak out/);
    const page = await instance.visitor().get(path);
    const words = wordsOf(page);
    expect(words).toContain('Message-ID');
    expect(words).toContain('Reply-To');
    expect(words).toContain('I write to you as a & ខ្មែរ worker');
    expect(unescapeHtml(page.html)).toContain('Line one.\n.Line two with a dot');
    expect(page.html).toContain('Content-Transfer-Encoding: quoted-printable');

    const raw = await instance.visitor().get(`${path}/raw`);
    expect(raw.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(raw.html).toMatch(/^From: /m);
    const [mail] = await mailFor(instance, 'human-rights@hm.example');
    expect(raw.html).toContain(`Message-ID: ${mail?.messageId}`);
  });

  it('makes the link in a confirmation mail one that can be followed', async () => {
    await writeLetters(instance.visitor(), { email: 'linked@mail.example' });
    const link = await confirmationLink(instance, 'linked@mail.example');
    const page = await instance.visitor().get(await messageWith(/Please confirm/));
    const [, href = ''] = /<a href="(http[^"]*\/confirm\/[^"]*)">/.exec(unescapeHtml(page.html)) ?? [];
    expect(new URL(href).pathname).toBe(link);
    expect((await instance.visitor().get(new URL(href).pathname)).status).toBe(200);
  });

  it('shows what a message says as words, never as a page', async () => {
    const evil = '<img src=x onerror=alert(1)>';
    const fresh = await startInstance();
    await fresh.query(
      `insert into wording (campaign_id, language, version, sender, subject, body, passages)
       select campaign_id, language, 2, sender, $1, body, passages from wording where language = 'en'`,
      [`${evil} {{brand}}`],
    );
    try {
      await writeAndConfirm(fresh, fresh.visitor(), {
        email: 'evil@mail.example',
        brand: ['puma'],
        words: evil,
      });
      await until(async () => (await mailFor(fresh, 'human-rights@puma.example')).length === 1);
      const list = await fresh.visitor().get('/mail');
      expect(list.html).toContain('&lt;img');
      const path = /<a href="(\/mail\/[^"]+)" dir="auto">&lt;img/.exec(list.html)?.[1] ?? '';
      for (const { html } of [list, await fresh.visitor().get(path)]) expect(html).not.toContain('<img');
      const raw = await fresh.visitor().get(`${path}/raw`);
      expect(raw.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(raw.headers.get('x-content-type-options')).toBe('nosniff');
    } finally {
      await fresh.close();
    }
  });

  it.each(['/mail/none', '/mail/none/raw', '/mail/..%2f..%2fapp-key', '/mail/%2e%2e%2fx/raw'])(
    'has nothing at %s',
    async (path) => {
      expect((await instance.visitor().get(path)).status).toBe(404);
    },
  );

  it('keeps the newest, 2,000 at most, also where each start brings but a few', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'outspoken-catcher-'));
    const before = Array.from({ length: 2000 }, (_, n) => `0000-${String(n).padStart(6, '0')}`);
    for (const id of before) await writeFile(join(folder, `${id}.eml`), 'Subject: old\r\n\r\n');
    const catcher = await startCatcher(folder);
    const mailer = createMailer({ url: catcher.url });
    try {
      const envelope = { from: 'notices@outspoken.example', to: 'one@mail.example' };
      await mailer.send(envelope, Buffer.from('Subject: new\r\n\r\n'));
      const [newest = '', next] = await until(async () => {
        const ids = await catcher.list();
        return ids.length <= 2000 && ids;
      });
      expect(await readFile(join(folder, `${newest}.eml`), 'utf8')).toMatch(/^Subject: new/);
      expect(next).toBe(before.at(-1));
    } finally {
      await mailer.close();
      await catcher.close();
      await rm(folder, { recursive: true });
    }
  });

  it('is named on every page, so that nobody takes a trial for the real thing', async () => {
    const { html } = await instance.visitor().get('/how');
    expect(html).toContain('<a href="/mail">');
  });
});

describe('the mail catcher is for the person at this machine', () => {
  it('and not for a foreign page that points its own name here (DNS rebinding)', async () => {
    const path = await messageWith(/Please confirm/);
    for (const host of [
      'rebound.example',
      'localhost.rebound.example',
      '127.0.0.1.rebound.example',
      '0.0.0.0',
    ]) {
      for (const page of ['/mail', path, `${path}/raw`]) {
        expect([host, page, await statusFor(host, page)]).toEqual([host, page, 404]);
      }
    }
    const { port } = new URL(instance.url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, '[::1]'])
      expect([host, await statusFor(host, '/mail')]).toEqual([host, 200]);
  });

  it('and not for a neighbour who says that this is their machine', async () => {
    const address = outsideAddress();
    if (!address) throw new Error('this machine has no address that others can reach: the test needs one');
    const open = await startInstance({ settings: { host: '0.0.0.0' } });
    try {
      const { port } = new URL(open.url);
      expect(await statusFor('localhost', '/mail', `http://127.0.0.1:${port}`)).toBe(200);
      expect(await statusFor('localhost', '/mail', `http://${address}:${port}`)).toBe(404);
      expect(await statusFor('localhost', '/how', `http://${address}:${port}`)).toBe(200);
    } finally {
      await open.close();
    }
  });

  it('and not for somebody who comes through a proxy on this machine, whatever they say of themselves', async () => {
    const proxied = await startInstance({ settings: { trustProxy: 1 } });
    try {
      const asked = (host: string, more: Record<string, string>) =>
        statusFor(host, '/mail', proxied.url, more);
      expect(await asked('localhost', {})).toBe(200);
      expect(await asked('pages.example', { 'X-Forwarded-Host': 'localhost' })).toBe(404);
      for (const name of ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Real-IP', 'Forwarded', 'Via'])
        expect([name, await asked('localhost', { [name]: '127.0.0.1' })]).toEqual([name, 404]);
    } finally {
      await proxied.close();
    }
  });

  it('and not for somebody who comes through an nginx that nobody told anything', async () => {
    expect(await firstLine('GET /mail HTTP/1.1')).toContain(' 200 '); // it names this machine as the host, as its user does
    expect(await firstLine('GET /mail HTTP/1.0')).toContain(' 404 ');
    expect(await firstLine('GET /how HTTP/1.0')).toContain(' 200 ');
  });

  it('and for nobody where the pages have an address for others, since a proxy can hide itself', async () => {
    const port = await freePort();
    const open = await startInstance({ settings: { port, publicUrl: 'https://pages.example' } });
    try {
      const url = `http://127.0.0.1:${port}`;
      expect(await statusFor('localhost', '/mail', url)).toBe(404);
      const page = await (await fetch(url)).text();
      expect(page).toContain('This is a trial on one machine');
      expect(page).not.toContain('href="/mail"');
    } finally {
      await open.close();
    }
  });

  it('and does not exist where mail is really sent', async () => {
    const smtp = await startSmtp();
    const real = await startInstance({ smtpUrl: smtp.url });
    try {
      for (const path of ['/mail', '/mail/none', '/mail/none/raw'])
        expect((await real.visitor().get(path)).status).toBe(404);
      expect((await real.visitor().get('/')).html).not.toContain('/mail');
    } finally {
      await real.close();
      await smtp.close();
    }
  });
});

/** The first line of the answer to a request in so many words, as nginx passes it on. */
function firstLine(asked: string): Promise<string> {
  const { hostname, port, host } = new URL(instance.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${asked}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
    );
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('end', () => resolve(answer.split('\r\n')[0] ?? ''));
    socket.on('error', reject);
  });
}

/** An address of this machine that others can reach. */
function outsideAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}
