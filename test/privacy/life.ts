import { expect } from '@jest/globals';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  lettersOn,
  mailFor,
  until,
} from '../support/advocate.ts';
import { bring } from '../support/mail-client.ts';
import { mailOf, repliesOn } from '../support/replies.ts';
import type { Stage } from '../support/stage.ts';
import { fieldOf } from '../support/visitor.ts';

/** What nobody else would write. Some of it is in letters and mails, some only in forms that were refused. */
export const planted = {
  name: 'Qazimund Veltharoo',
  description: 'a zyxwaran button counter',
  words: 'My needle Brontivex sang at midnight',
  khmerWords: 'ម្ជុលព្រុនទីវ៉េចច្រៀង',
  address: 'qorvath.zindle+planted@mail.example',
  otherAddress: 'wexlort.planted@mail.example',
  lateAddress: 'drumbolt.planted@mail.example',
  reply: 'Dear Qazimund, our answer is Flimquarton',
  answer: 'My answer to that is Grelvontide',
  mailed: 'And by mail I add Snarquibble',
  file: 'Yarrowbexter.pdf',
  attached: 'Attached we regret Ploverindus',
  penned: 'To whoever reads this: Krestovanga',
  computer: '198.51.100.77',
};
export const refused = {
  name: 'Hrolvatine <Skarnubal>',
  words: 'write to plinquatz.refused@mail.example or 012 345 678 991',
  email: 'gwelphorian.refused@@mail.example',
  lost: 'Tubblequist the unheard',
};

/** Writes letters of three people on a running program, and provokes all kinds of trouble. */
export async function live({ smtp, visitor, inboundPort }: Stage): Promise<string[]> {
  const tokens: string[] = [];
  visitor.headers = { 'X-Forwarded-For': `${planted.computer}:4711` }; // with its port, as some proxies write it
  const write = async (changes: Record<string, string | string[]>) => {
    const form = await visitor.get(campaignPath);
    const fields = letterFields({ submission: fieldOf(form, 'submission'), ...changes });
    expect((await visitor.post(`${campaignPath}/preview`, fields)).status).toBe(200);
    const sent = await visitor.post(`${campaignPath}/letters`, fields);
    expect(sent.status).toBe(303);
    tokens.push(sent.location.slice('/sent/'.length));
    expect((await visitor.get(sent.location)).status).toBe(200);
    return sent.location;
  };
  const confirm = async (email: string) => {
    const link = await confirmationLink(smtp, email);
    await visitor.get(link);
    const receipt = (await visitor.post(link)).location;
    tokens.push(link.slice('/confirm/'.length), receipt.slice('/r/'.length));
    return receipt;
  };
  const untilStands = (receipt: string, wanted: string[]) =>
    until(
      async () =>
        lettersOn(await visitor.get(receipt))
          .map(({ state }) => state)
          .join() === wanted.join(),
      wanted.join(),
      60_000,
    );

  // one letter each: taken, refused, put off, lost after the final dot
  smtp.script((moment, { to: [to = ''] }) => {
    if (moment !== 'dot') return undefined;
    if (to.includes('@nike.')) return { reply: '550 5.7.1 refused as spam' };
    if (to.includes('@puma.')) return { reply: '451 4.7.1 later' };
    return to.includes('@asics.') ? { cut: 'rst' } : undefined;
  });
  const mine = { name: planted.name, country: 'KH', words: `${planted.words}\n${planted.khmerWords}` };
  await write({ ...mine, identity: 'named', brand: ['hm', 'nike', 'asics', 'puma'], email: planted.address });
  const named = await confirm(planted.address);
  await untilStands(named, ['accepted', 'rejected', 'unknown', 'deferred']);
  await write({
    identity: 'described',
    description: planted.description,
    words: planted.words,
    email: planted.otherAddress,
  });
  const described = await confirm(planted.otherAddress);
  await untilStands(described, ['accepted']);
  await visitor.post(`${described}/erase`);

  // a mailbox that its mail server refuses, by name
  smtp.script((moment, { to: [to = ''] }) =>
    moment === 'rcpt' && to.includes('drumbolt')
      ? { reply: `550 5.1.1 <${to}>: recipient address rejected` }
      : undefined,
  );
  const waiting = await write({ identity: 'counted', words: planted.words, email: planted.lateAddress });
  await visitor.post(`${waiting}/again`);

  // an answer that quotes the letter
  const [letter] = lettersOn(await visitor.get(named));
  const raw = [
    'From: human-rights@hm.example',
    `To: r.${letter?.handle}@outspoken.example`,
    'Subject: Re: your letter',
    `Message-ID: <reply-${letter?.handle}@hm.example>`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    '',
    planted.reply,
    `> ${planted.words}`,
    '--b',
    'Content-Type: application/pdf',
    `Content-Disposition: attachment; filename=${planted.file}`,
    '',
    planted.attached,
    '--b--',
    '',
  ].join('\r\n');
  const answers = await bring(inboundPort, {
    to: `r.${letter?.handle}@outspoken.example`,
    from: 'human-rights@hm.example',
    raw,
  });
  expect(answers.at(-1)).toMatch(/^250/);
  // what waits in the pen
  const stranger = 'somebody@brand.example';
  const penned = `From: ${stranger}\r\nMessage-ID: <penned@brand.example>\r\n\r\n${planted.penned}\r\n`;
  expect((await bring(inboundPort, { to: 'postmaster', from: stranger, raw: penned })).at(-1)).toMatch(
    /^250/,
  );
  // passed on, and answered from the page and by mail
  const forward = await until(
    async () => (await mailFor(smtp, planted.address)).find(({ text }) => text?.includes(planted.reply)),
    'a mail that passes the answer on',
    60_000,
  );
  const [reply] = repliesOn(await visitor.get(named));
  const form = await visitor.get(reply?.link ?? '');
  const drafted = await visitor.post(reply?.link ?? '', {
    submission: fieldOf(form, 'submission'),
    text: planted.answer,
  });
  await visitor.post(`${drafted.location}/send`);
  const own = { from: `${planted.name} <${planted.address}>`, text: planted.mailed };
  const alias = forward.replyTo?.text ?? '';
  await bring(inboundPort, { to: alias, from: planted.address, raw: mailOf(own, alias) });
  await until(
    async () => smtp.accepted.some(({ raw }) => raw.includes('Grelvontide')),
    'an answer to a brand',
    60_000,
  );
  await visitor.get(`${named}/letters/${letter?.handle}`);
  await visitor.get(`${named}/letters/${letter?.handle}/letter.txt`);
  await visitor.post(`${named}/cancel`);
  return tokens;
}

/** Forms that are refused, and a database that fails in the middle: each with something that nobody may read. */
export async function trouble({ visitor, client, proxy }: Stage): Promise<number[]> {
  const statuses: number[] = [];
  const post = async (fields: Record<string, string | string[]>, path = 'letters', headers = {}) => {
    const page = await visitor.post(`${campaignPath}/${path}`, letterFields(fields), headers);
    statuses.push(page.status);
  };
  await post({ identity: 'named', name: refused.name, words: refused.words, email: refused.email });
  await post({ identity: 'named', name: refused.name, email: refused.email }, 'preview');
  await post({ words: refused.lost }, 'letters', { 'Sec-Fetch-Site': 'cross-site' });
  await post({ words: refused.lost.repeat(6000) });
  await post({ email: [refused.email, refused.email] });
  await post({ words: refused.lost, brand: [refused.lost], reason: [refused.lost], language: refused.lost });
  for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded; charset=x']) {
    const body = JSON.stringify({ name: refused.lost, email: refused.email });
    const headers = { 'content-type': type, 'sec-fetch-site': 'same-origin' };
    statuses.push(
      (await fetch(`${proxy.url}${campaignPath}/letters`, { method: 'POST', body, headers })).status,
    );
  }
  const broken = async (change: string, back: string) => {
    await client.query(change);
    await post({ identity: 'named', name: planted.name, words: planted.words, email: planted.address });
    await client.query(back);
  };
  await broken(
    'alter table advocate add constraint out_of_order check (false) not valid',
    'alter table advocate drop constraint out_of_order',
  );
  await broken('alter table notice rename to away', 'alter table away rename to notice');
  return statuses;
}
