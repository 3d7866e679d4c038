import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { campaignPath, letterFields } from '../support/advocate.ts';
import { formOn, summaryOf } from '../support/form.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

let direct: Instance;
let proxied: Instance;
beforeAll(async () => {
  direct = await startInstance({ roles: ['web'] });
  proxied = await startInstance({ roles: ['web'], settings: { trustProxy: 1 } });
});
afterAll(async () => {
  await direct.close();
  await proxied.close();
});

/** Asks again and again, many at a time, until the answer is 429; that answer is returned. */
async function untilTooMany(ask: () => Promise<Page>, most: number): Promise<{ asked: number; page: Page }> {
  for (let asked = 0; asked < most; ) {
    const pages = await Promise.all(Array.from({ length: 20 }, ask));
    asked += pages.length;
    const page = pages.find(({ status }) => status === 429);
    if (page) return { asked, page };
  }
  throw new Error(`no answer was 429 after ${most}`);
}

function saysWhen(page: Page): void {
  expect(page.status).toBe(429);
  const seconds = Number(page.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(0);
  const minutes = Math.ceil(seconds / 60);
  expect(wordsOf(page)).toContain(`after ${minutes === 1 ? 'a minute' : `${minutes} minutes`}`);
}

describe('the limits', () => {
  it('tell nobody whether others on the same network write letters', async () => {
    const pages = [
      await direct.visitor().get('/'),
      await direct.visitor().get(`/r/${'A'.repeat(43)}`),
      await direct.visitor().post(`${campaignPath}/preview`, letterFields()),
      await sent(direct),
    ];
    expect(pages.map(({ status }) => status)).toEqual([200, 404, 200, 422]);
    const names = pages.flatMap(({ headers }) => [...headers.keys()]);
    expect(names).toContain('content-type');
    expect(names.filter((name) => /limit/i.test(name))).toEqual([]);
  });
});

const sent = (instance: Instance, headers = {}) =>
  instance.visitor().post(`${campaignPath}/letters`, letterFields({ email: 'not an address' }), headers);

describe('too many letters from one connection', () => {
  it('are refused with what was typed, and nothing is stored', async () => {
    const { asked, page } = await untilTooMany(() => sent(direct), 200);
    expect(asked).toBeGreaterThan(40);
    saysWhen(page);

    const typed = letterFields({
      brand: ['hm', 'puma'],
      words: 'Worth keeping',
      identity: 'named',
      name: 'Kim',
    });
    const refused = await direct.visitor().post(`${campaignPath}/letters`, typed);
    saysWhen(refused);
    expect(summaryOf(refused)[0]?.text).toContain('Nothing is lost');
    const { _csrf, ...kept } = formOn(refused, `${campaignPath}/preview`).fields;
    expect(kept).toEqual(
      Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, [value].flat()])),
    );
    expect(await direct.query('select 1 from advocate')).toEqual([]);
  });

  it('are not let through by another name of the sender, unless a proxy is trusted', async () => {
    for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'True-Client-IP']) {
      const { status } = await sent(direct, { [name]: '203.0.113.9' });
      expect([name, status]).toEqual([name, 429]);
    }
  });

  it('do not keep anyone from reading, or from a preview', async () => {
    expect((await direct.visitor().get(campaignPath)).status).toBe(200);
    expect((await direct.visitor().post(`${campaignPath}/preview`, letterFields())).status).toBe(200);
  });
});

describe('too many private links from one connection', () => {
  const token = 'A'.repeat(43);
  const handle = '0'.repeat(20);

  it('are refused with a page that says when to come back', async () => {
    const { page } = await untilTooMany(() => direct.visitor().get(`/r/${token}`), 500);
    saysWhen(page);
    expect(wordsOf(page)).toContain('Please wait a little');
    expect(page.html).toContain(`href="/r/${token}">Try again</a>`);
    const pressed = await direct.visitor().post(`/confirm/${token}`);
    saysWhen(pressed);
    expect(formOn(pressed, `/confirm/${token}`)).toBeDefined();
    expect((await direct.visitor().get('/')).status).toBe(200);
  });

  it.each(['/sent/', '/confirm/', '/r/'])('count together, whichever page they open: %s', async (path) => {
    saysWhen(await direct.visitor().get(`${path}${token}`));
  });

  it('count together with what is asked or done from such a page', async () => {
    for (const page of ['events', `letters/${handle}`, 'erase', `answers/${handle}`])
      saysWhen(await direct.visitor().get(`/r/${token}/${page}`));
    for (const deed of ['cancel', 'erase', `answers/${handle}/send`])
      saysWhen(await direct.visitor().post(`/r/${token}/${deed}`));
  });
});

describe('too many pages from one connection', () => {
  it('are refused, while the state of the process can still be asked', async () => {
    const { page } = await untilTooMany(() => direct.visitor().get('/how'), 900);
    saysWhen(page);
    expect((await direct.visitor().get('/healthz')).status).toBe(200);
    expect((await direct.visitor().get('/readyz')).status).toBe(200);
    expect((await direct.visitor().get('/assets/outspoken.css')).status).toBe(200);
  });

  it('cost nobody what they typed', async () => {
    const typed = letterFields({ brand: ['hm', 'puma'], words: 'Worth "keeping"\n& more' });
    const refused = await direct.visitor().post(`${campaignPath}/preview`, typed);
    saysWhen(refused);
    const { _csrf, ...kept } = formOn(refused, `${campaignPath}/preview`).fields;
    expect(kept).toEqual(
      Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, [value].flat()])),
    );
  });

  it('do not lead to another host by the link that tries again', async () => {
    const page = await direct.visitor().get(`${direct.url}//elsewhere.example/how`);
    saysWhen(page);
    expect(page.html).toContain('href="/elsewhere.example/how">Try again</a>');
  });

  it('give another site no form that it could have pressed here', async () => {
    const forged = await direct
      .visitor()
      .post(`${campaignPath}/letters`, letterFields(), { 'Sec-Fetch-Site': 'cross-site' });
    saysWhen(forged);
    expect(forged.html).not.toContain('<form');
  });
});

describe('what is refused before anything reads it', () => {
  it('counts as a page, and is no form that could be pressed', async () => {
    const fresh = await startInstance({ roles: ['web'] });
    try {
      const visitor = fresh.visitor();
      const refused = [
        () => visitor.post(campaignPath, {}, { 'Sec-Fetch-Site': 'cross-site' }),
        () => visitor.post(campaignPath, { words: 'x'.repeat(70_000) }),
        () => visitor.post(campaignPath, {}, { 'Content-Type': 'text/plain' }),
      ];
      const statuses = async () =>
        (await Promise.all(refused.map((ask) => ask()))).map(({ status }) => status);
      expect(await statuses()).toEqual([403, 413, 415]);
      let asked = 0;
      const next = () => (refused[asked++ % refused.length] as (typeof refused)[0])();
      const { page } = await untilTooMany(next, 900);
      saysWhen(page);
      expect(page.html).not.toContain('<form');
      expect(wordsOf(page)).toContain('was not read, and nothing was stored');
      expect(wordsOf(page)).not.toMatch(/nothing is lost/i);
      expect(await statuses()).toEqual([429, 429, 429]);
      saysWhen(await visitor.get('/how'));
    } finally {
      await fresh.close();
    }
  });
});

const from = (chain: string) => ({ 'X-Forwarded-For': chain });

describe('too many previews from one connection', () => {
  it('are refused with what was typed, and corrections count as previews', async () => {
    const typed = letterFields({ brand: ['hm', 'puma'], words: 'Worth keeping' });
    const ask = (path: string) => proxied.visitor().post(path, typed, from('203.0.113.11'));
    const { asked, page } = await untilTooMany(() => ask(`${campaignPath}/preview`), 300);
    expect(asked).toBeGreaterThan(80);
    for (const refused of [page, await ask(campaignPath)]) {
      saysWhen(refused);
      expect(summaryOf(refused)[0]?.text).toContain('Nothing is lost');
      expect(formOn(refused, `${campaignPath}/preview`).fields).toMatchObject({ words: ['Worth keeping'] });
    }
  });
});

describe('too many mails asked for once more from one connection', () => {
  it('are refused with a page that says when to come back', async () => {
    const again = `/sent/${'A'.repeat(43)}/again`;
    const { page } = await untilTooMany(() => proxied.visitor().post(again, {}, from('203.0.113.12')), 200);
    saysWhen(page);
    expect(formOn(page, again)).toBeDefined();
  });
});

describe('behind a trusted proxy', () => {
  it('each visitor has limits of their own, and cannot take another name', async () => {
    await untilTooMany(() => sent(proxied, from('203.0.113.1')), 200);
    expect((await sent(proxied, from('203.0.113.2'))).status).toBe(422);
    expect((await sent(proxied, from('203.0.113.2, 203.0.113.1'))).status).toBe(429);
  });

  it('a visitor is the same with another port, or another address of their network', async () => {
    for (const port of [4711, 4712])
      expect((await sent(proxied, from(`203.0.113.1:${port}`))).status).toBe(429);
    let n = 0;
    const next = () => from(`2001:db8:0:1::${(++n).toString(16)}`);
    await untilTooMany(() => sent(proxied, next()), 200);
    expect((await sent(proxied, from('[2001:db8:0:1::ffff]:4711'))).status).toBe(429);
    expect((await sent(proxied, from('2001:db8:1:1::1'))).status).toBe(422);
    // an address of IPv4 on a socket for both is its own, and not that of all the others
    await untilTooMany(() => sent(proxied, from('::ffff:203.0.113.3')), 200);
    expect((await sent(proxied, from('::ffff:203.0.113.4'))).status).toBe(422);
  });
});
