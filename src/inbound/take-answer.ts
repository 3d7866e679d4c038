import { draftByMail } from '../replies/draft-answer.ts';
import { readReply } from './read-reply.ts';
import type { Receiving } from './receive-mail.ts';
import type { Verdict } from './verdict.ts';

/** What became of an advocate's mail. */
export type Answered =
  | { kind: 'drafted' | 'known' | 'gone' }
  /** A machine wrote it: a vacation note, a report. It is nobody's answer. */
  | { kind: 'ignored' }
  /** There is no room for it before its writer has looked at the others. */
  | { kind: 'full' };

type Mailed = { raw: Buffer; digest: Buffer; verdict: Verdict; reply: string };

/** Takes mail to the address at which an advocate answers a brand: it becomes a draft, and goes nowhere by itself. */
export async function takeAnswer(
  { database, vault, mailDomain }: Receiving,
  { raw, digest, verdict, reply }: Mailed,
): Promise<Answered> {
  const written = verdict.kind === 'reply' ? await readReply(raw) : undefined;
  if (!written) return { kind: 'ignored' };
  const { text, from } = written.content;
  return draftByMail({ database, vault, mailDomain }, reply, { digest, text, from: from.address });
}
