import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import { handleOf, readReplyAlias, readReturnPath } from '../letters/alias.ts';
import type { Logger } from '../log.ts';
import type { Vault } from '../people/vault.ts';
import { type Penned, type PenReason, putIntoPen } from './pen.ts';
import type { Reading } from './read-incoming.ts';
import type { Addressee } from './recipient.ts';
import { type Recorded, recordNews, type Told, type Topic } from './record-news.ts';
import { type Answered, takeAnswer } from './take-answer.ts';
import { takeReply } from './take-reply.ts';
import { takeReturn } from './take-return.ts';
import type { Report, Verdict } from './verdict.ts';

export type Receiving = { database: Database; vault: Vault; log: Logger; mailDomain: string };

/** One mail for one address of ours, as it came and as it was read. */
export type Incoming = { recipient: Addressee; raw: Buffer; reading: Reading };

/** What became of it. */
export type Received = Recorded | Penned | Answered | Awaited<ReturnType<typeof takeReturn>>;

/** Whether nobody will see it. */
export function isRefused({ kind }: Received): boolean {
  return kind === 'not for here';
}

/** Whether it must be brought again; what is not refused either is taken care of, and committed. */
export function mustComeAgain({ kind }: Received): boolean {
  return kind === 'too early' || kind === 'full';
}

/**
 * How long a report may overtake the record of its letter's sending, in milliseconds: a mail server on the same
 * machine can be faster than the database.
 */
const overtaking = 5000;

/** Takes a mail that came back, and writes down what it says. Coming twice, it counts once. */
export async function receiveMail(receiving: Receiving, incoming: Incoming): Promise<Received> {
  const deadline = performance.now() + overtaking;
  for (;;) {
    const received = await file(receiving, incoming);
    if (received.kind !== 'too early' || performance.now() > deadline) {
      logReceived(receiving, incoming.reading.verdict, received);
      return received;
    }
    await sleep(100);
  }
}

async function file(receiving: Receiving, { recipient, raw, reading }: Incoming): Promise<Received> {
  const { digest, verdict } = reading;
  const handle = 'handle' in recipient ? recipient.handle : undefined;
  const pen = (reason: PenReason) => putIntoPen(receiving, { reason, raw, digest, handle });
  const record = async (about: string, topic: Topic, told?: Told): Promise<Received> => {
    const { mailDomain, database } = receiving;
    const recorded = await recordNews(database, { handle: about, mailDomain, digest }, topic, told);
    return recorded.kind === 'impossible' ? pen('impossible') : recorded;
  };

  // two notices a day and address leave, whatever became of the last one; and the report names the address
  if (recipient.kind === 'notices') return { kind: 'ignored' };
  if (verdict.kind === 'complaint' && !('reply' in recipient)) {
    const about = handle ?? signedHandle(receiving, verdict.about);
    return about === undefined ? pen('abuse') : record(about, 'complained');
  }
  if ('reply' in recipient) {
    // what comes to these may hold an advocate's address: no person shall read it
    const { reply } = recipient;
    return recipient.kind === 'answer alias'
      ? takeAnswer(receiving, reply, reading)
      : takeReturn(receiving.database, reply, verdict);
  }
  if (!('handle' in recipient)) return pen(recipient.kind);
  if (verdict.kind === 'unclear') return pen(verdict.reason);
  if (verdict.kind === 'reply' || verdict.kind === 'automatic reply') {
    const taken = await takeReply(receiving, { handle: recipient.handle, raw, reading });
    return taken.kind === 'impossible' ? pen('impossible') : taken;
  }
  if (verdict.kind !== 'report' || recipient.kind !== 'return path') return pen('unsigned address');
  if (contradicts(verdict, recipient.handle)) return pen('contradiction');
  return record(recipient.handle, verdict.action, verdict);
}

/** Mail services complain to an address that they know, and return the message, whose Return-Path we signed. */
function signedHandle({ vault }: Receiving, returnPath: string | undefined): string | undefined {
  return returnPath === undefined ? undefined : readReturnPath(vault, returnPath, new Date());
}

/**
 * Whether a report speaks of another message than the letter whose address it came to. Three things name a letter, in
 * this order; relays change the first two. An envelope's id that is not of our making says nothing, since some servers
 * make up their own (seen from Sun's). Another Message-ID is one that a relay gave (seen from Amazon SES), or that of a
 * message which is not ours, unless answers to it come to the letter's address.
 */
function contradicts({ envelopeId, messageId, replyTo }: Report, handle: string): boolean {
  const named = [
    envelopeId,
    messageId && handleOf(messageId),
    replyTo && readReplyAlias(bareAddress(replyTo)),
  ]
    .map((name) => name?.trim().toLowerCase() ?? '')
    .find((name) => /^[0-9a-f]{20}$/.test(name));
  return named === undefined ? messageId !== undefined : named !== handle;
}

const bareAddress = (value: string) => /<([^<>]*)>/.exec(value)?.[1] ?? value.trim();

function logReceived({ log }: Receiving, verdict: Verdict, received: Received): void {
  log.info(
    {
      kind: verdict.kind,
      ...('rule' in verdict ? { rule: verdict.rule } : {}),
      ...(verdict.kind === 'report' ? { action: verdict.action, status: verdict.status } : {}),
      became: received.kind,
      ...('letter' in received ? { letter: received.letter } : {}),
      ...('reason' in received ? { reason: received.reason } : {}),
    },
    'mail came back',
  );
}
