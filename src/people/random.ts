import { randomBytes } from 'node:crypto';

/** What is drawn at once at least, in bytes: enough for some hundreds of nonces. */
const piece = 4096;

let drawn = Buffer.alloc(0);

/**
 * Random bytes of the system's generator, for keys, nonces and tokens. They are drawn in larger pieces, since each draw
 * costs some microseconds, and one person's letters need eight of them. No byte is given out twice, and none stays
 * here once it was given out.
 */
export function freshBytes(length: number): Buffer {
  if (drawn.length < length) drawn = randomBytes(Math.max(piece, length));
  const bytes = Buffer.from(drawn.subarray(0, length));
  drawn.fill(0, 0, length);
  drawn = drawn.subarray(length);
  return bytes;
}
