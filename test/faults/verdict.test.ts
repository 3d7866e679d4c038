import { describe, expect, it } from '@jest/globals';
import { judgeRun, type Row } from '../../bench/faults/verdict.ts';

const row = (messageId: string, state: string, wasUnknown = false): Row => ({ messageId, state, wasUnknown });
const judge = (
  rows: Row[],
  journal: Record<string, number> = {},
  promised = rows.map((one) => one.messageId),
) => judgeRun(new Set(promised), rows, new Map(Object.entries(journal)));

describe('the verdict of a fault run', () => {
  it('finds nothing where the database says what the relay wrote down', () => {
    const rows = [
      row('a', 'accepted'),
      row('b', 'rejected'),
      row('c', 'cancelled'),
      row('d', 'unknown', true),
      row('e', 'unknown', true),
      row('f', 'accepted', true),
    ];
    expect(judge(rows, { a: 1, d: 1, f: 1 })).toEqual({
      lost: [],
      duplicates: [],
      unknown: { seen: 3, resolved: 1, left: ['d', 'e'] },
    });
  });

  it.each([
    ['is called accepted although the relay does not have it', [row('a', 'accepted')], {}],
    ['is called rejected although the relay has it', [row('a', 'rejected')], { a: 1 }],
    ['is called cancelled although the relay has it', [row('a', 'cancelled')], { a: 1 }],
    ['never came to an end', [row('a', 'queued')], {}],
    ['waits although it was sent', [row('a', 'ready')], { a: 1 }],
  ])('says that a letter is lost when it %s', (_what, rows, journal) => {
    expect(judge(rows, journal).lost).toMatchObject([{ messageId: 'a' }]);
  });

  it('says that a letter is lost when it was promised and is not there', () => {
    expect(judge([], {}, ['a']).lost).toMatchObject([{ messageId: 'a' }]);
    expect(judge([], { a: 1 }).lost).toMatchObject([{ messageId: 'a' }]);
  });

  it('says which letters were sent more than once', () => {
    expect(judge([row('a', 'accepted'), row('b', 'unknown')], { a: 2, b: 3 }).duplicates).toEqual(['a', 'b']);
  });
});
