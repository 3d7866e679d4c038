import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readSigningKey } from '../../src/mail/dkim.ts';
import { startInstance } from '../support/instance.ts';

const rsa = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits });
const pem = (one: KeyObject, type: 'pkcs8' | 'spki' = 'pkcs8') =>
  one.export({ type, format: 'pem' }).toString();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outspoken-dkim-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const keep = async (name: string, content: string) => {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
};

describe('DKIM_KEY_FILE', () => {
  const make = 'make one with: openssl genrsa';

  it.each([
    ['an Ed25519 key', pem(generateKeyPairSync('ed25519').privateKey), `not ed25519; ${make}`],
    [
      'an elliptic curve',
      pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      `not ec; ${make}`,
    ],
    ['a weak key', pem(rsa(1024).privateKey), `not RSA with 1024 bits; ${make}`],
    ['a public key', pem(rsa(2048).publicKey, 'spki'), 'does not hold a private key in PEM form'],
    ['something else', 'v=DKIM1; k=rsa', 'does not hold a private key in PEM form'],
    [
      'a key behind a password',
      rsa(2048)
        .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
        .toString(),
      'without a password',
    ],
  ])('with %s stops the start, and says why', async (what, content, says) => {
    const file = await keep(`${what}.pem`, content);
    await expect(readSigningKey(file)).rejects.toMatchObject({
      name: 'ExpectedError',
      message: expect.stringContaining(says),
    });
  });

  it('that is not there stops the worker before it begins', async () => {
    const settings = { dkim: { keyFile: join(folder, 'nowhere.pem'), selector: 's' } };
    const instance = await startInstance({ roles: [], settings });
    await expect(instance.startWorker()).rejects.toThrow(
      'DKIM_KEY_FILE cannot be read (ENOENT: there is no such file or folder).',
    );
    expect(await instance.query('select from worker')).toEqual([]);
    await instance.close();
  });

  it('is read as openssl writes it, in both forms', async () => {
    const { privateKey: key } = rsa(2048);
    const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString();
    for (const content of [pem(key), pkcs1])
      expect((await readSigningKey(await keep('ok.pem', content))).equals(key)).toBe(true);
  });
});
