import { type Fields, field, typedValue } from './fields.ts';
import type { Mail } from './read-mail.ts';
import { type Action, actions, type Report, tidyHost, tidyWords, type Verdict } from './verdict.ts';

/** What one group of a report says of one recipient. */
type Told = Omit<Report, 'kind' | 'rule' | 'envelopeId' | 'messageId' | 'replyTo' | 'mailboxes'>;

/**
 * Reads a delivery report (RFC 3464). Every message of ours has one recipient, so several groups mean that it
 * was passed on to several mailboxes: the best of what happened is what happened to the letter.
 */
export function readDeliveryReport(mail: Mail): Verdict {
  const groups = mail.deliveryStatus ?? [];
  const recipients = groups.filter((group) => group.has('action') || group.has('final-recipient'));
  const message = groups[0] ?? new Map();
  const told = recipients.map((group) => readRecipient(group, message));
  if (told.length === 0 || !told.every((one) => one !== undefined)) {
    return { kind: 'unclear', reason: 'incomplete report' };
  }
  const best = told.toSorted((a, b) => goodness(b) - goodness(a))[0] as Told;
  return {
    kind: 'report',
    rule: 'delivery report',
    ...best,
    mailboxes: best.action === 'failed' ? readMailboxes(recipients) : undefined,
    envelopeId: field(message, 'original-envelope-id'),
    messageId: mail.returned && bareId(field(mail.returned, 'message-id')),
    replyTo: mail.returned && field(mail.returned, 'reply-to'),
  };
}

const fromBest: Action[] = ['delivered', 'relayed', 'expanded', 'delayed', 'failed'];

/** A hard failure is the worst: among several, one that is soft makes the whole soft. */
function goodness({ action, hard }: Told): number {
  return -fromBest.indexOf(action) - (hard ? 0.5 : 0);
}

/** Undefined when it is not an address everywhere. */
function readMailboxes(groups: readonly Fields[]): string[] | undefined {
  const mailboxes = groups.flatMap((group) => {
    const named = typedValue(field(group, 'final-recipient'))?.value;
    return /^<?([^\s<>@]+@[^\s<>@]+)>?$/.exec(named ?? '')?.[1] ?? [];
  });
  return mailboxes.length === groups.length ? mailboxes : undefined;
}

/** Undefined when an obligatory field is missing or when action and status contradict each other. */
function readRecipient(group: Fields, message: Fields): Told | undefined {
  const word = /^\s*([a-z]+)/i.exec(field(group, 'action') ?? '')?.[1]?.toLowerCase();
  const action = actions.find((known) => known === word);
  const status = /^\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)/.exec(field(group, 'status') ?? '')?.[1];
  if (!action || !status || !fits(action, status)) return undefined;
  const diagnostic = typedValue(field(group, 'diagnostic-code'));
  const reply =
    diagnostic && /smtp/.test(diagnostic.type) ? /^([245]\d\d)(?!\d)/.exec(diagnostic.value) : null;
  const code = reply ? Number(reply[1]) : undefined;
  return {
    action,
    status,
    // some servers write 5.0.0 over every failure: a 4yz in the words of the last server says better
    hard: action === 'failed' && status.startsWith('5') && !(code !== undefined && code < 500),
    code,
    host: hostOf(group, 'remote-mta') ?? hostOf(message, 'reporting-mta') ?? hostOf(group, 'reporting-mta'),
    response: tidyWords(withStatus(status, diagnostic?.value ?? '')),
  };
}

/** RFC 3463 section 3: 2 is success, 4 passes, 5 stays. */
function fits(action: Action, status: string): boolean {
  const succeeded = status.startsWith('2');
  return action === 'failed' || action === 'delayed' ? !succeeded : succeeded;
}

function withStatus(status: string, words: string): string {
  return words.includes(status) ? words : `${status} ${words}`;
}

function hostOf(fields: Fields, name: string): string | undefined {
  return tidyHost(typedValue(field(fields, name))?.value);
}

/** A Message-ID without its angle brackets. */
function bareId(value: string | undefined): string | undefined {
  return /<\s*([^<>\s]+)\s*>/.exec(value ?? '')?.[1];
}
