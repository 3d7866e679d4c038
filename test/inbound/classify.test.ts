import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { certainSigns, weakSigns } from '../../src/inbound/automatic.ts';
import { classify, rules } from '../../src/inbound/classify.ts';
import { foreignBounces } from '../../src/inbound/foreign-bounces.ts';
import { readMail } from '../../src/inbound/read-mail.ts';
import { projectRoot } from '../../src/root.ts';
import { anyLetter, fixture } from '../support/came-back.ts';

/** What each mail of the folder is. `soft` and `hard` are failures. */
const meanings: Record<string, string> = {
  'postfix-failed': 'delivery report: failed 5.1.1, hard, 550 from mailbox.brand.example',
  'postfix-gave-up': 'delivery report: failed 4.2.2, soft, 452 from mailbox.brand.example',
  'postfix-delayed': 'delivery report: delayed 4.4.1, soft from mx.brand.example',
  'postfix-delivered': 'delivery report: delivered 2.0.0, soft from mx.brand.example',
  'postfix-relayed': 'delivery report: relayed 2.0.0, soft, 250 from mailbox.brand.example',
  'postfix-expanded': 'delivery report: expanded 2.0.0, soft from mx.brand.example',
  'two-mailboxes': 'delivery report: delivered 2.1.5, soft from mx.brand.example',
  'mailbox-behind-failed': 'delivery report: failed 5.1.1, hard from mx.brand.example',
  'exchange-failed': 'delivery report: failed 5.1.10, hard, 550 from EX02.brand.example',
  'exim-report-over-quota': 'delivery report: failed 5.0.0, soft, 452 from mailbox.brand.example',
  'sendmail-report-failed': 'delivery report: failed 5.1.1, hard, 550 from mailbox.brand.example',
  'sun-report-with-an-id-of-its-own': 'delivery report: failed 5.4.4, hard from mx.brand.example',
  'amazon-ses-failed': 'delivery report: failed 5.1.1, hard, 550 from a8-50.smtp-out.amazonses.com',
  'report-without-status': 'for a person: incomplete report',
  'report-that-contradicts-itself': 'for a person: incomplete report',
  'report-of-a-test': 'for a person: incomplete report',
  'exchange-cut-off': 'for a person: incomplete report',

  'qmail-failed': 'qmail: failed 5.1.1, hard from nobody',
  'qmail-gave-up': 'qmail: failed 4.3.2, soft, 451 from nobody',
  'exim-failed': 'Exim: failed 5.0.0, hard, 550 from mailbox.brand.example',
  'exim-delayed': 'Exim, delay: delayed 4.0.0, soft from mailbox.brand.example',
  'exim-without-a-number': 'for a person: unknown form',
  'sendmail-failed': 'sendmail: failed 5.0.0, hard, 550 from nobody',
  'sendmail-delayed': 'sendmail, delay: delayed 4.0.0, soft from nobody',
  'exchange-5-failed': 'Exchange: failed 5.1.1, hard from nobody',
  'domino-failed': 'Domino: failed 5.1.1, hard from nobody',
  'gmail-failed': 'Gmail: failed 5.1.1, hard, 550 from nobody',
  'gmail-delayed': 'Gmail, delay: delayed 4.0.0, soft from nobody',
  'opensmtpd-failed': 'OpenSMTPD: failed 5.1.1, hard, 550 from nobody',
  'opensmtpd-delayed': 'OpenSMTPD, delay: delayed 4.0.0, soft from nobody',
  'yahoo-failed': 'Yahoo: failed 5.2.1, hard, 554 from nobody',
  'unknown-bounce': 'for a person: unknown form',

  complaint: `complaint about ${anyLetter.returnPath}`,
  'feedback-that-does-not-complain': 'for a person: unknown feedback',

  'exchange-vacation': 'automatic reply: Auto-Submitted: auto-generated',
  'gmail-vacation': 'automatic reply: Auto-Submitted: auto-replied',
  'vacation-program': 'automatic reply: Precedence: bulk',
  'vacation-by-subject-only': 'automatic reply: subject',
  'vacation-in-khmer-and-english': 'automatic reply: Auto-Submitted: auto-replied',
  'vacation-that-quotes-a-bounce': 'automatic reply: Auto-Submitted: auto-replied',
  'vacation-that-carries-a-report': 'automatic reply: Auto-Submitted: auto-replied',
  'ticket-opened': 'automatic reply: Auto-Submitted: auto-replied',
  'disposition-notification': 'automatic reply: disposition notification',

  reply: 'reply',
  'reply-through-a-ticket-system': 'reply',
};

async function meaningOf(raw: Buffer): Promise<string> {
  const mail = await readMail(raw);
  if (!mail) return 'for a person: unreadable';
  const nullSender = mail.header.get('return-path')?.[0] === '<>';
  const verdict = classify(mail, { nullSender });
  switch (verdict.kind) {
    case 'report': {
      const { rule, action, status, hard, code, host } = verdict;
      return `${rule}: ${action} ${status}, ${hard ? 'hard' : 'soft'}${code ? `, ${code}` : ''} from ${host ?? 'nobody'}`;
    }
    case 'automatic reply':
      return `automatic reply: ${verdict.rule}`;
    case 'complaint':
      return `complaint about ${verdict.about}`;
    case 'unclear':
      return `for a person: ${verdict.reason}`;
    default:
      return verdict.kind;
  }
}

describe('mail that comes back', () => {
  it.each(Object.entries(meanings))('is told apart: %s is «%s»', async (name, meaning) => {
    expect(await meaningOf(fixture(name))).toBe(meaning);
  });

  it('has a meaning for every mail of the folder', () => {
    const files = readdirSync(join(projectRoot, 'test/inbound/fixtures'));
    expect(files.map((file) => file.replace('.eml', '')).sort()).toEqual(Object.keys(meanings).sort());
  });

  it('is what it is also with ninety pictures, which a person may send', async () => {
    const picture = '--b\r\nContent-Type: image/png\r\n\r\nPNG\r\n';
    const head = 'From: a@brand.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n';
    expect(await meaningOf(Buffer.from(`${head}${picture.repeat(90)}--b--\r\n`))).toBe('reply');
  });

  it('tells the words of a server without the mailboxes that it names', async () => {
    const mail = await readMail(fixture('two-mailboxes'));
    const failed = await readMail(fixture('postfix-failed'));
    expect(mail && JSON.stringify(classify(mail, { nullSender: true }))).not.toContain('who.left');
    expect(failed && classify(failed, { nullSender: true })).toMatchObject({
      response: '550 5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table',
    });
  });
});

/** A report with a group of fields for each mailbox. */
const reportOf = (...groups: string[][]) =>
  Buffer.from(
    [
      ...['From: MAILER-DAEMON@mx.brand.example', 'Return-Path: <>'],
      ...['Content-Type: multipart/report; report-type=delivery-status; boundary=b', ''],
      ...['--b', 'Content-Type: message/delivery-status', '', 'Reporting-MTA: dns; mx.brand.example'],
      ...groups.flatMap((group) => ['', ...group]),
      ...['', '--b--', ''],
    ].join('\r\n'),
  );

describe('a report about several mailboxes', () => {
  const gone = ['Final-Recipient: rfc822; who.left@brand.example', 'Action: failed', 'Status: 5.1.1'];
  const full = ['Final-Recipient: rfc822; office@brand.example', 'Action: failed', 'Status: 4.2.2'];

  it('counts as what may pass where one of the failures may, in whatever order they stand', async () => {
    const soft = 'delivery report: failed 4.2.2, soft from mx.brand.example';
    expect(await meaningOf(reportOf(gone, full))).toBe(soft);
    expect(await meaningOf(reportOf(full, gone))).toBe(soft);
  });

  it('says whom it is about only if it names everybody', async () => {
    const nameless = ['Final-Recipient: x-local; office', 'Action: failed', 'Status: 5.1.1'];
    const read = async (...groups: string[][]) => {
      const mail = await readMail(reportOf(...groups));
      return mail && classify(mail, { nullSender: true });
    };
    const mailboxes = ['who.left@brand.example', 'office@brand.example'];
    expect(await read(gone, full)).toMatchObject({ kind: 'report', mailboxes });
    expect(await read(gone, nameless)).toMatchObject({ kind: 'report', mailboxes: undefined });
  });

  it('is for a person when it does not say of each what happened', async () => {
    for (const cut of [full.slice(0, 1), full.slice(0, 2), full.slice(1, 2)]) {
      expect(await meaningOf(reportOf(gone, cut))).toBe('for a person: incomplete report');
      expect(await meaningOf(reportOf(cut, gone))).toBe('for a person: incomplete report');
    }
  });
});

describe('a bounce that speaks in words of its own', () => {
  const qmail = (reason: string) =>
    Buffer.from(
      fixture('qmail-failed')
        .toString('latin1')
        .replace('Sorry, no mailbox here by that name. (#5.1.1)', reason),
      'latin1',
    );

  it.each([
    ['451 4.3.0 try later, then 550 5.1.1 no such person', 'failed 4.3.0, soft, 451 from nobody'],
    ['host said: 550 no such person', 'failed 5.0.0, hard, 550 from nobody'],
    ['host said: 550 no such person\r\nhost said: 450 try later', 'failed 4.0.0, soft, 450 from nobody'],
  ])('is soft as soon as anything in it may pass: %j', async (reason, meaning) => {
    expect(await meaningOf(qmail(reason))).toBe(`qmail: ${meaning}`);
  });
});

describe('the rules', () => {
  it('name their source, each', () => {
    expect(rules.filter(({ source }) => source.length < 10)).toEqual([]);
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
  });

  it('are all shown by a mail of the folder, those of other servers’ bounces', () => {
    const shown = Object.values(meanings).map((meaning) => meaning.split(': ')[0]);
    expect(foreignBounces.map(({ server }) => server).filter((server) => !shown.includes(server))).toEqual(
      [],
    );
  });

  it.each(certainSigns.map(({ name }) => name))('take %s for an automatic reply', async (name) => {
    const header: Record<string, string> = {
      'Auto-Submitted: auto-replied': 'Auto-Submitted: auto-replied (vacation)',
      'Precedence: auto_reply': 'Precedence: auto_reply',
      'X-Apple-Action: VACATION': 'X-Apple-Action: VACATION',
      'X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent':
        'X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent',
    };
    const answer = fixture('reply').toString('latin1');
    const marked = `${header[name] ?? `${name}: yes`}\r\n${answer}`;
    expect(await meaningOf(Buffer.from(answer, 'latin1'))).toBe('reply');
    expect(await meaningOf(Buffer.from(marked, 'latin1'))).toBe(`automatic reply: ${name}`);
  });

  it.each(['auto-replied', 'auto-notified'])('know an automatic reply by Auto-Submitted: %s', async (how) => {
    const marked = `Auto-Submitted: ${how}\r\n${fixture('reply').toString('latin1')}`;
    expect(await meaningOf(Buffer.from(marked, 'latin1'))).toMatch(/^automatic reply: /);
  });

  it('take nothing from the empty sender for what a person wrote', async () => {
    const fromNobody = `Return-Path: <>\r\n${fixture('reply').toString('latin1')}`;
    expect(await meaningOf(Buffer.from(fromNobody, 'latin1'))).toBe('for a person: unknown form');
  });

  it.each(weakSigns.map(({ name }) => name))('take %s for one only with a second sign', async (name) => {
    const header: Record<string, string> = {
      'Auto-Submitted: auto-generated': 'Auto-Submitted: auto-generated',
      'X-Auto-Response-Suppress': 'X-Auto-Response-Suppress: OOF, AutoReply',
      'Precedence: bulk': 'Precedence: bulk',
    };
    const marked = `${header[name]}\r\n${fixture('reply').toString('latin1')}`;
    expect(await meaningOf(Buffer.from(marked, 'latin1'))).toBe('reply');
    const bySubject = marked.replace('Subject: Re: ', 'Subject: Out of office: ');
    expect(await meaningOf(Buffer.from(bySubject, 'latin1'))).toBe(`automatic reply: ${name}`);
    const fromNobody = `Return-Path: <>\r\n${marked}`;
    expect(await meaningOf(Buffer.from(fromNobody, 'latin1'))).toBe(`automatic reply: ${name}`);
  });

  it.each([
    ['Réponse automatique : Please speak out', 'French'],
    ['Respuesta automática: Please speak out', 'Spanish'],
    ['Automatisch antwoord: Please speak out', 'Dutch'],
    ['Autosvar: Please speak out', 'Swedish'],
    ['自動応答: Please speak out', 'Japanese'],
    ['自动回复: Please speak out', 'Chinese'],
    ['Trả lời tự động: Please speak out', 'Vietnamese'],
    ['Automatická odpověď: Please speak out', 'Czech'],
    ['Αυτόματη απάντηση: Please speak out', 'Greek'],
    ['رد تلقائي: Please speak out', 'Arabic'],
    ['ตอบกลับอัตโนมัติ: Please speak out', 'Thai'],
    ['AUTO: The Human Rights Desk is out of the office (returning 16.11.2026)', 'Notes'],
  ])('know the subject «%s» (%s)', async (subject) => {
    const encoded = `=?utf-8?B?${Buffer.from(subject).toString('base64')}?=`;
    const mail = fixture('reply').toString('latin1').replace('Re: Please speak out', encoded);
    expect(await meaningOf(Buffer.from(mail, 'latin1'))).toBe('automatic reply: subject');
  });

  it.each(['Re: out of office hours at your factories', 'Auto: Please speak out', 'Your automatic reply'])(
    'take nobody’s answer for one by the subject «%s»',
    async (subject) => {
      const mail = fixture('reply').toString('latin1').replace('Re: Please speak out', subject);
      expect(await meaningOf(Buffer.from(mail, 'latin1'))).toBe('reply');
    },
  );
});
