import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  lettersOn,
  mailFor,
  until,
  writeAndConfirm,
  writeLetters,
} from '../support/advocate.ts';
import { attribute } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import type { Page } from '../support/visitor.ts';

let instance: Instance;
const pages = new Map<string, Page>();

beforeAll(async () => {
  instance = await startInstance();
  const visitor = instance.visitor();
  const waiting = await writeLetters(visitor, { email: 'waiting@mail.example' });
  const link = await confirmationLink(instance, 'waiting@mail.example');
  const receipt = await writeAndConfirm(instance, visitor, { email: 'receipt@mail.example' });
  await until(async () => (await mailFor(instance, 'human-rights@hm.example')).length === 1);
  const [letter] = lettersOn(await visitor.get(receipt));
  const [mail] = (await instance.context.catcher?.list()) ?? [];
  const paths = {
    home: '/',
    how: '/how',
    campaign: campaignPath,
    waiting,
    confirm: link,
    receipt,
    copy: `${receipt}/letters/${letter?.handle}`,
    erase: `${receipt}/erase`,
    erased: '/erased',
    gone: `/r/${'A'.repeat(43)}`,
    'a link that is not good': `/confirm/${'A'.repeat(43)}`,
    'no such page': '/nothing',
    'the mail catcher': '/mail',
    'a caught mail': `/mail/${mail}`,
  };
  for (const [name, path] of Object.entries(paths)) pages.set(name, await visitor.get(path));
  const form = `${campaignPath}/preview`;
  pages.set('preview', await visitor.post(form, letterFields()));
  pages.set('letters before they are confirmed', await visitor.post(`${link}/letters`));
  pages.set('form with errors', await visitor.post(form, letterFields({ email: '' })));
  pages.set('forbidden', await visitor.post(form, {}, { 'Sec-Fetch-Site': 'cross-site' }));
});
afterAll(() => instance.close());

const names = [
  'home',
  'how',
  'campaign',
  'waiting',
  'confirm',
  'receipt',
  'copy',
  'erase',
  'erased',
  'gone',
  'a link that is not good',
  'no such page',
  'the mail catcher',
  'a caught mail',
  'preview',
  'letters before they are confirmed',
  'form with errors',
  'forbidden',
];

const page = (name: string) => pages.get(name) as Page;

describe.each(names)('the page: %s', (name) => {
  it('may load nothing but its own styles and script, by a nonce', () => {
    const { headers, html } = page(name);
    const policy = headers.get('content-security-policy') ?? '';
    const nonce = /script-src 'nonce-([^']{20,})'/.exec(policy)?.[1] ?? '';
    expect(policy.split(';').sort()).toEqual(
      [
        "default-src 'none'",
        `script-src 'nonce-${nonce}'`,
        `style-src 'nonce-${nonce}'`,
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ].sort(),
    );
    const loading = [...html.matchAll(/<(?:script|style|link rel="stylesheet")[^>]*>/g)].map(([tag]) => tag);
    expect(loading.length).toBeGreaterThan(0);
    for (const tag of loading) expect(attribute(tag, 'nonce')).toBe(nonce);
    expect(html).not.toMatch(/<style/);
    expect(html.replace(/<script src="[^"]*"[^>]*><\/script>/g, '')).not.toMatch(/<script/);
    expect(html).not.toMatch(/\s(style|on[a-z]+)="/);
  });

  it('leads nowhere within itself, or within another page, where nothing is', async () => {
    const { html } = page(name);
    const anchors = [...html.matchAll(/ href="#([^"]*)"/g)].map(([, anchor]) => anchor);
    expect(anchors.filter((anchor) => !html.includes(` id="${anchor}"`))).toEqual([]);
    const described = [...html.matchAll(/ aria-(?:describedby|labelledby)="([^"]*)"/g)]
      .flatMap(([, ids = '']) => ids.split(' '))
      .filter((id) => !html.includes(` id="${id}"`));
    expect(described).toEqual([]);
    for (const [, path = '', anchor] of html.matchAll(/ href="(\/[^"#]*)#([^"]+)"/g))
      expect((await instance.visitor().get(path)).html).toContain(` id="${anchor}"`);
  });

  it('asks for its sheet and script by what is in them, so that none is shown by those of an older version', async () => {
    const named = [...page(name).html.matchAll(/(?:href|src)="(\/assets\/[^?"]*)\?([^"]*)"/g)];
    expect(named.length).toBeGreaterThan(1);
    for (const [, path = '', mark] of named) {
      const served = await (await fetch(new URL(path, instance.url))).arrayBuffer();
      expect(
        createHash('sha256')
          .update(Buffer.from(served))
          .digest('hex')
          .startsWith(mark ?? '-'),
      ).toBe(true);
    }
    expect(page(name).html).not.toMatch(/"\/assets\/[^?"]*"/);
  });

  it('names no other host that a browser would load from', () => {
    expect(page(name).html).not.toMatch(/<(?!a\b)[^>]*\s(src|href|action|poster|srcset)="(https?:)?\/\//);
  });

  it('is not stored, not framed, not sniffed, and tells nobody where it is', () => {
    const { headers } = page(name);
    expect(Object.fromEntries(headers)).toMatchObject({
      // the form that nobody filled in yet may be: a browser that does not store it forgets what was typed into it
      'cache-control': name === 'campaign' ? 'private, no-cache' : 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'content-type': 'text/html; charset=utf-8',
    });
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  it('has a language, a title, one main heading and a way past the menu', () => {
    const { html, headers } = page(name);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en" dir="ltr">/);
    expect(headers.get('content-language')).toBe('en');
    expect(html).toMatch(/<title>[^<]+ – Outspoken<\/title>/);
    expect(html.match(/<h1[ >]/g)).toHaveLength(1);
    expect(html).toContain('<a class="skip" href="#content">');
    const isPrivate = !['home', 'how', 'campaign'].includes(name);
    expect(html).toContain(
      `<meta name="robots" content="${isPrivate ? 'noindex, nofollow' : 'index, follow'}">`,
    );
  });
});

describe('every answer', () => {
  it('has a nonce of its own', async () => {
    const seen = new Set<string>();
    for (let n = 0; n < 20; n += 1) {
      const { headers } = await instance.visitor().get('/');
      seen.add(/'nonce-([^']*)'/.exec(headers.get('content-security-policy') ?? '')?.[1] ?? '');
    }
    expect(seen.size).toBe(20);
  });

  it('has those headers when it is a style, a font, an image or a state, too', async () => {
    for (const path of [
      '/assets/outspoken.css',
      '/assets/icon.svg',
      '/assets/fonts/source-serif-4-latin-wght-normal.woff2',
      '/healthz',
      '/readyz',
    ]) {
      const response = await fetch(new URL(path, instance.url));
      await response.arrayBuffer();
      expect([path, response.status]).toEqual([path, 200]);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.getSetCookie()).toEqual([]);
      if (path.startsWith('/assets')) expect(response.headers.get('cache-control')).toMatch(/^public/);
    }
  });
});

describe('a style or a font that is not there', () => {
  it.each(['nothing.css', 'fonts', 'fonts/nothing.woff2', '/elsewhere.example'])(
    'is no page and leads nowhere: /assets/%s',
    async (name) => {
      const response = await fetch(new URL(`/assets/${name}`, instance.url), { redirect: 'manual' });
      expect([response.status, await response.text()]).toEqual([404, '']);
      expect(response.headers.get('location')).toBeNull();
      expect(response.headers.getSetCookie()).toEqual([]);
    },
  );
});

describe('cookies', () => {
  const cookies = async (url: string, path: string) =>
    (await fetch(new URL(path, url), { redirect: 'manual' })).headers
      .getSetCookie()
      .map((cookie) => cookie.replace(/=[^;]*/, ''));

  it('hold a token and a language, out of reach of scripts and other sites', async () => {
    expect(await cookies(instance.url, '/')).toEqual(['csrf; Path=/; HttpOnly; SameSite=Strict']);
    const [language] = await cookies(instance.url, '/?lang=en');
    expect(language).toMatch(/^language; Max-Age=\d+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
  });

  it.each([
    'csrf=j:{"a":1}',
    'language=j:["en"]',
    'csrf=; language=',
    'csrf=%E0%A4%A',
    '__proto__=x; csrf=j:null',
  ])('that are not ours are as good as none: %s', async (cookie) => {
    const response = await fetch(new URL('/', instance.url), { headers: { cookie } });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('<html lang="en" dir="ltr">');
    expect(response.headers.getSetCookie().join()).toMatch(/^csrf=[0-9a-f]{64}\./);
  });

  it('travel over https only when the pages do, which browsers are told to insist on', async () => {
    const port = await freePort();
    const publicUrl = 'https://letters.example'; // a proxy in front has the certificate
    const secure = await startInstance({ roles: ['web'], settings: { port, publicUrl } });
    try {
      const url = `http://127.0.0.1:${port}`;
      expect(await cookies(url, '/')).toEqual(['__Host-csrf; Path=/; HttpOnly; Secure; SameSite=Strict']);
      const [language] = await cookies(url, '/?lang=en');
      expect(language).toContain('; Secure;');
      const response = await fetch(url);
      await response.text();
      expect(response.headers.get('strict-transport-security')).toBe('max-age=63072000');
    } finally {
      await secure.close();
    }
  });
});
