import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type Instance, startInstance } from '../support/instance.ts';

/** The SQL that docs/operating.md gives to an operator, block by block; not what only a superuser may do. */
const blocks = [...readFileSync('docs/operating.md', 'utf8').matchAll(/^```sql\n([\s\S]*?)^```$/gm)].flatMap(
  ([, sql = '']) => (/^create (role|database)/.test(sql) ? [] : [sql]),
);

describe('the statements that an operator finds in the documents', () => {
  let instance: Instance;
  let client: pg.Client;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
    client = new pg.Client({ connectionString: instance.context.databaseUrl });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await instance.close();
  });

  it('are found', () => expect(blocks.length).toBeGreaterThan(7));

  it.each(blocks)('are understood by the database: %s', async (sql) => {
    await client.query(sql);
  });

  it('give a brand its contact, and close a campaign', async () => {
    const contacts = await instance.query(
      `select address from campaign_brand join contact on contact.id = contact_id
       join brand on brand.id = contact.brand_id where slug = 'hm'`,
    );
    expect(contacts).toEqual([{ address: 'csr@brand.example.org' }]);
    const campaigns = await instance.query('select state, closes_at from campaign');
    expect(campaigns).toEqual([{ state: 'closed', closes_at: new Date('2027-01-31T23:59:00Z') }]);
  });
});
