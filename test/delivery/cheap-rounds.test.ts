import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { counting, sum } from '../support/counting.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { writeMany } from '../support/letters.ts';

describe('a round of release', () => {
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
    // plans are made once, while there are few letters, and must be good for millions
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await instance.query('analyze letter, waiting_letter');
    await releaseLetters(instance.context.database);
    await writeMany(instance, { people: 100, brands: ['hm', 'nike', 'inditex'] });
  });
  afterAll(() => instance.close());

  /** One round, and how many rows of letters, or of their line, it looked at. */
  async function round(table = 'letter'): Promise<{ released: number; looked: number }> {
    const { database, counts } = counting(instance.context.database, table);
    const bundles = await releaseLetters(database);
    return { released: bundles.reduce((all, { size }) => all + size, 0), looked: sum(counts) };
  }

  it('looks at no letter that only waits', async () => {
    await instance.query("update campaign set state = 'paused'");
    expect(await round()).toEqual({ released: 0, looked: 0 });
    await instance.query("update campaign set state = 'open'");
  });

  it('looks at those that it releases', async () => {
    const { released, looked } = await round();
    expect(released).toBe(300);
    expect(looked).toBeGreaterThanOrEqual(300);
    expect(looked).toBeLessThan(900);
  });

  /** Puts off the next letters of those that were released, for so long. */
  async function putOff(letters: number, wait: string): Promise<void> {
    await instance.query('delete from bundle'); // what was released is on its way
    await instance.query(
      `update letter set state = 'sending'
       where id in (select id from letter where state = 'queued' order by id limit ${letters})`,
    );
    await instance.query(`
      with put_off as (
        update letter set state = 'deferred', first_tried_at = now(), due_at = now() + interval '${wait}'
        where state = 'sending' returning *
      )
      insert into waiting_letter (letter_id, campaign_id, brand_id, due_at, deferred)
      select id, campaign_id, brand_id, due_at, true from put_off`);
  }

  it('looks at those that fall due again, and at no other', async () => {
    await putOff(5, '0 seconds');
    const { released, looked } = await round();
    expect(released).toBe(5);
    expect(looked).toBeGreaterThanOrEqual(5);
    expect(looked).toBeLessThan(30);
  });

  it('does not go through all that were put off for those that fall due', async () => {
    await putOff(200, '1 hour');
    await putOff(5, '0 seconds');
    const { released, looked } = await round('waiting_letter');
    expect(released).toBe(5);
    expect(looked).toBeGreaterThanOrEqual(5);
    expect(looked).toBeLessThan(100);
  });
});
