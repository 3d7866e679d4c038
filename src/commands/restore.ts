import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareFolder, readOwnKeys } from '../context.ts';
import { whereItIs } from '../embedded/exchange.ts';
import { restore as restoreFile } from '../embedded/restore.ts';
import { openHighWater } from '../hold/high-water.ts';
import { whatToDo } from '../hold/hold.ts';
import { createVault } from '../people/vault.ts';
import { misused } from './arguments.ts';
import type { Command } from './command.ts';

/** Puts a backup in the place of the embedded database. The mark outside, and the notes of what was taken back, stay. */
export const restore: Command = {
  embeddedOnly: true,
  usage: [
    '  npm run restore -- FILE              where there is no database yet',
    '  npm run restore -- FILE --replace    the database that is there is moved aside',
  ].join('\n'),

  async runAlone(config, { args, say, interrupted }) {
    const { file, replace } = read(args);
    const { dataDir } = config;
    await prepareFolder(dataDir);
    const keys = config.appKeys ?? (await readOwnKeys(dataDir)) ?? [];
    const restored = await restoreFile(dataDir, file, {
      replace,
      interrupted,
      say,
      signs: keys.length > 0 ? createVault(keys).signs : [],
      beforeExchange: () => openHighWater(dataDir).noteRestore(),
    });
    const { about, letters, asideAs } = restored;
    if (asideAs) say(whereItIs(asideAs));
    say(`The database is as it was at ${about.made}, with ${letters} letters.`);
    say(`It knows nothing of what was sent since, so sending is on hold. ${whatToDo}`);
    return undefined;
  },
};

function read(args: string[]): { file: string; replace: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { replace: { type: 'boolean' } },
      allowPositionals: true,
    });
    const [file, ...rest] = positionals;
    if (!file || rest.length > 0) return misused(restore);
    return { file: resolve(file), replace: values.replace ?? false };
  } catch {
    return misused(restore);
  }
}
