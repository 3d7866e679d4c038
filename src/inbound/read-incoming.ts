import { classify } from './classify.ts';
import { digestOf, readMail } from './read-mail.ts';
import { readReply, type Written } from './read-reply.ts';
import type { Facts } from './rule.ts';
import type { Verdict } from './verdict.ts';

/** All that is taken out of a mail: plain data, which a process can hand over. */
export type Reading = {
  digest: Buffer;
  verdict: Verdict;
  /** The bare address in From. */
  from: string;
  /** What a person or a machine wrote; undefined when nobody wants it, it is no such mail, or cannot be read. */
  written?: Written;
};

/** How it is read. `wantsWords`: it goes where words are kept, as what anybody may write to postmaster does not. */
export type Asked = Facts & { wantsWords: boolean };

/** Reads a mail from its bytes, and from nothing else. It is what may take long, so it is done in a process of its own. */
export async function readIncoming(raw: Buffer, { nullSender, wantsWords }: Asked): Promise<Reading> {
  const mail = await readMail(raw);
  if (!mail) return unreadable(raw);
  const verdict = classify(mail, { nullSender });
  const hasWords = wantsWords && (verdict.kind === 'reply' || verdict.kind === 'automatic reply');
  return {
    digest: digestOf(raw),
    verdict,
    from: mail.from,
    written: hasWords ? await readReply(raw) : undefined,
  };
}

/** What is known of a mail that cannot be read. */
export function unreadable(raw: Buffer): Reading {
  return { digest: digestOf(raw), verdict: { kind: 'unclear', reason: 'unreadable' }, from: '' };
}
