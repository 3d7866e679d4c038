import { readReason } from './bounce-reason.ts';
import type { Mail } from './read-mail.ts';
import type { Rule } from './rule.ts';
import { type Report, tidyHost, tidyWords, type Verdict } from './verdict.ts';

/** Bounces of servers that write no delivery report, or did not when they were young. */
type ForeignBounce = {
  server: string;
  source: string;
  /** What only this server writes. */
  signs: RegExp[];
  subject?: RegExp;
  /** It has given up, or it only tells that it keeps trying. */
  action: 'failed' | 'delayed';
  /** Its reasons stand between these two; without the second one, up to the end. */
  after: RegExp;
  before?: RegExp;
};

const exim = /^\s*This message was created automatically by mail delivery software\b/;
const transcript = /-{5} Transcript of session follows -{5}/;
const sendmailCopy = /^ *-{5} (?:Original|Unsent|Message header)/m;
const gmailCopy = /^-{5} Original message/m;
const openSmtpd = /This is the MAILER-DAEMON, please DO NOT REPLY to this e-?mail/;
const openSmtpdList = /the following\s+list of recipients:/;
const openSmtpdCopy = /Below is a copy of the original message/;

export const foreignBounces: readonly ForeignBounce[] = [
  {
    server: 'qmail',
    source: 'QSBMF, cr.yp.to/proto/qsbmf.txt; qmail-send.c: "Hi. This is the qmail-send program"',
    signs: [/^Hi\. This is the \S/],
    action: 'failed',
    after: /^<[^>\n]*>:/m,
    before: /^-{3}/m,
  },
  {
    server: 'Exim, delay',
    source: 'Exim, src/deliver.c, warning message; seen from Exim before 4.87',
    signs: [exim, /not (?:yet )?been delivered to (?:one or more|all) of its\s+recipients/],
    action: 'delayed',
    after: /address(?:\(?es\)?)? to which the message has not yet been delivered/,
  },
  {
    server: 'Exim',
    source: 'Exim, src/deliver.c, bounce message; seen from Exim before 4.87 and from GMX',
    signs: [exim, /could not be delivered to\s+(?:one or more|all) of\s+its\s+recipients/],
    action: 'failed',
    after: /address(?:\(es\))?\s+failed:/,
    before: /^-{3,}/m,
  },
  {
    server: 'sendmail, delay',
    source: 'sendmail 8, deliver.c: "THIS IS A WARNING MESSAGE ONLY"; seen without a delivery report',
    signs: [/THIS IS A WARNING MESSAGE ONLY/, transcript],
    action: 'delayed',
    after: transcript,
    before: sendmailCopy,
  },
  {
    server: 'sendmail',
    source: 'sendmail 5 and 8, savemail.c: "Transcript of session follows"; seen without a delivery report',
    signs: [/had permanent fatal errors|Unsent message follows/, transcript],
    action: 'failed',
    after: transcript,
    before: sendmailCopy,
  },
  {
    server: 'Exchange',
    source: 'seen from Exchange 5.5 and 2000 (Internet Mail Service) without a delivery report',
    signs: [/^\s*Your message\s[\s\S]{0,1000}?did not reach the following recipient\(s\):/],
    action: 'failed',
    after: /did not reach the following recipient\(s\):/,
  },
  {
    server: 'Domino',
    source: 'seen from Lotus Domino 5 to 8 without a delivery report',
    signs: [/^\s*Your message\s[\s\S]{0,1000}?was not delivered to:/],
    subject: /^DELIVERY FAILURE: /,
    action: 'failed',
    after: /^because:/m,
  },
  {
    server: 'Gmail, delay',
    source: 'seen from Gmail before 2016 without a delivery report',
    signs: [/Delivery to the following recipients? has been delayed:/],
    action: 'delayed',
    after: /has been delayed:/,
    before: gmailCopy,
  },
  {
    server: 'Gmail',
    source: 'seen from Gmail before 2016 without a delivery report',
    signs: [/^\s*Delivery to the following recipients? failed permanently:/],
    action: 'failed',
    after: /failed permanently:/,
    before: gmailCopy,
  },
  {
    server: 'OpenSMTPD, delay',
    source: 'OpenSMTPD, smtpd/bounce.c; versions before 6.6',
    signs: [openSmtpd, /A message is delayed for more than/],
    action: 'delayed',
    after: openSmtpdList,
    before: openSmtpdCopy,
  },
  {
    server: 'OpenSMTPD',
    source: 'OpenSMTPD, smtpd/bounce.c; versions before 6.6',
    signs: [openSmtpd, /An error has occurred while attempting to deliver a message/],
    action: 'failed',
    after: openSmtpdList,
    before: openSmtpdCopy,
  },
  {
    server: 'Yahoo',
    source: 'seen from Yahoo: "Sorry, we were unable to deliver your message"',
    signs: [/^\s*Sorry, we were unable to deliver your message to the following address/],
    action: 'failed',
    after: /^<[^>\n]*>:/m,
    before: /^-{3}/m,
  },
];

/** Whether a mail system speaks (RFC 5321 section 4.5.1); X-Failed-Recipients was seen from Exim and Gmail. */
export function isFromMailSystem({ from, header }: Mail): boolean {
  return /^(mailer-daemon|postmaster)(@|$)/.test(from) || header.has('x-failed-recipients');
}

/** A rule for each; one whose reasons cannot be read leaves the mail to a person. */
export const foreignRules: readonly Rule[] = foreignBounces.map((bounce) => ({
  name: bounce.server,
  source: bounce.source,
  judge: (mail) =>
    isFromMailSystem(mail) &&
    bounce.signs.every((sign) => sign.test(mail.text)) &&
    (bounce.subject?.test(mail.subject) ?? true)
      ? readBounce(bounce, mail)
      : undefined,
}));

function readBounce({ server, action, after, before }: ForeignBounce, mail: Mail): Verdict {
  const start = after.exec(mail.text);
  const rest = start ? mail.text.slice(start.index + start[0].length) : '';
  const end = before?.exec(rest);
  const reason = rest.slice(0, Math.min(end?.index ?? 2000, 10_000));
  const found = action === 'delayed' ? { status: '4.0.0', code: undefined } : readReason(reason);
  if (!found) return { kind: 'unclear', reason: 'unknown form' };
  const report: Report = {
    kind: 'report',
    rule: server,
    action,
    hard: found.status.startsWith('5'),
    status: found.status,
    code: found.code,
    host: tidyHost(/\bhost:? ([a-z0-9.-]+\.[a-z0-9-]+)/i.exec(reason)?.[1]),
    response: tidyWords(reason) || undefined,
    messageId: /^message-id:\s*<([^<>\s]+)>/im.exec(rest.slice(end?.index ?? rest.length))?.[1],
  };
  return report;
}
