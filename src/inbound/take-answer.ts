import { draftByMail } from '../replies/draft-answer.ts';
import type { Reading } from './read-incoming.ts';
import type { Receiving } from './receive-mail.ts';

/** What became of an advocate's mail. */
export type Answered =
  | { kind: 'drafted' | 'known' | 'gone' }
  /** A machine wrote it: a vacation note, a report. It is nobody's answer. */
  | { kind: 'ignored' }
  /** A person may have written it, and nobody will see it: its sender must know. */
  | { kind: 'not for here' }
  /** There is no room for it before its writer has looked at the others. */
  | { kind: 'full' };

/** Takes mail to the address at which an advocate answers a brand: it becomes a draft, and goes nowhere by itself. */
export async function takeAnswer(
  { database, vault, mailDomain }: Receiving,
  reply: string,
  { digest, verdict, written }: Reading,
): Promise<Answered> {
  if (verdict.kind === 'reply' && written) {
    const { text, from } = written.content;
    return draftByMail({ database, vault, mailDomain }, reply, { digest, text, from: from.address });
  }
  const isUnreadable = verdict.kind === 'unclear' && verdict.reason === 'unreadable';
  return { kind: verdict.kind === 'reply' || isUnreadable ? 'not for here' : 'ignored' };
}
