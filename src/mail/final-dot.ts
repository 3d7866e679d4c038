/**
 * A message as it stands between DATA and the reply (RFC 5321 section 4.5.2): dots that begin a line are doubled, the
 * dot alone ends it. A bare CR or LF becomes a line break like any other: whoever takes one for the end of a line would
 * otherwise see an end that is none, and commands behind it.
 */
export function withFinalDot(message: Buffer): Buffer {
  const text = message.toString('latin1');
  const isPlain = !/\r(?!\n)|(?<!\r)\n|\n\./.test(text) && !text.startsWith('.') && text.endsWith('\r\n');
  return Buffer.from(isPlain ? `${text}.\r\n` : `${stuffed(text)}.\r\n`, 'latin1');
}

function stuffed(text: string): string {
  const lines = text
    .replace(/\r\n|\r|\n/g, '\r\n')
    .replace(/^\./, '..')
    .replaceAll('\n.', '\n..');
  return lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
}
