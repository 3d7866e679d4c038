import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Database, statement } from '../../src/db/database.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { writeMany } from '../support/letters.ts';

// PostgreSQL's own count of the rows that this connection has fetched, as far as it has not reported them yet.
const fetched = statement<{ n: number }>(`
  select (coalesce(idx_tup_fetch, 0) + seq_tup_read)::int as n from pg_stat_xact_user_tables where relname = 'letter'`);

describe('a round of release', () => {
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
    // plans are made once, while there are few letters, and must be good for millions
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await instance.query('analyze letter');
    await releaseLetters(instance.context.database);
    await writeMany(instance, { people: 100, brands: ['hm', 'nike', 'inditex'] });
  });
  afterAll(() => instance.close());

  /** One round, and how many rows of letters it looked at. */
  async function round(): Promise<{ released: number; looked: number }> {
    const { database } = instance.context;
    let looked = 0;
    const counted: Database = {
      ...database,
      transaction: (work) =>
        database.transaction(async (transaction) => {
          const before = await transaction.row(fetched);
          const result = await work(transaction);
          const after = await transaction.row(fetched);
          looked = (after?.n ?? Number.NaN) - (before?.n ?? Number.NaN);
          return result;
        }),
    };
    const bundles = await releaseLetters(counted);
    return { released: bundles.reduce((sum, { size }) => sum + size, 0), looked };
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

  it('looks at those that fall due again, and at no other', async () => {
    await instance.query('delete from bundle'); // what was released is on its way
    await instance.query(
      "update letter set state = 'sending' where id in (select id from letter order by id limit 5)",
    );
    await instance.query(`
      with put_off as (
        update letter set state = 'deferred', first_tried_at = now(), due_at = now() where state = 'sending' returning *
      )
      insert into waiting_letter (letter_id, campaign_id, brand_id, due_at, deferred)
      select id, campaign_id, brand_id, due_at, true from put_off`);
    const { released, looked } = await round();
    expect(released).toBe(5);
    expect(looked).toBeGreaterThanOrEqual(5);
    expect(looked).toBeLessThan(30);
  });
});
