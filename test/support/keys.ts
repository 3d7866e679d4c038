import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { MasterKey } from '../../src/config.ts';

/** A key of thirty-two times the same byte. */
export const plainKey = (byte: number): KeyObject => createSecretKey(Buffer.alloc(32, byte));

/** Master keys that are the same wherever they have the same version, newest first. */
export const plainMasterKeys = (...versions: number[]): MasterKey[] =>
  versions.map((version) => ({ version, key: plainKey(version) }));

export const freshMasterKey = (version = 1): MasterKey => ({
  version,
  key: createSecretKey(randomBytes(32)),
});

/** As `APP_KEY` has it. */
export const appKeyOf = (keys: readonly MasterKey[]): string =>
  keys.map(({ version, key }) => `${version}:${key.export().toString('base64')}`).join();
