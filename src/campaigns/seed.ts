import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Queryable, statement } from '../db/database.ts';
import type { Vault } from '../people/vault.ts';
import { projectRoot } from '../root.ts';
import { textsByLanguageSchema } from './campaign.ts';
import { fingerprintKeyPlace } from './fingerprint.ts';
import { compileWording, passagesSchema } from './wording.ts';

const campaignFile = z.object({
  slug: z.string(),
  languages: z.array(z.string()),
  wordings: z.array(z.string()),
  brands: z.array(z.object({ slug: z.string(), name: z.string(), lists: z.array(z.string()).min(1) })),
});
const languageFile = z.object({
  texts: z.unknown().optional(),
  sender: z.string(),
  subject: z.string(),
  passages: passagesSchema,
});

const countCampaigns = statement<{ n: number }>('select count(*)::int as n from campaign');
const lockCampaigns = statement('lock table campaign in share row exclusive mode');
const addCampaign = statement<{ id: number }>(`
  insert into campaign (slug, state, texts, fingerprint_key, key_version) values ($1, 'open', $2, $3, $4)
  returning id`);
const addBrand = statement(`
  with brand as (
    insert into brand (slug, name) values ($2, $3)
    on conflict (slug) do update set name = excluded.name
    returning id
  ), contact as (
    insert into contact (brand_id, kind, address) select id, 'email', $4 from brand
    returning id, brand_id
  )
  insert into campaign_brand (campaign_id, brand_id, contact_id, position, lists)
  select $1, brand_id, id, $5, $6 from contact`);
const addWording = statement(`
  insert into wording (campaign_id, language, version, sender, subject, body, passages)
  values ($1, $2, 1, $3, $4, $5, $6)`);

/**
 * Creates the first campaign where there is none. Its contacts are samples under `.example` (RFC 2606):
 * nobody verified a real one, so letters cannot reach a brand until staff enter contacts with a source.
 *
 * @returns whether it was created
 */
export async function seedFirstCampaign(db: Queryable, vault: Vault): Promise<boolean> {
  await db.rows(lockCampaigns); // two processes may start at once; the caller's transaction ends the lock
  if ((await db.row(countCampaigns))?.n !== 0) return false;
  const folder = join(projectRoot, 'templates/letters/speak-out-for-central');
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));

  const { slug, languages, wordings, brands } = campaignFile.parse(await read('campaign.json'));
  const texts: Record<string, unknown> = {};
  for (const language of languages)
    texts[language] = languageFile.parse(await read(`${language}.json`)).texts;
  const key = vault.mintKey(fingerprintKeyPlace(slug));
  const created = await db.row(addCampaign, [
    slug,
    JSON.stringify(textsByLanguageSchema.parse(texts)),
    key.wrapped,
    key.version,
  ]);
  if (!created) throw new Error('the campaign was not created');
  for (const [position, brand] of brands.entries()) {
    const address = `human-rights@${brand.slug}.example`;
    await db.rows(addBrand, [created.id, brand.slug, brand.name, address, position, brand.lists]);
  }
  for (const language of wordings) {
    const { sender, subject, passages } = languageFile.parse(await read(`${language}.json`));
    const body = await readFile(join(folder, `${language}.body.hbs`), 'utf8');
    const compiled = compileWording({ sender, subject, body, passages });
    if (!compiled.ok) throw new Error(`${language}: ${compiled.problems.join('; ')}`);
    await db.rows(addWording, [created.id, language, sender, subject, body, JSON.stringify(passages)]);
  }
  return true;
}
