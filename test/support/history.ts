import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, Role } from '../../src/config.ts';
import { until } from './advocate.ts';
import { cloneDatabase, copyDatabase } from './database.ts';
import { type Instance, startInstance } from './instance.ts';
import { freshMasterKey } from './keys.ts';

/** One instance over many starts: its database may be put back to what it was, its data folder stays. */
export type History = {
  dataDir: string;
  /** Starts it; the one before must be closed. */
  start(roles?: Role[], settings?: Partial<Config>): Promise<Instance>;
  /** Copies the database while nothing runs. */
  backUp(): Promise<Backup>;
  /** Puts a backup in the database's place. */
  restore(backup: Backup): Promise<void>;
  end(): Promise<void>;
};

export type Backup = Awaited<ReturnType<typeof cloneDatabase>>;

export async function beginHistory(smtpUrl: string): Promise<History> {
  const dataDir = await mkdtemp(join(tmpdir(), 'outspoken-history-'));
  const appKeys = [freshMasterKey()];
  const all: Backup[] = [await cloneDatabase()];
  let current = all[0] as Backup;
  const copy = async (from: Backup) => {
    // whoever was connected may need a moment to leave
    const made = await until(() => copyDatabase(from.url).catch(() => undefined), 'a copy', 60_000);
    all.push(made);
    return made;
  };
  return {
    dataDir,
    start: (roles, settings) =>
      startInstance({
        roles,
        smtpUrl,
        databaseUrl: current.url,
        settings: { dataDir, appKeys, ...settings },
      }),
    backUp: () => copy(current),
    async restore(backup) {
      current = await copy(backup);
    },
    async end() {
      for (const { drop } of all) await drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
