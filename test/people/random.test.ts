import { describe, expect, it } from '@jest/globals';
import { freshBytes } from '../../src/people/random.ts';

describe('fresh bytes', () => {
  it('are as many as asked for, also where a piece of them ends, or is too small', () => {
    for (const length of [1, 4096, 10, 4090, 12, 5000, 32, 4096, 0])
      expect(freshBytes(length)).toHaveLength(length);
  });

  it('are given out once, and are nobody else’s', () => {
    const given = Array.from({ length: 20_000 }, (_, n) => freshBytes([10, 12, 32][n % 3] as number));
    const hex = given.map((bytes) => bytes.toString('hex'));
    expect(new Set(hex.map((text) => text.slice(0, 20))).size).toBe(given.length);
    freshBytes(4096); // whatever is drawn or wiped afterwards
    expect(given.map((bytes) => bytes.toString('hex'))).toEqual(hex);
  });

  it('look like chance: each bit is set about as often as not', () => {
    const bytes = Buffer.concat(Array.from({ length: 10_000 }, () => freshBytes(12)));
    for (let bit = 0; bit < 8; bit += 1) {
      const set = bytes.reduce((sum, byte) => sum + ((byte >> bit) & 1), 0);
      // 120,000 throws: 173 is one standard deviation
      expect(Math.abs(set - bytes.length / 2)).toBeLessThan(8 * 173);
    }
  });
});
