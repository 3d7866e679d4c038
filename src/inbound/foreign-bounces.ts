import type { Mail } from './read-mail.ts';
import type { Rule } from './rule.ts';
import { type Report, tidyHost, tidyWords, type Verdict } from './verdict.ts';

/** Bounces of servers that write no delivery report, or did not when they were young. */
type ForeignBounce = {
  server: string;
  source: string;
  /** What only this server writes. */
  is: (mail: Mail) => boolean;
  /** It has given up, or it only tells that it keeps trying. */
  action: 'failed' | 'delayed';
  /** Its reasons stand between these two; none of them: from the beginning, to the end. */
  after?: RegExp;
  before?: RegExp;
};

const fromDaemon = ({ from }: Mail) => /^(mailer-daemon|postmaster)@/.test(from);

export const foreignBounces: readonly ForeignBounce[] = [
  {
    server: 'qmail',
    source: 'QSBMF, cr.yp.to/proto/qsbmf.txt; qmail-send.c: "Hi. This is the qmail-send program"',
    is: ({ text }) => /^Hi\. This is the \S/.test(text),
    action: 'failed',
    after: /^<[^>\n]*>:/m,
    before: /^-{3}/m,
  },
  {
    server: 'Exim, delay',
    source: 'Exim, src/deliver.c: delay warning; seen from Exim before 4.87',
    is: (mail) =>
      isExim(mail) &&
      /not (?:yet )?been delivered to (?:one or more|all) of its\s+recipients/.test(mail.text),
    action: 'delayed',
    after: /address(?:\(?es\)?)? to which the message has not yet been delivered/,
  },
  {
    server: 'Exim',
    source: 'Exim, src/deliver.c: bounce text, X-Failed-Recipients; seen from Exim before 4.87 and from GMX',
    is: (mail) =>
      isExim(mail) && /could not be delivered to\s+(?:one or more|all) of\s+its\s+recipients/.test(mail.text),
    action: 'failed',
    after: /address(?:\(es\))?\s+failed:/,
    before: /^-{3,}/m,
  },
  {
    server: 'sendmail, delay',
    source: 'sendmail 8, savemail.c and deliver.c: "THIS IS A WARNING MESSAGE ONLY"',
    is: (mail) => fromDaemon(mail) && /THIS IS A WARNING MESSAGE ONLY/.test(mail.text) && isSendmail(mail),
    action: 'delayed',
    after: /-{5} Transcript of session follows -{5}/,
    before: /^ *-{5} (?:Original|Unsent)/m,
  },
  {
    server: 'sendmail',
    source: 'sendmail 5 and 8, savemail.c: "Transcript of session follows"; seen without a delivery report',
    is: (mail) =>
      fromDaemon(mail) &&
      /had permanent fatal errors|Unsent message follows/.test(mail.text) &&
      isSendmail(mail),
    action: 'failed',
    after: /-{5} Transcript of session follows -{5}/,
    before: /^ *-{5} (?:Original|Unsent|Message header)/m,
  },
  {
    server: 'Exchange',
    source: 'seen from Exchange 5.5 and 2000 (Internet Mail Service) without a delivery report',
    is: ({ text }) =>
      /^\s*Your message\s[\s\S]{0,1000}?did not reach the following recipient\(s\):/.test(text),
    action: 'failed',
    after: /did not reach the following recipient\(s\):/,
  },
  {
    server: 'Domino',
    source: 'seen from Lotus Domino 5 to 8 without a delivery report',
    is: ({ subject, text }) =>
      /^DELIVERY FAILURE: /.test(subject) &&
      /^\s*Your message\s[\s\S]{0,1000}?was not delivered to:/.test(text),
    action: 'failed',
    after: /^because:/m,
  },
  {
    server: 'Gmail, delay',
    source: 'seen from Gmail before 2016 without a delivery report',
    is: (mail) =>
      fromDaemon(mail) && /Delivery to the following recipients? has been delayed:/.test(mail.text),
    action: 'delayed',
    after: /has been delayed:/,
    before: /^-{5} Original message/m,
  },
  {
    server: 'Gmail',
    source: 'seen from Gmail before 2016 without a delivery report',
    is: (mail) =>
      fromDaemon(mail) && /^\s*Delivery to the following recipients? failed permanently:/.test(mail.text),
    action: 'failed',
    after: /failed permanently:/,
    before: /^-{5} Original message/m,
  },
  {
    server: 'OpenSMTPD, delay',
    source: 'OpenSMTPD, smtpd/bounce.c; versions before 6.6',
    is: (mail) => isOpenSmtpd(mail) && /A message is delayed for more than/.test(mail.text),
    action: 'delayed',
    after: /the following list of recipients:/,
    before: /Below is a copy of the original message/,
  },
  {
    server: 'OpenSMTPD',
    source: 'OpenSMTPD, smtpd/bounce.c; versions before 6.6',
    is: (mail) =>
      isOpenSmtpd(mail) && /An error has occurred while attempting to deliver a message/.test(mail.text),
    action: 'failed',
    after: /the following list of recipients:/,
    before: /Below is a copy of the original message/,
  },
  {
    server: 'Yahoo',
    source: 'seen from Yahoo: "Sorry, we were unable to deliver your message"',
    is: (mail) =>
      fromDaemon(mail) &&
      /^\s*Sorry, we were unable to deliver your message to the following address/.test(mail.text),
    action: 'failed',
    after: /^<[^>\n]*>:/m,
    before: /^-{3}/m,
  },
];

function isExim({ header, from, text }: Mail): boolean {
  return (
    /^\s*This message was created automatically by mail delivery software\b/.test(text) &&
    (header.has('x-failed-recipients') || from.startsWith('mailer-daemon@'))
  );
}

function isSendmail({ text }: Mail): boolean {
  return /-{5} Transcript of session follows -{5}/.test(text);
}

function isOpenSmtpd(mail: Mail): boolean {
  return fromDaemon(mail) && /This is the MAILER-DAEMON, please DO NOT REPLY to this e-?mail/.test(mail.text);
}

/** A rule for each; one whose reasons cannot be read leaves the mail to a person. */
export const foreignRules: readonly Rule[] = foreignBounces.map((bounce) => ({
  name: bounce.server,
  source: bounce.source,
  judge: (mail) => (bounce.is(mail) ? readBounce(bounce, mail) : undefined),
}));

function readBounce({ server, action, after, before }: ForeignBounce, mail: Mail): Verdict {
  const start = after ? after.exec(mail.text) : undefined;
  const rest = start ? mail.text.slice(start.index + start[0].length) : after ? '' : mail.text;
  const end = before?.exec(rest);
  const reason = end ? rest.slice(0, end.index) : rest.slice(0, 2000);
  const found = action === 'delayed' ? { status: '4.0.0', code: undefined } : readReason(reason);
  if (!found) return { kind: 'unclear', reason: 'unknown form' };
  const report: Report = {
    kind: 'report',
    rule: server,
    action,
    hard: action === 'failed' && found.status.startsWith('5'),
    status: found.status,
    code: found.code,
    host: tidyHost(/\bhost:? ([a-z0-9.-]+\.[a-z0-9-]+)/i.exec(reason)?.[1]),
    response: tidyWords(reason) || undefined,
    messageId: /^message-id:\s*<([^<>\s]+)>/im.exec(rest.slice(end?.index ?? rest.length))?.[1],
  };
  return report;
}

/** What is meant by words without a number, in the order in which they count: what may pass goes first. */
const phrases: readonly { words: RegExp; status: string; seenFrom: string }[] = [
  { words: /in the queue too long/i, status: '4.4.7', seenFrom: 'qmail-send.c' },
  {
    words: /retry time(?:out)? (?:exceeded|not reached)|failing for a long time/i,
    status: '4.4.7',
    seenFrom: 'Exim',
  },
  { words: /connection (?:refused|timed out)|deferred/i, status: '4.4.1', seenFrom: 'sendmail, Exim' },
  { words: /did not accept our requests to connect/i, status: '4.4.1', seenFrom: 'Gmail' },
  { words: /\bquota\b|mailbox (?:is )?full/i, status: '4.2.2', seenFrom: 'many' },
  { words: /user unknown|unknown user|no such user/i, status: '5.1.1', seenFrom: 'sendmail, Exim' },
  { words: /no mailbox here by that name/i, status: '5.1.1', seenFrom: 'qmail-local.c' },
  { words: /recipient name is not recognized/i, status: '5.1.1', seenFrom: 'Exchange 5.5' },
  { words: /not listed in (?:the )?(?:domino directory|public name)/i, status: '5.1.1', seenFrom: 'Domino' },
  { words: /unrouteable address/i, status: '5.1.0', seenFrom: 'Exim' },
];

/**
 * Finds how grave a reason is: by its numbers (RFC 3463, RFC 5321), and by known words where it has none. Anything
 * that may pass makes the whole pass.
 */
function readReason(reason: string): { status: string; code?: number } | undefined {
  const statuses = [...reason.matchAll(/(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/g)].map(
    ([, status = '']) => status,
  );
  const codes = [...reason.matchAll(/(?:^[ \t]*|[:>'(] ?|said:? |<<< )([45]\d\d)[ -](?=\s*\S)/gm)].map(
    ([, code]) => Number(code),
  );
  const passing =
    statuses.find((status) => status.startsWith('4')) ??
    (codes.some((code) => code < 500) ? '4.0.0' : undefined);
  const staying = statuses[0] ?? (codes.length > 0 ? '5.0.0' : undefined);
  const status = passing ?? staying ?? phrases.find(({ words }) => words.test(reason))?.status;
  return status === undefined
    ? undefined
    : { status, code: codes.find((code) => status.startsWith(String(code)[0] ?? '')) };
}
