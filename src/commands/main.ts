import { readdir } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { type Config, readConfig } from '../config.ts';
import { createContext } from '../context.ts';
import { findRunningPostgres } from '../embedded/orphan.ts';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';
import { createLog } from '../log.ts';
import { backup } from './backup.ts';
import type { Command } from './command.ts';
import { contacts } from './contacts.ts';
import { inbound } from './inbound.ts';
import { pen } from './pen.ts';
import { reconcile } from './reconcile.ts';
import { restore } from './restore.ts';
import { unknown } from './unknown.ts';

/** Every command: `npm run NAME -- …`, or `node dist/src/commands/main.js NAME …` where no npm is wanted. */
const commands: Record<string, Command> = {
  backup,
  contacts,
  inbound,
  pen,
  reconcile,
  restore,
  unknown,
};

async function main(name: string, args: string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new ExpectedError(`There are these commands: ${Object.keys(commands).join(', ')}.`);
  if (args.includes('--help')) return say(`Usage:\n${command.usage}`);
  const interrupted = waitForInterruption();
  try {
    process.exitCode = await run(command, args, interrupted);
  } catch (error) {
    process.exitCode = command.failure ?? (interrupted.aborted ? 130 : 1);
    if (interrupted.aborted) return; // what was ended under it says so, and nobody wants to know
    if (error instanceof ExpectedError) process.stderr.write(`${error.message}\n`);
    else createLog('info').fatal({ err: error }, 'the command ended because of a surprise');
  }
}

/** Works beside the instance that runs, on the same database; the embedded one is started if nobody has, never made. */
async function run(command: Command, args: string[], interrupted: AbortSignal): Promise<number> {
  const config = readConfig(process.env);
  if (command.embeddedOnly && config.databaseUrl) throw notEmbedded();
  const surroundings = { args, say, print, input: () => input(interrupted), interrupted };
  if ('runAlone' in command) return (await command.runAlone(config, surroundings)) ?? 0;
  if (!config.databaseUrl) await refuseWithoutDatabase(config);
  const log = createLog(config.logLevel);
  const patience = { warn: (words: string) => log.warn(words) };
  const databaseUrl = config.databaseUrl ?? (await findRunningPostgres(config.dataDir, patience));
  const context = await createContext({ ...config, databaseUrl, roles: [] }, log);
  try {
    interrupted.throwIfAborted();
    const status = await command.run(context, surroundings);
    return status ?? 0;
  } finally {
    await context.close();
  }
}

/** In another folder than that of the instance, an empty database would be backed up, and no letter would be unknown. */
async function refuseWithoutDatabase({ dataDir }: Config): Promise<void> {
  const entries = await readdir(dataDir, { withFileTypes: true }).catch((error) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw new ExpectedError(
      `The data folder ${dataDir} cannot be read (${reasonOf(error)}). Run this as the user who runs the instance, or set DATA_DIR to its folder.`,
    );
  });
  // what a restore has moved aside or not put into its place yet is looked at later, and told
  if (entries.some((entry) => entry.isDirectory() && /^(postgres|restored-)/.test(entry.name))) return;
  throw new ExpectedError(
    `There is no database in ${dataDir}. Set DATA_DIR to the folder of the instance, or DATABASE_URL and the other settings that it runs with.`,
  );
}

/** The embedded server has a session of its own, and would go on without us. */
function waitForInterruption(): AbortSignal {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interruption.abort());
  process.stdout.on('error', () => interruption.abort()); // nobody reads what we say, as behind `| head`
  return interruption.signal;
}

function notEmbedded(): ExpectedError {
  return new ExpectedError(
    'DATABASE_URL is set, and this is for the embedded database. For a real one, see docs/operating.md.',
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function print(bytes: Buffer): void {
  process.stdout.write(bytes);
}

async function input(interrupted: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of addAbortSignal(interrupted, process.stdin)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const [name = '', ...args] = process.argv.slice(2);
main(name, args).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
