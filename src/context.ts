import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { seedFirstCampaign } from './campaigns/seed.ts';
import { openWordings } from './campaigns/wordings.ts';
import { type Config, type MasterKey, readMasterKeys } from './config.ts';
import { type Database, openDatabase } from './db/database.ts';
import { gather } from './db/gather.ts';
import { createHint } from './db/hint.ts';
import { migrate } from './db/migrate.ts';
import { unreachable } from './db/usable.ts';
import { type Catcher, startCatcher } from './embedded/catcher.ts';
import { type EmbeddedPostgres, startPostgres } from './embedded/postgres.ts';
import { codeOf, ExpectedError, reasonOf } from './expected.ts';
import { openTakenBack } from './hold/taken-back.ts';
import { checkKeys, needsKeys } from './letters/check-keys.ts';
import { confirmLetters } from './letters/confirm-letters.ts';
import { lookBack } from './letters/look-back.ts';
import { type Written, writeLetters } from './letters/write-letters.ts';
import { loadLocales } from './locale/locale.ts';
import type { Logger } from './log.ts';
import { createVault } from './people/vault.ts';
import { readIfThere, readOrMake } from './whole-file.ts';

/** How many visitors' letters one statement carries at most. */
export const visitorsAtOnce = 32;

/** What requests and jobs need, passed to them explicitly. */
export type Context = Awaited<ReturnType<typeof createContext>>;

/**
 * Opens everything that the roles share: the database (starting and migrating it), the keys, the texts, the
 * mail catcher where no relay is set.
 *
 * @param localeFolder where the texts are; unset: our own
 * @throws ExpectedError when a part cannot be used, saying which and what to do
 */
export async function createContext(config: Config, log: Logger, localeFolder?: string) {
  const opened: Array<() => Promise<void>> = [];
  const close = async () => {
    for (const closePart of opened.splice(0).reverse()) await closePart();
  };
  try {
    const embedded = config.databaseUrl && config.appKeys && config.smtpUrl ? undefined : config.dataDir;
    if (embedded) await prepareFolder(embedded);

    let postgres: EmbeddedPostgres | undefined;
    if (!config.databaseUrl) {
      postgres = await startPostgres(config.dataDir, (words) => log.warn(words));
      opened.push(() => postgres?.close() ?? Promise.resolve());
    }
    const databaseUrl = config.databaseUrl ?? (postgres as EmbeddedPostgres).url;
    await migrate(databaseUrl).catch((error) => {
      throw config.databaseUrl ? unreachable(error) : error;
    });
    const database = openDatabase(databaseUrl);
    opened.push(() => database.close());

    let catcher: Catcher | undefined;
    if (!config.smtpUrl && config.roles.includes('worker')) {
      catcher = await startCatcher(join(config.dataDir, 'mail'));
      opened.push(() => catcher?.close() ?? Promise.resolve());
    }

    const vault = createVault(config.appKeys ?? (await ownMasterKeys(config.dataDir, database)));
    await checkKeys(database, vault);
    const takenBack = openTakenBack(database, config.dataDir, log);
    if (config.roles.length > 0) await lookBack({ database, vault, log }, config);
    if (config.seed) await database.transaction((transaction) => seedFirstCampaign(transaction, vault));
    return {
      config,
      log,
      database,
      databaseUrl,
      vault,
      catcher,
      smtpUrl: config.smtpUrl ?? catcher?.url,
      locales: await loadLocales(localeFolder),
      wordings: openWordings(database),
      hint: createHint(database),
      takenBack,
      /** Stores letters and, once their address is confirmed, makes them ready; many visitors at a time. */
      writeLetters: gather((all: Written[]) => writeLetters(database, vault, all), visitorsAtOnce),
      confirmLetters: gather((tokens: string[]) => confirmLetters(database, vault, tokens), visitorsAtOnce),
      /** Where people reach the pages; the web role corrects it once it knows its port. */
      site: { url: config.publicUrl ?? `http://${config.host}:${config.port}` },
      /** Resolves when a part that should run has ended by itself. */
      lost: postgres?.lost ?? new Promise<void>(() => {}),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The data folder, open to others only for passing through: PostgreSQL may run as another user. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    const made = await makeFolder(folder);
    if (made) await chmod(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
    await writeFile(join(folder, '.writable'), '');
  } catch (error) {
    throw new ExpectedError(
      `The data folder ${folder} cannot be written (${reasonOf(error)}). Set DATA_DIR to a folder that you may write to; if it is that of an instance, run this as the user who runs that, to whom everything in it must belong.`,
    );
  }
}

/**
 * Makes a folder and those above it; false: it is there. Node's own `recursive` tries for ever where a file system says
 * ENOENT to everything, as /proc does.
 */
async function makeFolder(folder: string): Promise<boolean> {
  const make = async () => {
    try {
      await mkdir(folder);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  };
  try {
    return await make();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await makeFolder(dirname(folder));
    return await make();
  }
}

/**
 * The key that the embedded default made for itself. Whoever has it and the database can read everything; a new one in
 * the place of one that was lost would only hide the loss.
 */
async function ownMasterKeys(folder: string, database: Database): Promise<MasterKey[]> {
  const found = await readOwnKeys(folder);
  if (found) return found;
  if (await needsKeys(database))
    throw new ExpectedError(
      `${keyFile(folder)} is missing, the key that the database there was written under. Put it back: without it nothing can be read.`,
    );
  return readKeys(
    await readOrMake(keyFile(folder), () => `1:${randomBytes(32).toString('base64')}\n`),
    folder,
  );
}

/** Undefined when it has made none yet. */
export async function readOwnKeys(folder: string): Promise<MasterKey[] | undefined> {
  const text = await readIfThere(keyFile(folder));
  return text === undefined ? undefined : readKeys(text, folder);
}

const keyFile = (folder: string) => join(folder, 'app-key');

function readKeys(text: string, folder: string): MasterKey[] {
  const keys = readMasterKeys(text.trim());
  if (keys) return keys;
  throw new ExpectedError(
    `${keyFile(folder)} does not hold a key any more. Put the right one back; without it nothing can be read.`,
  );
}
