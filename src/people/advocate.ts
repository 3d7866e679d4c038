import type { KeyObject } from 'node:crypto';
import { padded } from './padded.ts';
import { decrypt, decryptBytes, encrypt, encryptBytes, type Place, type Vault } from './vault.ts';

export const identities = ['named', 'described', 'counted'] as const;
export type Identity = (typeof identities)[number];

/** What a person chose and wrote; stored encrypted. Identity decides which of these exist. */
export type Said = {
  name?: string;
  description?: string;
  /** ISO 3166-1 alpha-2. */
  country?: string;
  /** Keys of the wording's reasons. */
  reasons: string[];
  ownWords?: string;
};

export type Tokens = { confirm: string; receipt: string; waiting: string };

/** The encrypted part of an advocate's row, and what is needed to read it. */
export type Sealed = {
  submission: Buffer;
  data_key: Buffer;
  key_version: number;
};

/** Lengths are stored in these steps, in bytes: most addresses look alike, and so do people who add no words of their own. */
const steps = { address: 64, said: 256 } as const;

/** Encrypts what is personal under a new data key of the advocate's own. */
export function sealAdvocate(
  vault: Vault,
  submission: Buffer,
  person: { address: string; said: Said; tokens: Tokens },
): Sealed & { address: Buffer; said: Buffer; tokens: Buffer } {
  const { key, wrapped, version } = vault.mintKey(place('data_key', submission));
  return {
    submission,
    data_key: wrapped,
    key_version: version,
    address: encrypt(key, place('address', submission), padded(person.address, steps.address)),
    said: encrypt(key, place('said', submission), padded(JSON.stringify(person.said), steps.said)),
    tokens: encrypt(key, place('tokens', submission), JSON.stringify(person.tokens)),
  };
}

export function openAddress(vault: Vault, row: Sealed & { address: Buffer }): string {
  return addressIn(row, dataKey(vault, row));
}

export function openSaid(vault: Vault, row: Sealed & { said: Buffer }): Said {
  return JSON.parse(decrypt(dataKey(vault, row), place('said', row.submission), row.said)) as Said;
}

export function openTokens(vault: Vault, row: Sealed & { tokens: Buffer }): Tokens {
  return tokensIn(row, dataKey(vault, row));
}

const addressIn = ({ submission, address }: Sealed & { address: Buffer }, key: KeyObject) =>
  decrypt(key, place('address', submission), address).trimEnd();

const tokensIn = ({ submission, tokens }: Sealed & { tokens: Buffer }, key: KeyObject) =>
  JSON.parse(decrypt(key, place('tokens', submission), tokens)) as Tokens;

/** Both of them, with the data key unwrapped once. */
export function openPerson(
  vault: Vault,
  row: Sealed & { address: Buffer; tokens: Buffer },
): { address: string; tokens: Tokens } {
  const key = dataKey(vault, row);
  return { address: addressIn(row, key), tokens: tokensIn(row, key) };
}

/** Encrypts under an advocate's data key what belongs to them in another table: it goes when the key goes. */
export function sealFor(vault: Vault, row: Sealed, where: Place, plain: Buffer): Buffer {
  return encryptBytes(dataKey(vault, row), where, plain);
}

/** @throws Error when the key is another person's, the bytes were altered, or they belong to another place */
export function openFor(vault: Vault, row: Sealed, where: Place, stored: Buffer): Buffer {
  return decryptBytes(dataKey(vault, row), where, stored);
}

/** @throws Error when it was not wrapped by the master keys that we have */
export function dataKey(vault: Vault, row: Sealed): KeyObject {
  return vault.unwrapKey(
    { wrapped: row.data_key, version: row.key_version },
    place('data_key', row.submission),
  );
}

/** `submission` is random to anyone without the key, unique, and never changes: it names the row. */
function place(column: string, submission: Buffer): Place {
  return { table: 'advocate', column, row: submission };
}
