import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { keyedHash, type Vault } from '../people/vault.ts';

/**
 * A letter's addresses at the campaign's domain. All are made from its handle, 80 random bits in hex that
 * are also the left side of its Message-ID: nothing in them tells when, by whom or as which letter of how many it
 * was written. They are lower-case, since some mail systems fold the case of a local part. A reply (`src/replies`) has
 * a handle of its own, of the same kind.
 */

const day = 24 * 60 * 60 * 1000;

/** How long a Return-Path is good for, at least: five days of tries, and time for late reports. It ends at midnight (UTC). */
const returnPathDays = 45;

/**
 * The handle of the letter that this submission makes for this brand. It is computed, so that the preview,
 * which stores nothing, shows the very addresses that the letter will carry.
 */
export function letterHandle(vault: Vault, submission: Buffer, brandId: number): string {
  return keyedHash(vault.keyFor('alias'), `letter ${submission.toString('hex')} ${brandId}`, 10).toString(
    'hex',
  );
}

/** Without angle brackets (RFC 5322 section 3.6.4). */
export function messageIdOf(handle: string, domain: string): string {
  return `${handle}@${domain}`;
}

export function handleOf(messageId: string): string {
  return messageId.slice(0, messageId.indexOf('@'));
}

/** The address in From: the campaign's domain, never the advocate's. */
export function senderAddress(domain: string): string {
  return `letters@${domain}`;
}

/** Where a brand's answer goes: known to whoever got the letter, to nobody else. */
export function replyAlias(handle: string, domain: string): string {
  return `r.${handle}@${domain}`;
}

/** The envelope sender (VERP): names the letter, expires, and is signed, so that a forged report moves nothing. */
export function returnPath(vault: Vault, handle: string, domain: string, now: Date): string {
  return expiringAlias(vault, letters, handle, domain, now);
}

/**
 * The handle that a Return-Path of ours names; undefined when it was not signed by us or its time is over.
 */
export function readReturnPath(vault: Vault, address: string, now: Date): string | undefined {
  return readExpiring(vault, letters, address, now);
}

/** The handle that an answer's address names. It is not signed: whoever got the letter may answer it. */
export function readReplyAlias(address: string): string | undefined {
  return /^r\.([0-9a-f]{20})@/.exec(address.toLowerCase())?.[1];
}

/**
 * Where an advocate's answer to one mail of the brand goes, by mail. It is signed and stands in nothing but what was
 * forwarded to the advocate; it does not expire, since it ends with the mail that it answers.
 */
export function answerAlias(vault: Vault, reply: string, domain: string): string {
  return `a.${reply}.${signature(vault.keyFor('alias'), `answer ${reply}`)}@${domain}`;
}

/** The handle of the reply that is answered at this address; undefined when it was not signed by us. */
export function readAnswerAlias(vault: Vault, address: string): string | undefined {
  const [, reply = '', given = ''] = /^a\.([0-9a-f]{20})\.([0-9a-f]{20})@/.exec(address.toLowerCase()) ?? [];
  return isSigned(vault, `answer ${reply}`, given) ? reply : undefined;
}

/** The envelope sender of a reply that we pass on: its bounce is told on the page, and nothing else. */
export function replyReturnPath(vault: Vault, reply: string, domain: string, now: Date): string {
  return expiringAlias(vault, replies, reply, domain, now);
}

export function readReplyReturnPath(vault: Vault, address: string, now: Date): string | undefined {
  return readExpiring(vault, replies, address, now);
}

/** A kind of Return-Path: the letter that it begins with, and what is signed before its handle. */
type Kind = { letter: string; signs: string };
const letters: Kind = { letter: 'b', signs: 'return' };
const replies: Kind = { letter: 'f', signs: 'return reply' };

function expiringAlias(vault: Vault, { letter, signs }: Kind, handle: string, domain: string, now: Date) {
  const expires = (Math.ceil(now.getTime() / day) + returnPathDays).toString(36);
  const signed = signature(vault.keyFor('alias'), `${signs} ${handle} ${expires}`);
  return `${letter}.${handle}.${expires}.${signed}@${domain}`;
}

function readExpiring(vault: Vault, { letter, signs }: Kind, address: string, now: Date): string | undefined {
  const [, kind, handle = '', expires = '', given = ''] =
    /^([bf])\.([0-9a-f]{20})\.([0-9a-z]{3,5})\.([0-9a-f]{20})@/.exec(address.toLowerCase()) ?? [];
  const good = kind === letter && isSigned(vault, `${signs} ${handle} ${expires}`, given);
  return good && Number.parseInt(expires, 36) * day >= now.getTime() ? handle : undefined;
}

/** An alias outlives a change of APP_KEY: it was signed with the key of its day. */
function isSigned(vault: Vault, what: string, given: string): boolean {
  return vault.keysFor('alias').some((key) => isSame(given, signature(key, what)));
}

function signature(key: KeyObject, what: string): string {
  return keyedHash(key, what, 10).toString('hex');
}

function isSame(given: string, expected: string): boolean {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}
