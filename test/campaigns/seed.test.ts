import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { seedFirstCampaign } from '../../src/campaigns/seed.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { createVault } from '../../src/people/vault.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { plainMasterKeys } from '../support/keys.ts';
import { wordsOf } from '../support/visitor.ts';

const vault = createVault(plainMasterKeys(1));
const seed = (database: Database) =>
  database.transaction((transaction) => seedFirstCampaign(transaction, vault));

describe('seeding the first campaign', () => {
  let clone: Awaited<ReturnType<typeof cloneDatabase>>;
  let client: pg.Client;
  beforeAll(async () => {
    clone = await cloneDatabase();
    client = new pg.Client({ connectionString: clone.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await clone.drop();
  });
  const count = async (table: string) =>
    (await client.query(`select count(*)::int as n from ${table}`)).rows[0].n as number;

  it('is done once, however many processes start at the same time', async () => {
    const processes = Array.from({ length: 4 }, () => openDatabase(clone.url, 2));
    const created = await Promise.all(processes.map(seed));
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(await count('campaign')).toBe(1);
    const brands = await count('brand');
    expect(brands).toBeGreaterThanOrEqual(12);
    expect([await count('contact'), await count('campaign_brand')]).toEqual([brands, brands]);
    expect(await count('wording')).toBe(2);

    expect(await seed(processes[0] as Database)).toBe(false);
    expect([await count('campaign'), await count('brand'), await count('wording')]).toEqual([1, brands, 2]);
    await Promise.all(processes.map((database) => database.close()));
  });

  it('leaves an instance alone that has a campaign of its own, even a closed one', async () => {
    const own = await cloneDatabase();
    const database = openDatabase(own.url, 2);
    await database.pool.query("insert into campaign (slug, state, texts) values ('mine', 'closed', '{}')");
    expect(await seed(database)).toBe(false);
    expect((await database.pool.query('select slug from campaign')).rows).toEqual([{ slug: 'mine' }]);
    await database.close();
    await own.drop();
  });

  it('gives every brand one contact under .example, to which nobody can deliver', async () => {
    const { rows } = await client.query('select kind::text, address, source_url, verified_on from contact');
    for (const contact of rows) {
      expect(contact).toMatchObject({ kind: 'email', source_url: null, verified_on: null });
      expect(contact.address).toMatch(/^human-rights@[a-z0-9-]+\.example$/);
    }
    expect(new Set(rows.map(({ address }) => address)).size).toBe(rows.length);
  });
});

describe('the database', () => {
  let clone: Awaited<ReturnType<typeof cloneDatabase>>;
  let client: pg.Client;
  beforeAll(async () => {
    clone = await cloneDatabase();
    const database = openDatabase(clone.url, 1);
    await seed(database);
    await database.close();
    client = new pg.Client({ connectionString: clone.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await clone.drop();
  });

  const add = (address: string, source?: string, on?: string, by?: string) =>
    client.query(
      `insert into contact (brand_id, kind, address, source_url, verified_on, verified_by)
       select min(id), 'email', $1, $2, $3, $4 from brand`,
      [address, source, on, by],
    );
  const source = 'https://brand.test/contact';

  it.each<[string, string | undefined, string | undefined, string | undefined]>([
    ['source, date and checker', undefined, undefined, undefined],
    ['source', undefined, '2024-07-12', 'checker'],
    ['date', source, undefined, 'checker'],
    ['checker', source, '2024-07-12', undefined],
  ])('refuses a real contact without its %s', async (_what, ...proof) => {
    await expect(add('people@brand.test', ...proof)).rejects.toThrow('a_real_contact_has_a_source');
  });

  it('takes a real contact with all three, and does not let it lose them', async () => {
    await add('people@brand.test', source, '2024-07-12', 'checker');
    await expect(
      client.query("update contact set verified_by = null where address = 'people@brand.test'"),
    ).rejects.toThrow('a_real_contact_has_a_source');
  });

  it.each([
    'people brand.example',
    'people @brand.example',
    '<people@brand.example',
    'people@brand.example\r\nRCPT TO:<x@brand.example',
    'a@b@brand.example',
    'people@-brand.example',
    'people@brand..example',
    'žmonės@brand.example',
  ])('refuses %j, which no letter could be sent to', async (address) => {
    await expect(add(address)).rejects.toThrow('an_email_address_can_be_written_to');
  });

  it('lets a brand leave its campaign only while no letter to it is there', async () => {
    await client.query(`
      insert into letter (campaign_id, brand_id, wording_id)
      select campaign_id, brand_id, wording.id
      from campaign_brand join brand on brand.id = brand_id join wording using (campaign_id)
      where brand.slug = 'hm'`);
    const ofBrand = "where brand_id = (select id from brand where slug = 'hm')";
    for (const statement of [
      `delete from campaign_brand ${ofBrand}`,
      `update campaign_brand set brand_id = (select id from brand where slug = 'nike') ${ofBrand}`,
    ])
      await expect(client.query(statement)).rejects.toThrow('a brand stays in its campaign');
    await client.query(`update campaign_brand set contact_id = contact_id ${ofBrand}`);
    const others = await client.query(
      "delete from campaign_brand using brand where brand.id = brand_id and slug = 'nike'",
    );
    expect(others.rowCount).toBe(1);
  });

  it.each(['Two\nlines', 'A\ttab', 'turned \u202eround', 'a\u2028b', 'hidden\u200f', 'a\u0085b'])(
    'refuses the name %j of a brand, which could not stand in a letter',
    async (name) => {
      await expect(client.query('update brand set name = $1', [name])).rejects.toThrow(
        'a_name_can_stand_in_a_header',
      );
    },
  );

  it.each(['Letters.example.org', 'letters', 'a b.example', 'letters.example.', 'a@b.example', '1.2.3.4'])(
    'refuses %j as a mail domain, to which no answer would find back',
    async (domain) => {
      await expect(client.query('update campaign set mail_domain = $1', [domain])).rejects.toThrow(
        'a_mail_domain_is_one_in_lower_case',
      );
    },
  );

  it('takes the names and the domains that there are', async () => {
    for (const name of ['C&A', 'Śnieg – Łódź', '株式会社', 'ខ្មែរ\u200bក្រុមហ៊ុន', 'O’Neill "x" \\'])
      await client.query("update brand set name = $1 where slug = 'hm'", [name]);
    for (const domain of ['letters.example.org', 'a-1.xn--j2e0cg3n2c', null])
      await client.query('update campaign set mail_domain = $1', [domain]);
  });

  it('takes the address of a form or of a house as it is', async () => {
    await client.query(
      `insert into contact (brand_id, kind, address) select min(id), 'form', 'https://brand.example' from brand`,
    );
  });

  it.each(['people@brand.example.test', 'people@brand.examples', 'people@example.com'])(
    'does not take %s for a sample',
    async (address) => {
      await expect(add(address)).rejects.toThrow('a_real_contact_has_a_source');
    },
  );

  it.each([
    "update wording set body = 'another'",
    "update wording set passages = '{}'",
    'update wording set version = version + 1',
    'delete from wording',
  ])('refuses to change a wording: %s', async (statement) => {
    await expect(client.query(statement)).rejects.toThrow('immutable');
  });
});

describe('the page of the first campaign', () => {
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
  });
  afterAll(() => instance.close());

  it('shows each list with its claim, what it is asked, and a link to its source further down', async () => {
    const page = await instance.visitor().get('/c/speak-out-for-central');
    const lists = page.html.split('<div class="list"').slice(1);
    expect(lists).toHaveLength(4);
    for (const html of lists) {
      const anchor = /href="#(source-[a-z0-9-]+)"/.exec(html)?.[1];
      expect(page.html).toContain(`<li id="${anchor}">`);
      expect(wordsOf({ ...page, html })).toMatch(/Source: .+, .*20\d\d/);
      expect(html).toMatch(/name="brand" value="[a-z-]+"/);
    }
  });
});
