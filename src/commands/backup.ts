import { constants, copyFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { backUp } from '../embedded/backup.ts';
import { ExpectedError, reasonOf } from '../expected.ts';
import { misused } from './arguments.ts';
import type { Command } from './command.ts';

/** The embedded database in one file, beside a running instance or without one. */
export const backup: Command = {
  embeddedOnly: true,
  usage: [
    '  npm run backup -- FILE               the database, without its key',
    '  npm run backup -- FILE --key FILE    the key, too, into a file of its own',
  ].join('\n'),

  async run({ config, databaseUrl, vault }, { args, say, interrupted }) {
    const { file, key } = read(args);
    const { dataDir } = config;
    for (const path of [file, ...(key ? [key] : [])]) await refuseToOverwrite(path);
    const about = await backUp({ url: databaseUrl, dataDir, interrupted }, file, vault.signs);
    say(`The database is in ${file}, as it was at ${about.made} (mark ${about.mark}).`);
    if (key) {
      await copyFile(join(dataDir, 'app-key'), key, constants.COPYFILE_EXCL).catch((error) => {
        throw new ExpectedError(
          `The key could not be copied to ${key} (${reasonOf(error)}). If it is in APP_KEY, keep that.`,
        );
      });
      say(`The key is in ${key}. Whoever has both files can read everything: keep them apart.`);
    } else {
      say(
        `The key is not in it. Without the key it is noise: keep a copy of ${join(dataDir, 'app-key')} elsewhere.`,
      );
    }
    say('Whoever is erased from now on is still in this file. Do not keep it longer than you must.');
    return undefined;
  },
};

function read(args: string[]): { file: string; key?: string } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { key: { type: 'string' } },
      allowPositionals: true,
    });
    const [file, ...rest] = positionals;
    if (!file || rest.length > 0) return misused(backup);
    return { file: resolve(file), key: values.key && resolve(values.key) };
  } catch {
    return misused(backup);
  }
}

async function refuseToOverwrite(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found) throw new ExpectedError(`${path} is there already. Nothing was changed.`);
}
