import type { Mailbox } from '../mail/message.ts';
import { openFor, type Sealed, sealFor } from '../people/advocate.ts';
import { padded } from '../people/padded.ts';
import type { Place, Vault } from '../people/vault.ts';

export type Direction = 'from brand' | 'from advocate';

export type ReplyState =
  | 'kept'
  | 'draft'
  | 'waiting'
  | 'sending'
  | 'accepted'
  | 'rejected'
  | 'abandoned'
  | 'unknown'
  | 'bounced';

/** An attachment as it is listed. `passed`: it goes on to the advocate. */
export type Listed = { name: string; size: number; passed: boolean };

/** What is personal in a reply; stored encrypted. Of an advocate's answer `from` is empty. */
export type Content = {
  from: Mailbox;
  subject: string;
  text: string;
  /** The text was longer. */
  cut: boolean;
  attachments: Listed[];
  /** As the brand's mail names itself, without angle brackets: for the thread. */
  messageId?: string;
  /** An answer: it came by mail; and from another address than the advocate's. */
  byMail?: boolean;
  fromElsewhere?: boolean;
};

/** An attachment on its way. */
export type Cargo = { name: string; type: string; bytes: Buffer };

/** What one letter can bring about, whoever writes to its address. */
export const caps = {
  /** Passed on to the advocate: within 24 hours, and in all. */
  forwardsPerDay: 5,
  forwards: 25,
  /** Kept and shown; more waits for a person. */
  replies: 40,
  /** Answers of the advocate that leave within 24 hours, and drafts that wait. */
  answersPerDay: 5,
  drafts: 3,
  /** Characters of a text, and of an answer that is written on the page. */
  text: 60_000,
  answer: 5000,
} as const;

/** Lengths are stored in steps of so many bytes. */
const step = 1024;

const place = (column: string, handle: string): Place => ({ table: 'reply', column, row: handle });

export function sealContent(vault: Vault, owner: Sealed, handle: string, content: Content): Buffer {
  const plain = padded(JSON.stringify(content), step);
  return sealFor(vault, owner, place('content', handle), Buffer.from(plain));
}

export function openContent(vault: Vault, owner: Sealed, handle: string, stored: Buffer): Content {
  return JSON.parse(openFor(vault, owner, place('content', handle), stored).toString('utf8')) as Content;
}

type Crate = { name: string; type: string; bytes: string };

export function sealCargo(vault: Vault, owner: Sealed, handle: string, cargo: readonly Cargo[]): Buffer {
  const crates = cargo.map(({ bytes, ...label }): Crate => ({ ...label, bytes: bytes.toString('base64') }));
  return sealFor(vault, owner, place('cargo', handle), Buffer.from(JSON.stringify(crates)));
}

export function openCargo(vault: Vault, owner: Sealed, handle: string, stored: Buffer): Cargo[] {
  const crates = JSON.parse(
    openFor(vault, owner, place('cargo', handle), stored).toString('utf8'),
  ) as Crate[];
  return crates.map(({ bytes, ...label }) => ({ ...label, bytes: Buffer.from(bytes, 'base64') }));
}
