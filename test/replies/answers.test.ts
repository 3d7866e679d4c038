import { beforeEach, describe, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { liftHold, startHold } from '../../src/hold/hold.ts';
import { approveDraft, findAnswerOnPage } from '../../src/replies/draft-store.ts';
import { caps } from '../../src/replies/reply.ts';
import { timelineOn, until } from '../support/advocate.ts';
import { anyLetter, fixture } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { formOn, messageBeside, summaryOf } from '../support/form.ts';
import { bring } from '../support/mail-client.ts';
import { type Correspondence, correspond } from '../support/replies.ts';
import type { Action } from '../support/smtp.ts';
import { fieldOf, wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });
beforeEach(() => smtp.script(undefined));

/** A letter that a brand has answered. */
async function answered(mail = {}): Promise<Correspondence & { form: string }> {
  const one = await correspond(instance, smtp);
  await one.brandWrites(mail);
  const [reply] = await one.replies('accepted');
  return { ...one, form: reply?.link ?? '' };
}

/** Fills in the form; the page that shows what will be sent. */
async function write(one: { visitor: Correspondence['visitor']; form: string }, text: string) {
  const submission = fieldOf(await one.visitor.get(one.form), 'submission');
  const sent = await one.visitor.post(one.form, { submission, text });
  return { status: sent.status, page: sent, at: sent.location, submission };
}

/** The address to which the advocate's mail program answers. */
async function aliasOf(one: Correspondence): Promise<string> {
  return (await one.forwards(1))[0]?.mail.replyTo?.value[0]?.address ?? '';
}

describe('an answer that an advocate writes on the private page', () => {
  it('is shown exactly as it will be sent, and leaves when the button is pressed, not before', async () => {
    const one = await answered({
      subject: 'Re: [Ticket 4711] Please speak out',
      id: 'their-7@brand.example',
    });
    const { status, at } = await write(one, 'Thank you.\r\nវាសំខាន់ណាស់។');
    expect(status).toBe(303);
    const check = await one.visitor.get(at);
    const words = wordsOf(check);
    expect(words).toContain('Send this answer?');
    expect(words).toContain('Thank you. វាសំខាន់ណាស់។');
    expect(words).toContain('Re: [Ticket 4711] Please speak out');
    expect(words).toContain(one.replyTo);
    await one.replies('accepted', 'draft');
    expect((await one.visitor.post(`${at}/send`)).status).toBe(303);
    const shown = await one.replies('accepted', 'accepted');
    expect(shown[1]?.words).toContain('Accepted by a mail server. It does not mean that anyone has read it');
    const old = await one.visitor.get(at);
    expect(wordsOf(old)).toContain('You have sent this off already');
    expect(old.html).not.toContain('Send this answer');
    const [mail] = await one.atBrand(1);
    expect(mail?.to).toBe('human-rights@hm.example');
    expect(mail?.mail.text?.trim()).toBe('Thank you.\nវាសំខាន់ណាស់។');
    expect(mail?.mail.subject).toBe('Re: [Ticket 4711] Please speak out');
    expect(mail?.mail.inReplyTo).toBe('<their-7@brand.example>');
    expect(mail?.mail.references).toEqual([`<${one.messageId}>`, '<their-7@brand.example>']);
    expect(mail?.mail.replyTo?.text).toBe(one.replyTo);
    expect(mail?.mail.from?.value[0]?.address).toBe('letters@outspoken.example');
    expect(timelineOn(await one.page(), 'hm').at(-1)).toMatchObject({
      type: 'answered',
      code: '250',
      host: 'mx.brand.example',
    });
  });

  it.each([
    ['', 'Re: '],
    ['AW: Re: Ihre Anfrage', 'Re: Ihre Anfrage'],
  ])('has a subject of its own where the brand’s is %j', async (subject, expected) => {
    const one = await answered({ subject });
    const letter = smtp.accepted.find(({ raw }) => raw.includes(`Message-ID: <${one.messageId}>`));
    const { subject: ours = '' } = await simpleParser(letter?.raw ?? '');
    const { at } = await write(one, 'Thank you.');
    await one.visitor.post(`${at}/send`);
    const [mail] = await one.atBrand(1);
    expect(mail?.mail.subject).toBe(subject === '' ? `${expected}${ours}` : expected);
  });

  it('does not repeat addresses in its subject that nobody should pass on, though the brand’s has them', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites({ subject: `Re: Your letter, ${one.address} and ${one.replyTo}` });
    const [reply] = await one.replies('accepted');
    const { at } = await write({ ...one, form: reply?.link ?? '' }, 'Thank you.');
    await one.visitor.post(`${at}/send`);
    const [mail] = await one.atBrand(1);
    expect(mail?.mail.subject).toBe('Re: Your letter, […] and […]');
  });

  it('carries what the letter said of its writer, and nothing of their address or way', async () => {
    const one = await answered();
    const { at } = await write(one, 'Thank you.');
    await one.visitor.post(`${at}/send`);
    const [mail] = await one.atBrand(1);
    expect(mail?.raw).not.toContain('mail.example');
    expect(mail?.raw).not.toMatch(/^(Received|User-Agent|X-Mailer|Sender|X-Outspoken|Auto-Submitted):/im);
    const letter = smtp.accepted.find(({ raw }) => raw.includes(`Message-ID: <${one.messageId}>`));
    const fromOf = (raw: string) => /^From:.*\r\n(?: .*\r\n)*/m.exec(raw)?.[0];
    expect(fromOf(mail?.raw ?? '')).toBe(fromOf(letter?.raw.toString() ?? ''));
  });

  it('goes to the contact that the letter went to, whatever address the brand’s mail names', async () => {
    const one = await answered({
      from: 'victim@elsewhere.example',
      headers: ['Reply-To: victim@elsewhere.example'],
    });
    const { at } = await write(one, 'Thank you.');
    await one.visitor.post(`${at}/send`);
    expect((await one.atBrand(1))[0]?.to).toBe('human-rights@hm.example');
    expect(smtp.handedOver.filter(({ to }) => to.join().includes('elsewhere'))).toEqual([]);
  });

  it('is one answer when the form or the button is sent twice', async () => {
    const one = await answered();
    const { at, submission } = await write(one, 'Once.');
    expect((await one.visitor.post(one.form, { submission, text: 'Once.' })).location).toBe(at);
    await Promise.all([one.visitor.post(`${at}/send`), one.visitor.post(`${at}/send`)]);
    await one.replies('accepted', 'accepted');
    expect((await one.visitor.post(`${at}/send`)).status).toBe(303);
    expect((await one.visitor.post(one.form, { submission, text: 'Once.' })).location).toBe(at);
    await one.visitor.post(`${(await write(one, 'Twice.')).at}/send`);
    await one.replies('accepted', 'accepted', 'accepted');
    expect((await one.atBrand(2)).map(({ mail }) => mail.text?.trim())).toEqual(['Once.', 'Twice.']);
  });

  it('leaves once also when a second press found it as a draft and was then held up', async () => {
    const one = await answered();
    const { at } = await write(one, 'Once.');
    const { database } = instance.context;
    const token = one.receipt.slice('/r/'.length);
    const found = await findAnswerOnPage(database, token, at.slice(-20));
    await one.visitor.post(`${at}/send`);
    await one.replies('accepted', 'accepted');
    if (found)
      await database.transaction((transaction) => approveDraft(transaction, found, caps.answersPerDay));
    await one.replies('accepted', 'accepted');
    expect(found?.draft_state).toBe('draft');
    expect(await one.atBrand(1)).toHaveLength(1);
  });

  it.each([
    ['nothing', ' \n ', 'Write something first.'],
    ['too much', `\n  ${'x'.repeat(caps.answer + 1)}\n`, 'This is too long'],
    ['what turns the direction of reading', 'see \u202e this', 'could mislead'],
    ['marks piled up on one letter', `a${'\u0301'.repeat(31)}`, 'could mislead'],
  ])('that says %s is given back with what was typed', async (_what, text, words) => {
    const one = await answered();
    const { status, page } = await write(one, text);
    expect(status).toBe(422);
    expect(page.html).toContain('<title>Error: Answer to H&amp;M – Outspoken</title>');
    expect(summaryOf(page)).toEqual([{ anchor: 'text', text: messageBeside(page, 'text') }]);
    expect(messageBeside(page, 'text')).toContain(words);
    expect(formOn(page, one.form).fields.text).toEqual([text]);
    await one.replies('accepted');
  });

  it('that names the writer’s own address is given back: the brand must not learn it', async () => {
    const one = await answered();
    const { status, page } = await write(one, `Write to ${one.address.toUpperCase()}`);
    expect(status).toBe(422);
    expect(wordsOf(page)).toContain('Your own address');
  });

  it('can be changed and thrown away before it leaves, and not after', async () => {
    const one = await answered();
    const { at } = await write(one, 'First words.');
    expect((await one.visitor.get(`${at}/change`)).html).toContain('First words.');
    expect((await one.visitor.post(at, { text: 'Other words.' })).location).toBe(at);
    expect((await one.visitor.post(at, { text: '' })).status).toBe(422);
    expect(wordsOf(await one.visitor.get(at))).toContain('Other words.');
    await one.visitor.post(`${at}/drop`);
    const gone = await one.visitor.get(at);
    expect(gone.status).toBe(404);
    expect(wordsOf(gone)).toContain('it was thrown away');
    expect(wordsOf(gone)).not.toContain('what was kept about you');
    expect(gone.html).toContain(`<a href="${one.receipt}">Back to your letters</a>`);
    const second = await write(one, 'These leave.');
    await one.visitor.post(`${second.at}/send`);
    await one.replies('accepted', 'accepted');
    await one.visitor.post(second.at, { text: 'Too late.' });
    await one.visitor.post(`${second.at}/drop`);
    const [, left] = await one.replies('accepted', 'accepted');
    expect(left?.words).toContain('These leave.');
    expect(left?.words).not.toContain('Too late.');
    expect((await one.atBrand(1)).map(({ mail }) => mail.text?.trim())).toEqual(['These leave.']);
  });

  it('belongs to its writer: another person’s page does not lead to it', async () => {
    const [one, other] = [await answered(), await answered()];
    const { at } = await write(one, 'Mine.');
    const stolen = at.replace(one.receipt, other.receipt);
    for (const path of [stolen, `${stolen}/change`, one.form.replace(one.receipt, other.receipt)])
      expect((await other.visitor.get(path)).status).toBe(404);
    for (const path of [stolen, `${stolen}/send`, `${stolen}/drop`])
      expect((await other.visitor.post(path, { text: 'Not mine.' })).status).toBe(404);
    expect((await one.visitor.post(`${at}/send`, {}, { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
    await one.replies('accepted', 'draft');
  });

  it('leaves five times a day at most; the sixth waits on its page', async () => {
    const one = await answered();
    for (let n = 0; n < caps.answersPerDay; n += 1) {
      const { at } = await write(one, `Answer ${n}.`);
      // it is today's however old the draft is
      await instance.query("update reply set at = at - interval '2 days' where state = 'draft'");
      await one.visitor.post(`${at}/send`);
    }
    const { at } = await write(one, 'One more.');
    const refused = await one.visitor.post(`${at}/send`);
    expect(refused.status).toBe(422);
    expect(wordsOf(refused)).toContain('Enough answers have left for this letter today');
    expect(await one.atBrand(caps.answersPerDay)).toHaveLength(caps.answersPerDay);
  });

  it('of which nobody knows whether it arrived says so, and goes again when its writer says so', async () => {
    const one = await answered();
    const { at } = await write(one, 'Thank you.');
    smtp.script((moment, { to }) =>
      moment === 'dot' && to.includes('human-rights@hm.example') ? { cut: 'rst' } : undefined,
    );
    await one.visitor.post(`${at}/send`);
    const [, lost] = await one.replies('accepted', 'unknown');
    expect(lost?.words).toContain('we do not know whether it arrived');
    smtp.script(undefined);
    await one.visitor.post(`${at}/send`);
    await one.replies('accepted', 'accepted');
    const ids = smtp.handedOver
      .map(({ raw }) => /^Message-ID: (.*)$/m.exec(raw.toString())?.[1])
      .filter((id) => id?.includes(at.slice(-20)));
    expect(new Set(ids).size).toBe(1);
    expect(ids).toHaveLength(2);
  });

  it.each([
    ['arrived', 'postfix-relayed', 'accepted'],
    ['came back', 'postfix-failed', 'bounced'],
  ])(
    'of which a report says that it %s is on the timeline, although nobody knew',
    async (_what, report, state) => {
      const one = await answered();
      smtp.script((moment, { to }) =>
        moment === 'dot' && to.includes('human-rights@hm.example') ? { cut: 'rst' } : undefined,
      );
      await one.visitor.post(`${(await write(one, 'Thank you.')).at}/send`);
      await one.replies('accepted', 'unknown');
      smtp.script(undefined);
      const { from } = smtp.handedOver.findLast(({ to }) => to.includes('human-rights@hm.example')) ?? {
        from: '',
      };
      for (let times = 0; times < 2; times += 1)
        await bring(instance.inboundPort, {
          to: from,
          raw: fixture(report, { ...anyLetter, returnPath: from }),
        });
      await one.replies('accepted', state);
      const types = timelineOn(await one.page(), 'hm').map(({ type }) => type);
      expect(types.filter((type) => type === 'answered')).toHaveLength(1);
    },
  );

  it('has five days of its own when it goes again, however long ago it went first', async () => {
    const one = await answered();
    const { at } = await write(one, 'Thank you.');
    const toBrand = (what: 'rcpt' | 'dot', reaction: Action) =>
      smtp.script((moment, { to }) =>
        moment === what && to.includes('human-rights@hm.example') ? reaction : undefined,
      );
    toBrand('dot', { cut: 'rst' });
    await one.visitor.post(`${at}/send`);
    await one.replies('accepted', 'unknown');
    await instance.query(
      "update reply set first_tried_at = first_tried_at - interval '6 days' where state = 'unknown'",
    );
    toBrand('rcpt', { reply: '451 4.7.1 greylisted, come again' });
    await one.visitor.post(`${at}/send`);
    const put = "from reply where state = 'waiting' and tries = 2";
    await until(
      async () => (await instance.query(`select ${put}`)).length > 0,
      'a try that is put off',
      60_000,
    );
    smtp.script(undefined);
    await instance.query("update reply set due_at = now() where state = 'waiting'");
    await one.replies('accepted', 'accepted');
  });

  it('is given up after five days of trying, and says so', async () => {
    const one = await answered();
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes('human-rights@hm.example') ? { reply: '450 4.2.0 later' } : undefined,
    );
    await one.visitor.post(`${(await write(one, 'Thank you.')).at}/send`);
    await until(
      async () =>
        (await instance.query("select 1 from reply where state = 'waiting' and tries = 1")).length > 0,
      'a try that is put off',
      60_000,
    );
    await instance.query(
      "update reply set first_tried_at = now() - interval '5 days 1 minute', due_at = now() where state = 'waiting'",
    );
    const [, given] = await one.replies('accepted', 'abandoned');
    expect(given?.words).toContain('Given up after five days of trying');
  });

  it('that is refused or comes back is told', async () => {
    const one = await answered();
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes('human-rights@hm.example') ? { reply: '550 5.7.1 no' } : undefined,
    );
    await one.visitor.post(`${(await write(one, 'Refused.')).at}/send`);
    await one.replies('accepted', 'rejected');
    smtp.script(undefined);
    await one.visitor.post(`${(await write(one, 'Bounced.')).at}/send`);
    await one.replies('accepted', 'rejected', 'accepted');
    const [mail] = await one.atBrand(1);
    const comesBack = (name: string) => {
      const raw = fixture(name, { ...anyLetter, returnPath: mail?.from ?? '' });
      return bring(instance.inboundPort, { to: mail?.from ?? '', raw });
    };
    // somebody behind the brand's address has left, and others have the answer
    expect((await comesBack('mailbox-behind-failed')).at(-1)).toMatch(/^250 /);
    await one.replies('accepted', 'rejected', 'accepted');
    await comesBack('postfix-failed');
    await one.replies('accepted', 'rejected', 'bounced');
  });

  it('waits while its campaign is paused', async () => {
    const one = await answered();
    const { at } = await write(one, 'Not now.');
    await instance.query("update campaign set state = 'paused'");
    await one.visitor.post(`${at}/send`);
    await one.brandWrites({ text: 'And another thing.' });
    await one.forwards(2); // what a brand wrote still arrives
    await one.replies('accepted', 'waiting', 'accepted');
    await instance.query("update campaign set state = 'open'");
    await one.replies('accepted', 'accepted', 'accepted');
  });

  it('keeps no reply of a brand back by waiting, however many wait', async () => {
    const one = await answered();
    const { at } = await write(one, 'Not now.');
    await instance.query("update campaign set state = 'paused'");
    await one.visitor.post(`${at}/send`);
    await instance.query(
      `insert into reply (handle, letter_id, advocate_id, answers_id, direction, state, digest, content)
       select lpad(to_hex(n), 20, '0'), letter_id, advocate_id, answers_id, direction, state, int4send(n), content
       from reply, generate_series(1, 300) as n where state = 'waiting'`,
    );
    await one.brandWrites({ text: 'And another thing.' });
    await one.forwards(2);
    await instance.query("delete from reply where state = 'waiting'");
    await instance.query("update campaign set state = 'open'");
  });
});

describe('an answer that an advocate writes in their mail program', () => {
  it('waits on the private page until its writer has looked at it, and they are told', async () => {
    const one = await answered();
    const [forward] = await one.forwards(1);
    const text = [
      'Thank you, but when?',
      '',
      'On Mon, 9 Nov 2026, H&M, through Outspoken wrote:',
      ...(forward?.mail.text ?? '').split('\n').map((line) => `> ${line}`),
    ].join('\r\n');
    expect((await one.advocateWrites(await aliasOf(one), text)).at(-1)).toMatch(/^250 /);
    const [, draft] = await one.replies('accepted', 'draft');
    expect(draft?.words).toContain('Not sent: it waits for you');
    const told = (await one.forwards(2)).at(-1);
    expect(told?.mail.subject).toBe('Your answer waits for you');
    const link = /\/confirm\/[\w-]{43}/.exec(told?.mail.text ?? '')?.[0] ?? '';
    expect((await instance.visitor().get(link)).location).toBe(one.receipt);
    const check = wordsOf(await one.visitor.get(draft?.link ?? ''));
    expect(check).toContain('This came by mail.');
    expect(check).not.toContain('another address than yours');
    await one.visitor.post(`${draft?.link}/send`);
    await one.replies('accepted', 'accepted');
    const [mail] = await one.atBrand(1);
    expect(mail?.mail.text?.trim()).toBe('Thank you, but when?');
  });

  it('loses its writer’s name, address, links, signature and attachments on the way', async () => {
    const one = await answered();
    const link = `http://letters.example${one.receipt}`;
    const alias = await aliasOf(one);
    const text = [
      '--b',
      'Content-Type: text/plain; charset=utf-8',
      '',
      `Please write to ${one.address} or look at ${link} or ${alias}.`,
      '-- ',
      'Qazimund Veltharoo, +855 12 345 678',
      '--b',
      'Content-Type: image/jpeg; name="Qazimund.jpg"',
      'Content-Disposition: attachment; filename="Qazimund.jpg"',
      '',
      'x',
      '--b--',
    ].join('\r\n');
    await one.advocateWrites(alias, text, {
      from: `Qazimund Veltharoo <${one.address}>`,
      headers: [
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b',
        'User-Agent: Revealing 1.0',
        'Received: from qazimunds-laptop (192.0.2.7) by mx.mail.example',
      ],
    });
    const [, draft] = await one.replies('accepted', 'draft');
    await one.visitor.post(`${draft?.link}/send`);
    const [mail] = await one.atBrand(1);
    expect(mail?.mail.text?.trim()).toBe('Please write to […] or look at […] or […].');
    expect(mail?.raw).not.toMatch(
      /Qazimund|Veltharoo|855\W*12\W*345|mail\.example|laptop|192\.0\.2|Revealing/,
    );
    expect(mail?.mail.attachments).toEqual([]);
  });

  it('from another address is kept for its writer to judge, and they are warned', async () => {
    const one = await answered();
    await one.advocateWrites(await aliasOf(one), 'From my other address.', { from: 'other@mail.example' });
    const [, draft] = await one.replies('accepted', 'draft');
    expect(wordsOf(await one.visitor.get(draft?.link ?? ''))).toContain('another address than yours');
  });

  it('is one draft however often it comes; a few wait at most, and the rest is to come again', async () => {
    const one = await answered();
    const alias = await aliasOf(one);
    for (const text of ['One.', 'One.', 'Two!!', 'Three..'])
      expect((await one.advocateWrites(alias, text)).at(-1)).toMatch(/^250 /);
    const shown = await one.replies('accepted', 'draft', 'draft', 'draft');
    expect((await one.advocateWrites(alias, 'Number four.')).at(-1)).toMatch(/^451 /);
    await one.visitor.post(`${shown[1]?.link}/drop`);
    expect((await one.advocateWrites(alias, 'Number four.')).at(-1)).toMatch(/^250 /);
    expect(await instance.query('select 1 from pen')).toEqual([]);
  });

  it('that is longer than an answer may be is cut, and says so before it goes', async () => {
    const one = await answered();
    const text = `${'word '.repeat(caps.answer / 5)}the end`;
    expect((await one.advocateWrites(await aliasOf(one), text)).at(-1)).toMatch(/^250 /);
    const [, draft] = await one.replies('accepted', 'draft');
    const words = wordsOf(await one.visitor.get(draft?.link ?? ''));
    expect(words).toContain('It was longer than 5,000 characters; the rest was left out.');
    expect(words).not.toContain('the end');
  });

  it('is told of once while the mail that tells of it waits, and again after it', async () => {
    const one = await answered();
    const alias = await aliasOf(one);
    await startHold(instance.context.database, 'asked');
    for (const text of ['One.', 'Two..']) await one.advocateWrites(alias, text);
    await one.replies('accepted', 'draft', 'draft');
    await liftHold(instance.context.database, 0);
    expect((await one.forwards(2)).at(-1)?.mail.subject).toBe('Your answer waits for you');
    await until(async () => {
      const open = "select 1 from notice where kind = 'answer' and state <> 'accepted'";
      return (await instance.query(open)).length === 0;
    }, 'the end of that mail');
    await one.advocateWrites(alias, 'Three...');
    const told = await one.forwards(3);
    expect(told.map(({ mail }) => mail.subject).slice(1)).toEqual(Array(2).fill('Your answer waits for you'));
  });

  it('in which nothing is left can be written on the page, and is not sent empty', async () => {
    const one = await answered();
    await one.advocateWrites(await aliasOf(one), '> only a quote');
    const [, draft] = await one.replies('accepted', 'draft');
    const at = draft?.link ?? '';
    expect(wordsOf(await one.visitor.get(at))).toContain('Nothing is left of it');
    expect((await one.visitor.post(`${at}/send`)).status).toBe(422);
    await one.visitor.post(at, { text: 'Now there is.' });
    await one.visitor.post(`${at}/send`);
    expect((await one.atBrand(1))[0]?.mail.text?.trim()).toBe('Now there is.');
  });

  it('to an address that was made up, or of a letter that is not there, is refused', async () => {
    const one = await answered();
    const alias = await aliasOf(one);
    const [, handle = '', signature = ''] = /^a\.(\w+)\.(\w+)@/.exec(alias) ?? [];
    for (const local of [
      `a.${handle}.${'0'.repeat(20)}`,
      `a.${one.handle}.${signature}`,
      `a.${handle}`,
      `f.${handle}.g2i.${signature}`,
      `a.${'0'.repeat(20)}.${signature}`,
    ])
      expect((await one.advocateWrites(`${local}@outspoken.example`, 'Hello')).at(-1)).toMatch(
        /^550 5\.1\.1 /,
      );
    await until(
      async () => (await one.advocateWrites(alias, 'Hello')).at(-1)?.startsWith('250'),
      'the control',
    );
  });
});
