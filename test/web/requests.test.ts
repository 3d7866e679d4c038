import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath, letterFields } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterAll(() => instance.close());
afterEach(async () => expect(await instance.query('select 1 from advocate')).toEqual([]));

const form = 'application/x-www-form-urlencoded';

async function send(
  body: string | Buffer | undefined,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<{ status: number; html: string; headers: Headers }> {
  const response = await fetch(new URL(`${campaignPath}/letters`, instance.url), {
    method,
    body: body as RequestInit['body'],
    headers: { 'sec-fetch-site': 'same-origin', ...headers },
    redirect: 'manual',
  });
  return { status: response.status, html: await response.text(), headers: response.headers };
}

const encoded = (fields: Record<string, string | string[]>) =>
  Object.entries(fields)
    .flatMap(([name, values]) => [values].flat().map((value) => `${name}=${encodeURIComponent(value)}`))
    .join('&');

describe('a request that is not a form of ours', () => {
  it.each([
    ['JSON', 'application/json', JSON.stringify(letterFields())],
    ['plain text', 'text/plain', encoded(letterFields())],
    ['parts', 'multipart/form-data; boundary=x', '--x--\r\n'],
  ])('is refused with 415 when it is %s', async (_what, type, body) => {
    const { status, html } = await send(body, { 'content-type': type });
    expect(status).toBe(415);
    expect(html).toContain('This is not a form that we understand');
  });

  it('is refused with 415 when it has no body at all', async () => {
    expect((await send(undefined)).status).toBe(415);
  });

  it('is refused with 413 when it is larger than any letter, also when it is packed small', async () => {
    const large = encoded(letterFields({ words: 'x'.repeat(70_000) }));
    const plain = await send(large, { 'content-type': form });
    expect(plain.status).toBe(413);
    expect(plain.html).toContain('That was too much at once');
    const packed = gzipSync(large);
    expect(packed.length).toBeLessThan(2000);
    const unpacked = await send(packed, { 'content-type': form, 'content-encoding': 'gzip' });
    expect(unpacked.status).toBe(413);
  });

  it('is refused with 413 when it has more fields than a form of ours', async () => {
    const many = encoded(letterFields({ brand: Array.from({ length: 500 }, () => 'hm') }));
    expect((await send(many, { 'content-type': form })).status).toBe(413);
  });

  it.each([
    ['another charset', { 'content-type': `${form}; charset=utf-16` }],
    ['an unknown packing', { 'content-type': form, 'content-encoding': 'shrink' }],
    ['a packing that is broken', { 'content-type': form, 'content-encoding': 'gzip' }],
  ])('is refused when it comes in %s', async (_what, headers) => {
    const { status, html } = await send(encoded(letterFields()), headers);
    expect([400, 415]).toContain(status);
    expect(html).toContain('<h1>');
    expect(html).not.toMatch(/Error:|zlib|incorrect header/);
  });

  it('is asked to mend what is broken in it', async () => {
    const broken = encoded(letterFields({ brand: [] })).replace('mail.example', '%E0%A4%A');
    expect((await send(`${broken}&brand=%`, { 'content-type': form })).status).toBe(422);
  });

  it.each(['brand[x]=hm', '__proto__=x', 'constructor.prototype.x=1', 'email[]=a'])(
    'cannot smuggle in more than text: %s',
    async (extra) => {
      const { status } = await send(`${encoded(letterFields({ email: '' }))}&${extra}`, {
        'content-type': form,
      });
      expect(status).toBe(422);
    },
  );

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    'is refused with 405 when its method is %s',
    async (method) => {
      const { status, headers } = await send(undefined, {}, method);
      expect(status).toBe(405);
      expect(headers.get('allow')).toBe('GET, HEAD, POST');
    },
  );
});
