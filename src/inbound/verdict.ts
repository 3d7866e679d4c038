/** What a mail that came back is. */
export type Verdict =
  | Report
  | { kind: 'complaint'; rule: string /** Return-Path of the message complained of. */; about?: string }
  | { kind: 'automatic reply'; rule: string }
  | { kind: 'reply' }
  | { kind: 'unclear'; reason: Unclear };

/** RFC 3464 section 2.3.3. */
export const actions = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const;
export type Action = (typeof actions)[number];

/** What a mail server tells about one letter. */
export type Report = {
  kind: 'report';
  rule: string;
  action: Action;
  /** Failed for good, and not because somebody gave up waiting: counts against the contact. */
  hard: boolean;
  /** RFC 3463, e.g. 5.1.1. */
  status: string;
  /** Whom a failure is about, as far as every part of the report says that. */
  mailboxes?: string[];
  /** SMTP reply code, if one is told. */
  code?: number;
  /** The server that it is about. */
  host?: string;
  /** Its words, one line, without addresses. */
  response?: string;
  /** What names the letter, beside the address that the report came to. */
  envelopeId?: string;
  messageId?: string;
  replyTo?: string;
};

/** Why a person must look. */
export type Unclear = 'unreadable' | 'incomplete report' | 'unknown form' | 'unknown feedback';

/**
 * A server's words as they may be shown: one line, no addresses (a mailbox behind the brand's is nobody's business). Of
 * very many words only the first are looked at, since looking for addresses takes the square of their number.
 */
export function tidyWords(words: string): string {
  return words
    .slice(0, 4000)
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/<[^<>\s]*@[^<>\s]*>/g, '<…>')
    .replace(/[^\s<>()[\]:;,"']*@[^\s<>()[\]:;,"']*/g, '…')
    .trim()
    .slice(0, 500)
    .toWellFormed();
}

/** A host's name or address, when it looks like one. */
export function tidyHost(name: string | undefined): string | undefined {
  return /^[A-Za-z0-9.[\]:_-]{1,200}$/.exec(name?.split('(')[0]?.trim() ?? '')?.[0];
}
