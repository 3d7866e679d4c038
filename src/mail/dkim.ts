import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ExpectedError, reasonOf } from '../expected.ts';

/** Signatures as in RFC 6376: rsa-sha256, relaxed/relaxed. */

/** What a reader sees of a message, and what decides where an answer goes. */
const signedFields = [
  'from',
  'to',
  'subject',
  'date',
  'message-id',
  'reply-to',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
];

/** RFC 8301 section 3.2: shorter keys are not to be used. */
const shortest = 2048;

/**
 * Reads the key that messages are signed with, as PEM.
 *
 * @throws ExpectedError when it is not an RSA key of 2048 bits or more: others would be ignored by receivers
 */
export async function readSigningKey(file: string): Promise<KeyObject> {
  const pem = await readFile(file).catch((error) => {
    throw new ExpectedError(`DKIM_KEY_FILE cannot be read (${reasonOf(error)}).`);
  });
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new ExpectedError('DKIM_KEY_FILE does not hold a private key in PEM form, without a password.');
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const bits = details?.modulusLength ?? 0;
  if (type === 'rsa' && bits >= shortest) return key;
  const found = type === 'rsa' ? `RSA with ${bits} bits` : type;
  throw new ExpectedError(
    `DKIM_KEY_FILE must hold an RSA key of ${shortest} bits or more, not ${found}; make one with: openssl genrsa -out dkim.pem ${shortest}`,
  );
}

/** Puts a signature on top of a message for the domain of its From. The arithmetic is done off the event loop. */
export type Signer = (message: Buffer) => Promise<Buffer>;

export function createSigner(key: KeyObject, selector: string): Signer {
  return async (message) => {
    const { unsigned, data } = prepareSignature(message.toString('latin1'), selector, new Date());
    const signature = await new Promise<Buffer>((resolve, reject) =>
      sign('sha256', Buffer.from(data, 'latin1'), key, (error, made) =>
        error ? reject(error) : resolve(made),
      ),
    );
    const lines = signature.toString('base64').replace(/.{72}(?=.)/g, '$&\r\n\t');
    return Buffer.concat([Buffer.from(`${unsigned}${lines}\r\n`, 'latin1'), message]);
  };
}

/**
 * The header field that still lacks its signature, and what is to be signed (RFC 6376 section 3.7). Each field, and
 * Reply-To, is named once more than it is there, so that nobody can add one (section 8.15): a mail program would show
 * one of the two, and send answers to it.
 *
 * @param message its bytes, a character each
 * @throws Error when it has no From
 */
export function prepareSignature(message: string, selector: string, at: Date) {
  const end = /\r?\n\r?\n/.exec(message);
  const head = end ? message.slice(0, end.index) : message.replace(/\r?\n$/, '');
  const body = end ? message.slice(end.index + end[0].length) : '';
  const fields = new Map(head.split(/\r?\n(?![ \t])/).map(relaxField));
  const domain = /@([a-z0-9.-]+)>?$/i.exec(fields.get('from') ?? '')?.[1];
  if (!domain) throw new Error('a message without From cannot be signed');
  const names = signedFields.filter((name) => fields.has(name));
  const sealed = signedFields.filter((name) => fields.has(name) || name === 'reply-to');
  const bodyHash = createHash('sha256').update(relaxBody(body), 'latin1').digest('base64');
  const unsigned = [
    `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=${domain};`,
    ` s=${selector}; t=${Math.floor(at.getTime() / 1000)};`,
    ` h=${[...sealed, ...names].join(':').replace(/(?:[^:]+:){4}/g, '$&\r\n  ')};`,
    ` bh=${bodyHash};`,
    ' b=',
  ].join('\r\n');
  const [name, value] = relaxField(unsigned);
  const data = [...names.map((name) => `${name}:${fields.get(name)}\r\n`), `${name}:${value}`].join('');
  return { unsigned, data };
}

/** Section 3.4.2: the name in lower case, the value on one line, runs of blanks as one, none around it. */
export function relaxField(field: string): [name: string, value: string] {
  const colon = field.indexOf(':');
  const value = field
    .slice(colon + 1)
    .replace(/\r?\n/g, '')
    .replace(/[ \t]+/g, ' ');
  return [field.slice(0, colon).trimEnd().toLowerCase(), value.replace(/^ | $/g, '')];
}

/** Section 3.4.4: runs of blanks as one, none at the end of a line, no empty lines at the end of the text. */
export function relaxBody(body: string): string {
  const lines = body.split(/\r?\n/).map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  let last = lines.length;
  while (last > 0 && lines[last - 1] === '') last -= 1;
  return last === 0 ? '' : `${lines.slice(0, last).join('\r\n')}\r\n`;
}
