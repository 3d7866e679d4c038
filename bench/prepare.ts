import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import { fingerprintKeyPlace } from '../src/campaigns/fingerprint.ts';
import { seedFirstCampaign } from '../src/campaigns/seed.ts';
import { openWordings } from '../src/campaigns/wordings.ts';
import { openDatabase } from '../src/db/database.ts';
import { migrate } from '../src/db/migrate.ts';
import { databaseOf } from '../src/embedded/postgres.ts';
import { composeLetter } from '../src/letters/compose.ts';
import type { Vault } from '../src/people/vault.ts';

/** What all measurements begin with: a campaign of twenty brands, and the texts of its letters. */

export const template = 'bench_template';
const brandCount = 20;

/** A database with one campaign of twenty brands, cloned for every measurement. */
export async function prepareTemplate(url: string, vault: Vault): Promise<void> {
  await onServer(url, `create database ${template}`);
  const databaseUrl = databaseOf(url, template);
  await migrate(databaseUrl);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await runMigrations(client);
  const database = openDatabase(databaseUrl, 2);
  await database.transaction((transaction) => seedFirstCampaign(transaction, vault));
  await database.close();
  const key = vault.mintKey(fingerprintKeyPlace('bench'));
  await client.query(
    `insert into campaign (slug, state, texts, fingerprint_key, key_version)
     select 'bench', 'open', texts, $1, $2 from campaign`,
    [key.wrapped, key.version],
  );
  await client.query(`
    with bench as (select id from campaign where slug = 'bench'),
    made as (insert into brand (slug, name) select 'bench-' || n, 'Brand ' || n from generate_series(1, ${brandCount}) n returning id, slug),
    reached as (insert into contact (brand_id, kind, address) select id, 'email', 'human-rights@' || slug || '.example' from made returning id, brand_id)
    insert into campaign_brand (campaign_id, brand_id, contact_id, position, lists)
    select bench.id, brand_id, reached.id, brand_id, array['bfc-2024-journal'] from reached, bench`);
  await client.query(`
    insert into wording (campaign_id, language, version, sender, subject, body, passages)
    select bench.id, language, 1, sender, subject, body, passages from wording, campaign bench
    where bench.slug = 'bench' and language = 'en'`);
  await client.end();
}

/** The very texts that the letters will have, for the yardstick. */
export async function writeTexts(url: string, folder: string): Promise<string> {
  const database = openDatabase(databaseOf(url, template), 1);
  const client = database.pool;
  const { rows } = await client.query("select id from campaign where slug = 'bench'");
  const [wording] = await openWordings(database).newest(rows[0].id);
  await database.close();
  if (!wording) throw new Error('the bench wording is missing');
  const texts = Array.from({ length: brandCount }, (_, n) => {
    const brand = { name: `Brand ${n + 1}`, lists: ['bfc-2024-journal'] as [string] };
    const { subject, text } = composeLetter({
      wording,
      brand,
      said: { reasons: ['customer'] },
      handle: 'x',
      domain: 'outspoken.example',
    });
    return { subject, text };
  });
  const file = join(folder, 'texts.json');
  await writeFile(file, JSON.stringify(texts));
  return file;
}

/** A statement on the server's own database, which can make and drop others. */
export async function onServer(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}
