import { randomBytes } from 'node:crypto';
import libmime from 'libmime';
import libqp from 'libqp';

export type Mailbox = { name: string; address: string };

/** What two messages can have in common. */
export type Content = {
  from: Mailbox;
  to: Mailbox;
  subject: string;
  /** Plain text; any kind of line break. */
  text: string;
  /** BCP 47 tag of the text. */
  language: string;
  /** Mail that nobody typed says so, and keeps vacation replies away (RFC 3834 section 5). */
  autoSubmitted?: 'auto-generated';
  /** Further headers of our own, by their names; ASCII. */
  marks?: Record<string, string>;
  attachments?: readonly Attachment[];
};

export type Attachment = { name: string; type: string; bytes: Buffer };

/** What is a message's own. */
export type Stamp = {
  /** Without angle brackets. */
  messageId: string;
  date: Date;
  /** A bare address. */
  replyTo?: string;
  /** Message-IDs of the thread, without angle brackets; the last is the one that this answers. */
  thread?: readonly string[];
};

export type Message = Content & Stamp;

/** Encoded content that waits for its stamp. */
export type Prepared = { head: string; tail: string };

/**
 * The bytes of a message (RFC 5322, MIME) with one text part, and attachments after it. Headers are ASCII, folded at 76; the text is
 * quoted-printable or base64, whichever is shorter, so that no relay has a reason to touch it.
 *
 * @throws Error on a control character in a header or a non-ASCII address: callers validate, this refuses
 */
export function encodeMessage(message: Message): Buffer {
  return Buffer.from(stampMessage(prepareMessage(message), message), 'latin1');
}

/** The dear part of encoding, which letters with the same words share. */
export function prepareMessage(content: Content): Prepared {
  const body = encodeBody(content);
  const head = [
    `From: ${encodeMailbox(content.from)}`,
    `To: ${encodeMailbox(content.to)}`,
    `Subject: ${encodeUnstructured(content.subject)}`,
    ...(content.autoSubmitted ? [`Auto-Submitted: ${content.autoSubmitted}`] : []),
    ...Object.entries(content.marks ?? {}).map(([name, value]) => `${name}: ${encodeUnstructured(value)}`),
    'MIME-Version: 1.0',
    ...body.head,
  ];
  return { head: head.map(fold).join(''), tail: `\r\n${body.encoded}` };
}

/** Prepared content as this one message: its bytes, which are ASCII. */
export function stampMessage(
  { head, tail }: Prepared,
  { messageId, date, replyTo, thread = [] }: Stamp,
): string {
  const ids = thread.map((id) => `<${messageIdIn(id)}>`);
  const own = [
    ...(ids.length > 0 ? [`In-Reply-To: ${ids.at(-1)}`, `References: ${ids.join(' ')}`] : []),
    ...(replyTo ? [`Reply-To: ${plainAddress(replyTo)}`] : []),
    `Date: ${dateHeader(date)}`,
    `Message-ID: <${plainAddress(messageId)}>`,
  ];
  return head + own.map(fold).join('') + tail;
}

type Body = { head: string[]; encoded: string };

function encodeBody({ text, language, attachments = [] }: Content): Body {
  const { encoding, encoded } = encodeText(text);
  const head = [
    'Content-Type: text/plain; charset=utf-8',
    `Content-Language: ${language}`,
    `Content-Transfer-Encoding: ${encoding}`,
  ];
  if (attachments.length === 0) return { head, encoded };
  // RFC 2046 section 5.1.1: must stand in no part; neither encoding can begin a line with "=_"
  const boundary = `=_${randomBytes(18).toString('hex')}`;
  const parts = [{ head, encoded }, ...attachments.map(encodeAttachment)].map(
    (part) => `--${boundary}\r\n${part.head.map(fold).join('')}\r\n${part.encoded}\r\n`,
  );
  return {
    head: [`Content-Type: multipart/mixed; boundary="${boundary}"`],
    encoded: `${parts.join('')}--${boundary}--\r\n`,
  };
}

/** To be saved rather than shown, as bytes that nobody on the way has a reason to touch. */
function encodeAttachment({ name, type, bytes }: Attachment): Body {
  if (!/^[a-z]+\/[a-z0-9.+-]+$/.test(type)) throw new Error('not a type for a header');
  refuseControls(name);
  // RFC 2231 where ASCII does not suffice
  const fileName = libmime
    .buildHeaderParam('filename', name, 50)
    .map(({ key, value }) => `${key}=${isToken(key, value) ? value : JSON.stringify(value)}`);
  return {
    head: [
      `Content-Type: ${type}`,
      ['Content-Disposition: attachment', ...fileName].join('; '),
      'Content-Transfer-Encoding: base64',
    ],
    encoded: bytes.toString('base64').replace(/.{76}/g, '$&\r\n'),
  };
}

/** What is encoded is a token as it is, and nobody decodes it within quotes (RFC 2231 section 7). */
const isToken = (key: string, value: string) => key.endsWith('*') || /^[\w.%'-]+$/.test(value);

function fold(line: string): string {
  return `${line.length <= 76 ? line : libmime.foldLines(line, 76)}\r\n`;
}

/** What a reader of the message sees as its text: CRLF, LF and CR are all line breaks, one ends the text. */
export function canonicalText(text: string): string {
  return `${text.replace(/\r\n?/g, '\n').replace(/\n+$/, '')}\n`;
}

function encodeText(text: string): { encoding: 'quoted-printable' | 'base64'; encoded: string } {
  const bytes = Buffer.from(canonicalText(text).replaceAll('\n', '\r\n'), 'utf8');
  const quoted = libqp.wrap(libqp.encode(bytes), 76);
  return quoted.length <= (bytes.length * 4) / 3
    ? { encoding: 'quoted-printable', encoded: quoted }
    : { encoding: 'base64', encoded: `${bytes.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n` };
}

/** RFC 5322 section 3.4: a quoted string where ASCII suffices, else encoded words (RFC 2047 section 5(3)). */
export function encodeMailbox({ name, address }: Mailbox): string {
  if (name === '') return plainAddress(address);
  refuseControls(name);
  // not where a quoted string could be taken for an encoded word: many programs decode it, and a name in disguise with it
  const phrase =
    /^[\x20-\x7e]*$/.test(name) && !name.includes('=?')
      ? `"${name.replace(/["\\]/g, '\\$&')}"`
      : libmime.encodeWord(name, 'B', 52);
  return `${phrase} <${plainAddress(address)}>`;
}

function encodeUnstructured(text: string): string {
  refuseControls(text);
  // "=?" in plain text would be read as the start of an encoded word, and outer spaces would be lost
  const plain =
    /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.includes('=?') && !/\S{70}/.test(text);
  return plain ? text : libmime.encodeWord(text, 'B', 52);
}

function refuseControls(text: string): void {
  if (/[\x00-\x1f\x7f\u2028\u2029]/.test(text)) throw new Error('a header may not hold a control character');
}

function plainAddress(address: string): string {
  if (!/^[\x21-\x3b\x3d\x3f-\x7e]+@[a-z0-9.-]+$/i.test(address))
    throw new Error('not an address for a header');
  return address;
}

/** Those of others have more characters than addresses have, and none that could end the header. */
function messageIdIn(id: string): string {
  if (!/^[\x21-\x3b\x3d\x3f-\x7e]+@[\x21-\x3b\x3d\x3f-\x7e]+$/.test(id))
    throw new Error('not a Message-ID for a header');
  return id;
}

/** RFC 5322 section 3.3, in UTC. */
function dateHeader(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}
