import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  handleOf,
  letterHandle,
  messageIdOf,
  readReplyAlias,
  readReturnPath,
  replyAlias,
  returnPath,
  senderAddress,
} from '../../src/letters/alias.ts';
import { createVault } from '../../src/people/vault.ts';
import { plainMasterKeys } from '../support/keys.ts';

const day = 24 * 60 * 60 * 1000;
const now = new Date('2024-07-12T08:00:00Z');
const domain = 'letters.outspoken.example';
const keyed = (...versions: number[]) => createVault(plainMasterKeys(...versions));
const vault = keyed(1);
const handle = letterHandle(vault, Buffer.alloc(32, 9), 4);
const path = returnPath(vault, handle, domain, now);
const read = (address: string, at = now) => readReturnPath(vault, address, at);

describe("a letter's handle", () => {
  it('is the same for the same submission and brand, so that the preview shows what is sent', () => {
    expect(letterHandle(vault, Buffer.alloc(32, 9), 4)).toBe(handle);
    expect(handle).toMatch(/^[0-9a-f]{20}$/);
  });

  it('differs by submission and by brand, and cannot be computed without the key', () => {
    const others = [
      letterHandle(vault, Buffer.alloc(32, 9), 5),
      letterHandle(vault, Buffer.alloc(32, 8), 4),
      letterHandle(keyed(2), Buffer.alloc(32, 9), 4),
    ];
    expect(new Set([handle, ...others]).size).toBe(4);
  });

  it('is the left side of the Message-ID', () => {
    expect(messageIdOf(handle, domain)).toBe(`${handle}@${domain}`);
    expect(handleOf(messageIdOf(handle, domain))).toBe(handle);
  });
});

describe('a Return-Path', () => {
  it('names its letter to us, also when a mail system folded its case', () => {
    expect(read(path)).toBe(handle);
    expect(read(path.toUpperCase())).toBe(handle);
  });

  it('is good for as long as reports may come, and no longer', () => {
    expect(read(path, new Date(now.getTime() + 45 * day))).toBe(handle);
    expect(read(path, new Date(now.getTime() + 46 * day))).toBeUndefined();
  });

  it('outlives a change of the master key, while the old one is kept', () => {
    expect(readReturnPath(keyed(2, 1), path, now)).toBe(handle);
    expect(readReturnPath(keyed(2), path, now)).toBeUndefined();
  });

  it('is not ours with another handle, another time or another signature', () => {
    const [, , expires = '', signature = ''] = path.split('@')[0]?.split('.') ?? [];
    const other = letterHandle(vault, Buffer.alloc(32, 7), 4);
    const later = (Number.parseInt(expires, 36) + 100).toString(36);
    expect(read(`b.${other}.${expires}.${signature}@${domain}`)).toBeUndefined();
    expect(read(`b.${handle}.${later}.${signature}@${domain}`)).toBeUndefined();
    expect(read(`b.${handle}.${expires}.${'0'.repeat(20)}@${domain}`)).toBeUndefined();
    expect(read(`b.${handle}.${expires}.@${domain}`)).toBeUndefined();
    expect(read(`b.${handle}.${expires}@${domain}`)).toBeUndefined();
  });

  it('is not ours with any single character changed', () => {
    const local = path.split('@')[0] as string;
    fc.assert(
      fc.property(
        fc.nat(local.length - 1),
        fc.constantFrom(...'0123456789abcdefghijklmnopqrstuvwxyz.'),
        (at, put) => {
          if (local[at] === put) return;
          expect(read(`${local.slice(0, at)}${put}${local.slice(at + 1)}@${domain}`)).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    '',
    '@',
    'letters@outspoken.example',
    replyAlias(handle, domain),
    `x${path}`,
    path.replace(/^b\./, 'r.'),
    ` ${path}`,
    `<${path}>`,
  ])('is not read from anything else: %j', (address) => {
    expect(read(address)).toBeUndefined();
  });
});

describe('the address for answers', () => {
  it('names its letter, whoever writes there', () => {
    expect(readReplyAlias(replyAlias(handle, domain))).toBe(handle);
    expect(readReplyAlias(replyAlias(handle, domain).toUpperCase())).toBe(handle);
  });

  it.each([
    '',
    'letters@outspoken.example',
    path,
    `r.${handle}0@${domain}`,
    `r.${handle.slice(1)}@${domain}`,
  ])('is not read from anything else: %j', (address) => {
    expect(readReplyAlias(address)).toBeUndefined();
  });
});

describe('every address of a letter', () => {
  it('has a local part that every mail system takes (RFC 5321 section 4.5.3.1.1), now and in a century', () => {
    const submissions = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const moments = fc.date({ min: now, max: new Date('2124-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(
        submissions,
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        moments,
        (bytes, brandId, moment) => {
          const one = letterHandle(vault, Buffer.from(bytes), brandId);
          const addresses = [
            returnPath(vault, one, domain, moment),
            replyAlias(one, domain),
            senderAddress(domain),
            messageIdOf(one, domain),
          ];
          for (const address of addresses) {
            const local = address.slice(0, address.indexOf('@'));
            expect(local.length).toBeLessThanOrEqual(64);
            expect(local).toMatch(/^[a-z0-9]+(\.[a-z0-9]+)*$/);
            expect(address.slice(local.length)).toBe(`@${domain}`);
          }
          expect(readReturnPath(vault, addresses[0] as string, moment)).toBe(one);
        },
      ),
    );
  });

  it('says nothing of the person, the brand or the moment', () => {
    const one = letterHandle(vault, Buffer.alloc(32, 9), 4);
    const nearby = letterHandle(vault, Buffer.alloc(32, 9), 5);
    const same = [...one].filter((digit, n) => digit === nearby[n]).length;
    expect(same).toBeLessThan(10);
  });
});
