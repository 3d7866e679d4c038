import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  openAddress,
  openPerson,
  openSaid,
  openTokens,
  type Said,
  sealAdvocate,
} from '../../src/people/advocate.ts';
import { createVault, decrypt, encrypt, keyedHash, type Place } from '../../src/people/vault.ts';
import { plainKey, plainMasterKeys } from '../support/keys.ts';

const keyed = (...versions: number[]) => createVault(plainMasterKeys(...versions));
const place: Place = { table: 'advocate', column: 'address', row: Buffer.alloc(32, 7) };
const key = plainKey(3);
const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed());

describe('an encrypted value', () => {
  it('is read back as it was, and shows nothing of itself but its length', () => {
    fc.assert(
      fc.property(text, (plain) => {
        const stored = encrypt(key, place, plain);
        expect(decrypt(key, place, stored)).toBe(plain);
        expect(stored).toHaveLength(Buffer.byteLength(plain) + 12 + 16);
        if (Buffer.byteLength(plain) > 3) expect(stored.includes(plain)).toBe(false);
      }),
    );
  });

  it('is another one each time, also for the same text', () => {
    const stored = Array.from({ length: 100 }, () => encrypt(key, place, 'same').toString('hex'));
    expect(new Set(stored).size).toBe(100);
    expect(new Set(stored.map((hex) => hex.slice(0, 24))).size).toBe(100);
  });

  it.each<[string, Partial<Place>]>([
    ['table', { table: 'letter' }],
    ['column', { column: 'said' }],
    ['row', { row: Buffer.alloc(32, 8) }],
    ['row, by one bit', { row: Buffer.concat([Buffer.alloc(31, 7), Buffer.from([6])]) }],
  ])('cannot be read at another %s', (_what, elsewhere) => {
    const stored = encrypt(key, place, 'mine');
    expect(() => decrypt(key, { ...place, ...elsewhere }, stored)).toThrow();
  });

  it('cannot be read with another key', () => {
    expect(() => decrypt(plainKey(4), place, encrypt(key, place, 'mine'))).toThrow();
  });

  it('cannot be read when any byte of it was altered, taken away or added', () => {
    fc.assert(
      fc.property(text, fc.nat(), fc.integer({ min: 1, max: 255 }), (plain, at, change) => {
        const stored = encrypt(key, place, plain);
        const altered = Buffer.from(stored);
        altered[at % stored.length] = (altered[at % stored.length] as number) ^ change;
        expect(() => decrypt(key, place, altered)).toThrow();
        expect(() => decrypt(key, place, stored.subarray(0, at % stored.length))).toThrow();
        expect(() => decrypt(key, place, Buffer.concat([stored, Buffer.from([change])]))).toThrow();
      }),
    );
  });
});

describe('a master key', () => {
  it('wraps data keys that it unwraps, in their place only', () => {
    const vault = keyed(1);
    const minted = vault.mintKey(place);
    expect(vault.unwrapKey(minted, place).equals(minted.key)).toBe(true);
    const bytes = minted.key.export();
    expect(bytes).toHaveLength(32);
    expect(minted.wrapped.includes(bytes)).toBe(false);
    expect(() => vault.unwrapKey(minted, { ...place, row: Buffer.alloc(32) })).toThrow();
    expect(() => keyed(2).unwrapKey({ ...minted, version: 2 }, place)).toThrow();
  });

  it('can be replaced: old data is still read, and new data is under the new one', () => {
    const old = keyed(1).mintKey(place);
    const both = keyed(2, 1);
    expect(both.unwrapKey(old, place).equals(old.key)).toBe(true);
    const fresh = both.mintKey(place);
    expect([old.version, fresh.version]).toEqual([1, 2]);
    expect(keyed(2).unwrapKey(fresh, place).equals(fresh.key)).toBe(true);
  });

  it('shows nothing of itself where it is printed, logged or put into JSON, nor does a data key', () => {
    const keys = [
      ...plainMasterKeys(1).map(({ key: one }) => one),
      keyed(1).keyFor('alias'),
      keyed(1).mintKey(place).key,
    ];
    for (const one of keys) {
      const shown = [inspect(one, { depth: 9 }), String(one), JSON.stringify({ one })].join('\n');
      const bytes = one.export().subarray(0, 4);
      const forms = [
        bytes.toString('hex'),
        bytes.toString('base64').slice(0, 5),
        bytes.join(),
        [...bytes.toString('hex').matchAll(/../g)].join(' '),
      ];
      for (const form of forms) expect(shown).not.toContain(form);
    }
  });

  it('is asked for by its version when it is missing, without a word about any key', () => {
    const old = keyed(1).mintKey(place);
    expect(() => keyed(2).unwrapKey(old, place)).toThrow('APP_KEY lacks version 1, which stored data needs');
    expect(() => createVault([])).toThrow('master key');
  });

  it('gives a different key for every purpose, always the same', () => {
    const purposes = ['alias', 'address cap', 'submission', 'csrf'] as const;
    const keys = purposes.map((purpose) => keyed(1).keyFor(purpose).export().toString('hex'));
    expect(new Set(keys).size).toBe(purposes.length);
    expect(purposes.map((purpose) => keyed(1, 2).keyFor(purpose).export().toString('hex'))).toEqual(keys);
    expect(keys).not.toContain(Buffer.alloc(32, 1).toString('hex'));
    expect(
      keyed(2, 1)
        .keysFor('alias')
        .map((one) => one.export().toString('hex')),
    ).toEqual([2, 1].map((version) => keyed(version).keyFor('alias').export().toString('hex')));
  });
});

describe('what is stored of a person', () => {
  const vault = keyed(1);
  const submission = Buffer.alloc(32, 9);
  const said: Said = { name: 'សុខ', country: 'KH', reasons: ['pay'], ownWords: 'I sew.\n🧵' };
  const tokens = { confirm: 'c', receipt: 'r', waiting: 'w' };
  const row = sealAdvocate(vault, submission, { address: 'sok@mail.example', said, tokens });

  it('is read back with the key of its own', () => {
    expect(openAddress(vault, row)).toBe('sok@mail.example');
    expect(openSaid(vault, row)).toEqual(said);
    expect(openTokens(vault, row)).toEqual(tokens);
    expect(openPerson(vault, row)).toEqual({ address: 'sok@mail.example', tokens });
  });

  it('does not show how long an address or a name is', () => {
    const lengths = (address: string, more: Partial<Said>) => {
      const sealed = sealAdvocate(vault, submission, { address, said: { reasons: [], ...more }, tokens });
      return [sealed.address.length, sealed.said.length];
    };
    const usual = lengths('a@b.example', {});
    for (const n of [1, 2, 30, 50]) {
      const address = `${'a'.repeat(n)}@b.example`;
      expect(lengths(address, { name: 'n'.repeat(n), country: 'KH', reasons: ['one', 'two'] })).toEqual(
        usual,
      );
    }
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 2000 }), (ownWords) => {
        const typed: Said = { reasons: [], ownWords: ownWords.toWellFormed() };
        const sealed = sealAdvocate(vault, submission, { address: 'a@b.example', said: typed, tokens });
        expect((sealed.said.length - 28) % 256).toBe(0);
        expect(openSaid(vault, sealed)).toEqual(typed);
      }),
    );
  });

  it('is noise once its data key is gone, or when a column was moved to another row or column', () => {
    const other = sealAdvocate(vault, Buffer.alloc(32, 8), { address: 'x@mail.example', said, tokens });
    expect(() => openAddress(vault, { ...row, data_key: other.data_key })).toThrow();
    expect(() => openAddress(vault, { ...row, data_key: Buffer.alloc(60) })).toThrow();
    expect(() => openAddress(vault, { ...row, address: other.address })).toThrow();
    expect(() => openAddress(vault, { ...row, address: row.tokens })).toThrow();
    expect(() => openAddress(vault, { ...other, address: row.address, data_key: row.data_key })).toThrow();
  });
});

describe('a keyed hash', () => {
  it('tells texts apart only to those who have the key, and is cut to the length asked for', () => {
    expect(keyedHash(key, 'a', 16)).toHaveLength(16);
    expect(
      keyedHash(key, 'a')
        .subarray(0, 16)
        .equals(keyedHash(key, 'a', 16)),
    ).toBe(true);
    expect(keyedHash(key, 'a').equals(keyedHash(key, 'b'))).toBe(false);
    expect(keyedHash(key, 'a').equals(keyedHash(plainKey(4), 'a'))).toBe(false);
  });
});
