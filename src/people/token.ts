import { freshBytes } from './random.ts';
import { sha256 } from './vault.ts';

/** 256 random bits, as they stand in a link. Whoever has it may open the page. */
export function mintToken(): string {
  return freshBytes(32).toString('base64url');
}

/** What the database keeps of a token. A fast hash is enough: there is nothing to guess in 256 random bits. */
export function hashToken(token: string): Buffer {
  return sha256(token);
}

/** By what a person knows the mail about their own letters from one about what somebody else wrote with their address. */
export function numberOf(confirmToken: string): string {
  const n = hashToken(`number ${confirmToken}`).readUInt32BE() % 10_000;
  return String(n).padStart(4, '0');
}

/** Whether a piece of a URL can be a token at all. */
export function looksLikeToken(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

/** 80 random bits in hex, for what stands in addresses of ours. */
export function mintHandle(): string {
  return freshBytes(10).toString('hex');
}
