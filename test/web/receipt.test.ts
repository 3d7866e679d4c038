import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lettersOn, timelineOn, until, writeAndConfirm } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { sheetsOn } from '../support/sheets.ts';
import { type Script, startSmtp, type TestSmtp } from '../support/smtp.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

let smtp: TestSmtp;
let instance: Instance;
let receipt: string;
let page: Page;

/** One brand's server takes the letter, one refuses it, one wants it later, one falls silent. */
const world: Script = (moment, { to }) => {
  const brand = /human-rights@(.*)\.example/.exec(to[0] ?? '')?.[1];
  if (moment === 'rcpt' && brand === 'nike') return { reply: '550 5.1.1 <b>no</b> such "mailbox" & co' };
  if (moment === 'rcpt' && brand === 'tchibo') return { reply: '451 4.7.1 greylisted, come back later' };
  if (moment === 'dot' && brand === 'puma') return { cut: 'fin' };
  if (moment === 'data' && brand === 'gap') return { cut: 'rst' };
  return undefined;
};

beforeAll(async () => {
  smtp = await startSmtp({ script: world });
  instance = await startInstance({ smtpUrl: smtp.url });
  await instance.query(`update contact set health = 'suspended' from brand
    where brand.id = brand_id and brand.slug = 'asics'`);
  receipt = await writeAndConfirm(smtp, instance.visitor(), {
    brand: ['hm', 'nike', 'tchibo', 'puma', 'gap', 'asics'],
    email: 'follower@mail.example',
    identity: 'named',
    name: 'Kim & Sok',
    words: 'My “own” <words>.',
  });
  page = await until(async () => {
    const now = await instance.visitor().get(receipt);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const moving = lettersOn(now).filter(({ state }) => ['ready', 'queued', 'sending'].includes(state));
    return moving.length === 1 && now;
  }, 'five letters that have come to rest');
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

/** What the receipt says of the letter to a brand. */
function saidOf(brand: string): { state: string | undefined; words: string } {
  const article = page.html.split('<article ').find((part) => part.includes(`data-brand="${brand}"`)) ?? '';
  return {
    state: /data-state="([^"]*)"/.exec(article)?.[1],
    words: wordsOf({ ...page, html: `<article ${article.split('</article>')[0]}` }),
  };
}

describe('the receipt says of a letter', () => {
  it('that was taken: which server accepted it, when, and with which answer', () => {
    const { state, words } = saidOf('hm');
    expect(state).toBe('accepted');
    expect(words).toMatch(/Accepted by mx\.brand\.example on \d{1,2} \w+ \d{4} at \d\d:\d\d UTC/);
    const last = timelineOn(page, 'hm').at(-1);
    expect(last).toMatchObject({ type: 'accepted', code: '250', host: 'mx.brand.example' });
    expect(last?.response).toMatch(/\w/);
    expect(words).toContain(last?.response);
  });

  it('that was refused: by whom, and the reason in the words of that server', () => {
    const { state, words } = saidOf('nike');
    expect(state).toBe('rejected');
    expect(words).toContain('Refused by mx.brand.example');
    expect(words).toContain('5.1.1 <b>no</b> such "mailbox" & co');
    expect(page.html).not.toContain('<b>no</b>');
    expect(timelineOn(page, 'nike').at(-1)).toMatchObject({ type: 'rejected', code: '550' });
  });

  it('that was put off: when it will be tried again, and why', () => {
    const { state, words } = saidOf('tchibo');
    expect(state).toBe('deferred');
    expect(words).toMatch(/Will be tried again after \d{1,2} \w+ \d{4} at \d\d:\d\d UTC/);
    expect(words).toContain('greylisted, come back later');
    expect(words).toContain('asked us to try later');
    expect(timelineOn(page, 'tchibo').at(-1)).toMatchObject({ type: 'deferred', code: '451' });
  });

  it('whose connection broke before the end: that it will be tried again', () => {
    const { state, words } = saidOf('gap');
    expect(state).toBe('deferred');
    expect(words).toContain('The connection failed before the letter was through');
    expect(words).not.toContain('accepted');
  });

  it('whose answer never came: that nobody knows', () => {
    const { state, words } = saidOf('puma');
    expect(state).toBe('unknown');
    expect(words).toContain('Was handed over, but no answer came back: we do not know whether it arrived');
  });

  it('that waits: that it waits, and how to take it back', () => {
    const { state, words } = saidOf('asics');
    expect(state).toBe('ready');
    expect(words).toContain('Waits until a person has checked this brand’s address');
    expect(words).toContain('Do not send this one');
  });

  it('how it came so far, step by step', () => {
    expect(timelineOn(page, 'hm').map(({ type }) => type)).toEqual([
      'drafted',
      'confirmed',
      'released',
      'claimed',
      'accepted',
    ]);
    for (const { brand } of lettersOn(page)) {
      const times = [
        ...(page.html.split(`data-brand="${brand}"`)[1] ?? '')
          .split('</article>')[0]!
          .replace(/<p class="sentence">.*/, '') // which tells the last of them, or when it is tried again
          .matchAll(/<time datetime="([^"]*)"/g),
      ].map(([, at = '']) => at);
      expect(times.length).toBeGreaterThan(1);
      expect(times).toEqual([...times].sort());
    }
  });
});

describe('the receipt', () => {
  it('counts what was accepted, and nothing else, as accepted', () => {
    expect(wordsOf(page)).toContain('1 of your 6 letters has been accepted');
    expect(wordsOf(page)).toContain('It does not mean that anyone has read it');
  });

  it('offers to take back only what can be taken back', () => {
    const offered = lettersOn(page).filter(({ handle }) => page.html.includes(`/letters/${handle}/cancel`));
    expect(offered.map(({ brand }) => brand).sort()).toEqual(['asics', 'gap', 'tchibo']);
  });

  it('does not show the address of the person who wrote', () => {
    expect(page.html).not.toContain('follower');
  });

  it('holds a copy of each letter, as a page and as a text file, equal to what was sent', async () => {
    const { handle = '' } = lettersOn(page).find(({ brand }) => brand === 'hm') ?? {};
    const copy = await instance.visitor().get(`${receipt}/letters/${handle}`);
    const [sheet] = sheetsOn(copy);
    const raw = smtp.accepted.find(({ to }) => to[0] === 'human-rights@hm.example')?.raw.toString() ?? '';
    expect(raw).toContain(`Reply-To: ${sheet?.replyTo}`);
    expect(sheet?.text).toContain('My “own” <words>.');
    expect(sheet?.from).toEqual({ name: 'Kim & Sok via Outspoken', address: 'letters@outspoken.example' });

    const file = await instance.visitor().get(`${receipt}/letters/${handle}/letter.txt`);
    expect(file.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(file.headers.get('content-disposition')).toBe('attachment; filename=letter.txt');
    expect(file.html).toBe(
      [
        'From: Kim & Sok via Outspoken <letters@outspoken.example>',
        `Answers to: ${sheet?.replyTo}`,
        'To: H&M',
        `Subject: ${sheet?.subject}`,
        '',
        `${sheet?.text}\n`,
      ].join('\n'),
    );
  });

  it('shows no copy of a letter that belongs to somebody else', async () => {
    const other = await writeAndConfirm(smtp, instance.visitor(), { email: 'other@mail.example' });
    const [letter] = lettersOn(await instance.visitor().get(other));
    for (const path of [`letters/${letter?.handle}`, `letters/${letter?.handle}/letter.txt`])
      expect((await instance.visitor().get(`${receipt}/${path}`)).status).toBe(404);
    const cancelled = await instance.visitor().post(`${receipt}/letters/${letter?.handle}/cancel`);
    expect(cancelled.location).toBe(`${receipt}?cancelled=0`);
  });

  it.each([
    ['made up', `/r/${'A'.repeat(43)}`],
    ['too short', '/r/short'],
    ['with other characters', `/r/${'!'.repeat(43)}`],
  ])('is not there for a token that is %s', async (_what, path) => {
    for (const tail of ['', '/erase', `/letters/${'0'.repeat(20)}`])
      expect((await instance.visitor().get(`${path}${tail}`)).status).toBe(404);
    expect((await instance.visitor().get(`${path}/events`)).html).not.toContain('letter');
    for (const tail of ['/cancel', '/erase', `/letters/${'0'.repeat(20)}/cancel`])
      expect((await instance.visitor().post(`${path}${tail}`)).status).toBe(404);
  });

  it('is neither stored nor told to other pages', async () => {
    for (const path of [receipt, `${receipt}/erase`]) {
      const { headers, html } = await instance.visitor().get(path);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(html).toContain('<meta name="robots" content="noindex, nofollow">');
    }
  });
});
