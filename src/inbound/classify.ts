import { automaticRules } from './automatic.ts';
import { readComplaint } from './complaint.ts';
import { readDeliveryReport } from './delivery-report.ts';
import { foreignRules, isFromMailSystem } from './foreign-bounces.ts';
import type { Mail } from './read-mail.ts';
import type { Facts, Rule } from './rule.ts';
import type { Verdict } from './verdict.ts';

const unknownForm = { kind: 'unclear', reason: 'unknown form' } as const;

/** How mail that came back is told apart. The first row that knows decides. */
export const rules: readonly Rule[] = [
  {
    name: 'delivery report',
    source: 'RFC 3464 section 2: multipart/report with report-type=delivery-status (RFC 6522)',
    judge: (mail) => (mail.reportType === 'delivery-status' ? readDeliveryReport(mail) : undefined),
  },
  {
    name: 'feedback report',
    source: 'RFC 5965 section 2: multipart/report with report-type=feedback-report',
    judge: (mail) => (mail.reportType === 'feedback-report' ? readComplaint(mail) : undefined),
  },
  // bounces before automatic replies: many carry the same signs
  ...foreignRules,
  {
    name: 'mail system',
    source:
      'RFC 5321 section 4.5.1; its form is not known. People have an address in From (RFC 5322 section 3.6.2)',
    judge: (mail) => (isFromMailSystem(mail) || mail.from === '' ? unknownForm : undefined),
  },
  ...automaticRules,
  {
    name: 'empty sender',
    source: 'RFC 5321 section 4.5.5: no person sends from it. Its form is not known',
    judge: (_mail, { nullSender }) => (nullSender ? unknownForm : undefined),
  },
  {
    name: 'reply',
    source: 'what no rule takes for a machine, a person may have written',
    judge: () => ({ kind: 'reply' }),
  },
];

/** Tells what a mail is by the table above. It is pure, and never throws on anything that a mail may hold. */
export function classify(mail: Mail, facts: Facts): Verdict {
  for (const { judge } of rules) {
    const verdict = judge(mail, facts);
    if (verdict) return verdict;
  }
  throw new Error('the last row of the rules takes everything');
}
