import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import type { MasterKey } from '../config.ts';
import { freshBytes } from './random.ts';

/** Where a value is stored: part of what its encryption authenticates, so that no value can be moved. */
export type Place = { table: string; column: string; row: Buffer | string };

/** A key that is itself encrypted under a master key. */
export type WrappedKey = { wrapped: Buffer; version: number };

/** It gives keys as `KeyObject`s, and never as bytes: they show nothing of themselves where they are printed or logged. */
export type Vault = {
  /** A fresh 256-bit key, and the same key wrapped for storage. */
  mintKey(place: Place): WrappedKey & { key: KeyObject };
  /** @throws Error when the master key's version is unknown or the bytes were altered */
  unwrapKey(stored: WrappedKey, place: Place): KeyObject;
  /** A key for one purpose, derived from the newest master key (HKDF, RFC 5869). */
  keyFor(purpose: Purpose): KeyObject;
  /** The same from every master key, newest first: for recognising what was made with an older one. */
  keysFor(purpose: Purpose): KeyObject[];
  /** What tells each master key from any other, and tells nothing of it. */
  readonly signs: { version: number; sign: string }[];
};

export type Purpose = 'alias' | 'address cap' | 'submission' | 'csrf';

/**
 * Holds the master keys (`APP_KEY`). The first one wraps; all of them unwrap, so that a key can be replaced
 * while old data is still read.
 */
export function createVault(masterKeys: readonly MasterKey[]): Vault {
  const newest = masterKeys[0];
  if (!newest) throw new Error('the vault needs a master key');
  const wrapping = new Map(masterKeys.map(({ version, key }) => [version, derive(key, 'wrap')]));
  const derived = new Map<Purpose, KeyObject[]>();
  const wrapKey = wrapping.get(newest.version) as KeyObject;

  function keysFor(purpose: Purpose): KeyObject[] {
    let keys = derived.get(purpose);
    if (!keys) {
      keys = masterKeys.map(({ key }) => derive(key, purpose));
      derived.set(purpose, keys);
    }
    return keys;
  }

  return {
    mintKey(place) {
      const bytes = freshBytes(32);
      return {
        key: createSecretKey(bytes),
        wrapped: encryptBytes(wrapKey, place, bytes),
        version: newest.version,
      };
    },
    unwrapKey({ wrapped, version }, place) {
      const master = wrapping.get(version);
      if (!master) throw new Error(`APP_KEY lacks version ${version}, which stored data needs`);
      return createSecretKey(decryptBytes(master, place, wrapped));
    },
    keyFor: (purpose) => keysFor(purpose)[0] as KeyObject,
    keysFor,
    signs: masterKeys.map(({ version, key }) => ({
      version,
      sign: derive(key, 'sign').export().subarray(0, 8).toString('hex'),
    })),
  };
}

function derive(key: KeyObject, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `outspoken ${purpose}`, 32)));
}

/** AES-256-GCM (NIST SP 800-38D), stored as nonce (12 bytes), ciphertext, tag (16 bytes). */
export function encrypt(key: KeyObject, place: Place, text: string): Buffer {
  return encryptBytes(key, place, Buffer.from(text, 'utf8'));
}

/** @throws Error when the key is wrong, the bytes were altered, or they belong to another place */
export function decrypt(key: KeyObject, place: Place, stored: Buffer): string {
  return decryptBytes(key, place, stored).toString('utf8');
}

/** The same for bytes that are not text. */
export function encryptBytes(key: KeyObject, place: Place, plain: Buffer): Buffer {
  const nonce = freshBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associatedData(place));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

export function decryptBytes(key: KeyObject, place: Place, stored: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, stored.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(associatedData(place));
  decipher.setAuthTag(stored.subarray(stored.length - 16));
  return Buffer.concat([decipher.update(stored.subarray(12, stored.length - 16)), decipher.final()]);
}

function associatedData({ table, column, row }: Place): Buffer {
  return Buffer.concat([Buffer.from(`${table}.${column}.`), Buffer.from(row)]);
}

/** HMAC-SHA-256 (RFC 2104), cut to `bytes`. */
export function keyedHash(key: KeyObject, text: string, bytes = 32): Buffer {
  return createHmac('sha256', key).update(text).digest().subarray(0, bytes);
}

export function sha256(data: Buffer | string): Buffer {
  return hash('sha256', data, 'buffer');
}
