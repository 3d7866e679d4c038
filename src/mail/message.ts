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
};

/** What is a message's own. */
export type Stamp = {
  /** Without angle brackets. */
  messageId: string;
  date: Date;
  /** A bare address. */
  replyTo?: string;
};

export type Message = Content & Stamp;

/** Encoded content that waits for its stamp. */
export type Prepared = { head: string; tail: string };

/**
 * The bytes of a message (RFC 5322, MIME) with one text part. Headers are ASCII, folded at 76; the text is
 * quoted-printable or base64, whichever is shorter, so that no relay has a reason to touch it.
 *
 * @throws Error on a control character in a header or a non-ASCII address: callers validate, this refuses
 */
export function encodeMessage(message: Message): Buffer {
  return stampMessage(prepareMessage(message), message);
}

/** The dear part of encoding, which letters with the same words share. */
export function prepareMessage(content: Content): Prepared {
  const body = encodeText(content.text);
  const head = [
    `From: ${encodeMailbox(content.from)}`,
    `To: ${encodeMailbox(content.to)}`,
    `Subject: ${encodeUnstructured(content.subject)}`,
    ...(content.autoSubmitted ? [`Auto-Submitted: ${content.autoSubmitted}`] : []),
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Language: ${content.language}`,
    `Content-Transfer-Encoding: ${body.encoding}`,
  ];
  return { head: head.map(fold).join(''), tail: `\r\n${body.encoded}` };
}

/** The bytes of prepared content as this one message. */
export function stampMessage({ head, tail }: Prepared, { messageId, date, replyTo }: Stamp): Buffer {
  const own = [
    ...(replyTo ? [`Reply-To: ${plainAddress(replyTo)}`] : []),
    `Date: ${dateHeader(date)}`,
    `Message-ID: <${plainAddress(messageId)}>`,
  ];
  return Buffer.from(head + own.map(fold).join('') + tail, 'latin1');
}

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
  const phrase = /^[\x20-\x7e]*$/.test(name)
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

/** RFC 5322 section 3.3, in UTC. */
function dateHeader(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}
