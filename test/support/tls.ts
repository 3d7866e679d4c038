import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** A certificate and its private key, as PEM. */
export type Certificate = { cert: string; key: string };

/** Who vouches for certificates; a client trusts it by `cert`. */
export type Authority = Certificate & { vouch(name: string, until?: Date): Certificate };

const day = 24 * 60 * 60_000;

/** An authority that nobody trusts yet, made on the spot: there is no key to keep, and none to expire. */
export function makeAuthority(name = 'Test authority'): Authority {
  const { publicKey, privateKey } = newKeys();
  const issuer = { name, key: privateKey };
  return {
    cert: certify({ name, publicKey, issuer, authority: true, until: new Date(Date.now() + day) }),
    key: pemOf(privateKey),
    vouch(host, until = new Date(Date.now() + day)) {
      const keys = newKeys();
      return {
        cert: certify({ name: host, publicKey: keys.publicKey, issuer, authority: false, until }),
        key: pemOf(keys.privateKey),
      };
    },
  };
}

/** A host's name, or its IPv4 address (RFC 5280 section 4.2.1.6). */
const subject = (name: string) =>
  isIPv4(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();

type Wanted = {
  name: string;
  publicKey: KeyObject;
  issuer: { name: string; key: KeyObject };
  authority: boolean;
  until: Date;
};

/** An X.509 certificate (RFC 5280), which Node can read but not write. */
function certify({ name, publicKey, issuer, authority, until }: Wanted): string {
  const keyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const extensions = [
    extension('551d13', true, sequence(...(authority ? [der(0x01, Buffer.from([0xff]))] : []))), // basic constraints
    ...(authority ? [] : [extension('551d11', false, sequence(subject(name)))]), // the host's name
  ];
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    named(issuer.name),
    sequence(time(new Date(Date.now() - 30 * day)), time(until)),
    named(name),
    keyInfo,
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', content, issuer.key);
  const bytes = sequence(content, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, content: Buffer): Buffer {
  const size =
    content.length < 128
      ? Buffer.from([content.length])
      : Buffer.from([0x82, content.length >> 8, content.length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), size, content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts));
const identifier = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'));
const named = (name: string) =>
  sequence(der(0x31, sequence(identifier('550403'), der(0x0c, Buffer.from(name)))));
const time = (at: Date) => der(0x17, Buffer.from(`${at.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
const extension = (id: string, critical: boolean, value: Buffer) =>
  sequence(identifier(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
