import { describe, expect, it } from '@jest/globals';
import { gather } from '../../src/db/gather.ts';
import { gate } from '../support/letters.ts';

describe('a call that is made for many', () => {
  it('and fails is made for each alone, and nobody waits for the failures of the others', async () => {
    const first = gate();
    const allAlone = gate();
    let alone = 0;
    const call = gather(async (items: string[]) => {
      if (items[0] === 'first')
        await first.opened; // the others gather meanwhile
      else if (items.length > 1) throw new Error('somebody holds a lock');
      else {
        alone += 1;
        if (alone === 3) allAlone.open();
        await allAlone.opened;
        if (items[0] === 'bad') throw new Error('bad');
      }
      return items;
    }, 10);
    const answers = Promise.allSettled(['first', 'one', 'bad', 'two'].map(call));
    first.open();
    expect((await answers).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });
});
