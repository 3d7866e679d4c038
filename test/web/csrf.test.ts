import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath, letterFields, lettersOn, writeAndConfirm } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { fieldOf } from '../support/visitor.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
  await instance.query("update contact set health = 'suspended'");
});
afterAll(() => instance.close());

/** A visitor's cookie and token, as our page handed them out. */
async function handedOut(): Promise<{ cookie: string; token: string }> {
  const response = await fetch(new URL(campaignPath, instance.url));
  const html = await response.text();
  return {
    cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? '',
    token: fieldOf({ status: 200, headers: response.headers, location: '', html }, '_csrf'),
  };
}

/** Sends the form with exactly these headers, as some browser might. */
async function send(
  headers: Record<string, string>,
  fields: Record<string, string | string[]> = {},
  path = `${campaignPath}/letters`,
): Promise<number> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...letterFields(), ...fields }))
    for (const one of [value].flat()) body.append(name, one);
  const response = await fetch(new URL(path, instance.url), {
    method: 'POST',
    body,
    headers,
    redirect: 'manual',
  });
  await response.text();
  return response.status;
}

const stored = async () =>
  (await instance.query<{ n: number }>('select count(*)::int as n from advocate'))[0]?.n;

describe('a form', () => {
  const own = () => new URL(instance.url).origin;

  it('is taken from our own page, which a browser vouches for', async () => {
    expect(await send({ 'sec-fetch-site': 'same-origin' })).toBe(303);
    expect(await send({ origin: own() })).toBe(303);
  });

  it.each(['cross-site', 'same-site', 'none', 'something-new', ''])(
    'is refused when the browser says that it comes from: %j',
    async (site) => {
      const { cookie, token } = await handedOut();
      const before = await stored();
      expect(await send({ 'sec-fetch-site': site })).toBe(403);
      expect(await send({ 'sec-fetch-site': site, cookie }, { _csrf: token })).toBe(403);
      expect(await send({ 'sec-fetch-site': site, origin: own() })).toBe(403);
      expect(await stored()).toBe(before);
    },
  );

  it.each([
    ['another host', () => 'https://elsewhere.example'],
    ['another port of this host', () => `http://${new URL(own()).hostname}:1`],
    ['a host whose name begins like ours', () => `${own()}.elsewhere.example`],
    ['something that is no origin', () => '://'],
  ])('is refused when its Origin is %s', async (_what, origin) => {
    const { cookie, token } = await handedOut();
    const before = await stored();
    expect(await send({ origin: origin() })).toBe(403);
    expect(await send({ origin: origin(), cookie }, { _csrf: token })).toBe(403);
    expect(await stored()).toBe(before);
  });

  it.each([
    ['says nothing', {}],
    ['has an Origin of null', { origin: 'null' }],
  ])('needs its token when the browser %s', async (_what, headers) => {
    const { cookie, token } = await handedOut();
    const other = await handedOut();
    const before = (await stored()) ?? 0;
    expect(await send(headers)).toBe(403);
    expect(await send({ ...headers, cookie })).toBe(403);
    expect(await send(headers, { _csrf: token })).toBe(403);
    expect(await send({ ...headers, cookie }, { _csrf: other.token })).toBe(403);
    expect(await send({ ...headers, cookie }, { _csrf: [token, token] })).toBe(403);
    expect(await send({ ...headers, cookie }, { _csrf: token.replace(/^./, 'z') })).toBe(403);
    expect(await send({ ...headers, cookie: 'csrf=made.up' }, { _csrf: 'made.up' })).toBe(403);
    expect(await stored()).toBe(before);
    expect(await send({ ...headers, cookie }, { _csrf: token })).toBe(303);
    expect(await stored()).toBe(before + 1);
  });
});

describe('a page', () => {
  it.each(['GET', 'HEAD'])('may be asked for from anywhere: %s', async (method) => {
    const elsewhere = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' };
    for (const headers of [undefined, elsewhere]) {
      const response = await fetch(new URL(campaignPath, instance.url), { method, headers });
      await response.text();
      expect(response.status).toBe(200);
    }
  });
});

describe('every form of ours', () => {
  it('is refused when another site sends it, and changes nothing', async () => {
    const receipt = await writeAndConfirm(instance, instance.visitor(), { email: 'guarded@mail.example' });
    const [letter] = lettersOn(await instance.visitor().get(receipt));
    for (const path of [
      campaignPath,
      `${campaignPath}/preview`,
      `${campaignPath}/letters`,
      `/sent/${'A'.repeat(43)}/again`,
      `/sent/${'A'.repeat(43)}/erase`,
      `/confirm/${'A'.repeat(43)}`,
      `/confirm/${'A'.repeat(43)}/letters`,
      `/confirm/${'A'.repeat(43)}/erase`,
      `${receipt}/letters/${letter?.handle}/cancel`,
      `${receipt}/cancel`,
      `${receipt}/erase`,
      `${receipt}/replies/${letter?.handle}/answer`,
      `${receipt}/answers/${letter?.handle}`,
      `${receipt}/answers/${letter?.handle}/send`,
      `${receipt}/answers/${letter?.handle}/drop`,
    ]) {
      expect([path, await send({ 'sec-fetch-site': 'cross-site' }, {}, path)]).toEqual([path, 403]);
    }
    expect(lettersOn(await instance.visitor().get(receipt)).map(({ state }) => state)).toEqual(['ready']);
  });
});
