import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { openHighWater } from '../hold/high-water.ts';
import { holdIfOld } from '../hold/mark.ts';
import type { Logger } from '../log.ts';
import type { Vault } from '../people/vault.ts';
import { takeBackAgain } from './take-back-again.ts';

/**
 * Before anything is shown or sent: whether the database was restored. Then it is put on hold, and whoever was erased
 * since the backup is erased again, so that no page of theirs opens.
 *
 * @throws ExpectedError when the mark cannot be read; the pages start nevertheless, since they send nothing
 */
export async function lookBack(
  parts: { database: Database; vault: Vault; log: Logger },
  { dataDir, roles }: Pick<Config, 'dataDir' | 'roles'>,
): Promise<void> {
  try {
    if (await holdIfOld(parts.database, openHighWater(dataDir))) await takeBackAgain(parts, dataDir);
  } catch (error) {
    if (roles.includes('worker')) throw error;
    parts.log.error({ err: error }, 'whether the database is an old one cannot be told');
  }
}
