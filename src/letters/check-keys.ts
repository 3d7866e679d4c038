import { fingerprintKeyPlace } from '../campaigns/fingerprint.ts';
import { type Queryable, statement } from '../db/database.ts';
import { ExpectedError } from '../expected.ts';
import { dataKey, type Sealed } from '../people/advocate.ts';
import type { Vault } from '../people/vault.ts';

const campaigns = statement<{ slug: string; wrapped: Buffer; version: number }>(`
  select slug, fingerprint_key as wrapped, key_version as version from campaign
  where fingerprint_key is not null`);

// of the oldest and of the newest person: enough to tell a wrong key, without reading everybody
const people = statement<Sealed>(`
  (select submission, data_key, key_version from advocate order by id limit 1)
  union all
  (select submission, data_key, key_version from advocate order by id desc limit 1)`);

/**
 * Whether the master keys are those that the database was written under. With others, letters would be taken that
 * nobody could confirm, and no page of those who wrote before would open.
 *
 * @throws ExpectedError when they are not
 */
export async function checkKeys(db: Queryable, vault: Vault): Promise<void> {
  for (const { slug, wrapped, version } of await db.rows(campaigns))
    mustOpen(vault, version, () => vault.unwrapKey({ wrapped, version }, fingerprintKeyPlace(slug)));
  for (const row of await db.rows(people)) mustOpen(vault, row.key_version, () => dataKey(vault, row));
}

/** Whether anything in the database was written under a key. */
export async function needsKeys(db: Queryable): Promise<boolean> {
  return (await db.rows(campaigns)).length > 0 || (await db.rows(people)).length > 0;
}

function mustOpen(vault: Vault, version: number, open: () => unknown): void {
  try {
    open();
  } catch {
    const where = 'APP_KEY, or app-key in DATA_DIR where that is not set';
    throw new ExpectedError(
      vault.signs.some((one) => one.version === version)
        ? `The key of version ${version} (${where}) is not the one that this database was written under. Put the right one back: without it nothing can be read.`
        : `The key of version ${version}, which this database was written under, is missing. Put it back behind the others (${where}): without it nothing can be read.`,
    );
  }
}
